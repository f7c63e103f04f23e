"""Layers in pieces of some hundred megabytes, each a call of its own: work is spread, and its overhead is small."""

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from topoimp.engine.child import Supervisor, UnwantedError
from topoimp.layers.records import LayerInfo, Layers
from topoimp.layers.streaming import LayerStream

Result = TypeVar("Result")

SMALLEST, LARGEST = 1 << 27, 1 << 30
"""Bytes of weights from which a piece is whole, and at most, but for larger layers, which are pieces of their own."""

PER_PLACE = 4
"""Pieces for each place, if their size allows it: each costs some milliseconds, and with few some places end early."""


def pieces_of(layers: Layers, n_places: int) -> list[list[str]]:
    """Return the names of layers in pieces for some places, where one of them is looked at at a time.

    Pieces follow each other in the files; the last one may be small.
    """
    infos = layers.in_reading_order()
    usual = sum(map(_n_bytes, infos)) // (PER_PLACE * n_places)
    size = min(max(usual, SMALLEST), LARGEST)
    pieces: list[list[str]] = []
    filled = size
    for info in infos:
        if filled + _n_bytes(info) > size and filled:
            pieces.append([])
            filled = 0
        pieces[-1].append(info.name)
        filled += _n_bytes(info)
    return pieces


def _n_bytes(info: LayerInfo) -> int:
    return info.n_weights * info.number_format.n_bits // 8


@dataclass(frozen=True)
class InWorker(Generic[Result]):
    """Does a task in the process of a worker; ``payload`` is the pickle of a function and its task."""

    payload: bytes

    @staticmethod
    def of(work: Callable[..., Result], task: object) -> "InWorker[Result]":
        """Return the call of a function on a task (``layers.streaming.Workers.do``)."""
        return InWorker(pickle.dumps((work, task)))

    def __call__(self, supervisor: Supervisor) -> Result:
        """Return the result."""
        content: tuple[Callable[..., Result], object] = pickle.loads(self.payload)  # noqa: S301  # of ``of``
        work, task = content
        return work(task, supervisor.threads, _check_of(supervisor))


def _check_of(supervisor: Supervisor) -> Callable[[], None]:
    """Return a function that ends a call whose result is no longer wanted."""

    def check() -> None:
        if not supervisor.is_wanted():
            raise UnwantedError

    return check


@dataclass(frozen=True)
class LookAtPiece(Generic[Result]):
    """Looks at the layers of a piece; ``payload`` is the pickle of the layers, the look and the layers' arguments."""

    payload: bytes

    @staticmethod
    def of(
        layers: Layers, look: Callable[..., Result], arguments: Mapping[str, object] | None
    ) -> "LookAtPiece[Result]":
        """Return the call of a look at layers, with the arguments of these layers alone."""
        own = None if arguments is None else {name: arguments[name] for name in layers.by_name}
        return LookAtPiece(pickle.dumps((layers, look, own)))

    def __call__(self, supervisor: Supervisor) -> Mapping[str, Result]:
        """Return the results by layer name."""
        content: tuple[Layers, Callable[..., Result], Mapping[str, object] | None] = pickle.loads(self.payload)  # noqa: S301  # of ``of``
        layers, look, arguments = content
        stream = LayerStream(layers, supervisor.threads, _check_of(supervisor))
        return stream.each(look) if arguments is None else stream.each_with(look, arguments)
