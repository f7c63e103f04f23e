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
