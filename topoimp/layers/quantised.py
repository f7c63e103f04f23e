"""Quantised weights: integer or 8-bit codes in one tensor, and their scales, zero points or tables in others beside it.

The codes are no weights: what the network computes with is a function of codes and scales. Formats differ in names and
types; a pair of names, one of them with a type of codes, tells them apart from other tensors that are called scales.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from topoimp.checkpoint import TensorInfo
from topoimp.layers.neighbours import Neighbours

WIDE = frozenset({"F64", "F32", "F16", "BF16"})
"""Types of numbers that are not codes; those of 8 bits are codes if they have a scale."""


@dataclass(frozen=True)
class Quantisation:
    """A family of formats.

    Args:
        name: the formats, as their users know them.
        codes: endings of the names of codes, after the stem that codes and companions share.
        companions: endings of the names of scales, zero points and tables, after the stem.
        dtypes: types of the codes.
    """

    name: str
    codes: tuple[str, ...]
    companions: tuple[str, ...]
    dtypes: frozenset[str]


def _types(names: str) -> frozenset[str]:
    return frozenset(names.split())


QUANTISATIONS = (
    Quantisation("GPTQ or AWQ", (".qweight", ".qzeros"), (".scales", ".qzeros", ".g_idx"), _types("I32 U32")),
    Quantisation("MLX", (".weight",), (".scales", ".biases"), _types("U32")),
    Quantisation(
        "bitsandbytes",
        (".weight",),
        (
            ".weight.absmax",
            ".weight.quant_map",
            ".weight.nested_absmax",
            ".weight.nested_quant_map",
            ".weight.quant_state.bitsandbytes__nf4",
            ".weight.quant_state.bitsandbytes__fp4",
            ".SCB",
            ".weight_format",
        ),
        _types("U8 I8"),
    ),
    Quantisation("MXFP4", ("_blocks",), ("_scales",), _types("U8 F4")),
    Quantisation(
        "NVFP4",
        (".weight", ".weight_packed"),
        (".weight_scale_2", ".weight_global_scale", ".input_global_scale", ".weight_scale", ".input_scale"),
        _types("U8 F4"),
    ),
    Quantisation(
        "FP8 with scales",
        (".weight", ""),
        (
            ".weight_scale_inv",
            ".weight_scale",
            ".weight_scales",
            ".input_scale",
            ".output_scale",
            ".activation_scale",
            ".scale_weight",
            ".scale_input",
            "_scale_inv",
            "_scale",
        ),
        _types("F8_E4M3 F8_E5M2 F8_E4M3FNUZ F8_E5M2FNUZ"),
    ),
    Quantisation(
        "compressed-tensors",
        (".weight_packed", ".weight"),
        (".weight_scale", ".weight_zero_point", ".weight_g_idx", ".weight_shape", ".input_scale", ".input_zero_point"),
        _types("I32 I8 U8"),
    ),
    Quantisation("quanto", (".weight._data",), (".weight._scale", ".weight._shift", ".input_scale"), _types("I8 U8")),
    Quantisation("HQQ", (".W_q",), (".scale", ".zero", ".meta"), _types("U8 I32 I8")),
    Quantisation("AQLM", (".codes",), (".codebooks", ".scales"), _types("I8 I16 U8 U16 I32")),
    Quantisation(
        "integers with scales",
        ("", ".qweight", ".weight", ".weight_q", ".int_data", "_quantized", "_q", ".q"),
        (
            ".scale",
            ".scales",
            ".zero_point",
            ".zero_points",
            ".zeros",
            "_scale",
            "_scales",
            "_zero_point",
            "_zp",
            ".weight_scale",
            ".weight_scales",
            ".wscales",
            ".wzeros",
            ".smooth_factor",
            ".smooth_scale",
        ),
        _types("I8 U8 I16 U16 I32 U32"),
    ),
)
"""Known formats. The first that fits counts: those with rarer names come first."""


def quantisation_of_codes(tensor: TensorInfo, around: Neighbours) -> Quantisation | None:
    """Return the format of which a tensor is the codes, or None.

    >>> codes = TensorInfo("fc.qweight", "I32", (4, 8), 0, 0)
    >>> scales = TensorInfo("fc.scales", "F16", (2, 8), 0, 0)
    >>> quantisation_of_codes(codes, Neighbours({"fc.qweight": codes, "fc.scales": scales}, {})).name
    'GPTQ or AWQ'
    """
    if tensor.dtype in WIDE:
        return None
    for each in QUANTISATIONS:
        beside = (stem + ending for stem in _stems(tensor.name, each.codes) for ending in each.companions)
        if tensor.dtype in each.dtypes and any(name in around.tensors and name != tensor.name for name in beside):
            return each
    return None


def is_codes(tensor: TensorInfo, around: Neighbours) -> bool:
    """Whether a tensor holds the codes of a quantised weight: of a known format, or of torch's quantised types."""
    return "qint" in tensor.dtype or quantisation_of_codes(tensor, around) is not None


def is_scale(tensor: TensorInfo, around: Neighbours) -> bool:
    """Whether a tensor is a scale, zero point or table of a quantised weight."""
    return codes_scaled_by(tensor, around) is not None


def codes_scaled_by(tensor: TensorInfo, around: Neighbours) -> TensorInfo | None:
    """Return the codes of which a tensor is a scale, zero point or table; None if it is none.

    >>> codes = TensorInfo("up.weight", "F8_E4M3", (256, 384), 0, 0)
    >>> scale = TensorInfo("up.weight_scale_inv", "F32", (2, 3), 0, 0)
    >>> codes_scaled_by(scale, Neighbours({"up.weight": codes, "up.weight_scale_inv": scale}, {})).name
    'up.weight'
    """
    if around.dtypes <= WIDE:
        return None
    for each in QUANTISATIONS:
        beside = (stem + ending for stem in _stems(tensor.name, each.companions) for ending in each.codes)
        for name in beside:
            codes = around.tensors.get(name)
            if codes is not None and codes.dtype in each.dtypes and name != tensor.name:
                return codes
    return None


def scale_of(codes: TensorInfo, around: Neighbours) -> TensorInfo | None:
    """Return the scale of more than one number that codes are multiplied by, the first by the table; None if none is.

    A single scale for the whole tensor changes neither the order of the strengths nor their ratios.
    """
    quantisation = quantisation_of_codes(codes, around)
    if quantisation is None:
        return None
    beside = (stem + ending for stem in _stems(codes.name, quantisation.codes) for ending in quantisation.companions)
    scales = (around.tensors[name] for name in beside if name in around.tensors and "scale" in name)
    return next((scale for scale in scales if any(side > 1 for side in scale.shape)), None)


def _stems(name: str, endings: tuple[str, ...]) -> Iterator[str]:
    """Yield the rest of a name before each of the endings that it has."""
    return (name[: len(name) - len(ending)] for ending in endings if name.endswith(ending))
