"""Find the files of a checkpoint in a store: a file, an index of shards, or a folder, as ``finding`` does here."""

from collections.abc import Sequence
from dataclasses import replace

from topoimp.checkpoint.finding import CheckpointFiles, files_of_index
from topoimp.checkpoint.folders import OTHER_WEIGHTS, chosen_weights
from topoimp.checkpoint.index import is_index, parse_index
from topoimp.checkpoint.torch_file import SUFFIXES
from topoimp.errors import CheckpointError
from topoimp.stores import Address
from topoimp.stores.fetching import fetch_whole
from topoimp.stores.listing import is_listed, names_in


def find_remote_files(address: Address) -> CheckpointFiles:
    """Return the files of the checkpoint at an address.

    Raises:
        CheckpointError: if a folder holds no checkpoint, or several; if a web server is asked for a folder; or if the
            store cannot be read.
    """
    if address.scheme == "https" and address.root == "huggingface.co" and "/resolve/" not in address.key:
        owner, name, *_ = [*address.key.split("/"), ""]
        raise CheckpointError(f"{address}: is a page of the hub; its checkpoint is hf://{owner}/{name}")
    if is_index(address.name):
        names = names_in(address.parent) if is_listed(address) else []
        return _files_of_index(address, names)
    if address.name.endswith((*SUFFIXES, *OTHER_WEIGHTS)) or not is_listed(address):
        return CheckpointFiles((address,))

    names = names_in(address)
    if not names:
        raise CheckpointError(f"{address}: no such file, nor a folder with files")
    beside = [name for name in names if "/" not in name]
    maps = {name: address / name for name in beside if is_index(name)}
    chosen = chosen_weights(beside, address, lambda name: _has_weight_map(maps[name]))
    if chosen is None:
        shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        needed = "a .safetensors file or an index is needed"
        raise CheckpointError(f"{address}: is a folder without weights, with {shown}; {needed}")
    weights = tuple(address / name for name in chosen)
    index = weights[0]
    if not is_index(index.name):
        return CheckpointFiles(weights, folder=address, names=tuple(names))
    return _files_of_index(index, names)


def _files_of_index(index: Address, names: Sequence[str]) -> CheckpointFiles:
    found = files_of_index(index.parent, index, parse_index(fetch_whole(index), index))
    return replace(found, names=tuple(names))


def _has_weight_map(index: Address) -> bool:
    try:
        parse_index(fetch_whole(index), index)
    except CheckpointError:
        return False
    return True


_SHOWN = 5
"""Names that a message shows."""
