"""Read the layers of a checkpoint one at a time, in the order of the files, and call a function with each.

Layers are processed side by side, one thread each; large ones one at a time, by all threads, and small ones by the
calling thread, if that takes no longer than to wake another. The memory of a processed layer is released, so that the
largest layer and a few others are in memory at most. Results never depend on the number of threads.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from threading import Lock
from time import perf_counter
from typing import Protocol, TypeAlias, TypeVar

from topoimp.kernels.threads import OnStep, Window
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo, Layers

Result = TypeVar("Result")
OnLayer: TypeAlias = Callable[[], None]
Look = Callable[[Layer, int], Result]
"""A function of a layer and the number of threads that it may use; it must not keep the layer.

Looks at a checkpoint can be pickled, as workers may be given them: they are functions of a module, or frozen
dataclasses with ``__call__``.
"""

Task = TypeVar("Task")

Argument = TypeVar("Argument")
LookWith = Callable[[Layer, Argument, int], Result]
"""A look that takes an argument of the layer's own, such as its forest; other layers' are not sent with it."""

LARGE = 1 << 26
"""Bytes from which a layer is large. Others run side by side, so that no core is idle between their parts."""

SMALL = 1 << 17
"""Bytes below which a layer is small: threads that look at small ones mostly wait for the interpreter's lock.

On two cores the forests of layers of 256 bytes take 2.3 times as long by two threads as by one, those of 256 KiB 1.2
times, and those of 1 MiB 0.85 times.
"""

LONG = 5e-3
"""Seconds from which a look at a small layer is long, such as one with simulations, and is worth a thread."""

TRIED = 16
"""Small layers after a long look, one of which is tried by the calling thread again."""

SIDE_BY_SIDE = 1 << 27
"""Limit on the bytes of the layers that run side by side."""

AHEAD = 1 << 26
"""Limit on the bytes of the layers that are read ahead."""


def counted(on_step: OnStep | None, n_steps: int) -> Callable[[], None]:
    """Return a function to call after each of some steps, by any thread; it reports their number to ``on_step``."""
    if on_step is None:
        return lambda: None
    steps = count(1)
    lock = Lock()

    def step() -> None:
        with lock:
            on_step(next(steps), n_steps)

    return step


@dataclass(frozen=True)
class InHand:
    """A layer in memory, and the number of threads to use."""

    layer: Layer
    threads: int

    def each(self, look: Look[Result]) -> dict[str, Result]:
        """Return the result of a function on the layer, by its name."""
        return {self.layer.name: look(self.layer, self.threads)}

    def each_with(self, look: LookWith[Argument, Result], arguments: Mapping[str, Argument]) -> dict[str, Result]:
        """Return the result of a function on the layer and its own argument, by its name."""
        return {self.layer.name: look(self.layer, arguments[self.layer.name], self.threads)}


class Workers(Protocol):
    """Processes that look at layers in place of this one, possibly on other machines."""

    def each(
        self, layers: Layers, look: Callable[..., Result], arguments: Mapping[str, object] | None, on_layer: OnLayer
    ) -> dict[str, Result]:
        """Return the results as ``LayerStream.each``, or with arguments as ``LayerStream.each_with``, in any order."""

    def do(
        self,
        work: Callable[[Task, int, Callable[[], None]], Result],
        tasks: Sequence[Task],
        on_done: Callable[[int], None],
    ) -> list[Result]:
        """Return the results of a function on several tasks, in order.

        The function takes a task, the number of threads to use, and a function to call now and then: it raises if the
        result is no longer wanted. ``on_done`` is called with the number of each task that is done.
        """


@dataclass(frozen=True)
class LayerStream:
    """The layers of a checkpoint, for any number of passes over them.

    After each layer of a pass ``on_layer`` is called, possibly by several threads at once. The layers are looked at by
    ``workers``; by this process if None.
    """

    layers: Layers
    threads: int
    on_layer: OnLayer = lambda: None
    workers: Workers | None = None

    def each(self, look: Look[Result]) -> dict[str, Result]:
        """Return the results of a function on each layer, by layer name, in the order of ``layers.infos``."""
        if self.workers is not None:
            return self._in_order(self.workers.each(self.layers, look, None, self.on_layer))
        return self._each_here(look)

    def each_with(self, look: LookWith[Argument, Result], arguments: Mapping[str, Argument]) -> dict[str, Result]:
        """Return the results of a function on each layer and its own argument, which ``arguments`` has by name."""
        if self.workers is not None:
            return self._in_order(self.workers.each(self.layers, look, arguments, self.on_layer))
        return self._each_here(lambda layer, threads: look(layer, arguments[layer.name], threads))

    def _in_order(self, results: Mapping[str, Result]) -> dict[str, Result]:
        return {name: results[name] for name in self.layers.by_name}

    def _each_here(self, look: Look[Result]) -> dict[str, Result]:
        infos = self.layers.in_reading_order()
        window: Window[Result] = Window(self.threads, SIDE_BY_SIDE)
        pace = _Pace()

        with window:
            for info in _reading_ahead(self.layers, infos):
                if _n_bytes(info) >= LARGE or len(infos) < self.threads:
                    window.finish()
                    window.results[info.name] = self._look(look, info, self.threads)
                elif _n_bytes(info) < SMALL and pace.is_quick():
                    begin = perf_counter()
                    window.do(info.name, partial(self._look, look, info, 1))
                    pace.note(perf_counter() - begin)
                else:
                    window.add(info.name, _n_bytes(info), partial(self._look, look, info, 1))
        return self._in_order(window.results)

    def look_at(self, name: str, look: Look[Result]) -> Result:
        """Return the result of a function on one layer, which this process reads; ``on_layer`` is not called."""
        alone = replace(self.layers, infos=(self.layers.by_name[name],))
        return LayerStream(alone, self.threads).each(look)[name]

    def _look(self, look: Look[Result], info: LayerInfo, threads: int) -> Result:
        layer = self.layers.read(info, threads)
        self.layers.have_ready(info)
        result = look(layer, threads)

        self.layers.done_with(info)
        self.on_layer()
        return result


class _Pace:
    """Decides who looks at the next small layer, by the time that the last look of the calling thread took."""

    def __init__(self) -> None:
        self._n_to_skip = 0

    def is_quick(self) -> bool:
        """Return whether the calling thread is to look at the next small layer."""
        self._n_to_skip = max(self._n_to_skip - 1, 0)
        return self._n_to_skip == 0

    def note(self, seconds: float) -> None:
        """Note how long a look took."""
        self._n_to_skip = TRIED if seconds > LONG else 0


LayerSource: TypeAlias = LayerStream | InHand
"""A checkpoint, or a layer in memory."""


def _reading_ahead(layers: Layers, infos: Sequence[LayerInfo]) -> Iterator[LayerInfo]:
    """Yield each layer when its turn comes, while the disk reads it and the following ones, up to the limit."""
    to_come = deque(infos)
    ahead = 0
    for info in infos:
        if to_come and to_come[0] is info:  # too large to be read ahead
            layers.will_need(to_come.popleft())
        else:
            ahead -= _n_bytes(info)

        while to_come and ahead + _n_bytes(to_come[0]) <= AHEAD:
            ahead += _n_bytes(to_come[0])
            layers.will_need(to_come.popleft())
        yield info


def _n_bytes(info: LayerInfo) -> int:
    return info.n_weights * info.number_format.n_bits // 8
