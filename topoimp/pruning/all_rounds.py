"""All rounds of a pruning without training between them, by any method.

A method of single layers does them in one shot (``topoimp.pruning.one_shot``). The order of a method of whole networks
depends on the weights that are left, so its rounds are done one after the other, each on the weights that the round
before keeps. Masks are nested, so one number for each weight, the first round without it, gives the masks of all
rounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from topoimp.arrays import CodeArray
from topoimp.kernels.threads import in_parallel
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo, Layers
from topoimp.layers.streaming import LayerStream
from topoimp.pruning.methods.network_method import NetworkMethod
from topoimp.pruning.methods.scores import RankRule
from topoimp.pruning.one_shot import sweep
from topoimp.pruning.options import Scheme
from topoimp.pruning.round import Round, Sweep
from topoimp.pruning.rules import Keep, kept_of
from topoimp.pruning.selection import LayerSelection
from topoimp.topology.forest import Forest, spanning_forests

FirstWithout = Mapping[str, CodeArray]
"""By layer name, for each weight by flat index, the number of the first round without it."""


def all_rounds(stream: LayerStream, scheme: Scheme) -> Sweep:
    """Return all rounds of a pruning without training between them; nothing is written.

    A method of whole networks must know its graph (``topoimp.pruning.methods.network_method.method_for``). For
    several rounds this function holds an array of 4 bytes for each weight, beside the arrays of the method.

    Raises:
        OptionError: if a layer is none of the graph's.
        VerificationError: if a round keeps other counts than its targets; that is a defect of topoimp.
    """
    if not isinstance(scheme.method, NetworkMethod):
        return sweep(stream, scheme)

    forests = spanning_forests(stream)
    stream = LayerStream(stream.layers, stream.threads)  # later passes are not counted as steps
    if scheme.schedule.n_rounds == 1:
        return sweep(stream, scheme, only=1, forests=forests)

    n_edges = {name: forest.n_edges for name, forest in forests.items()}
    first_without: FirstWithout = {info.name: np.ones(info.n_weights, np.uint32) for info in stream.layers.infos}
    rounds: list[Round] = []
    is_of_network = False
    for number in scheme.schedule.numbers:
        left = _stream_before(number, stream, first_without)
        swept = sweep(left, scheme, only=number, n_edges=n_edges, forests=forests)
        rounds += swept.rounds
        _note_kept(left, swept.rounds[0], first_without)
        if swept.is_of_network and isinstance(scheme.method, NetworkMethod):
            is_of_network = True
            scheme = replace(scheme, method=scheme.method.going_on())

    rule = RankRule(first_without, n_bits=32)
    rounds = [replace(round_, keeps=_keeps_of(round_, stream.layers.infos, rule, forests)) for round_ in rounds]
    return Sweep(rounds, forests, is_of_network)


@dataclass(frozen=True)
class _LayersBefore(Layers):
    """The layers of a checkpoint before a later round: read with 0 for the weights that an earlier round pruned."""

    first_without: FirstWithout = field(default_factory=dict)
    number: int = 1

    def read(self, info: LayerInfo, threads: int = 1) -> Layer:
        """Return a copy of a layer with the weights that are left."""
        layer = super().read(info, threads)
        first_without = self.first_without[info.name]
        codes = np.zeros(layer.n_weights, layer.codes.dtype)

        def copy(start: int, stop: int) -> None:
            is_left = first_without[start:stop] >= self.number
            np.copyto(codes[start:stop], layer.weights[start:stop], where=is_left)

        in_parallel(copy, layer.n_weights, threads)
        return replace(layer, codes=codes.reshape(layer.codes.shape))


def _stream_before(number: int, stream: LayerStream, first_without: FirstWithout) -> LayerStream:
    """Return the stream of the layers before a round."""
    if number == 1:
        return stream
    of = stream.layers
    layers = _LayersBefore(
        of.checkpoint, of.infos, of.left_out, of.patterns, of.unselected, first_without=first_without, number=number
    )
    return LayerStream(layers, stream.threads)


def _note_kept(stream: LayerStream, round_: Round, first_without: FirstWithout) -> None:
    """Note for the weights that a round keeps that the first round without them comes later."""

    def note(layer: Layer, threads: int) -> None:
        kept = kept_of(round_.keeps[layer.name], layer, threads)
        first_without[layer.name][kept] = round_.number + 1

    stream.each(note)


def _keeps_of(
    round_: Round, infos: Sequence[LayerInfo], rule: RankRule, forests: Mapping[str, Forest]
) -> dict[str, Keep]:
    """Return what each layer keeps in a round, in terms of all its weights."""
    keeps = {}
    for info in infos:
        n_kept = round_.layers[info.name].preservation.n_kept
        selection = LayerSelection(rank=round_.number, n_equal=0, n_of_rank=0, n_kept=n_kept)
        keeps[info.name] = Keep(rule, rule.ranking(info, forests[info.name]), selection, n_protected=0)
    return keeps
