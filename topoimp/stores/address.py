"""Addresses of objects in stores, such as ``s3://bucket/model.safetensors``, which travel through topoimp as paths do.

Parts, name, suffix and parents are those of a path; the text is that of an address. The file system knows none of them.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path, PosixPath
from typing import Self, TypeAlias
from urllib.parse import unquote

from topoimp.errors import CheckpointError

AnyPath: TypeAlias = str | os.PathLike[str]
"""A path or an address as callers may write it; each public function makes a place of it where it enters."""

SCHEMES = ("s3", "gs", "az", "https", "http", "hf")
"""The stores: of Amazon and those that speak as it does, of Google, of Azure, web servers, the Hugging Face hub."""

_ADDRESS = re.compile(rf"(?:{'|'.join(SCHEMES)}):/+[^/]")  # a Path has one of the two slashes left


class Address(PosixPath):
    """The address of an object in a store, or of a folder there.

    The query of a web address is part of its ``url`` alone: a signature in it is shown nowhere.

    >>> address = Address("s3://models/llama/config.json")
    >>> print(address, address.scheme, address.name, address.parent / "model.safetensors")
    s3://models/llama/config.json s3 config.json s3://models/llama/model.safetensors
    """

    def __str__(self) -> str:
        """Return the address without its query."""
        return self.url.partition("?")[0] if self.scheme in ("http", "https") else self.url

    @property
    def url(self) -> str:
        """The address, with its query."""
        return super().__str__().replace(":/", "://", 1)

    @property
    def scheme(self) -> str:
        """The name of the kind of store, such as s3."""
        return self.parts[0].removesuffix(":") if self.parts else ""  # the last of the parents has no part

    @property
    def root(self) -> str:
        """The store: a bucket, a container, a server, or the first part of the hub's name of a model."""
        return self.parts[1]

    @property
    def key(self) -> str:
        """The name of the object in the store, with the folders."""
        key = str(self).partition("://")[2].partition("/")[2]
        return unquote(key) if self.scheme in ("http", "https") else key

    @property
    def query(self) -> str:
        """The query of a web address, such as a signature; empty without one."""
        return self.url.partition("?")[2] if self.scheme in ("http", "https") else ""

    @property
    def name(self) -> str:
        """The last part, without a query."""
        return super().name.partition("?")[0] if self.scheme in ("http", "https") else super().name

    def absolute(self) -> Self:
        """Return itself: an address is the same from every folder."""
        return self

    def resolve(self, strict: bool = False) -> Self:  # noqa: ARG002  # as a path has it
        """Return itself: topoimp follows no links in stores."""
        return self


@dataclass(frozen=True)
class Version:
    """Size and tag of an object when its first bytes were fetched; later bytes must be of the same version."""

    n_bytes: int
    tag: str


def as_place(path: AnyPath) -> Path:
    """Return an ``Address`` of what begins with the scheme of a store, and a ``Path`` of all else.

    >>> as_place("hf://org/model").parts, as_place("org/model").parts
    (('hf:', 'org', 'model'), ('org', 'model'))
    """
    if isinstance(path, Address):
        return path
    text = os.fspath(path)
    if not _ADDRESS.match(text):
        return Path(path)
    before, mark, query = text.partition("?")
    return Address(before + mark + query.replace("/", "%2F") if text.startswith("http") else text)


def looks_like_address(path: Path) -> bool:
    """Return whether a path that names no file begins as an address does, with any scheme."""
    return re.match(r"[a-z][a-z0-9+.-]+:(?:/|$)", str(path)) is not None


def as_local(path: AnyPath) -> Path:
    """Return a path of this machine.

    Raises:
        CheckpointError: if it is an address.
    """
    place = as_place(path)
    if isinstance(place, Address):
        raise CheckpointError(f"{place}: is in a store; here a path on this machine is needed, so download it first")
    return place
