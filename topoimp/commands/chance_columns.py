"""The columns of chance: shares of a forest when comparing and planning, numbers of its edges when bounding."""

from collections.abc import Mapping, Sequence
from math import prod

from topoimp.chance.closed_forms import connectivity_probability
from topoimp.chance.forest_by_chance import ForestByChance, added_up_by_chance, forests_by_chance, shape_by_chance
from topoimp.chance.null import Null
from topoimp.chance.overlap import Overlap
from topoimp.chance.shuffling import live_shape
from topoimp.commands.densities import Density
from topoimp.comparison.retention_columns import null_columns, retention_columns, retention_reasons
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo
from topoimp.layers.streaming import LayerStream
from topoimp.pruning.round import Round
from topoimp.reports.cells import Cell, Row
from topoimp.reports.rows import rows_of_pruning
from topoimp.topology.forest import Forest


def overlap_columns(overlaps: Sequence[Overlap]) -> Row:
    """Return the columns of ``bound`` about the paper's overlap, of one layer or of several together."""
    floor = sum(overlap.floor for overlap in overlaps)
    shared = [overlap.n_shared for overlap in overlaps if overlap.n_shared is not None]
    if floor == 0:
        return {"overlap": None, "overlap_bound": None}
    return {
        "overlap": sum(shared) / floor if len(shared) == len(overlaps) else None,
        "overlap_bound": sum(overlap.least_expected for overlap in overlaps) / floor,
    }


def with_retention_iid(
    stream: LayerStream, rounds: Sequence[Round], forests: Mapping[str, Forest], seed: int
) -> list[list[Row]]:
    """Return the rows of each round of pruning with the retention by chance; this takes one pass over the layers.

    ``forests`` holds the maximum spanning forests of the unpruned layers; ``seed`` is that of the simulations.
    """

    def look(layer: Layer, threads: int) -> list[ForestByChance]:
        n_kept = [round_.layers[layer.name].preservation.n_kept for round_ in rounds]
        return forests_by_chance(layer, forests[layer.name], n_kept, seed=seed, threads=threads)

    by_layer = stream.each(look)
    tables: list[list[Row]] = []
    for round_, *chances in zip(rounds, *by_layer.values(), strict=True):
        columns = [retention_columns(chance) for chance in (*chances, added_up_by_chance(chances))]
        rows = zip(rows_of_pruning(stream.layers.infos, round_), columns, strict=True)
        tables.append([{**row, "retention_iid": by_chance["retention_iid"]} for row, by_chance in rows])
    return tables


def density_rows(
    layer: Layer,
    forest: Forest,
    densities: Sequence[Density],
    *,
    nulls: Sequence[Null] = (),
    seed: int = 0,
    threads: int,
) -> list[Row]:
    """Return a row for each density of a layer in the view ``matrix``; stored zeros are never kept.

    With null models there is a row for each density and each of them.
    """
    n_kept = [density.n_kept(layer.n_weights, forest.n_edges, len(forest.indices)) for density in densities]
    live = live_shape(forest)
    is_dense = 0 < forest.n_edges == prod(live)

    found = forests_by_chance(layer, forest, n_kept, nulls=nulls, seed=seed, threads=threads)
    connected = [connectivity_probability(*live, k / forest.n_edges) if is_dense else None for k in n_kept]
    shares = [_share(*each, layer.n_weights) for each in zip(densities, n_kept, strict=True)]
    at_densities = zip(shares, found, connected, strict=True)
    return [_density_row(layer.name, *each, null) for each in at_densities for null in nulls or (None,)]


def density_rows_of_shape(info: LayerInfo, densities: Sequence[Density], *, seed: int = 0) -> list[Row]:
    """Return the same rows for a layer of which only the shape is known, all of its weights being edges."""
    n_rows, n_columns = info.n_rows, info.n_columns
    n_edges = n_rows * n_columns
    n_kept = [density.n_kept(n_edges, n_edges, n_rows + n_columns - 1) for density in densities]

    found = [shape_by_chance(n_rows, n_columns, k, seed=seed) for k in n_kept]
    connected = [connectivity_probability(n_rows, n_columns, k / n_edges) for k in n_kept]
    shares = [_share(*each, n_edges) for each in zip(densities, n_kept, strict=True)]
    return [_density_row(info.name, *each) for each in zip(shares, found, connected, strict=True)]


def _share(density: Density, n_kept: int, n_weights: int) -> float:
    """Return the share of the weights that was asked for, or that a multiple of the critical density comes to."""
    return n_kept / n_weights if density.is_critical else float(density.share)


def _density_row(
    name: str, density: float, found: ForestByChance, connected: float | None, null: Null | None = None
) -> Row:
    row: dict[str, Cell] = {
        "level": "density",
        "layer": name,
        "density": density,
        "n_kept": found.n_kept,
        "floor": found.floor,
        "forest_guaranteed": found.guaranteed,
        "forest_random": found.random,
        "forest_iid": found.iid,
        "forest_kept": found.observed,
        "overlap_bound": found.least_expected / found.floor if found.floor else None,
        "random_connected": connected,
        "retention": found.observed / found.floor if found.observed is not None and found.floor else None,
    }
    undefined = [] if found.iid is not None else [f"no forest_iid: {found.reason}"]
    if null is not None:
        columns = null_columns(found, null)
        reasons = retention_reasons(found, null) if found.floor else dict.fromkeys(columns, "a layer of zeros")
        undefined += [f"no {name}: {reasons[name]}" for name, value in columns.items() if value is None]
        row |= columns
    if undefined:
        row["undefined"] = "; ".join(undefined)
    return row
