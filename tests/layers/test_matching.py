import numpy as np
import pytest
from conftest import stream_of
from hypothesis import given
from hypothesis import strategies as st

from topoimp.checkpoint import open_checkpoint
from topoimp.choices import Scope
from topoimp.errors import OptionError
from topoimp.layers.matching import as_meant, matches
from topoimp.layers.records import LayerPatterns
from topoimp.layers.tensors import select_layers
from topoimp.pruning.layer_amounts import with_layer_rates
from topoimp.pruning.schedule import plan_schedule

GROUPS = (("*qkv*", 3), ("experts", 12))
SHAPES = {"h.0.qkv.weight": (9, 5), "h.1.qkv.weight": (9, 5), "fc0": (4, 5), "fc1": (4, 5), "experts": (12, 3, 4)}
ALL = [
    *("fc0", "fc1"),
    *(f"experts[{number}]" for number in range(12)),
    *(f"h.{block}.qkv.weight[{number}]" for block in range(2) for number in range(3)),
]


@pytest.fixture
def checkpoint(write):
    return open_checkpoint(write({name: np.ones(shape, np.float32) for name, shape in SHAPES.items()}))


def selected(checkpoint, **patterns):
    return {info.name for info in select_layers(checkpoint, LayerPatterns(groups=GROUPS, **patterns)).infos}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("h.0.qkv.weight[1]", ["h.0.qkv.weight[1]"]),
        ("*qkv*[2]", ["h.0.qkv.weight[2]", "h.1.qkv.weight[2]"]),
        ("h.[0]*[2]", ["h.0.qkv.weight[2]"]),
        ("*.0.qkv*[*]", [f"h.0.qkv.weight[{number}]" for number in range(3)]),
        ("exp*[1?]", ["experts[10]", "experts[11]"]),
        ("exp*[[]1]", ["experts[1]"]),
        ("*qkv.weight", [name for name in ALL if "qkv" in name]),
        # The glob's own reading comes first.
        ("*[0]", ["fc0"]),
        ("fc[01]", ["fc0", "fc1"]),
        (r"re:qkv.*\[0\]", ["h.0.qkv.weight[0]", "h.1.qkv.weight[0]"]),
    ],
)
def test_a_pattern_names_groups_if_it_matches_nothing_as_a_glob(checkpoint, pattern, expected):
    assert selected(checkpoint, include=(pattern,)) == set(expected)
    assert selected(checkpoint, exclude=(pattern,)) == set(ALL) - set(expected)


def test_the_patterns_of_a_selection_stay_as_they_were_written(checkpoint):
    patterns = LayerPatterns(include=("*qkv*[0]",), groups=GROUPS)

    assert select_layers(checkpoint, patterns).patterns == patterns


@pytest.mark.parametrize("pattern", ["*qkv*[3]", "*qkv*[a]", "[0]", "qkv[0]", "*qkv*[0]x", "re:qkv[0]"])
def test_a_pattern_that_matches_nothing_either_way_is_refused_as_it_was_written(checkpoint, pattern):
    with pytest.raises(OptionError) as caught:
        selected(checkpoint, include=(pattern,))

    assert str(caught.value).startswith(f"pattern {pattern!r} matches no layer of {checkpoint.path}; its layers are ")


def test_a_rate_is_that_of_a_group_whose_pattern_names_it(checkpoint):
    infos = select_layers(checkpoint, LayerPatterns(groups=GROUPS)).infos
    schedule = plan_schedule(rounds=1, rate=0.5, sparsity=None)

    rated = with_layer_rates(schedule, {"*.0.qkv*[1]": 0.2}, infos, Scope.LAYER)

    kept = {info.name: rated.targets_of(info, info.n_weights) for info in infos}
    assert [name for name, targets in kept.items() if "qkv" in name and targets != [8]] == ["h.0.qkv.weight[1]"]
    assert kept["h.0.qkv.weight[1]"] == [12]
    with pytest.raises(OptionError, match=r"pattern '\*qkv\*\[3\]' matches no layer that is pruned; the last of them"):
        with_layer_rates(schedule, {"*qkv*[3]": 0.2}, infos, Scope.LAYER)


@given(name=st.text("ab.", min_size=1), number=st.integers(0, 120), other=st.text("ab.", min_size=1))
def test_brackets_that_are_letters_match_the_group_of_that_number_alone(name, number, other):
    pattern = as_meant(f"{name}*[{number}]", [])

    assert matches(f"{name}{other}[{number}]", pattern)
    assert not matches(f"{name}{other}[{number + 1}]", pattern)
    assert not matches(f"{name}{other}{number}", pattern)


def test_a_layer_that_matches_keeps_the_pattern_a_glob(write):
    infos = stream_of(write({"fc0": np.ones((2, 2))})).layers.infos

    assert as_meant("fc[0]", infos) == "fc[0]"
    assert as_meant("qkv[0]", infos) == "qkv[[]0]"
