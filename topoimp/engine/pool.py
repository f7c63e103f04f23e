"""The places where calls are done, and what they tell: progress, results and errors, in any order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from topoimp.engine.child import Call


@dataclass(frozen=True)
class Step:
    """A call has done some of its steps."""

    number: int
    n_done: int
    n_steps: int


@dataclass(frozen=True)
class Done:
    """A call has its result."""

    number: int
    result: object


@dataclass(frozen=True)
class Failed:
    """A call raised an error."""

    number: int
    error: BaseException


Event: TypeAlias = Step | Done | Failed
Post: TypeAlias = Callable[[Event], None]
"""Called with what happens to a call, by any thread."""


class Pool(Protocol):
    """A place where calls are done side by side; several threads may use it at the same time."""

    @property
    def n_places(self) -> int:
        """The number of calls that are done at the same time, from 1, as far as it is known."""

    def submit(self, number: int, call: Call[object], post: Post) -> object:
        """Begin a call, now or when there is room, and return its handle.

        ``post`` is called with its steps, and once with its end; they have the ``number``.
        """

    def end(self, handles: Sequence[Any]) -> None:
        """End calls that have not ended, by their handles, with their processes."""
