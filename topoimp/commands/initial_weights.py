"""The weights that a network was trained from, for the null model ``initial``."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from topoimp.chance.null import Null
from topoimp.checkpoint import open_checkpoint
from topoimp.choices import NullModel
from topoimp.comparison.others import OtherCheckpoint, other_checkpoint
from topoimp.errors import OptionError
from topoimp.layers.layer import Layer
from topoimp.layers.records import Layers
from topoimp.layers.scored import ScoredLayers
from topoimp.layers.tensors import select_layers
from topoimp.rounds.run_folder import seed_of


def with_initial_weights(nulls: Sequence[Null], layers: Layers) -> tuple[Null, ...]:
    """Return null models, of which ``initial`` can read the weights that the layers were trained from.

    They are those of the file that the null names, or else of the run folder in which the checkpoint lies.

    Raises:
        OptionError: if no file is named and the checkpoint lies in no run folder.
        CheckpointError: if the file cannot be used.
        LayerError: if its layers have other names or shapes.
    """
    return tuple(_opened(null, layers) if null.model is NullModel.INITIAL else null for null in nulls)


def _opened(null: Null, layers: Layers) -> Null:
    if isinstance(layers, ScoredLayers):
        raise OptionError("the null initial is of weights before training; it does not go with `scores`")
    path = null.path or _of_run_folder(layers.checkpoint.path)
    initial = other_checkpoint(layers, select_layers(open_checkpoint(path), layers.patterns))

    return replace(null, initial=_InitialLayers(initial))


@dataclass(frozen=True)
class _InitialLayers:
    """The layers of the checkpoint that the others were trained from."""

    checkpoint: OtherCheckpoint

    def read(self, name: str) -> Layer:
        info = self.checkpoint.infos[name]
        self.checkpoint.layers.have_ready(info)
        return self.checkpoint.layers.read(info)

    def only(self, name: str) -> "_InitialLayers":
        return _InitialLayers(self.checkpoint.only(name))


def _of_run_folder(path: Path) -> Path:
    seed = seed_of(path)
    if seed is None:
        raise OptionError(f"{path}: lies in no run folder; the null initial:FILE names the file of its initial weights")
    return seed.initial
