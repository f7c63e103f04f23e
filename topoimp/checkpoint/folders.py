"""Choose the checkpoint of a folder: one file, one index of shards, or shards whose index is missing.

Names are those of Hugging Face libraries and of PyTorch's users. A folder whose weights are plain to people is read so:
the state of an optimizer beside the weights is none, and the files that macOS adds are ignored. Any other folder is
refused, with the names of the candidates, or with what the folder is.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from topoimp.checkpoint.index import is_index, read_index
from topoimp.checkpoint.other_formats import other_format
from topoimp.checkpoint.torch_file import SUFFIXES
from topoimp.errors import CheckpointError

_STANDARD = ("model.safetensors", "pytorch_model.bin")
_OF_LIBRARIES = tuple(
    f"{stem}.{ending}" for ending in ("safetensors", "bin") for stem in ("diffusion_pytorch_model", "adapter_model")
)
PREFERRED = (*_STANDARD, *_OF_LIBRARIES)
"""Names of a folder's weights, or with .index.json of its index, in Hugging Face libraries; the first counts."""

OTHER_WEIGHTS = (".safetensors", ".h5", ".ot", ".msgpack", ".onnx", ".onnx_data", ".gguf", ".tflite", ".npz", ".pkl")
"""Endings of files that hold the unpruned weights again; a copy of a folder leaves them and PyTorch files out."""

_SHARD = re.compile(r"(.+?)[-_.](\d{1,6})-of-(\d{1,6})(.*)")
"""Names of shards: their number, and how many there are."""

_SLICE = re.compile(r"consolidated\.\d+\.\w+|(?:.*_)?mp_rank_\d+.*|.*[._-]rank[._-]?\d+\.\w+")
"""Names of files that each hold a slice of every tensor, cut for tensor parallelism."""

_TRAINING_STATE = re.compile(
    r"(optimizer|optim|scheduler|lr_scheduler|scaler|sampler|rng_state|random_states|training_args|train_args)"
    r"([._-].*)?\.\w+|.*_optim_states\.pt"
)
"""Names of files that trainers write beside the weights and that hold none."""

_COMPRESSED = (".gz", ".zst", ".xz", ".bz2", ".lz4", ".7z", ".rar", ".tar", ".zip")


def weights_of(folder: Path) -> tuple[Path, ...]:
    """Return the index of a folder, or its one file of weights, or all shards if their index is missing.

    Raises:
        CheckpointError: if the folder holds no weights, several checkpoints, or shards of which some are missing.
    """
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith(".") and entry.is_file())
    chosen = chosen_weights(names, folder, lambda name: _has_weight_map(folder / name))
    if chosen is None:
        raise CheckpointError(f"{folder}: {_without_weights(folder, names)}")
    return tuple(folder / name for name in chosen)


def chosen_weights(names: Sequence[str], folder: Path, has_weight_map: Callable[[str], bool]) -> Sequence[str] | None:
    """Return, of the names of a folder's files, the index, the one file of weights or all shards; None without weights.

    ``has_weight_map`` tells whether an index is one of shards; it is asked of those whose names do not say it.

    Raises:
        CheckpointError: if the folder holds several checkpoints, or shards of which some are missing.
    """
    for standard in PREFERRED:
        preferred = [name for name in (standard, f"{standard}.index.json") if name in names]
        if len(preferred) > 1:
            raise CheckpointError(f"{folder}: holds {preferred[0]} and {preferred[1]}; name the one that is meant")
        if preferred:
            return preferred

    # Any other names: an index, safetensors files, an index of PyTorch files, PyTorch files.
    indices = [name for name in names if is_index(name)]
    of_torch = [name for name in indices if any(f"{suffix}." in name for suffix in SUFFIXES)]
    of_safetensors = [name for name in indices if ".safetensors." in name]
    unnamed = [name for name in indices if name not in (*of_torch, *of_safetensors) and has_weight_map(name)]
    candidates = (
        [*of_safetensors, *unnamed],
        [name for name in names if name.endswith(".safetensors")],
        of_torch,
        [name for name in names if name.endswith(SUFFIXES) and not _TRAINING_STATE.fullmatch(name)],
    )
    chosen = next(filter(None, candidates), None)
    return None if chosen is None else _one_checkpoint(folder, chosen)


