"""Rates of single layers in the scope ``global``: targets of their own, and one target for the others."""

import numpy as np
import pytest
from conftest import stream_of
from hypothesis import given
from hypothesis import strategies as st
from strategies import weights

from topoimp.checkpoint import write_arrays
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import GateError
from topoimp.pruning.masks import read_masks
from topoimp.pruning.one_shot import sweep
from topoimp.pruning.options import PruningOptions
from topoimp.torch_modules.pruning import masks_of_round

WEIGHTS = weights(rows=st.integers(2, 6), columns=st.integers(2, 6))


def masks(path, only=None, **options):
    """The masks of all rounds by layer, of all layers or of some."""
    stream = stream_of(path, include=only or ())
    scheme = PruningOptions(rounds=3, rate=0.4, seed=1, **options).scheme(stream.layers.infos)
    return [masks_of_round(stream, round_) for round_ in sweep(stream, scheme).rounds]


@given(st.lists(WEIGHTS, min_size=2, max_size=4), st.sampled_from(["topological", "magnitude", "random"]))
def test_a_layer_is_pruned_at_its_rate_alone_and_the_others_as_without_it(tmp_path_factory, arrays, method):
    path = tmp_path_factory.mktemp("rates") / "model.safetensors"
    names = [f"layer{k}" for k in range(len(arrays))]
    write_arrays(path, dict(zip(names, arrays, strict=True)), {})

    together = masks(path, method=method, scope="global", layer_rates={"layer1": 0.2})

    alone = masks(path, only=("layer1",), method=method, scope="layer", layer_rates={"layer1": 0.2})
    others = masks(path, only=tuple(n for n in names if n != "layer1"), method=method, scope="global")
    for found, own, rest in zip(together, alone, others, strict=True):
        assert list(found) == names
        assert all(np.array_equal(found[name], mask) for name, mask in {**own, **rest}.items())


def test_the_network_row_has_the_sum_of_the_targets_and_layer_rows_their_own(lenet):
    options = PruningOptions(rounds=2, rate=0.5, method="magnitude", scope="global", layer_rates={"fc3*": 0.25})

    rounds = prune_checkpoint(lenet, options).report.rows

    targets = [(row.get("layer"), row["target"]) for row in rounds]
    assert targets == [
        ("fc1.weight", None),
        ("fc2.weight", None),
        ("fc3.weight", 750),
        (None, 133_350),
        ("fc1.weight", None),
        ("fc2.weight", None),
        ("fc3.weight", 563),
        (None, 66_863),
    ]
    assert [row["n_kept"] for row in rounds if row["level"] == "network"] == [133_350, 66_863]


def test_the_output_layer_has_half_the_rate_under_lamp(lenet):
    options = {"rounds": 2, "rate": 0.5, "method": "lamp", "output_rate": "half", "output_layer": "fc3.weight"}

    masks = read_masks(prune_checkpoint(lenet, PruningOptions(**options)).outputs.mask)

    assert masks["fc3.weight"].n_kept == 563


def test_rates_of_all_layers_leave_no_shared_target(lenet):
    rates = {"fc*": 0.5}

    shared = prune_checkpoint(lenet, PruningOptions(rounds=2, scope="global", layer_rates=rates)).report
    alone = prune_checkpoint(lenet, PruningOptions(rounds=2, layer_rates=rates), force=True).report

    assert shared.rows == alone.rows


@pytest.mark.parametrize(
    ("layer_rates", "message"),
    [
        (
            {"fc1*": 0.001},
            "round 1 asks all other layers together for 310 weights, below its floor of 508; nothing",
        ),
        ({"fc3*": 0.95}, "round 1 asks fc3.weight for 50 weights, below its floor of 109; nothing was written"),
    ],
)
def test_a_target_below_a_floor_is_named(lenet, layer_rates, message):
    rate = 0.99 if "fc1*" in layer_rates else 0.2
    options = PruningOptions(rounds=1, rate=rate, scope="global", layer_rates=layer_rates)

    with pytest.raises(GateError, match=message):
        prune_checkpoint(lenet, options, strict=True)


def test_a_function_of_the_user_sees_all_layers_together(lenet):
    seen = []

    def look(arrays):
        seen.append(list(arrays))
        return arrays

    prune_checkpoint(lenet, PruningOptions(rounds=1, method=look, scope="global", layer_rates={"fc2*": 0.1}))

    assert seen == [["fc1.weight", "fc2.weight", "fc3.weight"]]
