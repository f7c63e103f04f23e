"""Open a checkpoint: its files are found, and their headers read and checked at once; no tensor is read."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from topoimp.checkpoint.finding import CheckpointFiles, find_files
from topoimp.checkpoint.other_formats import other_format
from topoimp.checkpoint.reading import Checkpoint
from topoimp.checkpoint.safetensors_file import TensorFile, only_tensors, open_safetensors
from topoimp.checkpoint.state_dicts import Content
from topoimp.checkpoint.torch_file import is_torch_file, open_torch
from topoimp.errors import CheckpointError, OptionError
from topoimp.sources import source
from topoimp.stores import Address, AnyPath, as_place, looks_like_address


def open_checkpoint(path: AnyPath, *, key: str | None = None) -> Checkpoint:
    """Open a checkpoint: read and check its headers, and no tensor.

    Args:
        path: a .safetensors file, a PyTorch file, an index of shards, or a folder with one of these; or the address of
            one in a store or on the hub, without PyTorch files (docs/stores.md).
        key: the state dict to read of a PyTorch file that holds several, such as ``model.ema``; where training scripts
            usually keep the network's if None.

    Raises:
        CheckpointError: if the path does not exist, or one of its files cannot be used.
        OptionError: if there is no state dict below ``key``.
    """
    return _opened(as_place(path), key, Content.WEIGHTS)


def _opened(path: Path, key: str | None, content: Content) -> Checkpoint:
    try:
        paths, files = _found_in_store(path, key) if isinstance(path, Address) else _found_here(path, key, content)
    except FileNotFoundError as error:
        raise CheckpointError(_missing(path, error)) from error
    except OSError as error:
        raise CheckpointError(f"{error.filename or path}: cannot be read: {error.strerror}") from error

    if paths.shard_of is None:
        _check_distinct(files, path)
    else:
        files = _indexed(paths.shard_of, files, path)
    return Checkpoint(path, files, paths, source(_opened, path, key, content))


def open_checkpoints(
    path: AnyPath, others: Sequence[AnyPath], *, key: str | None, content: Content = Content.WEIGHTS
) -> list[Checkpoint]:
    """Open a checkpoint and others that are used with it, each with its state dict below ``key``; one must have it.

    One without it is opened as it is, if it leaves no choice: a safetensors file, or a PyTorch file with a single one.

    Args:
        path: the checkpoint, of weights.
        others: the paths of those that are used with it.
        key: as for ``open_checkpoint``.
        content: what the others are opened for; weights, unless they may be masks.

    Raises:
        OptionError: if a file with several state dicts, or every file, has none below ``key``.
        CheckpointError: as ``open_checkpoint``.
    """
    opened: list[Checkpoint] = []
    errors: list[OptionError] = []
    for each, its_content in [(path, Content.WEIGHTS), *((other, content) for other in others)]:
        try:
            opened.append(_opened(as_place(each), key, its_content))
        except OptionError as error:
            errors.append(error)
            plain = _opened_without_choice(as_place(each), its_content)
            if plain is None:
                raise
            opened.append(plain)
    if errors and len(errors) == len(opened):
        raise errors[0]
    return opened


def _opened_without_choice(path: Path, content: Content) -> Checkpoint | None:
    """Open a checkpoint as it is; None if it holds several state dicts, or none."""
    try:
        opened = _opened(path, None, content)
    except CheckpointError:
        return None
    return None if opened.other_keys else opened


def _found_here(path: Path, key: str | None, content: Content) -> tuple[CheckpointFiles, tuple[TensorFile, ...]]:
    paths = find_files(path)
    return paths, tuple(_open_file(file, key, content) for file in paths.weights)


def _found_in_store(address: Address, key: str | None) -> tuple[CheckpointFiles, tuple[TensorFile, ...]]:
    from topoimp.checkpoint.remote_file import open_remote
    from topoimp.checkpoint.remote_finding import find_remote_files

    paths = find_remote_files(address)
    files = tuple(open_remote([Address(file) for file in paths.weights]))
    if key is not None:
        raise OptionError(_about_key(key, address))
    return paths, files


def _open_file(path: Path, key: str | None, content: Content) -> TensorFile:
    foreign = other_format(path)
    if foreign is not None:
        raise CheckpointError(f"{path}: is {foreign}")
    if is_torch_file(path):
        return open_torch(path, key, content)
    if key is not None:
        raise OptionError(_about_key(key, path))
    return open_safetensors(path)


def _about_key(key: str, path: Path) -> str:
    return f"`key` is {key!r}, and {path} is no PyTorch file, which alone has state dicts below keys"


def _missing(path: Path, error: FileNotFoundError) -> str:
    if looks_like_address(path):
        return f"{path}: no such file, and no address in a store; docs/stores.md of topoimp has those that it reads"
    missing = Path(error.filename or path)
    return f"{path}: no such file" if missing == path else f"{path}: its index names {missing.name}, which is not there"


def _indexed(shard_of: Mapping[str, str], files: tuple[TensorFile, ...], path: Path) -> tuple[TensorFile, ...]:
    """Return the files with the tensors that the index places in them; check that they hold each of these."""
    held = {(tensor.name, file.path.name) for file in files for tensor in file.tensors}
    for tensor, name in shard_of.items():
        if (tensor, name) not in held:
            raise CheckpointError(f"{path}: its index places tensor {tensor!r} in {name}, which does not hold it")

    placed_in: dict[str, set[str]] = {}
    for tensor, name in shard_of.items():
        placed_in.setdefault(name, set()).add(tensor)
    return tuple(only_tensors(file, placed_in[file.path.name]) for file in files)


def _check_distinct(files: tuple[TensorFile, ...], path: Path) -> None:
    """Check that no tensor lies in two shards, whose index would say which one counts."""
    first_in: dict[str, str] = {}
    for file in files:
        for tensor in file.tensors:
            first = first_in.setdefault(tensor.name, file.path.name)
            if first != file.path.name:
                both = f"{first} and {file.path.name} both hold tensor {tensor.name!r}"
                raise CheckpointError(f"{path}: {both}; shards without an index must differ, and slices be joined")
