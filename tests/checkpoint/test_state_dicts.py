import collections
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from topoimp.checkpoint import open_checkpoint
from topoimp.checkpoint.state_dicts import Content, find_state_dict
from topoimp.errors import CheckpointError, OptionError

PATH = Path("m.pt")
ONE, TWO = {"a": torch.ones(2, 2)}, {"b": torch.zeros(2, 2)}
OPTIMIZER = {"state": {0: {"exp_avg": torch.zeros(2, 2), "step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1}]}


def found(content, key=None, opened_for=Content.WEIGHTS):
    """The names of the tensors, the key and the other keys."""
    state_dict = find_state_dict(content, PATH, key, opened_for)
    return list(state_dict.tensors), state_dict.key, list(state_dict.other_keys)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (ONE, (["a"], None, [])),
        ({"state_dict": ONE}, (["a"], "state_dict", [])),
        ({"ema_state_dict": TWO, "state_dict": ONE}, (["a"], "state_dict", ["ema_state_dict"])),
        ({"model": ONE, "ema": TWO}, (["a"], "model", ["ema"])),
        ({"model": {"module": ONE, "ema": TWO}, "step": 3}, (["a"], "model.module", ["model.ema"])),
        ({"params": ONE, "params_ema": TWO}, (["a"], "params", ["params_ema"])),
        ({"student": ONE, "epoch": 3}, (["a"], "student", [])),
    ],
)
def test_the_usual_key_is_read_and_the_others_are_named(content, expected):
    assert found(content) == expected


@pytest.mark.parametrize(
    "states",
    [
        {"optimizer": OPTIMIZER},
        {"anything": OPTIMIZER},
        {"optim_g": OPTIMIZER, "optim_d": OPTIMIZER},
        {"optimizer_state": {"state": OPTIMIZER["state"]}},
        {"OPTIMIZER_STATE_DICT": {"0": torch.ones(3)}},
        {"opt": {"state": OPTIMIZER["state"]}},
        {"lr_scheduler": {"last_epoch": 3}, "optimizers": {"adam": {"m": torch.ones(2)}}},
    ],
)
def test_states_of_optimizers_do_not_compete(states):
    assert found({"network_weights": ONE, **states}) == (["a"], "network_weights", [])
    assert found({**ONE, **states}) == (["a"], None, [])


@pytest.mark.parametrize("name", ["optic_flow", "options", "opt", "coptim"])
def test_a_network_whose_name_begins_alike_is_no_optimizer(name):
    assert found({name: ONE}) == (["a"], name, [])


@pytest.mark.parametrize("n_parameters", [1, 200])
def test_the_file_of_an_optimizer_holds_no_network(n_parameters):
    content = {**OPTIMIZER, "state": {k: {"exp_avg": torch.zeros(4, 4)} for k in range(n_parameters)}}

    with pytest.raises(CheckpointError) as caught:
        find_state_dict(content, PATH)

    assert str(caught.value) == (
        "m.pt: holds the state of an optimizer and no network; name the file with the network's weights"
    )


@pytest.mark.parametrize(
    ("content", "key", "expected"),
    [
        ({"generator": ONE, "discriminator": TWO}, "discriminator", (["b"], "discriminator", ["generator"])),
        ({"state_dict": ONE, "ema": TWO}, "ema", (["b"], "ema", ["state_dict"])),
        ({"model": {"net": ONE, "ema": TWO}}, "model", (["a"], "model.net", ["model.ema"])),
        ({"model": {"net": ONE, "ema": TWO}}, "model.ema", (["b"], "model.ema", ["model.net"])),
        ({"a.b": ONE, "a": {"c": TWO}}, "a.b", (["a"], "a.b", ["a"])),
        ({"gan": {"g": ONE, "d": TWO}}, "gan", (["g.a", "d.b"], "gan", [])),
        ({3: ONE, 4: TWO}, "4", (["b"], "4", ["3"])),
    ],
)
def test_a_key_names_the_state_dict_to_read(content, key, expected):
    assert found(content, key) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"g": ONE, "d": {"net": TWO}}, "its state dicts are g, d, d.net"),
        (ONE, "it has no state dict below a key"),
        ({"g": ONE, "optimizer": OPTIMIZER}, "its state dicts are g"),
        ({str(k): ONE for k in range(200)}, "its state dicts are 0, 1, 2, 3, 4, ..., 200 in all"),
    ],
)
@pytest.mark.parametrize("key", ["x", "", "optimizer", "g.a", "d.net.b"])
def test_a_key_without_a_state_dict_is_refused_with_those_that_there_are(content, message, key):
    with pytest.raises(OptionError) as caught:
        find_state_dict(content, PATH, key)

    assert str(caught.value) == f"`key` is {key!r}, and m.pt has no such state dict; {message}"


