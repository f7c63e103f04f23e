"""Codes and scales of published formats of quantisation, by the names and types that their files have."""

import pytest
import torch
from safetensors.torch import save_file

from topoimp.checkpoint import TensorInfo, open_checkpoint
from topoimp.errors import LayerError
from topoimp.layers.neighbours import Neighbours
from topoimp.layers.notes import notes_on
from topoimp.layers.quantised import quantisation_of_codes, scale_of
from topoimp.layers.records import LayerPatterns
from topoimp.layers.tensors import select_layers

P = "model.layers.0.mlp.up_proj"
FORMATS = {
    "GPTQ or AWQ": {
        f"{P}.qweight": ("I32", (32, 64)),
        f"{P}.qzeros": ("I32", (2, 8)),
        f"{P}.scales": ("F16", (2, 64)),
        f"{P}.g_idx": ("I32", (256,)),
    },
    "MLX": {f"{P}.weight": ("U32", (64, 32)), f"{P}.scales": ("BF16", (64, 4)), f"{P}.biases": ("BF16", (64, 4))},
    "bitsandbytes": {
        f"{P}.weight": ("U8", (8192, 1)),
        f"{P}.weight.absmax": ("F32", (256,)),
        f"{P}.weight.quant_map": ("F32", (16,)),
        f"{P}.weight.nested_absmax": ("F32", (4, 4)),
    },
    "MXFP4": {
        "mlp.experts.gate_up_proj_blocks": ("U8", (4, 64, 2, 16)),
        "mlp.experts.gate_up_proj_scales": ("U8", (4, 64, 2)),
    },
    "NVFP4": {
        f"{P}.weight": ("U8", (64, 32)),
        f"{P}.weight_scale": ("F8_E4M3", (64, 4)),
        f"{P}.weight_scale_2": ("F32", ()),
    },
    "FP8 with scales": {f"{P}.weight": ("F8_E4M3", (256, 384)), f"{P}.weight_scale_inv": ("F32", (2, 3))},
    "compressed-tensors": {
        f"{P}.weight_packed": ("I32", (64, 8)),
        f"{P}.weight_scale": ("BF16", (64, 4)),
        f"{P}.weight_shape": ("I64", (2,)),
    },
    "quanto": {f"{P}.weight._data": ("I8", (64, 32)), f"{P}.weight._scale": ("F32", (64, 4))},
    "HQQ": {f"{P}.W_q": ("U8", (64, 32)), f"{P}.scale": ("F16", (4, 64)), f"{P}.zero": ("F16", (4, 64))},
    "AQLM": {
        f"{P}.codes": ("I8", (64, 4, 1)),
        f"{P}.codebooks": ("F16", (2, 256, 1, 8)),
        f"{P}.scales": ("F16", (64, 2, 1, 1)),
    },
    "integers with scales": {"core.proj.weight.qweight": ("I8", (64, 96)), "core.proj.weight.scale": ("F32", (64, 2))},
}
FLOATS = {"F64", "F32", "F16", "BF16"}


def around(stored):
    return Neighbours({name: TensorInfo(name, *each, 0, 0) for name, each in stored.items()}, {})


def rules(checkpoint):
    """Return the rule of each tensor that is left out, by name."""
    layers = select_layers(checkpoint, LayerPatterns())
    return {tensor.name: tensor.rule.name for tensor in layers.left_out}


