import tarfile

import numpy as np
import pytest
from cifar_files import (
    BATCHES,
    TRAIN,
    all_batches,
    batch,
    binary_archive,
    packed,
    pickled,
    python_archive,
    records,
    write_binary,
    write_python,
)
from numpy.testing import assert_array_equal

from topoimp.choices import Data
from topoimp.data import load_images
from topoimp.errors import DataError

PLACES = {
    "the binary archive": lambda folder: (folder / "cifar-10-binary.tar.gz").write_bytes(binary_archive(all_batches())),
    "the Python archive": lambda folder: (folder / "cifar-10-python.tar.gz").write_bytes(python_archive(all_batches())),
    "the folder of the binary one": lambda folder: write_binary(folder / "cifar-10-batches-bin", all_batches()),
    "the folder of the Python one": lambda folder: write_python(folder / "cifar-10-batches-py", all_batches()),
    "the binary batches": lambda folder: write_binary(folder, all_batches()),
    "the Python batches": lambda folder: write_python(folder, all_batches()),
}


def cifar(folder):
    return load_images(Data.CIFAR10, folder)


@pytest.mark.parametrize("place", PLACES)
def test_all_published_forms_give_the_same_images(tmp_path, place):
    PLACES[place](tmp_path)

    images = cifar(tmp_path)

    batches = all_batches()
    train = np.concatenate([batches[name][0] for name in TRAIN]).reshape(-1, 3, 32, 32)
    assert (images.name, images.image, images.n_classes) == ("cifar10", (3, 32, 32), 10)
    assert_array_equal(images.train_images, train.astype(np.float32) / np.float32(255))
    assert_array_equal(images.train_labels, np.concatenate([batches[name][1] for name in TRAIN]))
    assert_array_equal(images.test_images.reshape(6, -1), batches["test_batch"][0] / np.float32(255))
    assert_array_equal(images.test_labels, batches["test_batch"][1])


@pytest.mark.parametrize("place", PLACES)
def test_each_of_them_may_lie_in_a_sub_folder_of_the_data_sets_name(tmp_path, place):
    (tmp_path / "cifar10").mkdir()
    PLACES[place](tmp_path / "cifar10")

    assert len(cifar(tmp_path).train_labels) == 15


@pytest.mark.parametrize("place", ["the binary archive", "the Python archive"])
def test_no_archive_is_unpacked_to_disk(tmp_path, place):
    PLACES[place](tmp_path)
    before = sorted(tmp_path.rglob("*"))

    cifar(tmp_path)

    assert sorted(tmp_path.rglob("*")) == before


def test_a_pixel_is_found_by_channel_row_and_column(tmp_path):
    images = np.zeros((1, 3072), np.uint8)
    images[0, 2 * 1024 + 5 * 32 + 7] = 255
    write_binary(tmp_path, dict.fromkeys(BATCHES, (images, np.array([4]))))

    found = cifar(tmp_path).test_images

    assert np.argwhere(found).tolist() == [[0, 2, 5, 7]]


def test_unpacked_comes_before_packed_and_binary_before_python(tmp_path):
    for name in ("cifar-10-binary.tar.gz", "cifar-10-python.tar.gz"):
        (tmp_path / name).write_bytes(b"not looked at")
    write_python(tmp_path / "cifar-10-batches-py", all_batches())
    write_binary(tmp_path / "cifar-10-batches-bin", all_batches())

    assert len(cifar(tmp_path).train_labels) == 15


def test_the_files_themselves_come_before_a_sub_folder(tmp_path):
    write_binary(tmp_path, all_batches())
    (tmp_path / "cifar10").mkdir()

    assert len(cifar(tmp_path).train_labels) == 15


def test_of_two_members_with_one_name_the_later_counts(tmp_path):
    batches = all_batches()
    stale = [(f"cifar-10-batches-bin/{name}.bin", records(*batch(1, seed=9))) for name in BATCHES]
    fresh = [(f"cifar-10-batches-bin/{name}.bin", records(*batches[name])) for name in BATCHES]
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(packed([*stale, *fresh]))

    assert_array_equal(cifar(tmp_path).test_labels, batches["test_batch"][1])


