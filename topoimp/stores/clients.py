"""The clients of stores, by the package obstore, which the extra ``remote`` installs.

Credentials are those that the stores' own tools take: of the environment, of a machine's role, and of the files of
Google's and Amazon's tools, of which boto3 reads the latter.
"""

import os
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topoimp.errors import CheckpointError
from topoimp.stores.address import Address
from topoimp.stores.failures import sentence_of
from topoimp.stores.hub import Model, url_of

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

_SILENCE = "30s"
"""How long a store may send nothing before the connection is given up."""


def client_of(address: Address) -> "tuple[ObjectStore, str]":
    """Return a client of an object's store, and the object's name there; the hub is asked for a model's commit.

    Raises:
        CheckpointError: if obstore is not installed, the credentials cannot be used, or the hub has no such model.
    """
    try:
        import obstore  # noqa: F401  # whether it is there
    except ImportError as error:
        needed = "which is not installed: pip install 'topoimp[remote]'"
        raise CheckpointError(f"{address}: files in stores are read by obstore, {needed}") from error

    if address.scheme == "hf":
        model = Model.of(address)
        files = Address(url_of(model))
        return _client(files.scheme, files.root, model.token), f"{files.key}/{model.file}".strip("/")
    if address.query:  # the whole address is the store's, as names of objects have no query
        return _client(address.scheme, address.url.partition("://")[2], None), ""
    return _client(address.scheme, address.root, None), address.key


@lru_cache(maxsize=64)
def _client(scheme: str, root: str, token: str | None) -> "ObjectStore":
    from obstore import store as stores
    from obstore.exceptions import BaseError

    options: ClientConfig = {
        "allow_http": True,  # where the address says so
        "connect_timeout": "10s",
        "default_headers": {} if token is None else {"authorization": f"Bearer {token}"},
        "read_timeout": _SILENCE,
        "timeout": "24h",
        "user_agent": f"topoimp/{version('topoimp')}",
    }
    retries: RetryConfig = {"max_retries": 0}  # topoimp.stores.fetching goes on where a transfer broke off
    try:
        match scheme:
            case "s3":
                found = _credentials_of_files()
                return stores.S3Store(root, client_options=options, retry_config=retries, credential_provider=found)
            case "gs":
                return stores.GCSStore(root, client_options=options, retry_config=retries)
            case "az":
                return stores.AzureStore(root, client_options=options, retry_config=retries)
            case _:
                return stores.HTTPStore.from_url(f"{scheme}://{root}", client_options=options, retry_config=retries)
    except (BaseError, ValueError) as error:
        shown = root.partition("/")[0]
        raise CheckpointError(f"{scheme}://{shown}: cannot be used: {sentence_of(error)}") from error


def _credentials_of_files() -> Any:  # a Boto3CredentialProvider, or None
    """Return the credentials of Amazon's files, if there are any and the environment has none."""
    folder = Path.home() / ".aws"
    files = [
        Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE", folder / "credentials")),
        Path(os.environ.get("AWS_CONFIG_FILE", folder / "config")),
    ]
    is_skipped = os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in ("1", "true")
    others = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    if is_skipped or any(name in os.environ for name in others) or not any(file.is_file() for file in files):
        return None
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError as error:
        needed = "pip install boto3, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise CheckpointError(f"s3: the credentials in {folder} are read by boto3 ({error}): {needed}") from error
    try:
        return Boto3CredentialProvider()
    except ValueError:  # a configuration without credentials; those of the machine's role may be there
        return None
