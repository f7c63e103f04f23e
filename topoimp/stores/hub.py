"""Models on the Hugging Face hub: ``hf://org/model@revision/file``, the revision ``main`` if none is given.

A revision is read once: its commit names the files from then on, so that all files are of one commit. ``HF_ENDPOINT``,
``HF_TOKEN``, ``HF_TOKEN_PATH`` and ``HF_HOME`` have the meanings that huggingface_hub gives them.
"""

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote

from topoimp.errors import CheckpointError
from topoimp.stores.address import Address

_SECONDS = 30.0
"""How long the hub may send nothing."""

_MAX_BYTES = 100_000_000
"""Limit on the hub's description of a model, which has a line for each of its files."""


@dataclass(frozen=True)
class Model:
    """A file of a model on the hub, or with an empty ``file`` the model: its name and its commit."""

    endpoint: str
    name: str
    commit: str
    names: tuple[str, ...]
    file: str
    token: str | None

    @classmethod
    def of(cls, address: Address) -> Self:
        """Return the file or the model at an address; its revision is looked up at the hub, once in a process.

        Raises:
            CheckpointError: if the hub does not answer, or has no such model that may be read.
        """
        endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
        _, owner, *parts = str(address).replace("://", "/").split("/")
        named, _, revision = f"{owner}/{parts[0]}".partition("@") if parts else owner.partition("@")
        token = _token()
        commit, names = _looked_up(endpoint, named, unquote(revision) or "main", token)
        return cls(endpoint, named, commit, names, "/".join(parts[1:]), token)


def url_of(model: Model) -> str:
    """Return the web address below which the files of a model's commit are."""
    return f"{model.endpoint}/{model.name}/resolve/{model.commit}"


@lru_cache(maxsize=256)
def _looked_up(endpoint: str, name: str, revision: str, token: str | None) -> tuple[str, tuple[str, ...]]:
    """Return the commit of a revision, and the names of its files."""
    shown = f"hf://{name}" + ("" if revision == "main" else f"@{revision}")
    url = f"{endpoint}/api/models/{name}/revision/{quote(revision, safe='')}"
    request = urllib.request.Request(url)  # noqa: S310  # HF_ENDPOINT is the user's
    if token is not None:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310  # HF_ENDPOINT is the user's
            entries = json.loads(answer.read(_MAX_BYTES))
        commit = entries["sha"]
        names = tuple(sorted(each["rfilename"] for each in entries["siblings"]))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (401, 403, 404):
            needed = "no such model or revision, or HF_TOKEN is no token that may read it"
            raise CheckpointError(f"{shown}: {needed} ({endpoint} answers {error.code})") from error
        raise CheckpointError(f"{shown}: cannot be read: {endpoint} answers {error.code} {error.reason}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:  # no connection, no JSON, or other JSON
        reason = getattr(error, "reason", None) or error
        raise CheckpointError(
            f"{shown}: cannot be read: {endpoint} does not answer as the hub does ({reason})"
        ) from error
    return commit, names


def _token() -> str | None:
    """Return the user's token, as huggingface_hub finds it."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if os.environ.get(name):
            return os.environ[name].strip()
    home = os.environ.get("HF_HOME", Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "huggingface")
    file = Path(os.environ.get("HF_TOKEN_PATH", Path(home) / "token"))
    try:
        return file.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
