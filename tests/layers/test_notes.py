"""What is left out is said, each tensor once, with counts and the argument that adds it."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topoimp.checkpoint import TensorInfo, open_checkpoint
from topoimp.errors import LayerError
from topoimp.layers.catalogue import all_rules
from topoimp.layers.notes import notes_on
from topoimp.layers.records import LayerPatterns, Layers, LeftOut
from topoimp.layers.tensors import select_layers

NAMES = [
    "embed.weight",
    "attn_mask",
    "fc1.weight",
    "fc1.bias",
    "ids",
    "row.weight",
    "sigma",
    "lm_head.weight",
    "q_bias",
]


@pytest.fixture
def checkpoint(write):
    shapes = {"fc1.bias": (4,), "row.weight": (1, 4)}
    arrays = {name: np.ones(shapes.get(name, (4, 4)), np.float32) for name in NAMES if name != "ids"}
    return open_checkpoint(write({**arrays, "ids": np.ones((2, 2), np.int64)}))


def test_every_tensor_left_out_is_counted_once(checkpoint):
    layers = select_layers(checkpoint, LayerPatterns())

    assert notes_on(layers) == [
        "left out as embeddings or heads: embed.weight, lm_head.weight, 2 in all (`embeddings` adds them)",
        "left out as no weights between neurons: attn_mask (a mask), q_bias (a bias with several axes), 2 in all "
        "(`include` adds those that it names)",
        "tensors left out: 1 (one axis), 1 (not floating-point), 1 (single row)",
        "taken for weights, though their names do not say so: sigma, 1 in all "
        "(`exclude` leaves out those that are none)",
    ]


def test_weights_that_are_read_under_masks_are_named(write):
    arrays = {name: np.ones((3, 3), np.float32) for name in ("a.weight_orig", "a.weight_mask", "b.weight")}

    assert notes_on(select_layers(open_checkpoint(write(arrays)), LayerPatterns())) == [
        "read under their masks: a.weight, 1 in all (NAME_orig times NAME_mask)"
    ]


def test_tensors_that_were_not_asked_for_are_counted(checkpoint):
    layers = select_layers(checkpoint, LayerPatterns(include=("fc1*",)))

    assert notes_on(layers) == [
        "tensors left out: 5 (not asked for), 1 (one axis), 1 (not floating-point), 1 (single row)"
    ]


@given(st.lists(st.sampled_from(all_rules()), min_size=1, max_size=30))
def test_counts_add_up_whatever_is_left_out(rules):
    class OfNames:
        """A checkpoint of which only the names and types are looked at."""

        tensors = {f"t{k}": TensorInfo(f"t{k}", "I32", (2, 2), 0, 0) for k in range(len(rules))}  # noqa: RUF012
        ties: dict[str, str] = {}  # noqa: RUF012
        key = None
        other_keys = ()
        unindexed = ()
        masked_weights: dict[str, object] = {}  # noqa: RUF012

    left_out = tuple(LeftOut(f"t{k}", (2, 2), "I32", rule.reason, rule) for k, rule in enumerate(rules))

    notes = notes_on(Layers(OfNames(), (), left_out))

    listed = [int(number) for note in notes for number in re.findall(r"(\d+) in all", note)]
    counted = [int(number) for note in notes for number in re.findall(r"(\d+) \(", note.partition("left out: ")[2])]
    codes = [int(number) for note in notes for number in re.findall(r"(\d+) tensors? holds? codes", note)]
    assert sum(listed) + sum(counted) + sum(codes) == len(rules)


@pytest.mark.parametrize(
    "name",
    [
        "fc.weight",
        "weight",
        "lstm.weight_ih_l0",
        "in_proj_weight",
        "dense.kernel",
        "w1",
        "experts.gate_up_proj",
        "wq",
        "lora_A",
    ],
)
def test_these_names_say_weight(write, name):
    layers = select_layers(
        open_checkpoint(write({name: np.ones((4, 4)), "weight_hh_l0": np.ones((4, 4))})), LayerPatterns()
    )

    assert [note for note in notes_on(layers) if "names do not say so" in note] == []


@pytest.mark.parametrize("name", ["sigma", "a", "codebook", "prototypes", "fc.mean", "transitions"])
def test_these_names_say_nothing(write, name):
    layers = select_layers(open_checkpoint(write({name: np.ones((4, 4))})), LayerPatterns())

    assert [f"names do not say so: {name}, 1 in all" in note for note in notes_on(layers)] == [True]


def test_layers_that_were_asked_for_need_no_note_about_their_names(write):
    path = write({"sigma": np.ones((4, 4))})

    assert notes_on(select_layers(open_checkpoint(path), LayerPatterns(include=("sigma",)))) == []


def test_a_file_of_constants_alone_is_refused_by_the_name_of_one(write):
    path = write({"attn_mask": np.ones((3, 3)), "bias": np.ones(3)})

    with pytest.raises(
        LayerError, match=r"holds 2 tensors, and no layer: attn_mask is left out \(a mask\); `include` adds it"
    ):
        select_layers(open_checkpoint(path), LayerPatterns())
