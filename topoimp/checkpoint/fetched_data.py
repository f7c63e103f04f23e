"""The tensors' data of a file in a store: fetched when it is asked for, and whole when it is returned.

Long parts are fetched for themselves, as several ranges at once. Short ones are fetched with the bytes around them, as
blocks of the file, of which the last ``KEPT`` bytes stay in memory: tensors of a file are mostly read in its order.
No array is seen before its bytes are there, nor changed after it has been returned: to release memory is to forget it,
and the last array that uses it frees it.
"""

import weakref
from collections import OrderedDict
from concurrent.futures import Future
from itertools import pairwise
from threading import Lock

import numpy as np

from topoimp.arrays import ByteArray
from topoimp.checkpoint.header import TensorInfo
from topoimp.checkpoint.safetensors_file import Advice
from topoimp.stores import Address, Version
from topoimp.stores.fetching import fetch_range

BLOCK = 1 << 23
"""Bytes of a block, and of the shortest range of a long part."""

MAX_RANGE = 1 << 26
"""Bytes of the longest range."""

RANGES = 16
"""Ranges of a long part, unless they would be shorter or longer than that."""

KEPT = 1 << 27
"""Limit on the bytes of blocks that stay in memory, of all files together."""


class FetchedData:
    """The tensors' data of an object in a store, from its byte ``start`` on."""

    def __init__(self, address: Address, version: Version, start: int) -> None:
        self._address = address
        self._version = version
        self._start = start
        self._lock = Lock()
        self._parts: dict[tuple[int, int], _Part] = {}

    def stored(self, tensor: TensorInfo, start: int, stop: int) -> ByteArray:
        """Return a tensor's bytes from ``start`` to ``stop``, read-only, once they are there."""
        begin, end = self._place(tensor, start, stop)
        found = [part.between(begin, end, octets) for part, octets in self._begun(begin, end)]
        octets = found[0] if len(found) == 1 else np.concatenate([np.empty(0, np.uint8), *found])
        octets.flags.writeable = False
        return octets

    def advise(self, advice: Advice, tensor: TensorInfo, start: int, stop: int) -> None:
        """Start to fetch a tensor's bytes from ``start`` to ``stop``, or forget them."""
        place = self._place(tensor, start, stop)
        if advice is Advice.DONE_WITH:
            self._forget(*place)
        else:
            self._begun(*place)

    def _place(self, tensor: TensorInfo, start: int, stop: int) -> tuple[int, int]:
        return self._start + tensor.start + start, self._start + tensor.start + stop

    def _begun(self, start: int, stop: int) -> "list[tuple[_Part, ByteArray]]":
        """Return the parts that hold the bytes from ``start`` to ``stop``, in order; those that lack are begun."""
        if stop <= start:
            return []
        with self._lock:
            for key, part in list(self._parts.items()):
                octets = part.octets()
                if octets is None:
                    del self._parts[key]
                elif not part.is_block and part.start <= start and stop <= part.stop:
                    return [(part, octets)]

            if stop - start >= BLOCK:
                return [self._part(start, stop, is_block=False)]
            numbers = range(start // BLOCK, -(-stop // BLOCK))
            edges = [(BLOCK * number, min(BLOCK * (number + 1), self._version.n_bytes)) for number in numbers]
            return [self._part(*each, is_block=True) for each in edges]

    def _part(self, start: int, stop: int, *, is_block: bool) -> "tuple[_Part, ByteArray]":
        part = self._parts.get((start, stop))
        octets = None if part is None else part.octets()
        if part is None or octets is None:
            octets = np.empty(stop - start, np.uint8)
            part = self._parts[start, stop] = _Part(self._address, self._version, start, octets, is_block)
        if is_block:
            _blocks.add(part)
        return part, octets

    def _forget(self, start: int, stop: int) -> None:
        with self._lock:
            for key, part in list(self._parts.items()):
                if start <= part.start and part.stop <= stop:
                    _blocks.remove(part)
                    del self._parts[key]


class _Part:
    """The bytes of an object from ``start`` on, on their way into an array or there.

    They are in memory while the part holds them, and while an array that was returned uses them. A part that is no
    block holds them until as many bytes as it has were returned.
    """

    def __init__(self, address: Address, version: Version, start: int, octets: ByteArray, is_block: bool) -> None:
        self.start = start
        self.stop = start + octets.size
        self.is_block = is_block
        self._n_unread = octets.size
        self._held: ByteArray | None = octets
        self._octets = weakref.ref(octets)

        size = min(max(-(-octets.size // RANGES), BLOCK), MAX_RANGE)
        self._ranges: list[Future[Version]] = [
            fetch_range(address, version, start + first, octets[first:end])
            for first, end in pairwise([*range(0, octets.size, size), octets.size])
        ]

    def octets(self) -> ByteArray | None:
        """Return the array; None if it is in memory no more, or its bytes could not be fetched."""
        has_failed = any(each.done() and each.exception() is not None for each in self._ranges)
        return None if has_failed else self._octets()

    def between(self, start: int, stop: int, octets: ByteArray) -> ByteArray:
        """Return the bytes of the object that lie in this part and from ``start`` to ``stop``, once they are there."""
        for each in self._ranges:
            each.result()
        found = octets[max(start - self.start, 0) : stop - self.start]
        self._n_unread -= found.size
        if not self.is_block and self._n_unread <= 0:
            self.let_go()
        return found

    def let_go(self) -> None:
        """Hold the bytes no more."""
        self._held = None


class _Blocks:
    """The blocks that hold their bytes, up to a limit, the one used last at the end."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._parts: OrderedDict[_Part, None] = OrderedDict()
        self._n_bytes = 0

    def add(self, part: _Part) -> None:
        """Add a block, or note its use; those used longest ago let go."""
        with self._lock:
            if part not in self._parts:
                self._parts[part] = None
                self._n_bytes += part.stop - part.start
            self._parts.move_to_end(part)
            while self._n_bytes > KEPT and len(self._parts) > 1:
                oldest, _ = self._parts.popitem(last=False)
                self._n_bytes -= oldest.stop - oldest.start
                oldest.let_go()

    def remove(self, part: _Part) -> None:
        """Have a part let go, whether it is a block or none."""
        with self._lock:
            if part in self._parts:
                del self._parts[part]
                self._n_bytes -= part.stop - part.start
            part.let_go()


_blocks = _Blocks()
