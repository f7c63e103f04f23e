"""Fetch objects: their first bytes, a range, or all; several at once, and again where a transfer fails.

One thread runs all transfers of a process, at most ``AT_ONCE`` at a time. A transfer that breaks off goes on where it
did, after a pause; each further failure without a byte doubles the pause, until it is given up.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from topoimp.arrays import ByteArray
from topoimp.errors import CheckpointError
from topoimp.stores.address import Address, Version
from topoimp.stores.clients import client_of
from topoimp.stores.failures import may_pass, reason_of, status_in

if TYPE_CHECKING:
    from obstore import GetResult
    from obstore.store import ObjectStore

AT_ONCE = 16
"""Transfers at a time."""

ATTEMPTS = 7
"""Failures without a byte between them after which a transfer is given up."""

FIRST_PAUSE = 0.1
"""Seconds between the first failure and the next attempt."""

_CHUNK = 1 << 20
"""Bytes that are handed over together."""

MAX_WHOLE = 1 << 30
"""Limit on an object that is fetched as a whole, such as an index or a tokenizer."""

MAX_LISTED = 20_000
"""Limit on the files of a folder and its subfolders: a checkpoint has fewer, and a bucket may have millions."""

Result = TypeVar("Result")


def fetch_start(address: Address, n_bytes: int) -> tuple[Version, bytes]:
    """Return the version of an object, and its first bytes, fewer if it has no more.

    Raises:
        CheckpointError: if there is no such object, or it cannot be read.
    """
    into = np.empty(n_bytes, np.uint8)
    version = _begun(_fetched(address, *client_of(address), 0, into, None)).result()
    return version, into[: version.n_bytes].tobytes()


def fetch_range(address: Address, version: Version, start: int, into: ByteArray) -> Future[Version]:
    """Start to fetch the bytes of an object from ``start`` on into an array, and return at once.

    The future's CheckpointError says why it failed: the object was replaced meanwhile, or cannot be read.
    """
    return _begun(_fetched(address, *client_of(address), start, into, version))


def fetch_whole(address: Address) -> bytes:
    """Return all bytes of a small object; one above ``MAX_WHOLE`` is a CheckpointError."""
    version, first = fetch_start(address, _CHUNK)
    if version.n_bytes > MAX_WHOLE:
        raise CheckpointError(f"{address}: has {version.n_bytes} bytes; at most {MAX_WHOLE} are fetched at once")
    rest = np.empty(version.n_bytes - len(first), np.uint8)
    if rest.size:
        fetch_range(address, version, len(first), rest).result()
    return first + rest.tobytes()


def listed(folder: Address) -> list[str]:
    """Return the names of all objects below a folder of a store that lists them, relative to it, in order."""
    return _begun(_listed(folder, *client_of(folder))).result()


@dataclass
class _Transfer:
    """The transfer of an object's bytes from ``start`` on into an array, until that is full or the object ends."""

    address: Address
    client: "ObjectStore"
    name: str
    start: int
    into: ByteArray
    version: Version | None
    n_done: int = 0

    async def goes_on(self) -> Version:
        """Fetch the bytes that are missing, in one request, and return the object's version."""
        import obstore

        asked = {"range": (self.start + self.n_done, self.start + len(self.into))}
        try:
            result = await obstore.get_async(self.client, self.name, options=asked)  # type: ignore[arg-type]  # a TypedDict
        except obstore.exceptions.BaseError as error:
            if self.version is None and self.start == 0 and status_in(error) == _NO_SUCH_RANGE:
                return Version(0, "")  # an object without bytes
            raise

        version = self._checked(result)
        end = min(len(self.into), version.n_bytes - self.start)
        async for chunk in result.stream(min_chunk_size=_CHUNK):
            octets = np.frombuffer(chunk, np.uint8)[: end - self.n_done]
            self.into[self.n_done : self.n_done + octets.size] = octets
            self.n_done += octets.size
        if self.n_done < end:
            raise EOFError("the transfer ended too early")
        return version

    def _checked(self, result: "GetResult") -> Version:
        """Return the version of the object, which must be the same as before."""
        meta = result.meta
        tag = meta["e_tag"] or meta["last_modified"].isoformat()
        if self.address.scheme == "hf":  # its servers may tag a file differently, whose name there has the commit
            tag = self.name
        found = Version(meta["size"], tag)
        if self.version is not None and found != self.version:
            raise CheckpointError(f"{self.address}: changed while it was read")
        self.version = found
        return found


_NO_SUCH_RANGE = "416"
"""Status of HTTP if the first byte that is asked for does not exist."""


async def _fetched(
    address: Address, client: "ObjectStore", name: str, start: int, into: ByteArray, version: Version | None
) -> Version:
    transfer = _Transfer(address, client, name, start, into, version)
    return await _persistent(address, transfer.goes_on, lambda: transfer.n_done)


async def _listed(folder: Address, client: "ObjectStore", name: str) -> list[str]:
    import obstore

    inside = f"{name}/" if name else ""

    async def names() -> list[str]:
        found: list[str] = []
        async for page in obstore.list(client, prefix=inside):
            found += [each["path"].removeprefix(inside) for each in page]
            if len(found) > MAX_LISTED:
                needed = "name a folder or a file in it"
                raise CheckpointError(f"{folder}: holds more than {MAX_LISTED:,} files, subfolders counted; {needed}")
        return sorted(found)

    return await _persistent(folder, names)


async def _persistent(
    address: Address, attempt: Callable[[], Awaitable[Result]], n_done: Callable[[], int] = lambda: 0
) -> Result:
    """Return the result of an attempt, which is made again after a failure that may pass."""
    failures = 0
    before = n_done()
    while True:
        try:
            async with _limit():
                return await attempt()
        except CheckpointError:
            raise
        except Exception as error:
            failures = failures + 1 if n_done() == before else 1
            before = n_done()
            if failures == ATTEMPTS or not may_pass(error):
                raise CheckpointError(f"{address}: {reason_of(error, address)}") from error
        await asyncio.sleep(FIRST_PAUSE * 2 ** (failures - 1))


def _begun(transfer: Coroutine[Any, Any, Result]) -> Future[Result]:
    return asyncio.run_coroutine_threadsafe(transfer, _loop())


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of the thread that runs all transfers of this process."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="topoimp-stores", daemon=True)
    thread.start()
    atexit.register(_stop, loop, thread)
    return loop


@cache
def _limit() -> asyncio.Semaphore:
    return asyncio.Semaphore(AT_ONCE)


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    """End the transfers before the interpreter ends, whose end threads of a client would not survive."""

    async def cancelled() -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=1) if tasks else None
        loop.stop()

    with suppress(RuntimeError):  # it has stopped
        asyncio.run_coroutine_threadsafe(cancelled(), loop)
        thread.join(1.5)


def _forget() -> None:
    """Forget the thread: a forked process has none but its own."""
    _loop.cache_clear()
    _limit.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
