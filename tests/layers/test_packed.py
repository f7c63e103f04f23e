"""Tensors of several matrices are noted where name and shape show them, and nowhere else."""

import numpy as np
import pytest

from topoimp.checkpoint import open_checkpoint
from topoimp.layers.notes import notes_on
from topoimp.layers.packed import experts_in, projections_in
from topoimp.layers.records import LayerPatterns
from topoimp.layers.tensors import select_layers


@pytest.mark.parametrize(
    ("name", "shape", "groups"),
    [
        ("model.layers.0.mlp.experts.gate_up_proj", (8, 16, 64), "=8"),
        ("mlp.experts.down_proj.weight", (4, 32, 16), "=4"),
        ("experts_w1", (2, 3, 5), "=2"),
        ("mlp.experts.0.w1.weight", (8, 16, 64), None),  # one expert
        ("experts.3", (8, 16, 64), None),
        ("experts.conv.weight", (8, 16, 3), None),
        ("mlp.experts.gate_up_proj", (128, 64), None),
        ("mlp.experts.gate_up_proj", (1, 16, 64), None),
        ("conv.weight", (8, 16, 3), None),
    ],
)
def test_stacked_experts_have_three_axes_and_their_name(name, shape, groups):
    found = experts_in(name, shape)

    assert (None if found is None else str(found)) == (groups and name + groups)


@pytest.mark.parametrize(
    ("name", "shape", "groups"),
    [
        ("h.0.attn.c_attn.weight", (8, 24), "=3@1"),
        ("h.0.attn.c_attn.weight", (24, 8), "=3"),
        ("blocks.0.attn.qkv.weight", (24, 8), "=3"),
        ("attn.qkv.weight", (24, 8, 1, 1), "=3"),
        ("attn.qkv.weight", (24, 8, 3, 3), None),
        ("self_attn.in_proj_weight", (24, 8), "=3"),
        ("in_proj_weight", (24, 8), "=3"),
        ("self_attn.qkv_proj.weight", (16, 8), None),  # grouped queries: unequal parts
        ("attn.c_proj.weight", (24, 8), None),
        ("mixer.in_proj.weight", (24, 8), None),
        ("attention.query_key_value.weight", (24, 8), None),  # head by head in BLOOM and GPT-NeoX
        ("attn.Wqkv.weight", (24, 8), None),  # row by row in LightGlue
        ("attn.qkv.weight", (3, 1), None),
        ("qkv", (24,), None),
    ],
)
def test_packed_projections_have_one_side_three_times_the_other_and_their_name(name, shape, groups):
    found = projections_in(name, shape)

    assert (None if found is None else str(found)) == (groups and name + groups)


@pytest.mark.parametrize("name", ["experts", "moe.experts.a", "expert_bank"])
@pytest.mark.parametrize("groups", [(), (("*expert*", 4),)])
def test_stacked_experts_need_no_note_about_their_names_beside_their_own(write, name, groups):
    path = write({name: np.ones((4, 5, 6), np.float32), "sigma": np.ones((4, 4), np.float32)})

    notes = notes_on(select_layers(open_checkpoint(path), LayerPatterns(groups=groups)))

    assert [name in note for note in notes] == ([False] if groups else [False, True])
    assert "though their names do not say so: sigma, 1 in all" in notes[0]


SHAPES = {"h.0.c_attn.weight": (8, 24), "h.1.c_attn.weight": (8, 24), "mlp.experts.w1": (4, 5, 6), "fc.weight": (9, 3)}
"""Packed tensors, and a layer of the same ratio under another name."""


def notes(write, *groups):
    checkpoint = open_checkpoint(write({name: np.ones(shape, np.float32) for name, shape in SHAPES.items()}))
    return notes_on(select_layers(checkpoint, LayerPatterns(groups=groups)))


def test_a_note_names_the_groups_that_read_the_parts(write):
    assert notes(write) == [
        "stacked experts read as one graph: mlp.experts.w1, 1 in all "
        "(`groups` mlp.experts.w1=4 reads the parts of the first as graphs of their own)",
        "packed queries, keys and values read as one graph: h.0.c_attn.weight, h.1.c_attn.weight, 2 in all "
        "(`groups` h.0.c_attn.weight=3@1 reads the parts of the first as graphs of their own)",
    ]


def test_groups_that_were_given_need_no_note(write):
    assert notes(write, ("*c_attn*", 3, 1), ("*experts*", 4)) == []
    assert notes(write, ("*c_attn*", 1), ("*experts*", 4)) == []  # one graph, as the caller wants it


def test_the_groups_of_a_note_are_accepted(write):
    assert notes(write, ("h.0.c_attn.weight", 3, 1), ("h.1.c_attn.weight", 3, 1), ("mlp.experts.w1", 4)) == []
