"""Where a thing came from: it is pickled as that, and made again by the process that needs it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

Made = TypeVar("Made")


@dataclass(frozen=True)
class Source(Generic[Made]):
    """A function of a module and its arguments, which make the same thing in any folder.

    >>> Source(Path, ("a.txt",)).made()
    PosixPath('a.txt')
    """

    make: Callable[..., Made]
    arguments: tuple[object, ...] = ()

    def __str__(self) -> str:
        """Return the arguments, for messages."""
        return ", ".join(map(str, self.arguments)) or self.make.__name__

    def made(self) -> Made:
        """Make the thing."""
        return self.make(*self.arguments)


def source(make: Callable[..., Made], *arguments: object) -> Source[Made]:
    """Return the source of what a function makes; relative paths among the arguments are made absolute."""
    return Source(make, tuple(each.absolute() if isinstance(each, Path) else each for each in arguments))
