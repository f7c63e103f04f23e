from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import read_all, stream_of
from mask_files import pack_mask

from topoimp.checkpoint import open_checkpoint
from topoimp.errors import VerificationError
from topoimp.pruning.block_pattern import BlockPattern, LayerBlocks
from topoimp.pruning.preservation import preservation_by_strength
from topoimp.pruning.round import LayerRound
from topoimp.topology.forest import spanning_forest
from topoimp.writing.verification import verify_pruned

WEIGHT = np.array([[3.0, -1.0], [2.0, 0.5]])
KEPT = np.array([[True, True], [True, False]])
TENSORS = {"fc": WEIGHT, "bias": np.array([-0.0, 1.0])}
MASKS = {"fc": pack_mask(KEPT, (2, 2))}


def verified(path, *arguments, **options):
    return verify_pruned(open_checkpoint(path), *arguments, **options)


def verify(write, pruned, *, masks=MASKS, metadata=None, **changes):
    original = stream_of(write(TENSORS, "original", {"format": "pt"}))
    forest = spanning_forest(*read_all(original.layers))
    left = preservation_by_strength(forest, n_weights=4, n_kept=3, n_forest_kept=3)
    path = write(
        {**TENSORS, "fc": np.where(KEPT, WEIGHT, 0), **pruned},
        "pruned",
        metadata or {"format": "pt", "topoimp.method": "x"},
    )
    expected = {"fc": LayerRound(3, replace(left, **changes), 3)}
    verified(path, original, {"fc": forest}, masks=masks, expected=expected)


def test_what_is_as_it_should_be_passes(write):
    verify(write, {})


@pytest.mark.parametrize(
    ("pruned", "message"),
    [
        ({"fc": np.array([[3.0, -1.0], [2.5, 0.0]])}, "a surviving weight of 'fc' changed"),
        ({"fc": np.array([[3.0, 1.0], [2.0, 0.0]])}, "a surviving weight of 'fc' changed"),
        ({"fc": WEIGHT}, "a pruned weight of 'fc' is not zero"),
        ({"fc": np.array([[3.0, -1.0], [2.0, -0.0]])}, "a pruned weight of 'fc' is not zero"),
        ({"bias": np.array([0.0, 1.0])}, "tensor 'bias' changed, though it was not pruned"),
        ({"bias": np.array([-0.0, 1.0, 2.0])}, "names, types, shapes or places of tensors changed"),
        ({"more": np.ones(1)}, "names, types, shapes or places of tensors changed"),
    ],
)
def test_whatever_is_not_as_it_should_be_is_named(write, pruned, message):
    with pytest.raises(VerificationError, match=f"pruned: {message}"):
        verify(write, pruned)


def test_lost_metadata_are_noticed(write):
    with pytest.raises(VerificationError, match="metadata 'format' changed"):
        verify(write, {}, metadata={"topoimp.method": "x"})


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("n_kept", "layer 'fc' has n_kept 3; it needs 99"),
        ("n_forest_kept", "layer 'fc' has n_forest_kept 3; it needs 99"),
        ("beta0", "layer 'fc' has beta0 1; it needs 99"),
        ("beta1", "layer 'fc' has beta1 0; it needs 99"),
    ],
)
def test_a_fact_that_is_not_as_reported_is_noticed(write, field, message):
    with pytest.raises(VerificationError, match=message):
        verify(write, {}, **{field: 99})


def test_without_a_mask_whatever_is_not_zero_must_be_as_it_was(write):
    verify(write, {}, masks=None)
    with pytest.raises(VerificationError, match="pruned: a surviving weight of 'fc' changed"):
        verify(write, {"fc": np.array([[3.0, -1.5], [2.0, 0.0]])}, masks=None)


def test_a_kept_minus_zero_must_have_become_plus_zero(write):
    zeros = {"fc": np.array([[3.0, -0.0], [2.0, 0.5]])}
    original = stream_of(write(zeros, "original"))
    forests = {"fc": spanning_forest(*read_all(original.layers))}
    masks = {"fc": pack_mask(np.ones((2, 2), bool), (2, 2))}

    left = verified(write({"fc": np.abs(zeros["fc"])}, "good"), original, forests, masks=masks)
    assert left["fc"].preservation.n_kept == 3
    with pytest.raises(VerificationError, match="bad: a surviving weight of 'fc' changed"):
        verified(write(zeros, "bad"), original, forests, masks=masks)


def test_a_barcode_that_changed_is_noticed(write):
    kept = np.array([[True, False], [True, True]])

    with pytest.raises(VerificationError, match="the barcode of 'fc' changed"):
        verify(write, {"fc": np.where(kept, WEIGHT, 0)}, masks={"fc": pack_mask(kept, (2, 2))})


def test_a_mask_that_lacks_a_protected_edge_is_noticed(write):
    weight = np.ones((2, 2))
    original = stream_of(write({"w": weight}, "original"))
    forest = spanning_forest(read_all(original.layers)[0])  # of the weights 0, 1 and 2
    left = preservation_by_strength(forest, n_weights=4, n_kept=2, n_forest_kept=2)
    expected = {"w": LayerRound(2, left, 1)}
    right, wrong = np.array([[1, 1], [0, 0]], bool), np.array([[0, 1], [1, 0]], bool)

    def verify_mask(kept):
        path = write({"w": weight * kept}, "pruned")
        verified(path, original, {"w": forest}, masks={"w": pack_mask(kept, (2, 2))}, expected=expected)

    verify_mask(right)
    with pytest.raises(VerificationError, match="the mask of 'w' lacks protected edges of the forest"):
        verify_mask(wrong)


