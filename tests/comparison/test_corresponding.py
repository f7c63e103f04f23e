"""Which layers of two checkpoints correspond, and the message where one has none."""

import numpy as np
import pytest
import torch
from conftest import stream_of
from hypothesis import given
from hypothesis import strategies as st

from topoimp.checkpoint import tensors_as_checkpoint
from topoimp.comparison.corresponding import corresponding
from topoimp.errors import LayerError
from topoimp.layers.records import LayerPatterns
from topoimp.layers.tensors import select_layers


def layers_of(path, **patterns):
    return stream_of(path, **patterns).layers


def names_matched(reference, other, **patterns):
    """By layer of the reference, that of the other: the names, and the first weight in the tensor."""
    found = corresponding(layers_of(reference, **patterns), layers_of(other, **patterns))
    return {name: (info.name, info.first) for name, info in found.items()}


def test_groups_correspond_part_by_part_whatever_wrappers_add(write):
    stack = np.arange(1.0, 25.0).reshape(4, 6)

    found = names_matched(write({"w": stack}, "a"), write({"module.w": stack}, "b"), groups=(("w", 2),))
    of_columns = names_matched(write({"w": stack}, "a"), write({"module.w": stack}, "b"), groups=(("w", 2, 1),))

    assert found == {"w[0]": ("module.w[0]", 0), "w[1]": ("module.w[1]", 12)}
    assert of_columns == {"w[0]": ("module.w[0]", 0), "w[1]": ("module.w[1]", 3)}


@pytest.mark.parametrize(
    ("shape", "axis", "message"),
    [
        ((6, 6), 0, r"other: tensor 'w' has the shape \[6, 6\]; .*reference has \[4, 6\]$"),
        ((4, 8), 0, r"other: tensor 'w' has the shape \[4, 8\]; .*reference has \[4, 6\]$"),
        ((4, 8), 1, r"other: tensor 'w' has the shape \[4, 8\]; .*reference has \[4, 6\]$"),
        # Here the second group begins at the same place in both.
        ((8, 3), 0, r"other: layer 'w\[0\]' has the shape \[4, 3\]; .*reference has \[2, 6\]$"),
        ((5, 6), 1, r"other: layer 'w\[0\]' has the shape \[5, 3\]; .*reference has \[4, 3\]$"),
    ],
)
def test_groups_of_another_size_are_named_by_the_shapes_that_were_found(write, shape, axis, message):
    reference, other = write({"w": np.ones((4, 6))}, "reference"), write({"w": np.ones(shape)}, "other")

    with pytest.raises(LayerError, match=message):
        names_matched(reference, other, groups=(("w", 2, axis),))


sides = st.integers(2, 5)


@given(*[sides] * 4, st.integers(1, 3), st.integers(0, 1))
def test_groups_correspond_if_and_only_if_the_shapes_of_their_tensors_are_equal(a, b, c, d, number, axis):
    """Each side is a multiple of the number of groups, so that every axis can be split."""
    shapes = [(a * number, b * number), (c * number, d * number)]
    groups = LayerPatterns(groups=(("w", number, axis),))
    reference, other = (
        select_layers(tensors_as_checkpoint({"w": torch.ones(shape)}, name=name), groups)
        for shape, name in zip(shapes, ("reference", "other"), strict=True)
    )

    if shapes[0] == shapes[1]:
        assert list(corresponding(reference, other)) == [f"w[{k}]" for k in range(number)]
    else:
        with pytest.raises(LayerError, match=r"^other: (tensor|layer) 'w.*has the shape .*; reference has \["):
            corresponding(reference, other)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"v": np.ones((4, 6))}, r"other: lacks layer 'w' of .*reference \(1 of 2 in all\); `include` and `exclude`"),
        (
            {"v": np.ones((4, 6)), "w": np.ones((4, 6), np.int64)},
            r"other: lacks layer 'w' of .*reference \(1 of 2 in all\): there it is left out \(.+\)$",
        ),
        ({"v": np.ones((4, 6)), "w": np.ones(24)}, r"other: tensor 'w' has the shape \[24\]; .* has \[4, 6\]$"),
    ],
)
def test_a_layer_without_another_is_named_with_the_cause(write, other, message):
    reference = write({"v": np.ones((4, 6)), "w": np.ones((4, 6))}, "reference")

    with pytest.raises(LayerError, match=message):
        names_matched(reference, write(other, "other"))


def test_gates_whose_number_is_known_in_one_file_alone_are_named_with_the_cause(write):
    both = {"lstm.weight_ih_l0": np.ones((12, 5)), "lstm.weight_hh_l0": np.ones((12, 3)), "fc.weight": np.ones((4, 3))}
    alone = {name: weight for name, weight in both.items() if name != "lstm.weight_hh_l0"}

    cause = r"lacks layer 'lstm.weight_ih_l0\[0\]' of .*both \(4 of 5 in all\): there it is left out \(.*gates.*\)$"
    with pytest.raises(LayerError, match=cause):
        corresponding(layers_of(write(both, "both"), exclude=("*hh*",)), layers_of(write(alone, "alone")))


def test_a_tensor_that_is_cut_in_one_of_the_files_alone(write):
    weight = np.ones((4, 6))
    reference = write({"module.w": weight, "v": weight}, "reference")
    other = write({"w": weight, "module.v": weight}, "other")
    groups = ((r"re:^module\.", 2),)

    with pytest.raises(LayerError) as error:
        names_matched(reference, other, groups=groups)
    with pytest.raises(LayerError) as turned:
        names_matched(other, reference, groups=groups)

    assert str(error.value) == (
        f"{other}: tensor 'w' is read as 1 graph; {reference} has 2, and `groups` must name both"
    )
    assert str(turned.value) == (
        f"{reference}: tensor 'v' is read as 1 graph; {other} has 2, and `groups` must name both"
    )


def test_layers_that_are_not_selected_name_the_patterns(write):
    path = write({"v": np.ones((4, 6)), "w": np.ones((4, 6))})

    with pytest.raises(LayerError, match=r"lacks layer 'w' of .* \(1 of 2 in all\); `include` and `exclude` select"):
        corresponding(layers_of(path), layers_of(path, include=("v",)))
