import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors.torch import save_file

from topoimp.checkpoint import Advice, open_checkpoint, tensors_as_checkpoint
from topoimp.errors import CheckpointError


def test_every_float_type_that_the_safetensors_package_writes_is_read_bit_for_bit(tmp_path):
    values = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    names = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    names |= {"F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2}
    tensors = {name: values.to(dtype) for name, dtype in names.items()}
    save_file(tensors, tmp_path / "all.safetensors", {"format": "pt"})

    checkpoint = open_checkpoint(tmp_path / "all.safetensors")

    assert checkpoint.metadata == {"format": "pt"}
    assert {name: tensor.dtype for name, tensor in checkpoint.tensors.items()} == {name: name for name in names}
    for name, tensor in tensors.items():
        assert checkpoint.stored(name).tobytes() == tensor.view(torch.uint8).numpy().tobytes()
        assert checkpoint.codes(name).shape == (24,)


def test_codes_are_read_only(write):
    checkpoint = open_checkpoint(write({"a": np.ones((2, 2))}))

    assert not checkpoint.codes("a").flags.writeable


def test_a_part_that_ends_before_it_begins_is_empty(write):
    checkpoint = open_checkpoint(write({"a": np.arange(9.0).reshape(3, 3)}))

    assert checkpoint.codes("a", 3, 2).size == 0
    assert checkpoint.stored("a", 60, 7).size == 0


def test_a_file_that_shrinks_while_it_is_read_is_noticed(write):
    path = write({"a": np.ones((2, 2))})
    checkpoint = open_checkpoint(path)
    checkpoint.stored("a")
    path.write_bytes(path.read_bytes()[:-8])

    with pytest.raises(CheckpointError, match="tensor 'a' ends too early; the file changed while it was read"):
        checkpoint.stored("a")


def test_bits_survive_whatever_they_mean(write):
    weight = np.array([[0.0, -0.0], [np.pi, -1e-310]])

    codes = open_checkpoint(write({"a": weight})).codes("a")

    assert_array_equal(codes, weight.view(np.uint64).ravel())


def test_a_file_that_changes_after_it_was_opened_is_noticed(write):
    checkpoint = open_checkpoint(write({"a": np.ones((2, 2))}))
    checkpoint.check_unchanged()
    write({"a": np.ones((2, 3))})

    with pytest.raises(CheckpointError, match=r"model.safetensors: changed while it was read"):
        checkpoint.check_unchanged()


def test_what_was_given_back_can_be_looked_at_again(write):
    weight = np.random.default_rng(0).normal(size=(300, 700))
    checkpoint = open_checkpoint(write({"small": np.ones(3), "a": weight}))
    codes = checkpoint.codes("a")

    checkpoint.advise(Advice.WILL_NEED, "a", 8, 4000)
    checkpoint.advise(Advice.NEED_NOW, "a", 0, weight.nbytes)
    checkpoint.done_with("a", 8, 100_000)
    checkpoint.done_with("a")

    assert_array_equal(codes, weight.view(np.uint64).ravel())


def test_a_tensor_that_lies_at_an_odd_place_is_read_all_the_same(write):
    weight = np.array([[1.5, 2.5], [3.5, 4.5]])

    codes = open_checkpoint(write({"odd": np.ones(3, np.uint8), "a": weight})).codes("a")

    assert codes.flags.aligned
    assert_array_equal(codes, weight.view(np.uint64).ravel())


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
