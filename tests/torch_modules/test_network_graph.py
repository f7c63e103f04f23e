from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import prune

from topoimp import LayerError, network_graph
from topoimp.architectures import NAMED_NETWORKS, parse_architecture
from topoimp.architectures.graph import architecture_graph
from topoimp.network.facts import kept_in, path_facts
from topoimp.network.graph import Connection
from topoimp.training.models import build_network


def module_of(forward, **modules):
    """A module with the given parts, and a forward pass that gets the module and a batch."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            for name, part in modules.items():
                setattr(self, name, part)

        def forward(self, x):
            return forward(self, x)

    return Net()


@pytest.mark.parametrize("model", [*NAMED_NETWORKS, "mlp:9-7-5-4", "vgg-11:512-6-10"])
def test_networks_that_are_trained_here_have_the_graphs_of_their_architectures(model):
    architecture = parse_architecture(model)
    expected = architecture_graph(architecture)

    graph = network_graph(build_network(architecture, seed=0))

    assert list(graph.places.values()) == list(expected.places.values())
    called = dict(zip(expected.places, graph.places, strict=True))
    assert graph.connections == tuple(
        replace(each, source=called[each.source], target=called[each.target]) for each in expected.connections
    )


def residual(net, x):
    x = functional.relu(net.norm1(net.conv1(x)), inplace=True)
    y = net.norm2(net.conv2(x))
    y += x
    return net.fc(functional.avg_pool2d(torch.sigmoid(y), 4).view(y.size(0), -1))


def test_a_residual_network_has_the_graph_that_was_written_by_hand():
    graph = network_graph(
        module_of(
            residual,
            conv1=nn.Conv2d(3, 4, 3, padding=1),
            norm1=nn.BatchNorm2d(4),
            conv2=nn.Conv2d(4, 4, 3, padding=1),
            norm2=nn.BatchNorm2d(4),
            fc=nn.Linear(16, 5),
        )
    )

    assert graph.places == {"inputs": 3, "conv1.weight": 4, "iadd": 4, "fc.weight": 5}
    assert graph.connections == (
        Connection("inputs", "conv1.weight", "conv1.weight", 9, norm="norm1"),
        Connection("conv1.weight", "iadd", "conv2.weight", 9, norm="norm2"),
        Connection("conv1.weight", "iadd"),
        Connection("iadd", "fc.weight", "fc.weight", 4),
    )


def inverted(net, x):
    return net.fc((x + net.project(functional.relu6(net.norm(net.depthwise(net.expand(x)))))).mean((2, 3)))


def test_a_residual_network_has_a_connection_for_all_groups_of_a_convolution():
    graph = network_graph(
        module_of(
            inverted,
            expand=nn.Conv2d(4, 8, 1, groups=2),
            depthwise=nn.Conv2d(8, 8, 3, padding=1, groups=8),
            norm=nn.BatchNorm2d(8, eps=0.001),
            project=nn.Conv2d(8, 4, 1),
            fc=nn.Linear(4, 2),
        )
    )

    assert graph.places == {"inputs": 4, "expand.weight": 8, "depthwise.weight": 8, "add": 4, "fc.weight": 2}
    assert graph.connections == (
        Connection("inputs", "expand.weight", "expand.weight", groups=2),
        Connection(
            "expand.weight", "depthwise.weight", "depthwise.weight", 9, groups=8, norm="norm", norm_epsilon=0.001
        ),
        Connection("depthwise.weight", "add", "project.weight"),
        Connection("inputs", "add"),
        Connection("add", "fc.weight", "fc.weight"),
    )


def small_module(rng):
    """A random network of one or two hidden places, some of its weights 0."""
    n_hidden = 2 * int(rng.integers(1, 3))
    torch.manual_seed(int(rng.integers(1 << 30)))
    parts = {
        "conv": nn.Conv1d(2, n_hidden, 1, groups=int(rng.choice([1, 2])), bias=False),
        "deep": nn.Conv1d(n_hidden, n_hidden, 1, groups=int(rng.choice([1, 2, n_hidden])), bias=False),
        "fc": nn.Linear(n_hidden * (1 + rng.integers(2)), 2, bias=False),
    }
    is_row = parts["fc"].in_features > n_hidden

    def forward(net, x):
        first = net.conv(x)
        deep = net.deep(first)
        return net.fc((torch.cat([deep, first], 1) if is_row else deep + first).flatten(1))

    model = module_of(forward, **parts).double()
    for parameter in model.parameters():
        parameter.data = torch.from_numpy((rng.random(parameter.shape) < 0.4).astype(np.float64))
    return model


@pytest.mark.parametrize("seed", range(30))
def test_a_weight_is_off_path_if_and_only_if_no_output_depends_on_it_and_on_an_input(seed):
    model = small_module(np.random.default_rng(seed))
    inputs = torch.ones(1, 2, 1, dtype=torch.float64)
    weights = {name: parameter.detach().numpy() for name, parameter in model.named_parameters()}
    before = model(inputs)

    facts = path_facts(network_graph(model), lambda name: kept_in(weights[name]))

    # All weights are 0 or 1, and all inputs 1: outputs count paths, of which a weight 2 has more.
    for name, parameter in model.named_parameters():
        n_off_path = 0
        for index in parameter.detach().nonzero().tolist():
            with torch.no_grad():
                parameter[tuple(index)] = 2
                n_off_path += torch.equal(model(inputs), before)
                parameter[tuple(index)] = 1
        assert n_off_path == facts.layers[name].n_off_path


def test_channels_of_several_branches_stand_in_a_row():
    graph = network_graph(
        module_of(
            lambda net, x: net.fc(torch.cat([net.a(x), net.b(x)], dim=1).mean((2, 3))),
            a=nn.Conv2d(3, 2, 1),
            b=nn.Conv2d(3, 4, 3, padding=1),
            fc=nn.Linear(6, 2),
        )
    )

    assert graph.places == {"inputs": 3, "cat": 6, "fc.weight": 2}
    assert graph.connections == (
        Connection("inputs", "cat", "a.weight", 1),
        Connection("inputs", "cat", "b.weight", 9, first_target=2),
        Connection("cat", "fc.weight", "fc.weight", 1),
    )


def test_a_norm_before_its_layer_stands_between_two_places():
    graph = network_graph(
        module_of(
            lambda net, x: net.fc2(functional.relu(net.norm(net.fc1(x) + x))),
            fc1=nn.Linear(4, 4),
            norm=nn.BatchNorm1d(4),
            fc2=nn.Linear(4, 2),
        )
    )

    assert [(each.source, each.target, each.norm) for each in graph.connections] == [
        ("inputs", "add", None),
        ("inputs", "add", None),
        ("add", "norm", "norm"),
        ("norm", "fc2.weight", None),
    ]


def padded(images):
    """Every other pixel, with a channel of zeros before the others, and one behind them."""
    return functional.pad(images[:, :, ::2, ::2], (0, 0, 0, 0, 1, 1))


def widening(net, x):
    x = net.conv1(x)
    return net.conv3(net.conv2(x) + padded(x)).mean((-1, -2))


def test_channels_of_zeros_have_no_shortcut():
    graph = network_graph(
        module_of(
            widening,
            conv1=nn.Conv2d(1, 2, 1),
            conv2=nn.Conv2d(2, 4, 3, 2, 1),
            conv3=nn.Conv2d(4, 3, 1),
        )
    )

    assert graph.connections[1:3] == (
        Connection("conv1.weight", "add", "conv2.weight", 9),
        Connection("conv1.weight", "add", first_target=1),
    )


def test_inputs_besides_the_batch_have_their_defaults():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3, 2)

        def forward(self, x, mask=None, is_long=False):
            x = self.fc(input=x)
            if is_long:
                x = torch.cat([x, x], 1)
            return x if mask is None else x * mask

    assert network_graph(Masked()).places == {"inputs": 3, "fc.weight": 2}


def test_the_last_softmax_changes_nothing():
    layers = [nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)]

    assert network_graph(nn.Sequential(*layers, nn.LogSoftmax(1))) == network_graph(nn.Sequential(*layers))


def test_a_layer_by_itself_and_a_wrapped_module_are_networks():
    module = nn.Linear(3, 2)

    assert network_graph(module).places == {"inputs": 3, "weight": 2}
    assert network_graph(nn.DataParallel(nn.Sequential(module))).places == {"inputs": 3, "0.weight": 2}


def test_a_layer_under_a_mask_of_torch_keeps_its_name():
    module = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    prune.random_unstructured(module[0], "weight", 0.5)

    assert network_graph(module).layers == ["0.weight", "1.weight"]


def add_in_place(net, x):
    y = net.fc1(x)
    z = functional.relu(y)
    y += x
    return z + y


def unread_in_place(net, x):
    y = net.fc1(x)
    y.add_(x)
    return y


class Attention(nn.Module):
    def forward(self, x):
        return torch.softmax(x, -1)


LINEAR = {"fc1": nn.Linear(4, 4)}
IMAGES = {"conv": nn.Conv2d(3, 4, 1), "fc1": nn.Linear(4, 4)}
OTHER = "is no operation that joins vertices one to one"


@pytest.mark.parametrize(
    ("forward", "parts", "reason"),
    [
        (lambda net, x: net.fc1(net.score(net.fc1(x))), {**LINEAR, "score": Attention()}, f"softmax in score {OTHER}"),
        (lambda net, x: net.fc1(x) * x, LINEAR, f"mul in Net {OTHER}"),
        (lambda net, x: net.norm(net.fc1(x)), {**LINEAR, "norm": nn.LayerNorm(4)}, f"LayerNorm norm {OTHER}"),
        (lambda net, x: net.a(x, x, x)[0], {"a": nn.MultiheadAttention(4, 2)}, f"MultiheadAttention a {OTHER}"),
        (lambda net, x: net.fc1(net.fc1(x)), LINEAR, "fc1.weight is used twice; each layer must be used once"),
        (lambda net, x: sum(net.fc1(row) for row in x), LINEAR, "(Proxy object cannot be iterated)"),
        (lambda net, x: net.fc1(net.lstm(x)[0]), {**LINEAR, "lstm": nn.LSTM(4, 4)}, f"LSTM lstm {OTHER}"),
        (lambda _, x: x, {}, "no layer lies between the inputs and the outputs"),
        (lambda net, x: (net.fc1(x), x), LINEAR, "Net does not return one tensor that its layers compute"),
        (lambda net, x: net.fc1(x) @ net.fc1.weight, LINEAR, "Net computes with its tensor fc1.weight outside a layer"),
        (
            lambda net, x: net.fc1(net.conv(x)),
            IMAGES,
            "fc1 is a linear layer on images, which must be flattened before",
        ),
        (lambda net, x: net.conv(net.fc1(x)), IMAGES, "conv is a convolution of fc1.weight, which is no image"),
        (lambda net, x: net.conv(x).mean(1), IMAGES, "mean in Net joins other axes than those of pixels"),
        (
            lambda net, x: net.conv(x).view(-1, 4, 2, 8),
            IMAGES,
            "view in Net forms another shape than (batch, features)",
        ),
        (lambda net, x: net.conv(x).flatten(), IMAGES, "flatten in Net flattens other axes than all but the batch"),
        (lambda net, x: net.conv(x)[:, :2], IMAGES, f"getitem in Net {OTHER}"),
        (
            lambda net, x: net.conv(torch.relu(x) + x),
            IMAGES,
            "add in Net joins the inputs before a layer has read them",
        ),
        (
            lambda net, x: net.fc1(net.fc0(x)),
            {**LINEAR, "fc0": nn.Linear(4, 3)},
            "fc1.weight reads 4 inputs, but fc0.weight has 3 vertices; as many are needed",
        ),
        (
            lambda net, x: net.fc1(net.conv(x).flatten(1)),
            {**LINEAR, "conv": nn.Conv2d(1, 3, 1)},
            "fc1.weight reads 4 inputs, but conv.weight has 3 vertices; a multiple of it is needed",
        ),
        (
            lambda net, x: net.norm(net.conv(x).flatten(1)),
            {**IMAGES, "norm": nn.BatchNorm1d(36)},
            "norm has 36 factors, but conv.weight has 4 vertices",
        ),
        (
            lambda net, x: net.fc1(x) + net.fc0(x),
            {**LINEAR, "fc0": nn.Linear(4, 1)},
            "add adds vertices of different numbers: 4 of fc1.weight and 1 of fc0.weight",
        ),
        (lambda net, x: torch.cat([net.fc1(x), net.fc2(x)]), {**LINEAR, "fc2": nn.Linear(4, 4)}, "along another axis"),
        (
            lambda net, x: net.fc1(x) if x.sum() > 0 else x,
            LINEAR,
            "Net cannot be traced by torch.fx (symbolically traced variables cannot be used as inputs to control flow)",
        ),
        (add_in_place, LINEAR, "iadd in Net changes fc1.weight in place, and add in Net reads it after that"),
        (unread_in_place, LINEAR, "add in Net changes a tensor in place, and its value is not read"),
    ],
)
def test_a_network_whose_graph_cannot_be_known_is_refused(forward, parts, reason):
    with pytest.raises(LayerError) as refused:
        network_graph(module_of(forward, **parts))

    assert str(refused.value).startswith("the network's graph is unknown: ")
    assert reason in str(refused.value)


def test_weights_that_two_layers_share_are_refused():
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    module[1].weight = module[0].weight

    with pytest.raises(LayerError, match=r"1\.weight shares its weights with 0\.weight; each layer must be used once"):
        network_graph(module)


def test_a_module_that_reads_two_batches_is_refused():
    class Two(nn.Module):
        def forward(self, x, y):
            return x + y

    with pytest.raises(LayerError, match="Two reads the inputs x and y; one is needed"):
        network_graph(Two())
