"""Failures of transfers: which of them may pass, and the sentence for those that do not."""

import re

from topoimp.stores.address import Address

_TRY_AGAIN = ("408", "425", "429")
"""Statuses of HTTP that blame the request, and pass: it took too long, came too early, or was one of too many."""

_CREDENTIALS = {
    "s3": "credentials are needed, as in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; AWS_SKIP_SIGNATURE=true is for "
    "public buckets",
    "gs": "credentials are needed, as in GOOGLE_APPLICATION_CREDENTIALS; GOOGLE_SKIP_SIGNATURE=true is for public "
    "buckets",
    "az": "credentials are needed, as in AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
    "hf": "HF_TOKEN needs a token of someone who may read it",
}
"""By store, what may be missing where it refuses."""


def may_pass(error: Exception) -> bool:
    """Return whether another attempt may end otherwise."""
    from obstore.exceptions import GenericError, JoinError

    status = status_in(error)
    if status.startswith("4"):
        return status in _TRY_AGAIN
    is_refused = isinstance(error, FileNotFoundError | PermissionError)
    return isinstance(error, GenericError | JoinError | OSError | EOFError) and not is_refused


def reason_of(error: Exception, address: Address) -> str:
    """Return the reason of a failure, as the rest of the sentence "ADDRESS: ..."."""
    from obstore.exceptions import NotSupportedError, PermissionDeniedError, UnauthenticatedError

    status = status_in(error)
    if isinstance(error, FileNotFoundError) or status == "404":
        return "no such file"
    if isinstance(error, UnauthenticatedError | PermissionDeniedError | PermissionError) or status in ("401", "403"):
        return f"may not be read: {_CREDENTIALS.get(address.scheme, 'the server asks for credentials')}"
    if isinstance(error, NotSupportedError):
        return "its server sends whole files alone, and topoimp reads parts; download it first"
    return f"cannot be read: {sentence_of(error)}"


def status_in(error: Exception) -> str:
    """Return the status of HTTP that an error of obstore names; empty if it names none."""
    found = re.search(r"status code: (\d{3})", str(error))
    return "" if found is None else found[1]


def sentence_of(error: BaseException) -> str:
    """Return the reason in an error of obstore, without its developers' part, XML, and the address with a signature."""
    sentence = str(error).partition("\n")[0].partition(": <")[0].rpartition(" - ")[2]
    return re.sub(r"^Generic \S+ error: ", "", sentence).rstrip(" :") or type(error).__name__
