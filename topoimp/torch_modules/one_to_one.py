"""The modules and functions of torch that change no vertex, by name: activations, dropout, pooling and the like.

Names of functions are those of methods of a tensor too. An activation need not map 0 to 0: it passes each vertex on.
"""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


ACTIVATIONS = _names(
    "ReLU ReLU6 LeakyReLU PReLU RReLU ELU SELU CELU GELU SiLU Mish Hardswish Hardsigmoid Hardtanh Sigmoid Tanh "
    "Softplus Softsign LogSigmoid Tanhshrink Hardshrink Softshrink Threshold"
)
"""Modules that change each number by itself."""

PASSING = _names("Identity Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout")
"""Modules that pass each number on, or clear it by chance in training."""

_POOLS = [f"{kind}Pool{axes}d" for kind in ("Max", "Avg", "AdaptiveMax", "AdaptiveAvg", "LP") for axes in (1, 2, 3)]

_PADS = [
    f"{kind}Pad{axes}d" for kind in ("Zero", "Constant", "Reflection", "Replication", "Circular") for axes in (1, 2, 3)
]

OF_IMAGES = frozenset([*_POOLS, *_PADS, "Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d"])
"""Modules that change the pixels of each channel by itself."""

NORMS = frozenset({"BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"})
"""Modules that multiply each vertex by a factor of its own."""

ELEMENTWISE_FUNCTIONS = _names(
    "relu relu6 leaky_relu rrelu elu selu celu gelu silu mish hardswish hardsigmoid hardtanh sigmoid tanh softplus "
    "softsign logsigmoid tanhshrink hardshrink softshrink threshold abs neg square exp sqrt clamp clip dropout "
    "dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout stochastic_depth contiguous clone detach "
    "float double half bfloat16 to type"
)
"""Functions that change each number by itself, or clear it by chance in training."""

FUNCTIONS_OF_IMAGES = frozenset(
    [
        *(f"{kind}_pool{axes}d" for kind in ("max", "avg", "adaptive_max", "adaptive_avg", "lp") for axes in (1, 2, 3)),
        "interpolate",
        "upsample",
    ]
)
"""Functions that change the pixels of each channel by itself."""

REDUCTIONS = frozenset({"mean", "sum", "amax", "amin"})
"""Functions that turn the pixels of a channel into one number."""

SCORES = frozenset({"softmax", "log_softmax", "Softmax", "LogSoftmax"})
"""Functions and modules of all outputs together, which may end a network."""
