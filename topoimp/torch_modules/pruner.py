"""Pruning a torch module round by round, in a training loop of the user's own.

Pruned weights, and zeros that were there before, become +0.0 in place, as users of torch expect; all other weights stay
as they are, bit for bit. Embeddings and heads are left alone unless asked for, and so are buffers; tied parameters are
pruned once, under the first of their names.

Targets go by the edges that there were when the first round began, never by the last round's count: however weights
become zero in training, the counts are those of the schedule.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from topoimp.errors import OptionError
from topoimp.kernels.threads import thread_count
from topoimp.layers.catalogue import Layers
from topoimp.layers.streaming import LayerStream
from topoimp.pruning.one_shot import Sweep, sweep
from topoimp.pruning.options import PruningOptions, Scheme
from topoimp.reports.report import Report
from topoimp.reports.rows import left_out, pruning_settings, rows_of_pruning
from topoimp.torch_modules.masks import ModuleMasks, masks_by_parameter, put_on
from topoimp.torch_modules.round_masks import edges_of, masks_of_round
from topoimp.torch_modules.weights import layers_of_module, named_weights

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class ModulePruning:
    """What was pruned of a module.

    Args:
        masks: by parameter name, booleans on the parameter's device: which of its weights are kept.
        report: a row per round and layer, and one per round, held against the weights before.
        held_at_floor: the layers whose last target is below their floor; ``all layers together`` if they share one.
    """

    masks: dict[str, "torch.Tensor"]
    report: Report
    held_at_floor: Sequence[str]


class ModulePruner:
    """Prunes a module round by round, with training between the rounds.

    Each ``step`` reads the weights as they are then (pruned ones count as 0), prunes in place, and returns the masks.
    Hold them in training (``hold_mask``); rewind if you like (``rewind_module``).

    Args:
        model: the module; its weights are not read before the first step.
        options: method, amounts and layers; without rounds and sparsity there is no last round.
        masks: masks to begin with, as ``hold_mask`` takes them: pruned weights count as 0 from the start.
        threads: number of cores; all if None. The result does not depend on it.

    Raises:
        OptionError: if the options do not fit the module.
        LayerError: if no layer is left.
        CheckpointError: if ``masks`` is a path, and that of no mask file.

    >>> import torch
    >>> model = torch.nn.Linear(30, 20, bias=False)
    >>> pruner = ModulePruner(model, PruningOptions(rate=0.5))
    >>> [int(pruner.step().masks["weight"].sum()) for _ in range(3)]
    [300, 150, 75]
    >>> pruner.step().held_at_floor  # 37 are fewer than 30 + 20 - 1
    ['weight']
    """

    def __init__(
        self,
        model: "nn.Module",
        options: PruningOptions,
        *,
        masks: ModuleMasks | None = None,
        threads: int | None = None,
    ) -> None:
        self._model = model
        self._patterns = options.patterns
        self._threads = thread_count(threads)
        self._kept = {} if masks is None else _by_first_name(model, masks)
        self._is_endless = options.rounds is None and options.sparsity is None
        self._scheme = (replace(options, rounds=1) if self._is_endless else options).scheme(self._layers().infos)
        self._n_done = 0
        self._edges: dict[str, int] = {}

    @property
    def n_rounds(self) -> int | None:
        """How many rounds there will be; None if there is no end to them."""
        return None if self._is_endless else self._scheme.schedule.n_rounds

    @property
    def n_done(self) -> int:
        """How many rounds are done."""
        return self._n_done

    @property
    def masks(self) -> dict[str, "torch.Tensor"]:
        """By parameter name, which weights are kept by now; nothing before the first step, unless it was given."""
        return dict(self._kept)

    def step(self) -> ModulePruning:
        """Do the next round: find what it keeps on the weights as they are now, and set the others to +0.0.

        Raises:
            OptionError: if all rounds are done.
            LayerError: if a weight is NaN or infinite; nothing has changed then.
        """
        if not self._is_endless and self._n_done == self._scheme.schedule.n_rounds:
            raise OptionError(f"all {self._n_done} rounds are done; a pruner with more rounds is needed")
        stream = LayerStream(self._layers(), self._threads)
        edges = self._edges or edges_of(stream)
        number = self._n_done + 1
        scheme = self._scheme
        if self._is_endless:
            scheme = replace(scheme, schedule=replace(scheme.schedule, n_rounds=number))
        pruning = self._prune(sweep(stream, scheme, only=number, n_edges=edges), stream, scheme)
        self._n_done, self._edges = number, edges
        return pruning

    def all_at_once(self) -> ModulePruning:
        """Do all rounds without training between them: they equal one shot at the last target.

        Raises:
            OptionError: if a round was done already, or there is no end to them.
            LayerError: if a weight is NaN or infinite; nothing has changed then.
        """
        if self._is_endless or self._n_done:
            raise OptionError("all rounds at once need a number of rounds or a sparsity, and none done before")
        stream = LayerStream(self._layers(), self._threads)
        pruning = self._prune(sweep(stream, self._scheme), stream, self._scheme)
        self._n_done = self._scheme.schedule.n_rounds
        return pruning

    def state_dict(self) -> dict[str, Any]:  # Any: as torch has it
        """Give what must be saved beside the module to go on with the rounds later; ``torch.save`` takes it."""
        return {"n_done": self._n_done, "edges": dict(self._edges), "masks": dict(self._kept)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another pruner with the same settings was, on the same module.

        Raises:
            OptionError: if the state is of other layers, or of more rounds than there are.
        """
        names = {info.name for info in self._layers().infos}
        if state["edges"] and set(state["edges"]) != names:
            raise OptionError(f"the state is of the layers {sorted(state['edges'])}; this pruner has {sorted(names)}")
        if not self._is_endless and state["n_done"] > self._scheme.schedule.n_rounds:
            raise OptionError(
                f"the state is of round {state['n_done']}; this pruner has {self._scheme.schedule.n_rounds}"
            )
        self._kept = _by_first_name(self._model, state["masks"])
        self._n_done, self._edges = int(state["n_done"]), dict(state["edges"])

    def _layers(self) -> Layers:
        return layers_of_module(self._model, self._patterns, self._kept)

    def _prune(self, swept: Sweep, stream: LayerStream, scheme: Scheme) -> ModulePruning:
        import torch

        last = swept.rounds[-1]
        parameters = named_weights(self._model)
        masks = {
            name: torch.from_numpy(kept).to(parameters[name].device)
            for name, kept in masks_of_round(stream, last).items()
        }
        put_on({parameters[name]: mask for name, mask in masks.items()})
        self._kept.update(masks)

        rows = [row for round_ in swept.rounds for row in rows_of_pruning(stream.layers.infos, round_)]
        report = Report("prune", {}, pruning_settings(scheme), rows, left_out(stream.layers))
        return ModulePruning(masks, report, last.missed)


def _by_first_name(model: "nn.Module", masks: ModuleMasks) -> dict[str, "torch.Tensor"]:
    """Give masks under the first name of each parameter: the one that its layer has."""
    found = masks_by_parameter(model, masks)
    names: dict[nn.Parameter, str] = {}
    for name, parameter in named_weights(model).items():
        names.setdefault(parameter, name)
    return {names[parameter]: mask for parameter, mask in found.items()}
