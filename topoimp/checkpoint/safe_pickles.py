"""Load PyTorch files without running any code that they name.

``torch.load(weights_only=True)`` builds tensors and plain containers, and refuses every other class. The classes below
are allowed too, because training scripts keep them beside the weights. None of them is imported or run: a stand-in of
topoimp's own, which does nothing, takes the place of each.
"""

import pickle
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topoimp.checkpoint.torch_storages import CutShortError, NamedStorages, check_sizes, is_mappable, named_storages
from topoimp.errors import CheckpointError

if TYPE_CHECKING:
    import torch


class StandIn:
    """Stands for an object of an allowed class: takes any arguments and any state, and does nothing with them."""

    def __new__(cls, *_arguments: object) -> "StandIn":
        """Make one from the arguments of the class that it stands for."""
        return super().__new__(cls)

    def __init__(self, *_arguments: object) -> None:
        pass

    def __setstate__(self, _state: object) -> None:
        """Take the state of the object that it stands for."""


def _empty_dict(*_arguments: object) -> dict[object, object]:
    return {}


class _DictStandIn:
    """Stands for a class that extends dict: its objects are plain dictionaries."""

    def __new__(cls, *_arguments: object) -> dict[object, object]:  # type: ignore[misc]  # not an instance on purpose
        return {}


_ALLOWED = (
    # The best metric, a loss or a learning rate, computed by NumPy; histories and states of random generators.
    ("numpy", StandIn, "dtype ndarray core.multiarray.scalar core.multiarray._reconstruct"),
    ("numpy", StandIn, "_core.multiarray.scalar _core.multiarray._reconstruct"),
    # The version of PyTorch that wrote the file; a text.
    ("torch.torch_version", StandIn, "TorchVersion"),
    # The command-line arguments of a training script, and the paths among them.
    ("argparse", StandIn, "Namespace"),
    ("pathlib", StandIn, "Path PosixPath WindowsPath PurePosixPath PureWindowsPath"),
    ("pathlib._local", StandIn, "Path PosixPath WindowsPath PurePosixPath PureWindowsPath"),
    # The hyperparameters of Lightning, a dictionary, and the callbacks whose states it keeps under their classes.
    ("pytorch_lightning.utilities.parsing", _DictStandIn, "AttributeDict"),
    ("lightning.pytorch.utilities.parsing", _DictStandIn, "AttributeDict"),
    ("lightning_fabric.utilities.data", _DictStandIn, "AttributeDict"),
    ("lightning.fabric.utilities.data", _DictStandIn, "AttributeDict"),
    ("pytorch_lightning.callbacks.model_checkpoint", StandIn, "ModelCheckpoint"),
    ("pytorch_lightning.callbacks.early_stopping", StandIn, "EarlyStopping"),
    # The configuration of a training script that uses OmegaConf or Hydra, with the types that it names.
    ("omegaconf.dictconfig", StandIn, "DictConfig"),
    ("omegaconf.listconfig", StandIn, "ListConfig"),
    ("omegaconf.base", StandIn, "ContainerMetadata Metadata"),
    ("omegaconf.nodes", StandIn, "AnyNode StringNode IntegerNode FloatNode BooleanNode"),
    ("typing", StandIn, "Any"),
    ("builtins", StandIn, "dict list tuple int float str bool"),
    # A dictionary of histories or counters.
    ("collections", _DictStandIn, "defaultdict"),
)
"""By module, the stand-in of its allowed classes, each group with the reason why checkpoints hold them."""


def _stand_ins() -> tuple[tuple[type, str], ...]:
    """Return pairs of a stand-in, a class of its own for each, and the name of the allowed class."""
    names = [(base, f"{module}.{name}") for module, base, classes in _ALLOWED for name in classes.split()]
    return tuple((type(name.rpartition(".")[2], (base,), {}), name) for base, name in names)


STAND_INS = _stand_ins()


def load_safely(path: Path) -> tuple[object, list["torch.UntypedStorage"], NamedStorages]:
    """Return the content of a PyTorch file, the storages with bytes that torch.load made, and those that it names.

    Its tensors are mapped into memory where the format allows it.

    Raises:
        CheckpointError: if the file is cut short or damaged, or names a class that is not allowed.
    """
    import torch

    storages: list[torch.UntypedStorage] = []

    def on_cpu(storage: Any, _location: str) -> Any:  # Any: torch's annotation names another class than it passes
        storages.append(storage)
        return storage

    try:
        named = named_storages(path)
        content = _load(path, on_cpu)
        # A storage without bytes may have no place in memory, and is made anew each time that it is named.
        with_bytes = [storage for storage in storages if storage.nbytes()]
        check_sizes(path, named, [storage.nbytes() for storage in with_bytes])
        return content, with_bytes, named
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path}: {_why_refused(str(error))}") from error
    except CutShortError as error:
        raise CheckpointError(f"{path}: {_CUT_SHORT}") from error
    except Exception as error:  # a damaged file can make the loader raise anything
        if str(error).startswith("unexpected EOF"):  # torch's words where the numbers of an older file end too early
            raise CheckpointError(f"{path}: {_CUT_SHORT}") from error
        reason = _without_advice(str(error)) or type(error).__name__
        raise CheckpointError(f"{path}: is no PyTorch file that can be loaded ({reason})") from error


_CUT_SHORT = "is cut short or damaged, as after a download that did not finish; download or save it again"


def _load(path: Path, on_cpu: Callable[[Any, str], Any]) -> object:  # Any: as in load_safely
    import torch

    with warnings.catch_warnings(), torch.serialization.safe_globals(list(STAND_INS)):
        warnings.simplefilter("ignore")  # about how the file was saved
        # torch.load takes every file named so for a safetensors file, but not an open one, which cannot be mapped.
        if path.suffix == ".safetensors":
            with path.open("rb") as file:
                return torch.load(file, map_location=on_cpu, weights_only=True)
        return torch.load(path, map_location=on_cpu, weights_only=True, mmap=is_mappable(path))


def _why_refused(reason: str) -> str:
    """Return why torch.load refused a pickle: the class that it names, or else the loader's own reason."""
    named = re.search(r"GLOBAL ([\w.]+)", reason) or re.search(r"import of (?:module )?`?([\w.]+)", reason)
    if named:
        needed = "save the state dict alone, torch.save(model.state_dict(), ...), or a safetensors file"
        return f"holds a pickled {named.group(1)}, and loading that could run code; {needed}"

    detail = _without_advice(reason.rpartition("WeightsUnpickler error:")[2]) or "it is damaged"
    return f"is refused by torch.load(weights_only=True): {detail}"


def _without_advice(reason: str) -> str:
    """Return the first sentence of a loader's reason, without its advice to load the file in a way that runs code."""
    first_line = reason.strip().partition("\n")[0]
    clauses = re.split(r"(?<=[.;,]) ", first_line)
    kept = " ".join(clause for clause in clauses if not _ADVICE.search(clause)).strip()
    return kept.partition(". ")[0]  # later sentences guess at causes


_ADVICE = re.compile(r"weights_only|safe_globals|arbitrary code|trust")
