"""Looking at every layer of a checkpoint once, in the order of the files, while the next ones are fetched.

Small layers are looked at side by side, one thread each; large ones one at a time, by all threads. What has been looked
at is given back, so that no more than the largest layer and a few small ones are in memory. Results never depend on the
number of threads.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from topoimp.catalogue import LayerInfo, Layers
from topoimp.layers import Layer
from topoimp.threads import run_each

Result = TypeVar("Result")
Look = Callable[[Layer, int], Result]
"""What is done with a layer, and how many threads it may use for that; it must not keep the layer."""

SMALL = 1 << 20
"""A layer with fewer weights is small: splitting it over threads takes longer than it saves."""

AHEAD = 64 << 20
"""Bytes that are fetched from the disk while others are looked at."""


class LayerSource(Protocol):
    """Where layers come from: a checkpoint (``LayerStream``), or one that is in memory anyway (``InHand``)."""

    def each(self, look: Look[Result]) -> list[Result]:
        """Look at each layer once, and give what was found, in the order of the layers."""

    def one(self, name: str, look: Look[Result]) -> Result:
        """Look at one layer."""


@dataclass(frozen=True)
class InHand:
    """A layer that is in memory anyway.

    Args:
        layer: the layer.
        threads: how many cores to use.
    """

    layer: Layer
    threads: int

    def each(self, look: Look[Result]) -> list[Result]:
        """Look at it."""
        return [look(self.layer, self.threads)]

    def one(self, name: str, look: Look[Result]) -> Result:  # noqa: ARG002  # there is only one
        """Look at it."""
        return look(self.layer, self.threads)


@dataclass(frozen=True)
class LayerStream:
    """The layers of a checkpoint, looked at as often as needed.

    Args:
        layers: the layers.
        threads: how many cores to use.
    """

    layers: Layers
    threads: int

    def each(self, look: Look[Result]) -> list[Result]:
        """Look at each layer once, and give what was found, in the order of ``layers.infos``.

        Raises:
            CheckpointError: if a file cannot be read.
        """
        found: dict[str, Result] = {}
        infos = self.layers.in_reading_order()
        fetching = _Fetching(self.layers, infos)
        for batch in _batches(infos):
            fetching.go_on(batch)
            look_at = self._looking(look, 1 if len(batch) > 1 else self.threads)
            results = run_each(look_at, batch, self.threads)
            found.update({info.name: result for info, result in zip(batch, results, strict=True)})
        return [found[info.name] for info in self.layers.infos]

    def one(self, name: str, look: Look[Result]) -> Result:
        """Look at one layer."""
        info = next(info for info in self.layers.infos if info.name == name)
        return self._looking(look, self.threads)(info)

    def _looking(self, look: Look[Result], threads: int) -> Callable[[LayerInfo], Result]:
        def look_at(info: LayerInfo) -> Result:
            layer = self.layers.read(info)
            self.layers.have_ready(info)
            result = look(layer, threads)
            self.layers.done_with(info)
            return result

        return look_at


def _batches(infos: Sequence[LayerInfo]) -> Iterator[list[LayerInfo]]:
    """Give large layers alone, and consecutive small ones together: no more than is fetched ahead."""
    batch: list[LayerInfo] = []
    for info in infos:
        is_small = info.n_weights < SMALL
        if batch and (not is_small or sum(map(_n_bytes, batch)) + _n_bytes(info) > AHEAD):
            yield batch
            batch = []
        batch.append(info)
        if not is_small:
            yield batch
            batch = []
    if batch:
        yield batch


class _Fetching:
    """Has layers fetched from the disk before they are looked at."""

    def __init__(self, layers: Layers, infos: Sequence[LayerInfo]) -> None:
        self._layers = layers
        self._to_come = deque(infos)
        self._ahead = 0

    def go_on(self, batch: Sequence[LayerInfo]) -> None:
        """Take note that a batch is looked at now, and fetch what may be fetched meanwhile."""
        for info in batch:
            if self._to_come and self._to_come[0] is info:  # too large to have been fetched ahead
                self._layers.will_need(self._to_come.popleft())
            else:
                self._ahead -= _n_bytes(info)
        while self._to_come and self._ahead + _n_bytes(self._to_come[0]) <= AHEAD:
            info = self._to_come.popleft()
            self._layers.will_need(info)
            self._ahead += _n_bytes(info)


def _n_bytes(info: LayerInfo) -> int:
    return info.n_weights * info.number_format.n_bits // 8
