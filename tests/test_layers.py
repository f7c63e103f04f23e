import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors.torch import save_file

from topoimp.checkpoint import open_checkpoint
from topoimp.errors import LayerError, OptionError
from topoimp.forest import spanning_forest
from topoimp.layers import LayerPatterns, as_layer, classify_tensors, select_layers

NAMES = ("model.embed_tokens.weight", "h.0.fc.weight", "h.1.fc.weight", "h.1.proj.weight", "lm_head.weight")


@pytest.fixture
def transformer(write):
    return open_checkpoint(write({name: np.ones((2, 3), np.float32) for name in NAMES} | {"norm": np.ones(3)}))


def selected(checkpoint, **patterns):
    return [info.name for info in select_layers(checkpoint, LayerPatterns(**patterns)).infos]


def test_what_is_no_layer_is_listed_with_its_reason(tmp_path):
    tensors = {
        "bias": torch.ones(3),
        "scalar": torch.tensor(1.0),
        "row": torch.ones(1, 5),
        "column": torch.ones(5, 1),
        "ids": torch.ones(2, 2, dtype=torch.int64),
        "flags": torch.ones(2, 2, dtype=torch.bool),
        "payload": torch.ones(2, 2, dtype=torch.int8),
        "fnuz": torch.ones(2, 2).to(torch.float8_e4m3fnuz),
        "empty": torch.ones(0, 4),
    }
    save_file(tensors, tmp_path / "all.safetensors")

    infos, left_out = classify_tensors(open_checkpoint(tmp_path / "all.safetensors"))

    assert infos == []
    assert {tensor.name: tensor.reason for tensor in left_out} == {
        "bias": "one axis",
        "scalar": "a scalar",
        "row": "a single row",
        "column": "a single column",
        "ids": "I64 numbers are no floating-point weights",
        "flags": "BOOL numbers are no floating-point weights",
        "payload": "I8 numbers are no floating-point weights",
        "fnuz": "F8_E4M3FNUZ numbers are not read",
        "empty": "no weights",
    }


def test_a_convolution_is_the_matrix_of_out_by_everything_else(write):
    weight = np.arange(2 * 3 * 5 * 5, dtype=np.float32).reshape(2, 3, 5, 5)
    layers = select_layers(open_checkpoint(write({"conv": weight})), LayerPatterns())

    (layer,) = layers

    assert (layers.infos[0].n_rows, layers.infos[0].n_columns, layers.infos[0].shape) == (2, 75, (2, 3, 5, 5))
    assert_array_equal(layer.strengths(), weight.reshape(2, 75))


def test_embeddings_and_heads_are_left_out_unless_asked_for(transformer):
    assert selected(transformer) == ["h.0.fc.weight", "h.1.fc.weight", "h.1.proj.weight"]
    assert selected(transformer, embeddings=True) == list(NAMES)


def test_what_was_left_out_is_said(transformer):
    left_out = select_layers(transformer, LayerPatterns(exclude=("*proj*",))).left_out

    assert {tensor.name: tensor.reason for tensor in left_out} == {
        "norm": "one axis",
        "model.embed_tokens.weight": "an embedding or a head",
        "lm_head.weight": "an embedding or a head",
        "h.1.proj.weight": "not asked for",
    }


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ({"include": ("h.1.*",)}, ["h.1.fc.weight", "h.1.proj.weight"]),
        ({"include": ("h.0.*", "*proj*")}, ["h.0.fc.weight", "h.1.proj.weight"]),
        ({"include": (r"re:\d\.fc",)}, ["h.0.fc.weight", "h.1.fc.weight"]),
        ({"exclude": ("re:^h.0",)}, ["h.1.fc.weight", "h.1.proj.weight"]),
        ({"include": ("h.*",), "exclude": ("*fc*",)}, ["h.1.proj.weight"]),
    ],
)
def test_patterns_choose_layers(transformer, patterns, names):
    assert selected(transformer, **patterns) == names


@pytest.mark.parametrize("option", ["include", "exclude"])
@pytest.mark.parametrize("pattern", ["H.*", "re:nothing", "norm"])
def test_a_pattern_that_matches_no_layer_is_refused(transformer, option, pattern):
    with pytest.raises(
        OptionError, match=rf"pattern '{pattern.replace('*', '[*]')}' matches no layer of .*model.safetensors"
    ):
        selected(transformer, **{option: (pattern,)})


def test_a_broken_regular_expression_is_refused(transformer):
    with pytest.raises(OptionError, match=r"pattern 're:\(' is no regular expression: missing \)"):
        selected(transformer, include=("re:(",))


def test_no_layer_left_says_how_to_get_embeddings(transformer):
    with pytest.raises(LayerError, match="none of its 5 layers is selected; --embeddings adds embeddings and heads"):
        selected(transformer, include=("lm_head*",))


def test_a_file_without_layers_is_refused(write):
    with pytest.raises(LayerError, match="none of its 1 tensors is a layer"):
        selected(open_checkpoint(write({"bias": np.ones(3)})))


@pytest.mark.parametrize(
    ("specials", "found"),
    [
        ({7: np.nan, 9: np.nan}, "holds 2 NaN, the first at index 7"),
        ({5: -np.inf}, "holds 1 infinite weights, the first at index 5"),
        ({2: np.inf, 3: np.nan}, "holds 1 NaN and 1 infinite weights, the first at index 2"),
    ],
)
def test_a_weight_that_is_not_finite_is_named_counted_and_placed(write, specials, found):
    weight = np.ones((3, 4), np.float32)
    weight.flat[list(specials)] = list(specials.values())
    layers = select_layers(open_checkpoint(write({"fc.weight": weight})), LayerPatterns())

    with pytest.raises(
        LayerError, match=f"model.safetensors: tensor 'fc.weight' {found}; a layer needs finite weights"
    ):
        spanning_forest(next(iter(layers)))


def test_nan_in_a_layer_that_is_not_looked_at_does_not_matter(write):
    checkpoint = open_checkpoint(write({"a": np.full((2, 2), np.nan), "b": np.ones((2, 2))}))

    (layer,) = select_layers(checkpoint, LayerPatterns(exclude=("a",)))

    assert layer.name == "b"


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_a_torch_tensor_is_read_with_its_exact_values(dtype):
    tensor = torch.randn(3, 4, generator=torch.Generator().manual_seed(1)).to(dtype)

    layer = as_layer(torch.nn.Parameter(tensor, requires_grad=False))

    assert_array_equal(layer.strengths(), tensor.to(torch.float64).abs().numpy())


def test_an_array_in_any_memory_layout_or_byte_order_is_read_the_same():
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)

    assert_array_equal(as_layer(weight.T).strengths(), weight.T)
    assert_array_equal(as_layer(weight.astype(">f4")).strengths(), weight)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(3), r"weight has the shape \(3,\); a layer has two or more axes"),
        (np.ones((0, 3)), r"weight has the shape \(0, 3\); a layer has two or more axes and at least one weight"),
        (np.ones((2, 2), np.int64), "weight has the type int64; a layer has floating-point weights"),
        (torch.ones(2, 2, dtype=torch.int64), "weight has the type torch.int64; a layer has floating-point weights"),
        (np.array([[1.0, np.nan]]), "tensor 'weight' holds 1 NaN, the first at index 1; a layer needs finite weights"),
    ],
)
def test_an_array_that_is_no_layer_is_refused(weight, message):
    with pytest.raises(LayerError, match=message):
        as_layer(weight)


def test_minus_zero_is_no_edge():
    assert_array_equal(as_layer(np.array([[0.0, -0.0], [1.0, -1.0]])).edges(), [[False, False], [True, True]])
