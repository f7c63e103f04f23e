"""Looking at every layer of a checkpoint once, in the order of the files, while the next ones are fetched.

Small layers are looked at side by side, one thread each; large ones one at a time, by all threads. What has been looked
at is given back, so that no more than the largest layer and a few small ones are in memory. Results never depend on the
number of threads.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from threading import Lock
from typing import Protocol, TypeVar

from topoimp.kernels.threads import OnStep, Window
from topoimp.layers.catalogue import LayerInfo, Layers
from topoimp.layers.layer import Layer

Result = TypeVar("Result")
Look = Callable[[Layer, int], Result]
"""What is done with a layer, and how many threads it may use for that; it must not keep the layer."""

LARGE = 1 << 26
"""Bytes from which a layer is large: others are looked at side by side, so that no core is idle between their parts."""

SIDE_BY_SIDE = 1 << 27
"""Bytes of layers that may be looked at at a time."""

AHEAD = 1 << 26
"""Bytes of layers that are fetched from the disk meanwhile."""


def counted(on_step: OnStep | None, n_steps: int) -> Callable[[], None]:
    """Give what is to be called after each of some steps, so that somebody is told how many were done."""
    if on_step is None:
        return lambda: None
    steps, one_at_a_time = count(1), Lock()

    def step() -> None:
        with one_at_a_time:
            on_step(next(steps), n_steps)

    return step


class LayerSource(Protocol):
    """Where layers come from: a checkpoint (``LayerStream``), or one that is in memory anyway (``InHand``)."""

    def each(self, look: Look[Result]) -> dict[str, Result]:
        """Look at each layer once; return the results by layer name, in the order of the layers."""


@dataclass(frozen=True)
class InHand:
    """A layer that is in memory anyway.

    Args:
        layer: the layer.
        threads: how many cores to use.
    """

    layer: Layer
    threads: int

    def each(self, look: Look[Result]) -> dict[str, Result]:
        """Look at it."""
        return {self.layer.name: look(self.layer, self.threads)}


@dataclass(frozen=True)
class LayerStream:
    """The layers of a checkpoint, looked at as often as needed.

    Args:
        layers: the layers.
        threads: how many cores to use.
        on_layer: called whenever a layer has been looked at; by several threads, one at a time.
    """

    layers: Layers
    threads: int
    on_layer: Callable[[], None] = lambda: None

    def each(self, look: Look[Result]) -> dict[str, Result]:
        """Look at each layer once; return the results by layer name, in the order of ``layers.infos``.

        Raises:
            CheckpointError: if a file cannot be read.
        """
        infos = self.layers.in_reading_order()
        fetching = _Fetching(self.layers, infos)
        window: Window[Result] = Window(self.threads, SIDE_BY_SIDE)
        with window:
            for info in infos:
                fetching.go_on(info)
                if _n_bytes(info) < LARGE and len(infos) >= self.threads:
                    window.add(info.name, _n_bytes(info), partial(self._look, look, info, 1))
                else:
                    window.finish()
                    window.results[info.name] = self._look(look, info, self.threads)
        return {name: window.results[name] for name in self.layers.by_name}

    def _look(self, look: Look[Result], info: LayerInfo, threads: int) -> Result:
        layer = self.layers.read(info)
        self.layers.have_ready(info)
        result = look(layer, threads)
        self.layers.done_with(info)
        self.on_layer()
        return result


class _Fetching:
    """Has layers fetched from the disk before they are looked at."""

    def __init__(self, layers: Layers, infos: Sequence[LayerInfo]) -> None:
        self._layers = layers
        self._to_come = deque(infos)
        self._ahead = 0

    def go_on(self, info: LayerInfo) -> None:
        """Take note that a layer is looked at now, and fetch what may be fetched meanwhile."""
        if self._to_come and self._to_come[0] is info:  # too large to have been fetched ahead
            self._layers.will_need(self._to_come.popleft())
        else:
            self._ahead -= _n_bytes(info)
        while self._to_come and self._ahead + _n_bytes(self._to_come[0]) <= AHEAD:
            fetched = self._to_come.popleft()
            self._layers.will_need(fetched)
            self._ahead += _n_bytes(fetched)


def _n_bytes(info: LayerInfo) -> int:
    return info.n_weights * info.number_format.n_bits // 8