def _has_weight_map(path: Path) -> bool:
    try:
        read_index(path)
    except CheckpointError:
        return False
    return True


def _one_checkpoint(folder: Path, names: Sequence[str]) -> Sequence[str]:
    """Return the only file, or all shards of the only checkpoint."""
    checkpoints: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        shard = _SHARD.fullmatch(name)
        checkpoints.setdefault((name,) if shard is None else shard.group(1, 3, 4), []).append(name)

    if len(checkpoints) > 1:
        if all(map(_SLICE.fullmatch, names)):
            raise CheckpointError(f"{folder}: {_about_slices(names)}")
        shown = ", ".join(files[0] for files in list(checkpoints.values())[:_SHOWN])
        firsts = f"{shown}, ..." if len(checkpoints) > _SHOWN else shown
        needed = f"name one of them, such as {folder / names[0]}"
        if any(len(files) > 1 for files in checkpoints.values()):
            needed = "shards need an index, or a folder of their own"
        raise CheckpointError(f"{folder}: holds {len(checkpoints)} files of weights ({firsts}); {needed}")

    (identity, files), *_ = checkpoints.items()
    if len(identity) == 1:
        return files
    n_shards = int(identity[1])
    numbers = {int(_SHARD.fullmatch(name).group(2)) for name in files}  # type: ignore[union-attr]  # each matched above
    expected = set(range(n_shards)) if 0 in numbers else set(range(1, n_shards + 1))
    if numbers != expected:
        missing = sorted(expected - numbers)
        shown = ", ".join(map(str, missing[:_SHOWN])) + (", ..." if len(missing) > _SHOWN else "")
        found = f"holds {len(files)} of the {n_shards} shards of a checkpoint, and no index of it"
        raise CheckpointError(f"{folder}: {found}; of its shards number {shown} is missing")
    return files


def _about_slices(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    needed = "join them first, with a tool of the framework that wrote them"
    return f"holds {len(names)} slices of one checkpoint, cut for tensor parallelism ({shown}); {needed}"


def _without_weights(folder: Path, names: Sequence[str]) -> str:
    """Return what a folder without weights is, and what to do."""
    if any(name.endswith(".distcp") for name in names):
        convert = f"python -m torch.distributed.checkpoint.format_utils dcp_to_torch {folder} FILE.pt"
        return f"is a distributed checkpoint of PyTorch (DCP); convert it with '{convert}'"
    if "zero_to_fp32.py" in names:
        return "is a checkpoint of DeepSpeed; join it with its own script, 'python zero_to_fp32.py FOLDER OUTPUT'"
    if (folder / "snapshots").is_dir():
        snapshots = sorted(entry.name for entry in (folder / "snapshots").iterdir() if entry.is_dir())
        if snapshots:
            named = folder / "snapshots" / snapshots[0]
            return f"is a cache of the Hugging Face hub; name a snapshot in it, such as {named}"

    below = [entry.name for entry in _subfolders(folder) if _has_weights(entry)]
    if below:
        shown = ", ".join(below[:_SHOWN]) + (", ..." if len(below) > _SHOWN else "")
        return f"is a folder without weights; its subfolders {shown} have some: name one, such as {folder / below[0]}"
    for name in names:
        if name.endswith((*OTHER_WEIGHTS, *_COMPRESSED)):
            format_ = other_format(folder / name)
            if format_ is not None:
                return f"is a folder without weights but {name}, which is {format_}"
    return "is a folder without weights; a .safetensors file or an index is needed"


def _subfolders(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.name.startswith("."):
            yield entry


def _has_weights(folder: Path) -> bool:
    names = (entry.name for entry in folder.iterdir() if entry.is_file())
    return any(
        name.endswith((".safetensors", *SUFFIXES)) and not name.startswith(".") and not _TRAINING_STATE.fullmatch(name)
        for name in names
    )


_SHOWN = 5
"""Names that a message shows."""