def test_several_state_dicts_without_a_usual_key_are_refused_and_long_lists_are_cut():
    with pytest.raises(CheckpointError) as caught:
        find_state_dict({f"net{k}": ONE for k in range(200)}, PATH)

    assert str(caught.value) == (
        "m.pt: holds several state dicts (net0, net1, net2, net3, net4, ..., 200 in all); `key` names the one to read"
    )


def test_a_dictionary_that_holds_itself_is_refused():
    content = {}
    content["model"] = content

    with pytest.raises(CheckpointError, match=r"m.pt: nests its dictionaries too deeply to read"):
        find_state_dict(content, PATH)


def test_keys_that_are_no_names_are_passed_over():
    content = {"model": ONE, None: TWO, (1, 2): TWO, torch.ones(2): TWO}

    assert found(content) == (["a"], "model", [])


def test_a_checkpoint_says_which_state_dict_was_read(tmp_path):
    torch.save({"model": ONE, "ema": TWO}, tmp_path / "m.pt")

    usual = open_checkpoint(tmp_path / "m.pt")
    other = open_checkpoint(tmp_path / "m.pt", key="ema")

    assert (list(usual.tensors), usual.key, usual.other_keys) == (["a"], "model", ["ema"])
    assert (list(other.tensors), other.key, other.other_keys) == (["b"], "ema", ["model"])


def test_a_key_is_for_pytorch_files_alone(write):
    path = write({"a": torch.ones(2, 2).numpy()})

    with pytest.raises(OptionError, match=r"`key` is 'ema', and .* is no PyTorch file, which alone has state dicts"):
        open_checkpoint(path, key="ema")


def nested_twice(depth):
    """A dictionary of dictionaries, each of which holds the one before twice."""
    content = {"w": torch.ones(2)}
    for _ in range(depth):
        content = {"a": content, "b": content}
    return content


def test_a_dictionary_that_is_named_in_too_many_ways_is_refused_at_once():
    assert len(find_state_dict({**ONE, "more": nested_twice(8)}, PATH).tensors) == 1 + 2**8

    with pytest.raises(CheckpointError) as caught:
        find_state_dict({**ONE, "more": nested_twice(40)}, PATH)

    assert str(caught.value) == "m.pt: names its dictionaries in more than 100000 ways; it is damaged"


def test_a_dictionary_whose_methods_are_hidden_is_read_by_its_entries():
    content = collections.OrderedDict(ONE)
    content.__dict__.update(values=3, items=3, keys=3)

    assert found({"model": content}) == (["a"], "model", [])


def test_a_key_that_python_does_not_write_out_is_named_by_its_type():
    assert find_state_dict({"model": ONE, 10**5000: TWO, (1, 2): 3}, PATH).not_tensors == ("(int)", "(tuple)")


ALL = list(Content)
MASKS = [Content.MASK, Content.WEIGHTS_OR_MASK]
FC1, FC2 = {"weight": torch.ones(2, 2), "bias": None}, {"weight": torch.ones(2, 2), "bias": torch.ones(2)}
NAMES = ["fc1.weight", "fc2.weight", "fc2.bias"]


@pytest.mark.parametrize("opened_for", ALL)
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"fc1": FC1, "fc2": FC2}, (NAMES, None, [])),
        ({"fc1": FC1, "fc2": FC2, "epoch": 3, "optimizer": OPTIMIZER}, (NAMES, None, [])),
        ({"pruning": {"fc1": FC1, "fc2": FC2}}, (NAMES, "pruning", [])),
        ({"model": {"fc1": FC1, "fc2": FC2}, "ema": TWO}, (NAMES, "model", ["ema"])),
        ({"fc1": FC1}, (["fc1.weight"], None, [])),
        ({"fc1": FC1, "fc2": {"weight": None, "bias": None}}, (["fc1.weight"], None, [])),
        ({"layers.0": FC2, 1: FC1}, (["layers.0.weight", "layers.0.bias", "1.weight"], None, [])),
        (
            {"a": {"weight_hh_l0": ONE["a"]}, "b": {"bias_mask": ONE["a"]}},
            (["a.weight_hh_l0", "b.bias_mask"], None, []),
        ),
    ],
)
def test_dictionaries_of_the_parameters_of_one_module_each_are_one_state_dict(content, expected, opened_for):
    assert found(content, opened_for=opened_for) == expected


@pytest.mark.parametrize("opened_for", ALL)
@pytest.mark.parametrize(
    "other", [{"net.weight": torch.ones(2, 2)}, {"weight": [1.0]}, {3: torch.ones(2, 2), **FC1}, {"deeper": FC1}, ONE]
)
def test_dictionaries_of_more_than_one_module_are_several_state_dicts(opened_for, other):
    content = {"fc1": FC1, "fc2": {**FC2, **other}}

    with pytest.raises(CheckpointError, match=r"m.pt: holds several state dicts \(fc1, fc2\); `key` names the one to"):
        found(content, opened_for=opened_for)


def test_a_network_of_one_module_below_a_key_has_the_names_of_its_own():
    assert found({"student": FC2}) == (["weight", "bias"], "student", [])


