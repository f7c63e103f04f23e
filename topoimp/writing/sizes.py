"""The bytes of a written checkpoint and of its mask, and those of the checkpoint if zstd compressed it.

Zeros in a dense file make it no smaller; compression does. Files are read and compressed piece by piece, and nothing
compressed is kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from topoimp.checkpoint.finding import find_files
from topoimp.errors import OutputError

LEVEL = 3
"""Level of zstd: its default."""

_PIECE = 1 << 20


@dataclass(frozen=True)
class Sizes:
    """Bytes of the files with the weights of a checkpoint, of its mask, and of the former under zstd; None if unknown.

    A checkpoint of several files is compressed file by file.
    """

    checkpoint: int
    mask: int | None = None
    compressed: int | None = None


def sizes_of(checkpoint: Path, mask: Path | None = None, *, compressed: bool = False, threads: int = 1) -> Sizes:
    """Return the sizes of a written checkpoint and its mask; with ``compressed`` also that under zstd, in some seconds.

    Raises:
        OutputError: if ``compressed`` and the package zstandard is missing.
    """
    files = find_files(checkpoint).weights
    return Sizes(
        sum(file.stat().st_size for file in files),
        None if mask is None else mask.stat().st_size,
        compressed_size(files, threads) if compressed else None,
    )


def check_zstd() -> None:
    """Raise an OutputError if the package zstandard is missing."""
    compressed_size([], 1)


def compressed_size(files: Iterable[Path], threads: int) -> int:
    """Return the bytes of files under zstd at level 3, each compressed alone; no result depends on the threads.

    Raises:
        OutputError: if the package zstandard is missing.
    """
    try:
        from zstandard import ZstdCompressor
    except ModuleNotFoundError as error:
        raise OutputError("sizes under zstd need zstandard; install it by: pip install 'topoimp[zstd]'") from error

    # With one worker or more, zstd cuts its input at the same places; without a worker it would not.
    compressor = ZstdCompressor(level=LEVEL, threads=max(threads, 1))
    total = 0
    for file in files:
        stream = compressor.compressobj()
        with file.open("rb") as content:
            while piece := content.read(_PIECE):
                total += len(stream.compress(piece))
        total += len(stream.flush())
    return total
