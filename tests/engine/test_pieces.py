from dataclasses import replace

import pytest
from conftest import REPOSITORY

from topoimp.checkpoint import open_checkpoint
from topoimp.engine import pieces
from topoimp.layers.records import LayerPatterns
from topoimp.layers.tensors import select_layers

LENET = REPOSITORY / "sample_checkpoints" / "lenet-300-100-mnist.safetensors"


def infos_of(sizes):
    """Layers of as many bytes, in one file."""
    layers = select_layers(open_checkpoint(LENET), LayerPatterns())
    first = layers.infos[0]
    infos = tuple(replace(first, name=f"w{k}", shape=(1, size // 4), first=k) for k, size in enumerate(sizes))
    return replace(layers, infos=infos)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([8], [1]),
        ([8] * 5, [5]),
        ([pieces.SMALLEST] * 3, [1, 1, 1]),
        ([pieces.SMALLEST // 2] * 5, [2, 2, 1]),
        ([pieces.LARGEST * 3, 8, 8], [1, 2]),
        ([8, pieces.LARGEST * 3], [1, 1]),
        ([1 << 28] * 1000, [4] * 250),
    ],
)
def test_pieces_have_layers_that_follow_each_other_up_to_a_size(sizes, expected):
    found = pieces.pieces_of(infos_of(sizes), 16)

    assert [len(piece) for piece in found] == expected
    assert [name for piece in found for name in piece] == [f"w{k}" for k in range(len(sizes))]
