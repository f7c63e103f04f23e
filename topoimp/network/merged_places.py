"""A graph in, the same graph without places that only hand on another one: a norm behind a layer, a branch of a sum.

A graph read from a program has a place behind each norm and before each sum. No path, no strength of a path and no
number of components depends on whether such a place stands by itself.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeAlias

from topoimp.network.graph import Connection, NetworkGraph


def merged_places(graph: NetworkGraph) -> NetworkGraph:
    """Return a graph whose norms and sums stand at the layers before them, where nothing else reads these layers.

    A norm that follows one layer multiplies that layer's edges, and its place is left out. A place that goes one to
    one to a single later place, and as a whole, is left out; the edges that enter it enter the later place. Inputs,
    outputs and all weights stay.

    >>> graph = NetworkGraph(
    ...     {"inputs": 3, "fc1": 2, "norm": 2, "sum": 2, "fc2": 1},
    ...     (
    ...         Connection("inputs", "fc1", "fc1"),
    ...         Connection("fc1", "norm", norm="norm"),
    ...         Connection("norm", "sum"),
    ...         Connection("inputs", "sum", "shortcut"),
    ...         Connection("sum", "fc2", "fc2"),
    ...     ),
    ... )
    >>> [(each.target, each.layer, each.norm) for each in merged_places(graph).connections]
    [('sum', 'fc1', 'norm'), ('sum', 'shortcut', None), ('fc2', 'fc2', None)]
    """
    while found := next(_norms_behind_layers(graph), None):
        graph = _with_norm_at_layer(graph, *found)
    while hand_on := next(_handing_on(graph), None):
        graph = _without_source(graph, hand_on)
    return graph


_ByPlace: TypeAlias = dict[str, list[Connection]]


def _by_ends(graph: NetworkGraph) -> tuple[_ByPlace, _ByPlace]:
    """Return by place the connections that enter it, and those that leave it."""
    entering: _ByPlace = {place: [] for place in graph.places}
    leaving: _ByPlace = {place: [] for place in graph.places}
    for each in graph.connections:
        entering[each.target].append(each)
        leaving[each.source].append(each)
    return entering, leaving


def _is_whole(graph: NetworkGraph, each: Connection) -> bool:
    """Whether each vertex of the source goes one to one to a vertex of the target."""
    fits = graph.places[each.source] <= graph.places[each.target] - each.first_target
    return each.layer is None and each.first_source == 0 and fits


def _norms_behind_layers(graph: NetworkGraph) -> Iterator[tuple[Connection, Connection]]:
    """Yield the connection of a layer without a norm, and that of the norm which alone reads it."""
    entering, leaving = _by_ends(graph)
    for norm in graph.connections:
        before = entering[norm.source]
        is_behind_layer = len(before) == 1 and before[0].layer is not None and before[0].norm is None
        is_norm = norm.norm is not None and norm.layer is None
        if not is_norm or not is_behind_layer or before[0].first_target or not _is_whole(graph, norm):
            continue
        is_same_size = graph.places[norm.source] == graph.places[norm.target]
        if is_same_size and entering[norm.target] == [norm] == leaving[norm.source]:
            yield before[0], norm


def _with_norm_at_layer(graph: NetworkGraph, layer: Connection, norm: Connection) -> NetworkGraph:
    places = {place: size for place, size in graph.places.items() if place != norm.target}
    connections = tuple(
        replace(each, norm=norm.norm, norm_epsilon=norm.norm_epsilon)
        if each is layer
        else replace(each, source=norm.source)
        if each.source == norm.target
        else each
        for each in graph.connections
        if each is not norm
    )
    return NetworkGraph(places, connections)


def _handing_on(graph: NetworkGraph) -> Iterator[Connection]:
    """Yield the one-to-one connections without a norm that alone leave their source, and as a whole."""
    entering, leaving = _by_ends(graph)
    for each in graph.connections:
        is_plain = each.norm is None and each.source != graph.inputs and _is_whole(graph, each)
        # One-to-one edges of a longer source would reach further in a longer target.
        is_filled = is_plain and all(
            before.layer is not None or _is_whole(graph, before) for before in entering[each.source]
        )
        if is_filled and len(leaving[each.source]) == 1:
            yield each


def _without_source(graph: NetworkGraph, hand_on: Connection) -> NetworkGraph:
    places = {place: size for place, size in graph.places.items() if place != hand_on.source}
    connections = tuple(
        replace(each, target=hand_on.target, first_target=each.first_target + hand_on.first_target)
        if each.target == hand_on.source
        else each
        for each in graph.connections
        if each is not hand_on
    )
    return NetworkGraph(places, connections)
