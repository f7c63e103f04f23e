"""Pruning a torch module in memory, by the rules, the order and the counts of ``prune FILE``.

Pruned weights, and zeros that were there before, become +0.0 in place; all other weights stay as they are, bit for bit.
Of a parameter with a mask of ``torch.nn.utils.prune`` the mask becomes 0 instead, and the original stays as it is.
Embeddings and heads are left alone unless asked for, and so are buffers. Tied parameters are pruned once, under the
first of their names. Targets are computed from the edges before the first round, however many become zero in training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from topoimp.arrays import BoolArray
from topoimp.checkpoint import tensors_as_checkpoint
from topoimp.checkpoint.masked_weights import MASK_SUFFIX
from topoimp.choices import PruningSchedule
from topoimp.errors import OptionError, VerificationError
from topoimp.kernels.threads import thread_count
from topoimp.layers.layer import Layer
from topoimp.layers.notes import notes_on
from topoimp.layers.records import GroupsOf, Layers
from topoimp.layers.streaming import LayerStream
from topoimp.layers.tensors import select_layers
from topoimp.network.graph import NetworkGraph
from topoimp.pruning.all_rounds import all_rounds
from topoimp.pruning.methods.network_method import NetworkMethod, method_for, trained_method
from topoimp.pruning.one_shot import sweep
from topoimp.pruning.options import PruningOptions, Scheme
from topoimp.pruning.round import Round, Sweep
from topoimp.pruning.rules import kept_of
from topoimp.reports.report import Report
from topoimp.reports.rows import left_out, pruning_settings
from topoimp.torch_modules.masked_parameters import mask_buffers, put_on_buffer, weight_names
from topoimp.torch_modules.masks import ModuleMasks, masks_by_parameter, put_on
from topoimp.torch_modules.module_network import graph_for, rows_with_facts, variances_of_norms
from topoimp.torch_modules.weights import named_weights, parameters_called, unwrapped

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class ModulePruning:
    """The outcome of one or more rounds on a module.

    Args:
        masks: by parameter name, booleans on the parameter's device, true for a kept weight.
        report: a row per round and layer, and one per round, compared with the weights before.
        held_at_floor: layers whose last target is below their floor, or ``all layers together``.
    """

    masks: dict[str, "torch.Tensor"]
    report: Report
    held_at_floor: Sequence[str]


class ModulePruner:
    """Prunes a module round by round, with training between the rounds.

    Each ``step`` reads the current weights (pruned ones count as 0), prunes in place, and returns the masks.
    Hold them in training (``hold_mask``); rewind if you like (``rewind_module``).

    Args:
        model: the module; its weights are not read before the first step.
        options: method, amounts and layers; without rounds and sparsity there is no last round, but a pattern has one.
        masks: masks to begin with, as ``hold_mask`` takes them: pruned weights count as 0 from the start.
        graph: the module's network as one graph, for the columns of paths and components, and for the methods
            ``paths`` and ``synflow-l2``; these have it traced (``network_graph``) if it is None.
        threads: number of cores; all if None. The result does not depend on it.

    Raises:
        OptionError: if the options do not fit the module.
        LayerError: if no layer is left, or the method needs a graph that cannot be known.
        CheckpointError: if ``masks`` is a path, but not that of a mask file.

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
        graph: NetworkGraph | None = None,
        threads: int | None = None,
    ) -> None:
        self._model = model
        self._patterns = options.patterns
        self._threads = thread_count(threads)
        self._kept = {} if masks is None else _by_first_name(model, masks)
        self._is_endless = options.rounds is None and options.sparsity is None and options.pattern is None
        if self._is_endless and options.schedule == PruningSchedule.LINEAR:
            raise OptionError("the schedule linear has a last round; `rounds`, `sparsity` or both are needed")
        self._graph = graph
        scheme = (replace(options, rounds=1) if self._is_endless else options).scheme(self._layers().infos)
        self._graph = graph_for(scheme.method, model, graph)
        self._scheme = replace(scheme, method=method_for(scheme.method, self._graph))
        self._is_of_network = False
        self._n_done = 0
        self._edges: dict[str, int] = {}

    @property
    def n_rounds(self) -> int | None:
        """Number of rounds; None if there is no last one."""
        return None if self._is_endless else self._scheme.schedule.n_rounds

    @property
    def n_done(self) -> int:
        """Number of rounds that are done."""
        return self._n_done

    @property
    def masks(self) -> dict[str, "torch.Tensor"]:
        """The current masks by parameter name; before the first step those that were given."""
        return dict(self._kept)

    def step(self) -> ModulePruning:
        """Do the next round: choose the weights to keep by their current values, and set the others to +0.0.

        At least one round must be left. After an error nothing has changed.
        """
        if self._n_done == self.n_rounds:
            raise OptionError(f"all {self._n_done} rounds are done; a pruner with more rounds is needed")
        number = self._n_done + 1
        scheme = replace(self._scheme, method=trained_method(self._scheme.method))
        if self._is_endless:
            scheme = replace(scheme, schedule=replace(scheme.schedule, n_rounds=number))
        if self._is_of_network and isinstance(scheme.method, NetworkMethod):
            scheme = replace(scheme, method=scheme.method.going_on())

        stream = LayerStream(self._layers(), self._threads)
        swept = sweep(stream, scheme, only=number, n_edges=self._edges)
        pruning = self._prune(stream, scheme, swept)
        self._edges = self._edges or {name: forest.n_edges for name, forest in swept.forests.items()}
        self._is_of_network = swept.is_of_network
        self._n_done = number
        return pruning

    def all_at_once(self) -> ModulePruning:
        """Do all rounds, without training between them (``topoimp.pruning.all_rounds``).

        There must be a last round, and none may be done before. After an error nothing has changed.
        """
        if self.n_rounds is None or self._n_done:
            raise OptionError("all rounds at once need a number of rounds or a sparsity, and none done before")
        stream = LayerStream(self._layers(), self._threads)
        swept = all_rounds(stream, self._scheme)
        pruning = self._prune(stream, self._scheme, swept)
        self._is_of_network = swept.is_of_network
        self._n_done = self.n_rounds
        return pruning

    def state_dict(self) -> dict[str, Any]:  # Any: as torch has it
        """Return the state to save beside the module, to go on with the rounds later; ``torch.save`` takes it."""
        state = {"n_done": self._n_done, "edges": dict(self._edges), "masks": dict(self._kept)}
        return {**state, "is_of_network": self._is_of_network}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another pruner with the same layers and settings was, on the same module."""
        names = {info.name for info in self._layers().infos}
        if state["edges"] and set(state["edges"]) != names:
            raise OptionError(f"the state is of the layers {sorted(state['edges'])}; this pruner has {sorted(names)}")
        if self.n_rounds is not None and state["n_done"] > self.n_rounds:
            raise OptionError(f"the state is of round {state['n_done']}; this pruner has {self.n_rounds}")
        self._kept = _by_first_name(self._model, state["masks"])
        self._n_done = int(state["n_done"])
        self._edges = dict(state["edges"])
        self._is_of_network = bool(state.get("is_of_network"))

    def _layers(self) -> Layers:
        """Return the layers to prune; their weights are read later, and pruned ones as 0."""
        name = type(unwrapped(self._model)).__name__
        masks = {f"{weight}{MASK_SUFFIX}": buffer for weight, buffer in mask_buffers(self._model).items()}
        parameters = {weight: parameter for parameter, weight in weight_names(self._model).items()}
        kept = {parameters[weight]: mask for weight, mask in self._kept.items()}
        tensors = {**named_weights(self._model), **masks, **variances_of_norms(self._model, self._graph)}
        checkpoint = tensors_as_checkpoint(tensors, name=name, kept=kept)
        return select_layers(checkpoint, self._patterns)

    def _prune(self, stream: LayerStream, scheme: Scheme, swept: Sweep) -> ModulePruning:
        import torch

        parameters = parameters_called(self._model, stream.layers.by_tensor())
        flags = masks_of_round(stream, swept.rounds[-1])
        masks = {name: torch.from_numpy(flags[name]).to(parameters[name].device) for name in flags}

        # Before any weight becomes 0.
        rows = rows_with_facts(stream, swept.rounds, self._graph)

        # Of a weight with a mask of torch's own, the mask is pruned, and the original stays.
        of_torch = mask_buffers(self._model)
        put_on({parameters[name]: mask for name, mask in masks.items() if name not in of_torch})
        for name in masks.keys() & of_torch:
            put_on_buffer(self._model, name, masks[name])
        self._kept.update(masks)

        layers = stream.layers
        report = Report("prune", {}, pruning_settings(scheme), rows, left_out(layers), notes=notes_on(layers))
        return ModulePruning(masks, report, swept.rounds[-1].missed)


def masks_of_round(stream: LayerStream, round_: Round) -> dict[str, BoolArray]:
    """Return the masks of a round by tensor name; groups that are left alone keep all weights that are not zero."""
    checkpoint = stream.layers.checkpoint
    kept: dict[str, BoolArray] = {}
    for name, layers in stream.layers.by_tensor().items():
        kept[name] = np.not_equal(layers[0].number_format.magnitudes(checkpoint.codes(name)), 0)

    def mask(layer: Layer, threads: int) -> None:
        info = stream.layers.by_name[layer.name]
        layer_mask = kept_of(round_.keeps[layer.name], layer, threads)
        info.block.write(layer_mask, 0, to=kept[info.tensor], first=0)

        # A round's counts are checked on its masks too.
        n_kept = int(np.count_nonzero(layer_mask))
        expected = round_.layers[layer.name].preservation.n_kept
        if n_kept != expected:
            raise VerificationError(f"the mask of {layer.name!r} keeps {n_kept} weights; {expected} were to be kept")

    stream.each(mask)
    return {name: flat.reshape(checkpoint.tensors[name].shape) for name, flat in kept.items()}


def _by_first_name(model: "nn.Module", masks: ModuleMasks) -> dict[str, "torch.Tensor"]:
    """Return masks under the first name of each parameter: the one that its layer has."""
    weights = weight_names(model)
    names = {parameter: weights[name] for name, parameter in reversed(named_weights(model).items())}
    return {names[parameter]: mask for parameter, mask in masks_by_parameter(model, masks).items()}


def prune_module(
    model: "nn.Module",
    options: PruningOptions,
    *,
    masks: ModuleMasks | None = None,
    graph: NetworkGraph | None = None,
    threads: int | None = None,
) -> ModulePruning:
    """Prune a module in rounds without training between them; set pruned weights to +0.0 in place.

    The result equals that of ``prune_checkpoint`` on the saved state dict, bit for bit, unless a buffer looks like a
    layer, as only a module tells buffers from parameters. Arguments and errors are those of ``ModulePruner``, but
    rounds, a sparsity or both are needed; nothing has changed after an error.

    >>> import torch
    >>> pruning = prune_module(torch.nn.Linear(30, 20), PruningOptions(sparsity=0.75))
    >>> int(pruning.masks["weight"].sum()), pruning.report.network["barcode_kept"]
    (150, True)
    """
    options.pruning_schedule()  # rounds, a sparsity or both must be given
    return ModulePruner(model, options, masks=masks, graph=graph, threads=threads).all_at_once()


def topological_unstructured(
    module: "nn.Module", name: str, amount: float, epsilon: float = 0.0, *, groups: Sequence[GroupsOf] = ()
) -> "nn.Module":
    """Prune the weakest weights of a parameter, but for its maximum spanning forest, which keeps its barcode.

    A counterpart of ``torch.nn.utils.prune.l1_unstructured``: the module gets a parameter ``NAME_orig``, a buffer
    ``NAME_mask`` and a hook that multiplies them before each forward pass; ``prune.remove`` makes the pruning
    permanent, and another call, or another method of torch, prunes further.

    Args:
        module: the module that has the parameter itself, as ``model.fc1``; it is changed, and returned.
        name: of the parameter, of two or more axes.
        amount: share of the weights that are not pruned yet, from 0 to 1, or a number (``int``) of them. Where it asks
            for more than the forest leaves, the forest is kept, with a warning.
        epsilon: share of the parameter's largest |w| up to which deaths are not protected, in [0, 1].
        groups: ``(pattern, number)`` or ``(pattern, number, axis)`` as those of ``LayerPatterns``, such as
            ``("in_proj_weight", 3)``: the parameter holds so many graphs, and the forest of each is kept. The amount is
            of the whole parameter.

    Raises:
        OptionError: if ``amount`` or ``epsilon`` is out of range, or ``groups`` do not fit the parameter.
        LayerError: if the parameter or a group of it is no layer, or holds NaN or infinity.

    >>> import torch
    >>> layer = topological_unstructured(torch.nn.Linear(30, 20), "weight", amount=0.75)
    >>> int(layer.weight_mask.sum())
    150
    """
    from topoimp.torch_modules.topological_method import TopologicalUnstructured

    TopologicalUnstructured.apply(module, name, amount, epsilon, groups)  # type: ignore[no-untyped-call]  # torch's
    return module
