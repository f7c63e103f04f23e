"""Deep graph persistence as its authors define it, slowly: magnitudes, and the matrix S of any graph."""

import numpy as np
from random_networks import edges_between


def published_magnitudes(weights):
    """The standardised magnitudes of the layers, and the largest of them."""
    magnitudes = {name: np.abs(weight - weight.mean()) / weight.std() for name, weight in weights.items()}
    return magnitudes, max((each.max() for each in magnitudes.values()), default=1.0)


def slow_s(graph, magnitudes, largest):
    """S by paths of any graph: the strongest path from each input to each output, place after place."""
    all_weights = {name: np.ones_like(each) for name, each in magnitudes.items()}  # a stored zero is one too
    paths = {(graph.inputs, k): row for k, row in enumerate(largest * np.eye(graph.places[graph.inputs]))}
    for place in list(graph.places)[1:]:
        for k in range(graph.places[place]):
            paths[place, k] = np.zeros(graph.places[graph.inputs])
        for each in graph.connections:
            if each.target == place:
                for source, target, flat in edges_between(each, graph, all_weights):
                    strength = largest if flat is None else magnitudes[each.layer].flat[flat]
                    paths[target] = np.maximum(paths[target], np.minimum(paths[source], strength))
    return np.stack([paths[graph.outputs, k] for k in range(graph.places[graph.outputs])])
