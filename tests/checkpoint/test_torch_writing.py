import io
import zipfile

import numpy as np
import pytest
import torch
from torch_files import random_tensors, rewritten

from topoimp.checkpoint import CheckpointCopy, bytes_of_copy, open_checkpoint
from topoimp.checkpoint.torch_layout import tensor_places

NOT_EXCHANGED = ("empty", "complex", "sparse")


def exchanged(original, place, new, piece=3):
    """Write a copy in which tensors are exchanged, some numbers at a time, and the last numbers first."""
    with CheckpointCopy(place, original, {}, as_torch=True) as copy:
        for name in original.tensors:
            if name in new:
                codes = np.frombuffer(bits_of(new[name]), f"<u{new[name].element_size()}")
                starts = range(0, codes.size, piece)
                for start in reversed(starts):
                    copy.write(name, start * codes.itemsize, codes[start : start + piece])
            else:
                copy.copy_tensor(name)
        copy.copy_other_files()
    return place


def bits_of(tensor):
    return tensor.detach().contiguous().view(torch.uint8).numpy().tobytes()


def others(seed, **options):
    """New values of the tensors that can be exchanged."""
    tensors = random_tensors(seed + 100, **options)
    return {name: tensor for name, tensor in tensors.items() if name not in NOT_EXCHANGED}


def content_of(tensors):
    return {"config": {"width": 3}, "model": tensors, "optimizer": {"m": torch.ones(7), "none": torch.ones(0)}}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("is_zip", [True, False])
def test_a_copy_has_the_new_numbers_in_the_old_file(tmp_path, seed, is_zip):
    path = tmp_path / "m.pt"
    torch.save(content_of(random_tensors(seed, is_zip=is_zip)), path, _use_new_zipfile_serialization=is_zip)
    new = others(seed, is_zip=is_zip)

    copy = torch.load(exchanged(open_checkpoint(path), tmp_path / "copy", new))

    old = torch.load(path)
    assert list(copy) == list(old)
    assert copy["config"] == old["config"]
    assert torch.equal(copy["optimizer"]["m"], torch.ones(7))
    assert list(copy["model"]) == list(old["model"])
    assert {name: bits_of(copy["model"][name]) for name in new} == {name: bits_of(new[name]) for name in new}
    assert {name: type(tensor) for name, tensor in copy["model"].items()} == {
        name: type(tensor) for name, tensor in old["model"].items()
    }
    for name in new:
        assert copy["model"][name].stride() == old["model"][name].stride()
        assert copy["model"][name].storage_offset() == old["model"][name].storage_offset()
    assert copy["model"]["one"].data_ptr() == copy["model"]["other"].data_ptr()
    assert torch.equal(copy["model"]["complex"], old["model"]["complex"])
    assert torch.equal(copy["model"]["sparse"].to_dense(), torch.eye(3))


@pytest.mark.parametrize("options", [None, {}, {"streamed": True}, {"force_zip64": True}])
def test_other_bytes_stay_and_checksums_are_right_however_the_archive_was_written(tmp_path, options):
    path = tmp_path / "m.pt"
    torch.save(content_of(random_tensors(0)), path)
    if options is not None:
        path.write_bytes(rewritten(path.read_bytes(), **options))
    original = open_checkpoint(path)
    place = tensor_places(path, original.files[0].loaded)["turned"]

    exchanged(original, tmp_path / "copy", {"turned": others(0)["turned"]})

    before, after = (np.fromfile(file, np.uint8) for file in (path, tmp_path / "copy"))
    changed = np.flatnonzero(before != after)
    outside = changed[(changed < place.start) | (changed >= place.stop)]
    assert before.size == after.size
    assert 2 <= len(outside) <= 8  # two checksums of four bytes
    with zipfile.ZipFile(tmp_path / "copy") as archive:
        assert archive.testzip() is None


def test_a_checksum_that_was_never_computed_is_right_in_the_copy(tmp_path):
    path = tmp_path / "m.pt"
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"w": torch.ones(30, 40), "v": torch.ones(3)}, path)
    finally:
        torch.serialization.set_crc32_options(True)

    exchanged(open_checkpoint(path), tmp_path / "copy", {"w": torch.zeros(30, 40)}, piece=400)

    with zipfile.ZipFile(tmp_path / "copy") as archive:
        assert archive.read("m/data/0") == bytes(4 * 30 * 40)


def test_a_copy_without_any_exchange_is_the_file_itself(tmp_path):
    for is_zip, name in ((True, "new"), (False, "old")):
        path = tmp_path / name
        torch.save(random_tensors(0, is_zip=is_zip), path, _use_new_zipfile_serialization=is_zip)

        exchanged(open_checkpoint(path), tmp_path / "copy", {})

        assert (tmp_path / "copy").read_bytes() == path.read_bytes()


def test_the_pickle_is_kept_with_the_devices_and_classes_that_it_names(tmp_path):
    path = tmp_path / "m.pt"
    torch.save({"w": torch.ones(3, 4)}, path)
    path.write_bytes(rewritten(path.read_bytes(), lambda _name, data: data.replace(b"\3\0\0\0cpu", b"\6\0\0\0cuda:1")))

    exchanged(open_checkpoint(path), tmp_path / "copy", {"w": torch.zeros(3, 4)})

    pickles = [zipfile.ZipFile(io.BytesIO(file.read_bytes())).read("m/data.pkl") for file in (path, tmp_path / "copy")]
    assert b"cuda:1" in pickles[0]
    assert pickles[0] == pickles[1]
    assert torch.load(tmp_path / "copy", map_location="cpu")["w"].tolist() == [[0.0] * 4] * 3


def test_pieces_must_lie_within_their_tensor(tmp_path):
    torch.save({"w": torch.ones(3, 4).T}, tmp_path / "m.pt")

    with (
        CheckpointCopy(tmp_path / "copy", open_checkpoint(tmp_path / "m.pt"), {}, as_torch=True) as copy,
        pytest.raises(ValueError, match="w: bytes 44 to 52 of 48"),
    ):
        copy.write("w", 44, np.zeros(2, np.uint32))


def test_the_size_of_a_copy_is_that_of_the_file(tmp_path):
    torch.save(random_tensors(0), tmp_path / "m.pt")

    size = bytes_of_copy(open_checkpoint(tmp_path / "m.pt"), as_torch=True)

    assert size == (tmp_path / "m.pt").stat().st_size