@pytest.mark.parametrize("opened_for", MASKS)
@pytest.mark.parametrize(
    "content",
    [
        [{"fc1": FC1, "fc2": FC2}],
        [{"fc1": FC1}, {"fc2": FC2}],
        ({"fc1": FC1}, [{"fc2": FC2}, {}]),
        {"mask": [{"fc1": FC1}, {"fc2": FC2}]},
        {"masks": ({"fc1": FC1, "fc2": FC2},), "sparsity": [0.5, {"a": 1}]},
        [
            {"fc1.weight": torch.ones(2, 2)},
            collections.OrderedDict({"fc2.weight": torch.ones(2, 2), "fc2.bias": ONE["a"]}),
        ],
    ],
)
def test_a_list_of_masks_is_read_as_one_and_a_list_of_weights_is_refused(content, opened_for):
    assert found(content, opened_for=opened_for)[0] == NAMES

    with pytest.raises(CheckpointError, match=r"m.pt: holds (a (list|tuple); a state dict,|no tensors by name;)"):
        found(content)


@pytest.mark.parametrize("opened_for", MASKS)
@pytest.mark.parametrize(
    "content", [[{"fc1": FC1}, {"fc1": FC1}], {"masks": [{"fc2": FC1}, [{"fc1": 1}, {"fc1": FC1}]]}]
)
def test_a_list_with_masks_of_several_rounds_is_refused(content, opened_for):
    with pytest.raises(CheckpointError) as caught:
        found(content, opened_for=opened_for)

    assert str(caught.value) == "m.pt: holds a list with more than one mask of 'fc1'; save the one that is meant"


@pytest.mark.parametrize("content", [[], [ONE["a"], ONE["a"]], [ONE, None], [3], "text", [[]], [()]])
@pytest.mark.parametrize("opened_for", ALL)
def test_a_list_without_names_is_no_mask(content, opened_for):
    with pytest.raises(CheckpointError, match=r"m.pt: holds a (list|str); a state dict, tensors by name, is needed"):
        found(content, opened_for=opened_for)


@pytest.mark.parametrize(
    ("opened_for", "key", "others"),
    [
        (Content.WEIGHTS, "state_dict", ["mask"]),
        (Content.WEIGHTS_OR_MASK, "state_dict", ["mask"]),
        (Content.MASK, "mask", ["state_dict"]),
    ],
)
def test_a_mask_beside_a_state_dict_is_read_where_a_mask_is_needed(opened_for, key, others):
    content = {"state_dict": {"fc1.weight": torch.ones(2, 2)}, "mask": {"fc1": FC1, "fc2": FC2}}

    assert found(content, opened_for=opened_for)[1:] == (key, others)


def test_lists_beside_a_state_dict_are_no_masks_of_a_file_that_may_hold_weights():
    content = {"state_dict": ONE, "masks": [{"a": 1}, {"a": 2}], "lr_schedulers": [{"a": 1}, {"a": 2}]}

    assert found(content, opened_for=Content.WEIGHTS_OR_MASK) == (["a"], "state_dict", [])


def test_a_key_leads_to_one_of_several_masks_by_module():
    content = {"round-1": {"fc1": FC1, "fc2": FC2}, "round-2": {"fc2": FC2, "fc3": FC1}}

    assert found(content, "round-2", Content.MASK)[:2] == (["fc2.weight", "fc2.bias", "fc3.weight"], "round-2")


def test_lists_that_hold_themselves_or_each_other_twice_are_refused_at_once():
    itself, twice = [], {}
    itself.append(itself)
    for _ in range(60):
        twice = [twice, twice]

    with pytest.raises(CheckpointError, match=r"m.pt: nests its dictionaries too deeply to read"):
        found(itself, opened_for=Content.MASK)
    with pytest.raises(CheckpointError, match=r"m.pt: holds no tensors by name; a state dict is needed"):
        found(twice, opened_for=Content.MASK)


@st.composite
def masks_by_module(draw):
    """Masks by the name of their weight, and the same by module, as one dictionary or in a list of them."""
    modules = draw(st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=2).map(sorted))
    nested = {f"block.{module}": draw(st.sampled_from([FC1, FC2])) for module in modules}
    flat = [f"{module}.{name}" for module, own in nested.items() for name, mask in own.items() if mask is not None]
    cuts = sorted(draw(st.sets(st.integers(0, len(modules)), max_size=3)))
    items = list(nested.items())
    parts = [dict(items[start:stop]) for start, stop in zip([0, *cuts], [*cuts, len(items)], strict=True)]
    return flat, draw(st.sampled_from([nested, parts, {"mask": parts}, {"masks": nested}, [nested], [[nested]]]))


@given(masks_by_module())
def test_masks_by_module_have_the_names_of_the_weights_however_they_are_listed(masks):
    flat, nested = masks

    assert found(nested, opened_for=Content.MASK)[0] == flat
