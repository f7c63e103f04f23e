"""The stamp of a checkpoint: a checksum by which another process or machine knows that it opened the same files.

It is of the headers, of the sizes, and of pages of the data: reading all bytes would take as long as the work itself.
Names of folders and times of change, which differ between machines, are not part of it. Of a file in a store, the tag
that the store gives to each version takes the place of the pages.
"""

import hashlib
from collections.abc import Sequence

from topoimp.checkpoint.safetensors_file import TensorFile, size_and_time
from topoimp.errors import CheckpointError

PAGE, PAGES = 4096, 64
"""Bytes of a page, and pages that are read of a checkpoint with fewer files; of others one of each file."""


def stamp_of(files: Sequence[TensorFile]) -> str:
    """Return 64 hexadecimal digits for the content of files, or raise a CheckpointError if one cannot be read."""
    digest = hashlib.sha256()
    for file in files:
        header = [(tensor.name, tensor.dtype, tensor.shape, tensor.start, tensor.end) for tensor in file.tensors]
        digest.update(repr((file.path.name, header, sorted(file.metadata.items()), file.key)).encode())
        if file.version is not None:
            digest.update(repr((file.version.n_bytes, file.version.tag)).encode())
            continue
        try:
            _add_pages(digest, file, max(PAGES // len(files), 1))
        except OSError as error:
            raise CheckpointError(f"{file.path}: cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def _add_pages(digest: "hashlib._Hash", file: TensorFile, n_pages: int) -> None:
    """Add the size of a file and pages at equal distances, the last one among them."""
    size, _ = size_and_time(file.path)
    digest.update(str(size).encode())
    with file.path.open("rb") as content:
        for number in range(1, n_pages + 1):
            content.seek(max(size * number // n_pages - PAGE, 0))
            digest.update(content.read(PAGE))