@pytest.fixture
def saved(tmp_path):
    """Return a function that saves tensors of ones beside an ordinary layer, and opens the file."""

    def save(stored):
        types = {"I8": torch.int8, "U8": torch.uint8, "I32": torch.int32, "U32": torch.uint32, "I64": torch.int64}
        types |= {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F8_E4M3": torch.float8_e4m3fn}
        tensors = {name: torch.ones(shape).to(types[dtype]) for name, (dtype, shape) in stored.items()}
        save_file({**tensors, "fc.weight": torch.ones(4, 4)}, tmp_path / "m.safetensors")
        return open_checkpoint(tmp_path / "m.safetensors")

    return save


@pytest.mark.parametrize("name", FORMATS)
def test_the_codes_of_a_format_are_known(name):
    tensors = around(FORMATS[name])
    codes = next(iter(tensors.tensors.values()))

    assert quantisation_of_codes(codes, tensors).name == name


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "FP8 with scales"])
def test_of_a_quantised_weight_nothing_is_a_layer(saved, name):
    layers = select_layers(saved(FORMATS[name]), LayerPatterns())

    assert [info.name for info in layers.infos] == ["fc.weight"]
    assert "codes of quantised weights" in notes_on(layers)[-2] + notes_on(layers)[-1]


@pytest.mark.parametrize("name", FORMATS)
def test_scales_of_several_axes_are_named_as_such(saved, name):
    found = rules(saved(FORMATS[name]))

    floating = {each for each, (dtype, shape) in FORMATS[name].items() if dtype in FLOATS and len(shape) > 1}
    assert {found[each] for each in floating} <= {"quantised scales"}


@pytest.mark.parametrize("name", ["scales", "layer_scale", "fc.weight_scale", "fc.scales", "fc.biases2"])
def test_scales_without_codes_beside_them_are_no_scales(saved, name):
    checkpoint = saved({name: ("F32", (4, 4)), "ids": ("I64", (4, 4))})

    assert name in [info.name for info in select_layers(checkpoint, LayerPatterns()).infos]


def test_scales_can_be_included(saved):
    checkpoint = saved(FORMATS["GPTQ or AWQ"])

    assert [info.name for info in select_layers(checkpoint, LayerPatterns(include=("*.scales",))).infos] == [
        f"{P}.scales"
    ]


def test_a_file_of_quantised_weights_alone_is_refused_with_the_format_and_the_cure(saved):
    checkpoint = saved(FORMATS["bitsandbytes"])

    with pytest.raises(
        LayerError, match=r"1 tensor holds codes of quantised weights \(bitsandbytes\): .*dequantised copy"
    ):
        select_layers(checkpoint, LayerPatterns(exclude=("fc*",)))


def test_fp8_codes_are_a_layer_and_a_note_says_that_their_scales_are_not_applied(saved):
    layers = select_layers(saved(FORMATS["FP8 with scales"]), LayerPatterns())

    assert [info.name for info in layers.infos] == ["fc.weight", f"{P}.weight"]
    assert f"without their scales: {P}.weight, 1 in all" in notes_on(layers)[-1]


@pytest.mark.parametrize(
    ("shape", "is_scaled"), [((), False), ((1,), False), ((1, 1), False), ((256, 1), True), ((2, 3), True)]
)
def test_a_scale_for_the_whole_tensor_changes_nothing(shape, is_scaled):
    tensors = around({"up.weight": ("F8_E4M3", (256, 384)), "up.weight_scale": ("F32", shape)})

    assert (scale_of(tensors.tensors["up.weight"], tensors) is not None) == is_scaled


@pytest.mark.filterwarnings("ignore:.*quantized tensor creation functions")  # of torch, about the next line but one
def test_torch_quantised_and_sparse_tensors_are_named(tmp_path):
    sparse = torch.eye(4).to_sparse()
    quantised = torch.quantize_per_tensor(torch.randn(4, 4), 0.1, 0, torch.qint8)
    torch.save({"a.weight": sparse, "b.weight": quantised, "c.weight": torch.randn(4, 4)}, tmp_path / "m.pt")

    layers = select_layers(open_checkpoint(tmp_path / "m.pt"), LayerPatterns())

    assert {tensor.name: tensor.rule.name for tensor in layers.left_out} == {
        "a.weight": "unread type",
        "b.weight": "quantised codes",
    }
    assert "left out as their types are not read: a.weight (sparse_coo float32), 1 in all" in notes_on(layers)
