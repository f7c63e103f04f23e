import numpy as np
import torch
from numpy.testing import assert_array_equal

from topoimp.checkpoint import open_checkpoint, tensors_as_checkpoint


def test_tensors_in_memory_read_as_those_of_a_file(tmp_path):
    shared = torch.randn(3, 4)
    tensors = {
        "a": torch.randn(4, 3).T,
        "b": shared,
        "c": shared,
        "d": torch.randn(2, 2).bfloat16(),
        "e": torch.tensor(7),
        "f": torch.empty(0, 3),
    }
    torch.save(tensors, tmp_path / "model.pt")

    here, there = tensors_as_checkpoint(tensors, name="Net"), open_checkpoint(tmp_path / "model.pt")

    assert here.tensors == there.tensors
    assert here.ties == there.ties == {"c": "b"}
    assert list(map(bytes, map(here.stored, tensors))) == list(map(bytes, map(there.stored, tensors)))


def test_weights_that_are_not_kept_read_as_zero_and_stay_what_they_are():
    weight = torch.tensor([[1.0, -2.0], [3.0, float("nan")]])
    checkpoint = tensors_as_checkpoint(
        {"weight": weight, "other": weight + 1},
        name="Net",
        kept={"weight": torch.tensor([[True, False], [True, False]])},
    )

    assert_array_equal(checkpoint.codes("weight").view(np.float32), [1, 0, 3, 0])
    assert_array_equal(checkpoint.codes("other").view(np.float32), [2, -1, 4, np.nan])
    assert weight[0, 1] == -2


def test_each_tensor_is_read_as_it_is_by_then():
    weight = torch.zeros(2, 2)
    checkpoint = tensors_as_checkpoint({"weight": weight}, name="Net")

    weight += 1

    assert_array_equal(checkpoint.codes("weight").view(np.float32), np.ones(4))


def test_their_name_stands_for_the_path():
    assert str(tensors_as_checkpoint({}, name="Net").path) == "Net"
