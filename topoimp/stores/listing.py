"""The names of the objects in a folder of a store; a web server lists none."""

from topoimp.stores.address import Address
from topoimp.stores.fetching import listed
from topoimp.stores.hub import Model


def is_listed(address: Address) -> bool:
    """Return whether a store can list the objects in a folder."""
    return address.scheme not in ("http", "https")


def names_in(folder: Address) -> list[str]:
    """Return the names of the objects in a folder and in its subfolders, relative to it, in order.

    Raises:
        CheckpointError: if the store refuses, or does not answer.
    """
    if folder.scheme == "hf":
        model = Model.of(folder)
        inside = f"{model.file}/" if model.file else ""
        return [name.removeprefix(inside) for name in model.names if name.startswith(inside)]
    return listed(folder)
