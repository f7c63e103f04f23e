"""Check that a pruned PyTorch file is its original byte for byte, but for the pruned tensors and their checksums."""

from collections.abc import Iterable
from pathlib import Path
from zipfile import BadZipFile, ZipFile, is_zipfile

from topoimp.checkpoint.torch_layout import LoadedFile, tensor_places
from topoimp.checkpoint.torch_writing import CHECKSUM_BYTES, checksum_fields
from topoimp.errors import VerificationError

_PIECE = 1 << 20


def verify_other_bytes(written: Path, original: Path, loaded: LoadedFile, names: Iterable[str]) -> None:
    """Check a copy of a PyTorch file outside the tensors of these names, and the checksums of their records.

    Raises:
        VerificationError: naming the first byte that differs, or the record with a wrong checksum.
    """
    if written.stat().st_size != original.stat().st_size:
        raise VerificationError(f"{written}: has another size than {original}")

    places = [tensor_places(original, loaded)[name] for name in names]
    exchanged = [(place.start, place.stop) for place in places]
    if is_zipfile(original):
        storages = {place.storage for place in places}
        exchanged += [(field, field + CHECKSUM_BYTES) for field in checksum_fields(original, storages)]
        _check_checksums(written, {str(storage.record) for storage in storages})
    _check_between(written, original, sorted(exchanged))


def _check_between(written: Path, original: Path, exchanged: list[tuple[int, int]]) -> None:
    """Check that two files of one size are equal outside some ranges of bytes, which may overlap."""
    size = original.stat().st_size
    with written.open("rb") as copy, original.open("rb") as file:
        done = 0
        for start, stop in [*exchanged, (size, size)]:
            copy.seek(done)
            file.seek(done)
            while done < start:
                length = min(_PIECE, start - done)
                if copy.read(length) != file.read(length):
                    raise VerificationError(f"{written}: a byte from {done} on changed that is no part of a layer")
                done += length
            done = max(done, stop)


def _check_checksums(path: Path, records: set[str]) -> None:
    with ZipFile(path) as archive:
        for record in records:
            try:
                with archive.open(record) as content:
                    while content.read(_PIECE):
                        pass
            except BadZipFile as error:
                raise VerificationError(f"{path}: record {record} has a wrong checksum") from error
