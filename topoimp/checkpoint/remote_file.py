"""Open the .safetensors files of a store: their headers are fetched and checked, of several at once, and no tensor."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

from topoimp.checkpoint.fetched_data import FetchedData
from topoimp.checkpoint.header import LENGTH_BYTES, HeaderError, header_length, parse_header
from topoimp.checkpoint.other_formats import ARCHIVE, N_BYTES, format_that_begins
from topoimp.checkpoint.safetensors_file import TensorFile
from topoimp.checkpoint.torch_file import SUFFIXES
from topoimp.errors import CheckpointError
from topoimp.stores import Address
from topoimp.stores.fetching import AT_ONCE, fetch_start

_FIRST = 1 << 17
"""Bytes that are fetched first: more than most headers have, which so take one request."""


def open_remote(addresses: Sequence[Address]) -> list[TensorFile]:
    """Return the opened files of some addresses, in their order.

    Raises:
        CheckpointError: if one of them does not exist, cannot be read, or is no .safetensors file.
    """
    with ThreadPoolExecutor(min(AT_ONCE, len(addresses)), thread_name_prefix="topoimp-headers") as pool:
        return list(pool.map(_opened, addresses))


def _opened(address: Address) -> TensorFile:
    version, first = fetch_start(address, _FIRST)
    if address.suffix in SUFFIXES or first.startswith(ARCHIVE):
        needed = "of files in stores, topoimp reads .safetensors files alone; download it first"
        raise CheckpointError(f"{address}: is a PyTorch file, by its name or its archive; {needed}")
    foreign = format_that_begins(first[:N_BYTES], address)
    if foreign is not None:
        raise CheckpointError(f"{address}: is {foreign}")
    try:
        length = header_length(first[:LENGTH_BYTES], version.n_bytes)
        if LENGTH_BYTES + length > len(first):
            _, first = fetch_start(address, LENGTH_BYTES + length)
        header = parse_header(first[LENGTH_BYTES : LENGTH_BYTES + length], version.n_bytes - LENGTH_BYTES - length)
    except HeaderError as error:
        raise CheckpointError(f"{address}: {error}") from error

    data = FetchedData(address, version, LENGTH_BYTES + length)
    return TensorFile(
        path=address,
        tensors=header.tensors,
        metadata=MappingProxyType(dict(header.metadata)),
        stored=data.stored,
        name_as_safetensors=address.name,
        advise=data.advise,
        not_tensors=header.unknown,
        version=version,
    )
