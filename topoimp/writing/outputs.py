"""The names of a pruning's output files, and the check that they replace nothing of the user's."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product
from pathlib import Path

from topoimp.checkpoint import Address, Checkpoint, files_of_copy, open_checkpoint, other_files
from topoimp.checkpoint.staging import check_is_here, writable
from topoimp.checkpoint.torch_file import SUFFIXES as TORCH_SUFFIXES
from topoimp.errors import CheckpointError, OptionError, OutputError
from topoimp.pruning.masks import is_mask
from topoimp.writing.model_card import CARD

SUFFIX = ".safetensors"

_HUB_REPOSITORY = re.compile("(models|datasets|spaces)--.+")
_HUB_FOLDERS = ("snapshots", "blobs", "refs")
"""Folders of a repository in the cache of huggingface_hub, whose tools take any other file in them for damage."""


@dataclass(frozen=True)
class Outputs:
    """The paths of a pruning's outputs: checkpoints of rounds and the last one, its mask, the CSV of the report.

    The checkpoints are folders, PyTorch files (``are_torch``) or safetensors files. ``pictures`` holds the picture and
    the page, by argument name, if they are requested.
    """

    checkpoint: Path
    mask: Path
    table: Path
    rounds: Mapping[int, Path]
    are_folders: bool
    are_torch: bool = False
    pictures: Mapping[str, Path] = field(default_factory=dict)

    @property
    def in_order(self) -> list[Path]:
        """All outputs, the checkpoint last, as the commit mark."""
        return [self.mask, self.table, *self.pictures.values(), *self.checkpoints]

    def by_role(self) -> dict[str, Path]:
        """Return the outputs by role."""
        rounds = {f"round_{number}": path for number, path in self.rounds.items()}
        return {"checkpoint": self.checkpoint, "mask": self.mask, "table": self.table, **rounds, **self.pictures}

    @property
    def checkpoints(self) -> list[Path]:
        """The checkpoints: those of rounds, and the last one."""
        return [*self.rounds.values(), self.checkpoint]

    def check(self, checkpoint: Checkpoint, *others: Checkpoint) -> None:
        """Check that the outputs replace nothing of the user's; symbolic links are resolved first.

        Raises:
            OptionError: if an output has no name, is an input, contains one, or lies inside one or another output, or
                in a Hugging Face cache.
            OutputError: if an output is a link, or a folder with a file that topoimp did not write.
        """
        _check_name(self.mask)
        folders = self.checkpoints if self.are_folders else []
        with writable(self.checkpoint):
            for target, folder in product(self.in_order, folders):
                if target != folder and _is_inside(target, folder):
                    raise OptionError(f"{target}: lies inside the output {folder}; it needs another place")
            check_files(self.in_order[::-1], checkpoint, *others)
            for target in self.in_order:
                check_outside_hub_cache(target)
            for folder in folders:
                _refuse_foreign_folder(folder, checkpoint)


def plan_outputs(
    checkpoint: Checkpoint,
    output: Path | None,
    mask_output: Path | None,
    emit_rounds: Sequence[int],
    n_rounds: int,
    *,
    copied: Checkpoint | None = None,
) -> Outputs:
    """Return the outputs of the pruning of a checkpoint: by default beside the input, the mask beside the output.

    By default those of a checkpoint in a store lie in the current folder.

    ``copied`` is the checkpoint whose copy is written, if it is another one, to which the weights are rewound. A folder
    gives a folder, a file a file, and a PyTorch file a PyTorch file unless ``output`` ends in .safetensors.

    Raises:
        OptionError: if a name does not fit the type of the output, or a round of ``emit_rounds`` does not exist.
        OutputError: if an output is to lie in a store.
    """
    for named in filter(None, (output, mask_output)):
        check_is_here(named)
    folder = checkpoint.paths.folder
    endings = [""] if folder is not None else _endings(copied or checkpoint)
    target = output or _default_output(checkpoint, endings[0])

    # The name must fit the input: a file gives a file, a folder gives a folder.
    if folder is not None and target.suffix == SUFFIX:
        raise OptionError(f"the output is named {target}; the input is a folder, and so is the output")
    ending = endings[0] if output is None or folder is not None else target.suffix
    if ending not in endings:
        known = " or ".join(filter(None, [", ".join(endings[:-1]), endings[-1]]))
        raise OptionError(f"the output is named {target}; the name of a checkpoint ends in {known}")
    _check_name(target)
    for number in emit_rounds:
        if not 1 <= number <= n_rounds:
            raise OptionError(f"round {number} is to be written; there are rounds 1 to {n_rounds}")

    stem = target.name.removesuffix(ending)
    return Outputs(
        checkpoint=target,
        mask=mask_output or target.with_name(f"{stem}.mask{SUFFIX}"),
        table=target.with_name(f"{stem}.csv"),
        rounds={n: target.with_name(f"{stem}.round-{n:02}{ending}") for n in sorted(set(emit_rounds))},
        are_folders=folder is not None,
        are_torch=folder is None and ending != SUFFIX,
    )


def _endings(copied: Checkpoint) -> list[str]:
    """Return the endings that the copy of a file may have, the default first."""
    (file,) = copied.files
    if file.loaded is None:
        return [SUFFIX]
    return list(dict.fromkeys([file.path.suffix, *TORCH_SUFFIXES, SUFFIX]))


def _default_output(checkpoint: Checkpoint, ending: str) -> Path:
    path = checkpoint.path
    folder = checkpoint.paths.folder
    if isinstance(path, Address):  # a store is only read: the copy lies in the current folder
        path = Path(path.name)
        folder = None if folder is None else Path(folder.name.partition("@")[0])
    if folder is None:
        return path.with_name(f"{path.stem}.pruned{ending}")
    named = folder if folder.name not in ("", "..") else folder.resolve()
    return named.with_name(f"{named.name}.pruned")


def _check_name(target: Path) -> None:
    if target.name in ("", ".."):
        raise OptionError(f"the output is named {str(target)!r}; it needs a name of its own")


def check_files(targets: Sequence[Path], *sources: Checkpoint) -> None:
    """Check that output files are no part of the inputs, and no links.

    Raises:
        OptionError: if a file is an input, contains one, or lies inside one.
        OutputError: if a file is a link or in a store, or its path cannot be read.
    """
    for target in targets:
        check_is_here(target)
        with writable(target):
            for source in sources:
                _check_apart(target, source)
            if target.is_symlink():
                raise OutputError(f"{target}: is a link; name what it leads to")


def check_outside_hub_cache(target: Path) -> None:
    """Raise an OptionError if an output would lie in the cache of huggingface_hub, as named or with links resolved."""
    for path in (target.absolute(), target.absolute().parent.resolve() / target.name):
        parts = path.parts
        for number, (repository, folder) in enumerate(pairwise(parts[:-1])):
            if folder in _HUB_FOLDERS and _HUB_REPOSITORY.fullmatch(repository):
                cached = Path(*parts[: number + 1])
                needed = "`output` can name another place"
                raise OptionError(f"{target}: would lie in {cached} of the Hugging Face cache; {needed}")


def _check_apart(target: Path, source: Checkpoint) -> None:
    """Check that neither an output nor an input contains the other; symbolic links are resolved first."""
    paths = source.paths
    parts = [source.path, *paths.weights, *filter(None, (paths.index, paths.folder))]
    if any(_is_same(target, part) for part in parts):
        raise OptionError(f"{target}: is the input; an output needs another name")
    if any(_is_inside(part, target) for part in parts):
        raise OptionError(f"{target}: holds the input; an output needs another name")
    if paths.folder is None:
        return

    # Folders that links in the input lead to are copied too.
    folders = [paths.folder, *((paths.folder / file).parent for file in other_files(paths)[0])]
    for folder in dict.fromkeys(folders):
        if _is_inside(target, folder):
            raise OptionError(f"{target}: lies inside the input {folder}; an output needs another place")


def _is_same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve() or (one.exists() and other.exists() and one.samefile(other))


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a path lies in a folder, by its name or after resolving links."""
    parents = (path.absolute().parent.resolve(), path.resolve().parent)
    return any(parent == folder.resolve() or folder.resolve() in parent.parents for parent in parents)


def _refuse_foreign_folder(target: Path, source: Checkpoint) -> None:
    """Refuse to replace a folder with a file in it that topoimp did not write."""
    if not target.is_dir() or not any(target.iterdir()):
        return
    try:
        existing = open_checkpoint(target)
    except CheckpointError:
        existing = None
    if existing is None or "topoimp.version" not in existing.metadata or is_mask(existing):
        raise OutputError(f"{target}: exists already, and topoimp did not write it; name another output")

    weights = [file.name for file in (*existing.paths.weights, existing.paths.index) if file is not None]
    own = {*files_of_copy(source), *weights, CARD}
    names = sorted(str(file.relative_to(target)) for file in target.rglob("*") if file.is_file())
    foreign = [name for name in names if name not in own]
    if foreign:
        raise OutputError(f"{target}: holds {foreign[0]}, which topoimp did not write; name another output")
