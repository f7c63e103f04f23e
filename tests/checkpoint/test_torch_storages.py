import io
import pickle

import pytest
import torch
from torch_damage import archive_of, exchanged, main_pickle, pickles_of, pushed, records_of

from topoimp.checkpoint import open_checkpoint
from topoimp.errors import CheckpointError

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.arange(4.0), "c": torch.arange(8.0)}


def saved(*, is_zip=True):
    file = io.BytesIO()
    torch.save(TENSORS, file, _use_new_zipfile_serialization=is_zip)
    return file.getvalue()


@pytest.fixture
def message_for(tmp_path):
    """Open a damaged file, and return the message by which it is refused."""

    def refused(content):
        (tmp_path / "m.pt").write_bytes(content)
        with pytest.raises(CheckpointError) as caught:
            open_checkpoint(tmp_path / "m.pt")
        return str(caught.value)

    return refused


@pytest.fixture
def reason_for(message_for):
    """Open a damaged file, and return the reason for which it is refused."""
    return lambda content: message_for(content).partition(" is no PyTorch file that can be loaded ")[2]


@pytest.mark.parametrize("change", [lambda data: data[:-4], lambda data: data + bytes(4), lambda _: b""])
def test_a_record_that_is_shorter_or_longer_than_the_pickle_names_is_refused(reason_for, change):
    """Mapped, a short one would be read on into the next record."""
    records = records_of(saved())
    records["archive/data/1"] = change(records["archive/data/1"])

    assert reason_for(archive_of(records)) == "(its pickle names other sizes of storages than the file has)"


@pytest.mark.parametrize("compressed", [(), ("archive/data/1",), ("archive/data.pkl",)])
def test_sizes_count_before_the_compression(tmp_path, compressed):
    (tmp_path / "m.pt").write_bytes(archive_of(records_of(saved()), compressed))

    assert open_checkpoint(tmp_path / "m.pt").stored("b").tobytes() == TENSORS["b"].numpy().tobytes()


def test_a_record_that_is_named_and_not_there_is_refused(reason_for):
    records = records_of(saved())
    del records["archive/data/1"]

    assert reason_for(archive_of(records)) == "(its archive has no record archive/data/1)"


def test_two_records_of_one_name_are_refused_as_readers_differ_in_the_one_they_take(reason_for):
    records = records_of(saved())

    content = archive_of({**records, "archive/DATA/1": bytes(16)})

    assert reason_for(content) == "(its archive has two records of one name)"


def test_records_that_share_bytes_are_refused(reason_for):
    """Pruned, one would change the other."""
    content = archive_of(records_of(saved()))
    entry = content.rindex(b"PK\x01\x02", 0, content.rindex(b"archive/data/0"))

    damaged = exchanged(content, entry + 20, entry + 28, 2 * (100).to_bytes(4, "little"))

    assert reason_for(damaged) == "(its archive has two records that share bytes)"


def test_a_directory_that_gives_a_record_a_false_size_is_refused(reason_for):
    content = archive_of(records_of(saved()))
    entry = content.index(b"PK\x01\x02")

    damaged = exchanged(content, entry + 24, entry + 28, (2**31).to_bytes(4, "little"))

    assert "a false size" in reason_for(damaged)


def test_a_compressed_record_cannot_stand_for_more_than_deflation_allows(reason_for):
    name = "archive/data/1"
    content = archive_of(records_of(saved()), compressed=(name,))
    entry = content.rindex(b"PK\x01\x02", 0, content.rindex(name.encode()))

    damaged = exchanged(content, entry + 24, entry + 28, (2**31).to_bytes(4, "little"))

    assert reason_for(damaged) == f"(its archive gives the record {name!r} a false size)"


def test_an_older_file_that_lists_too_few_storages_is_refused_as_their_memory_would_be_read_as_it_was(reason_for):
    content = saved(is_zip=False)
    start, stop = pickles_of(content)[4]
    keys = pickle.loads(content[start:stop])  # noqa: S301  # of a file made here
    n_bytes = 8 + {6: 24, 4: 16, 8: 32}[int.from_bytes(content[stop : stop + 8], "little")]

    damaged = content[:start] + pickle.dumps(keys[1:], protocol=2) + content[stop + n_bytes :]

    assert reason_for(damaged) == "(its pickle names other storages than the file has)"


def test_an_older_file_cannot_name_more_numbers_than_it_has_bytes(message_for):
    before, finished = main_pickle(saved(is_zip=False))

    assert before.count(b"K\x08N") == 1  # the number of elements, and no view
    damaged = finished(before.replace(b"K\x08N", pushed(2**36) + b"N"))

    assert "is cut short or damaged" in message_for(damaged)


def test_a_text_that_announces_more_bytes_than_the_file_has_is_refused_before_room_is_made_for_it(message_for):
    content = saved(is_zip=False)
    start, _ = pickles_of(content)[3]
    place = content.index(b"X\x01\0\0\0a", start) + 1

    damaged = exchanged(content, place, place + 4, (2**32 - 1).to_bytes(4, "little"))

    assert "is cut short or damaged" in message_for(damaged)


def test_a_storage_of_nothing_is_no_hindrance(tmp_path):
    torch.save({"a": torch.ones(0, 3), "b": torch.ones(0), "c": torch.ones(2, 2)}, tmp_path / "m.pt")

    assert open_checkpoint(tmp_path / "m.pt").tensors["a"].shape == (0, 3)


def test_a_record_whose_header_differs_from_the_directory_is_refused(reason_for):
    """Loaded by its place alone, it could not be verified in a copy."""
    content = archive_of(records_of(saved()))
    header = content.rindex(b"PK\x03\x04", 0, content.index(b"archive/data/1"))

    damaged = exchanged(content, header + 30, header + 31, b"b")

    assert reason_for(damaged).startswith("(its archive is damaged: File name in directory")
