"""What two processes compare before one works for the other: the same sources and libraries give the same bits."""

import hashlib
import pickle
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Generic, TypeVar

from topoimp.engine.child import Call, Supervisor
from topoimp.errors import EngineError, TopoimpError

Result = TypeVar("Result")

PACKAGES = ("topoimp", "numpy", "torch")
"""Packages whose versions decide results, or the bits of them."""

_SOURCES = "sources of topoimp"


@cache
def versions_here() -> Mapping[str, str]:
    """Return the versions of Python and the packages, and a checksum of topoimp's own sources."""
    found = {"Python": ".".join(map(str, sys.version_info[:2]))}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return {**found, _SOURCES: _checksum_of_sources()}


def _checksum_of_sources() -> str:
    library = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(library.rglob("*.py")):
        digest.update(f"{path.relative_to(library)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def check_versions(wanted: Mapping[str, str]) -> None:
    """Raise an EngineError, which names this machine, if it has other versions than are wanted."""
    own = versions_here()
    for name, needed in wanted.items():
        if own.get(name) != needed:
            found = f"{platform.node()} has {name} {own.get(name)}, and the machine where the work began {needed}"
            raise EngineError(f"{found}; all that work together need the same")


@dataclass(frozen=True)
class Sealed(Generic[Result]):
    """A call on its way to another process, which compares versions before it opens it."""

    versions: Mapping[str, str]
    host: str
    payload: bytes

    @staticmethod
    def of(call: Call[Result]) -> "Sealed[Result]":
        """Seal a call."""
        return Sealed(versions_here(), platform.node(), pickle.dumps(call))

    def done(self, supervisor: Supervisor) -> Result:
        """Do the call here; the errors of another machine name it.

        Raises:
            EngineError: if this process has other versions.
            TopoimpError: the error of the call.
        """
        check_versions(self.versions)
        try:
            call: Call[Result] = pickle.loads(self.payload)  # noqa: S301  # of ``of``
            return call(supervisor)
        except TopoimpError as error:
            here = platform.node()
            if here in (self.host, "") or here in str(error):
                raise
            raise type(error)(f"{error} (on {here})") from error
