import io
import zipfile

import numpy as np
import pytest
import torch
from torch_files import random_tensors, rewritten

from topoimp.checkpoint import open_checkpoint
from topoimp.checkpoint.torch_layout import check_tensors_exchangeable, tensor_places
from topoimp.checkpoint.torch_storages import is_mappable
from topoimp.errors import CheckpointError


def saved(content, path, **options):
    torch.save(content, path, **options)
    return path


def places_in(path):
    return tensor_places(path, open_checkpoint(path).files[0].loaded)


def check(path, *names, **tied):
    check_tensors_exchangeable(path, open_checkpoint(path).files[0].loaded, {**{name: name for name in names}, **tied})


def bits_of(tensor):
    return tensor.detach().contiguous().view(torch.uint8).numpy().tobytes()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("is_zip", [True, False])
def test_the_bytes_at_a_tensors_place_are_its_numbers(tmp_path, seed, is_zip):
    tensors = random_tensors(seed, is_zip=is_zip)
    content = {"optimizer": {"m": torch.ones(7), "none": torch.ones(0)}, "model": tensors, "epoch": 3}
    path = saved(content, tmp_path / "m.pt", _use_new_zipfile_serialization=is_zip)
    file = np.fromfile(path, np.uint8)

    places = places_in(path)

    assert set(places) == set(tensors) - {"empty", "sparse"}
    found = {name: place.numbers(file).tobytes() for name, place in places.items() if name != "complex"}
    assert found == {name: bits_of(tensors[name]) for name in found}


@pytest.mark.parametrize("options", [{}, {"streamed": True}, {"force_zip64": True}])
def test_an_archive_that_another_program_wrote_again_is_read_the_same_way(tmp_path, options):
    path = saved(random_tensors(0), tmp_path / "m.pt")
    path.write_bytes(rewritten(path.read_bytes(), **options))
    file = np.fromfile(path, np.uint8)

    places = places_in(path)

    assert places["turned"].numbers(file).tobytes() == bits_of(random_tensors(0)["turned"])


def test_a_place_knows_how_its_numbers_lie(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    tensors = {"whole": base, "turned": base.T, "column": base[:, :1], "row": base[1:2], "again": torch.ones(1, 4)}
    path = saved(tensors | {"again": torch.ones(1, 4).expand(3, 4)}, tmp_path / "m.pt")

    places = places_in(path)

    assert [name for name, place in places.items() if place.is_contiguous] == ["whole", "row"]
    assert [name for name, place in places.items() if place.repeats_numbers] == ["again"]
    assert places["row"].start - places["whole"].start == 16
    assert places["column"].stop - places["column"].start == 2 * 16 + 4


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"w": torch.ones(1, 4).expand(3, 4)}, "some numbers of tensor 'w' share their bytes"),
        ({"w": torch._neg_view(torch.ones(3, 4))}, "tensor 'w' is stored negated"),
        ({"w": (base := torch.ones(4, 4)), "part": base[:2]}, "tensors 'w' and 'part' share a part of their bytes"),
        ({"part": base[1:], "w": base}, "tensors 'part' and 'w' share a part of their bytes"),
        ({"w": base, "turned": base.T}, "tensors 'w' and 'turned' share a part of their bytes"),
    ],
)
def test_a_tensor_that_cannot_be_exchanged_alone_is_refused_with_what_to_do(tmp_path, tensors, message):
    path = saved(tensors, tmp_path / "m.pt")

    with pytest.raises(CheckpointError) as caught:
        check(path, "w")

    assert str(caught.value) == (
        f"{path}: cannot be copied as a PyTorch file, as {message}; `output` can end in .safetensors"
    )


def test_tied_tensors_are_exchanged_together_and_neighbours_in_a_storage_alone(tmp_path):
    base = torch.ones(4, 6)
    tensors = {"one": base, "other": base, "left": (fused := torch.ones(4, 6))[:, :3], "right": fused[:, 3:]}
    path = saved(tensors | {"first": fused.new_ones(5)[:2], "int": torch.arange(3)}, tmp_path / "m.pt")

    check(path, "one", "left", "right", other="one")
    check(path, "left")

    for names in (["one"], ["one", "other"]):
        with pytest.raises(CheckpointError, match="tensors 'one' and 'other' share a part of their bytes"):
            check(path, *names)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: rewritten(content, compress=["/data/0"]), "they are compressed"),
        (lambda content: rewritten(content, _as_big_endian), "they are big-endian"),
    ],
)
def test_an_archive_that_torch_save_does_not_write_cannot_be_copied(tmp_path, change, reason):
    path = saved({"w": torch.ones(3, 4)}, tmp_path / "m.pt")
    path.write_bytes(change(path.read_bytes()))

    with pytest.raises(CheckpointError) as caught:
        check(path, "w")

    assert str(caught.value) == (
        f"{path}: cannot be copied as a PyTorch file, as its storages cannot be found in it ({reason}); "
        "`output` can end in .safetensors"
    )


def _as_big_endian(name, data):
    return b"big" if name.endswith("byteorder") else data


def test_an_older_file_whose_lengths_disagree_cannot_be_copied(tmp_path):
    path = saved({"w": torch.ones(3, 4)}, tmp_path / "m.pt", _use_new_zipfile_serialization=False)
    loaded = open_checkpoint(path).files[0].loaded
    content = path.read_bytes()
    path.write_bytes(content[:-56] + (11).to_bytes(8, "little") + content[-48:])

    with pytest.raises(CheckpointError, match="its storages have other lengths than its pickle names"):
        tensor_places(path, loaded)


def test_compressed_records_are_read_for_their_numbers_and_not_mapped(tmp_path):
    weight = torch.randn(50, 40, generator=torch.Generator().manual_seed(0)).round()
    path = saved({"w": weight}, tmp_path / "m.pt")
    assert is_mappable(path)

    # Were they mapped, the compressed bytes would be taken for numbers, and the padding for more of them.
    content = rewritten(path.read_bytes(), compress=["/data/0"])
    with zipfile.ZipFile(buffer := io.BytesIO(content), "a") as archive:
        archive.writestr("m/padding", bytes(weight.nbytes))
    path.write_bytes(buffer.getvalue())

    assert not is_mappable(path)
    assert open_checkpoint(path).stored("w").tobytes() == bits_of(weight)
