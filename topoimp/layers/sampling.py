"""A fixed sample of a layer's weights, in short runs spread over it, so that few pages of a file are read."""

import numpy as np

from topoimp.arrays import CodeArray
from topoimp.layers.layer import Layer

N_RUNS, RUN = 1024, 32
"""Number of runs, and weights in each."""


def sampled_magnitudes(layer: Layer) -> CodeArray:
    """Return the magnitude codes of 32,768 weights of a layer, zeros included; of all weights if they are fewer.

    The codes are ascending, in an integer type of 32 bits or more, which numpy sorts several times faster.
    """
    codes = layer.codes.reshape(-1)
    if codes.size > N_RUNS * RUN:
        starts = np.arange(N_RUNS) * (codes.size - RUN) // (N_RUNS - 1)
        codes = codes[(starts[:, None] + np.arange(RUN)).reshape(-1)]
    magnitudes = layer.number_format.magnitudes(codes)
    return np.sort(magnitudes.astype(np.promote_types(magnitudes.dtype, np.uint32)))


def tied_share(layer: Layer, n_kept: int, n_edges: int) -> float:
    """Estimate the number of edges that equal the weakest of the ``n_kept`` strongest, as a share of ``n_kept``.

    Exact for layers of up to 32,768 weights; for larger ones a share among at least ten weights of the sample.

    Args:
        layer: the layer.
        n_kept: from 0 to ``n_edges``.
        n_edges: number of edges of the layer.

    Returns:
        0 if no edge or every edge is kept: the order of equal strengths does not matter then.
    """
    if n_kept in (0, n_edges):
        return 0.0
    sample = sampled_magnitudes(layer)
    is_whole = len(sample) == layer.codes.size
    n_strongest = n_kept if is_whole else max(round(n_kept / layer.codes.size * len(sample)), 10)
    weakest = max(int(sample[-n_strongest]), 1)
    n_tied = np.searchsorted(sample, weakest, side="right") - np.searchsorted(sample, weakest)
    return int(n_tied) / n_strongest
