"""Round 0 of a pruning as the reference of all later rounds: its forests, and how much of them chance would keep."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from topoimp.chance.forest_by_chance import ForestByChance, forests_by_chance
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo
from topoimp.layers.streaming import LayerStream
from topoimp.pruning.options import Scheme
from topoimp.topology.forest import Forest, spanning_forest
from topoimp.topology.own_scale import scale_of


@dataclass(frozen=True)
class Unpruned:
    """The forests of round 0, by layer name, its own scale, and the numbers of their edges that chance keeps.

    ``reopen`` opens the weights again, for numbers of kept weights that the scheme did not foretell.
    """

    forests: Mapping[str, Forest]
    scale: float | None
    reopen: Callable[[], LayerStream]
    _known: dict[tuple[str, int], ForestByChance] = field(repr=False)

    def by_chance(self, n_kept: Mapping[str, int]) -> dict[str, ForestByChance]:
        """Return, by layer name, the number of forest edges that as many strongest weights keep, beside chance."""
        missing = {name: k for name, k in n_kept.items() if (name, k) not in self._known}
        if missing:
            self._find(missing)
        return {name: self._known[name, k] for name, k in n_kept.items()}

    def _find(self, n_kept: Mapping[str, int]) -> None:
        stream = self.reopen()
        infos = tuple(info for info in stream.layers.infos if info.name in n_kept)

        def look(layer: Layer, threads: int) -> ForestByChance:
            (found,) = forests_by_chance(layer, self.forests[layer.name], [n_kept[layer.name]], threads=threads)
            return found

        found = replace(stream, layers=replace(stream.layers, infos=infos)).each(look)
        self._known.update({(name, n_kept[name]): chance for name, chance in found.items()})


def read_unpruned(stream: LayerStream, scheme: Scheme, reopen: Callable[[], LayerStream]) -> Unpruned:
    """Read the layers of round 0 once, for their forests and for the numbers by chance that later rounds need.

    In the scope ``layer`` the scheme foretells how many weights a round keeps: its target, but the whole forest where
    ``topological`` protects it. In the other scopes all layers decide, and each round reads round 0 once more.
    """
    infos = stream.layers.by_name

    def look(layer: Layer, threads: int) -> tuple[Forest, list[ForestByChance]]:
        forest = spanning_forest(layer, threads=threads)
        n_kept = _foretold(infos[layer.name], forest, scheme)
        return forest, forests_by_chance(layer, forest, n_kept, threads=threads)

    found = stream.each(look)
    known = {(name, chance.n_kept): chance for name, (_, chances) in found.items() for chance in chances}
    forests = {name: forest for name, (forest, _) in found.items()}
    return Unpruned(forests, scale_of(stream, forests), reopen, known)


def _foretold(info: LayerInfo, forest: Forest, scheme: Scheme) -> list[int]:
    """Return the numbers of weights that the rounds keep of a layer, as far as they are known, round 0 included."""
    if not scheme.has_layer_targets:
        return [forest.n_edges]
    fewest = len(forest.indices) if scheme.protects_forests else 0
    targets = scheme.schedule.targets_of(info, forest.n_edges)
    return sorted({forest.n_edges, *(min(max(target, fewest), forest.n_edges) for target in targets)})