def test_batches_in_another_folder_of_an_archive_do_not_count(tmp_path):
    members = [(f"elsewhere/{name}.bin", records(*batch(1))) for name in BATCHES]
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(packed(members))

    with pytest.raises(DataError, match=r"cifar-10-binary.tar.gz: has no data_batch_1.bin; all six batches"):
        cifar(tmp_path)


def test_a_link_in_an_archive_is_not_followed(tmp_path):
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("cifar-10-batches-bin/data_batch_1.bin")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)

    with pytest.raises(DataError, match=r"has no data_batch_1.bin"):
        cifar(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"data_batch_3.bin: holds 0 images of 3072 bytes and 0 labels; images of 3072 bytes with a label each"),
        (b"\0" * 3072, r"data_batch_3.bin: has 3072 bytes; records of 3073 bytes each are needed"),
        (
            b"\0" * 3073 + b"\x0a" + b"\0" * 3072,
            r"data_batch_3.bin: image 1 has label 10; classes of CIFAR-10 are 0 to 9",
        ),
    ],
)
def test_damaged_binary_batches_are_refused(tmp_path, content, message):
    write_binary(tmp_path, all_batches())
    (tmp_path / "data_batch_3.bin").write_bytes(content)

    with pytest.raises(DataError, match=message):
        cifar(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no", "test_batch: is no pickled batch of CIFAR-10 that can be read"),
        (
            pickled(np.zeros((2, 3072), np.uint8), np.array([1])),
            "test_batch: holds 2 images of 3072 bytes and 1 labels; images of 3072 bytes with a label each are needed",
        ),
        (pickled(np.zeros((1, 3071), np.uint8), np.array([1])), "holds 1 images of 3071 bytes and 1 labels"),
        (pickled(np.zeros((0, 3072), np.uint8), np.array([], int)), "holds 0 images of 3072 bytes and 0 labels"),
        (pickled(np.zeros((1, 3072), np.uint8), np.array([10])), "labels that are no list of numbers from 0 to 9"),
    ],
)
def test_damaged_python_batches_are_refused(tmp_path, content, message):
    write_python(tmp_path, all_batches())
    (tmp_path / "test_batch").write_bytes(content)

    with pytest.raises(DataError, match=message):
        cifar(tmp_path)


def flipped(content, place):
    damaged = bytearray(content)
    damaged[place] ^= 1
    return bytes(damaged)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive",
        packed([])[:-9],
        binary_archive(all_batches())[:-9],
        binary_archive(all_batches())[:20_000],
        flipped(binary_archive(all_batches()), 20_000),
        flipped(binary_archive(all_batches()), -8),
    ],
    ids=["empty", "other", "short and empty", "checksum cut", "cut", "a bit in the data", "a bit in the checksum"],
)
def test_damaged_archives_are_refused(tmp_path, content):
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(content)

    with pytest.raises(DataError, match=r"cifar-10-binary.tar.gz: is no whole .tar.gz archive: "):
        cifar(tmp_path)


def test_a_member_that_claims_too_much_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("topoimp.data.cifar._LARGEST_MEMBER", 3072)
    PLACES["the binary archive"](tmp_path)

    with pytest.raises(DataError, match=r"test_batch.bin: has 18438 bytes; at most 3072 are read"):
        cifar(tmp_path)


def test_a_missing_batch_is_named(tmp_path):
    write_binary(tmp_path, all_batches())
    (tmp_path / "data_batch_5.bin").unlink()

    with pytest.raises(DataError, match=r"has no data_batch_5.bin; all six batches of CIFAR-10 are needed"):
        cifar(tmp_path)


def test_a_batch_that_cannot_be_read_is_said(tmp_path):
    write_binary(tmp_path, all_batches())
    (tmp_path / "data_batch_2.bin").unlink()
    (tmp_path / "data_batch_2.bin").mkdir()

    with pytest.raises(DataError, match=r"data_batch_2.bin: cannot be read: Is a directory"):
        cifar(tmp_path)


def test_a_folder_without_any_of_it_is_told_what_is_needed(tmp_path):
    with pytest.raises(
        DataError,
        match=r"holds no CIFAR-10; cifar-10-binary.tar.gz or cifar-10-python.tar.gz is needed, or the folder that one",
    ):
        cifar(tmp_path)