def test_a_mask_that_keeps_a_stored_zero_is_noticed(write):
    original = stream_of(write({"w": np.array([[3.0, 1.0], [2.0, 0.0]])}, "original"))
    forest = spanning_forest(read_all(original.layers)[0])
    left = preservation_by_strength(forest, n_weights=4, n_kept=3, n_forest_kept=3)
    masks = {"w": pack_mask(np.ones((2, 2), bool), (2, 2))}

    with pytest.raises(VerificationError, match="the mask of 'w' keeps 4 weights; it must keep 3"):
        verified(
            original.layers.checkpoint.path,
            original,
            {"w": forest},
            masks=masks,
            expected={"w": LayerRound(3, left, 3)},
        )


def test_a_rewound_checkpoint_has_the_earlier_weights_and_the_topology_of_the_later_ones(write):
    trained = stream_of(write({"w": WEIGHT}, "trained"))
    earlier = stream_of(write({"w": np.array([[0.0, 7.0], [8.0, 9.0]])}, "earlier"))
    forest = spanning_forest(read_all(trained.layers)[0])
    expected = {"w": LayerRound(3, preservation_by_strength(forest, n_weights=4, n_kept=3, n_forest_kept=3), 3)}
    options = {"masks": {"w": pack_mask(KEPT, (2, 2))}, "expected": expected, "source": earlier.layers}

    rewound = write({"w": np.array([[0.0, 7.0], [8.0, 0.0]])}, "rewound")
    found = verified(rewound, trained, {"w": forest}, **options)

    assert found["w"].preservation == expected["w"].preservation
    assert found["w"].squared_norms.share_kept == (3**2 + 1 + 2**2) / (3**2 + 1 + 2**2 + 0.5**2)
    with pytest.raises(VerificationError, match="a surviving weight of 'w' changed"):
        verified(write({"w": np.where(KEPT, WEIGHT, 0)}, "not rewound"), trained, {"w": forest}, **options)


@pytest.mark.parametrize("by_column", [False, True])
@pytest.mark.parametrize("masks", [MASKS, None], ids=["with its mask", "without a mask"])
def test_a_block_of_a_pattern_that_keeps_too_many_is_noticed(write, by_column, masks):
    original = stream_of(write(TENSORS, "original"))
    forest = spanning_forest(*read_all(original.layers))
    left = preservation_by_strength(forest, n_weights=4, n_kept=3, n_forest_kept=3)
    path = write({**TENSORS, "fc": np.where(KEPT, WEIGHT, 0)}, "pruned")
    one, both = ({"fc": LayerRound(3, left, 3, blocks=LayerBlocks(BlockPattern(n, 2), by_column))} for n in (1, 2))

    verified(path, original, {"fc": forest}, masks=masks, expected=both)
    with pytest.raises(VerificationError, match=r"a block of 'fc' keeps 2 weights; it needs 1:2$"):
        verified(path, original, {"fc": forest}, masks=masks, expected=one)


GROUPED = np.arange(1.0, 13.0).reshape(6, 2)
GROUPS = {"groups": (("w", 3),), "include": ("w[0]", "w[2]")}


@pytest.mark.parametrize(
    ("row", "kept", "message"),
    [
        (2, True, "tensor 'w' changed, though it was not pruned"),
        (None, False, "the mask of 'w' prunes a group that was not pruned"),
    ],
)
def test_a_group_that_is_not_pruned_is_verified_too(write, row, kept, message):
    original = stream_of(write({"w": GROUPED}, "original"), **GROUPS)
    forests = {layer.name: spanning_forest(layer) for layer in read_all(original.layers)}
    written, mask = GROUPED.copy(), np.ones((6, 2), bool)
    mask[3, 0] = kept
    written[row, 0] = 99 if row else written[row, 0]

    with pytest.raises(VerificationError, match=message):
        verified(write({"w": written}, "bad"), original, forests, masks={"w": pack_mask(mask, (6, 2))})

    verified(write({"w": GROUPED}, "good"), original, forests, masks={"w": pack_mask(mask | True, (6, 2))})


def test_what_is_tied_is_verified_too(tmp_path, write):
    shared = torch.randn(4, 5, dtype=torch.float64)
    torch.save({"a": shared, "b": shared}, tmp_path / "m.pt")
    original = stream_of(tmp_path / "m.pt")
    forests = {"a": spanning_forest(*read_all(original.layers))}
    metadata = {"format": "pt"}
    mask = pack_mask(np.ones((4, 5), bool), (4, 5))

    verified(write({"a": shared, "b": shared}, "good", metadata), original, forests, masks={"a": mask, "b": mask})
    with pytest.raises(VerificationError, match="tensor 'b' changed"):
        verified(write({"a": shared, "b": shared + 1}, "bad", metadata), original, forests)
    other = pack_mask(np.zeros((4, 5), bool), (4, 5))
    with pytest.raises(VerificationError, match="the mask of 'b' is not that of 'a', tied to it"):
        verified(tmp_path / "good", original, forests, masks={"a": mask, "b": other})
