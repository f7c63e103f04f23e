import numpy as np
import pytest
import torch
from conftest import read_all
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from safetensors.torch import save_file

from topoimp.checkpoint import open_checkpoint
from topoimp.choices import View
from topoimp.errors import LayerError, OptionError
from topoimp.layers.records import LayerPatterns, natural
from topoimp.layers.tensors import classify_tensors, select_layers
from topoimp.topology.forest import spanning_forest

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

    infos, left_out = classify_tensors(open_checkpoint(tmp_path / "all.safetensors"), LayerPatterns())

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

    (layer,) = read_all(layers)

    assert (layers.infos[0].n_rows, layers.infos[0].n_columns, layers.infos[0].shape) == (2, 75, (2, 3, 5, 5))
    assert_array_equal(layer.strengths(), weight.reshape(2, 75))


def test_embeddings_and_heads_are_left_out_unless_asked_for(transformer):
    assert selected(transformer) == ["h.0.fc.weight", "h.1.fc.weight", "h.1.proj.weight"]
    assert set(selected(transformer, embeddings=True)) == set(NAMES)


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
    with pytest.raises(
        LayerError, match="holds 5 layers, and none is selected; `embeddings` adds embeddings and heads"
    ):
        selected(transformer, exclude=("h.*",))


@pytest.mark.parametrize(
    ("include", "names"),
    [
        (("lm_head*",), ["lm_head.weight"]),
        (("*embed*", "h.0*"), ["h.0.fc.weight", "model.embed_tokens.weight"]),
        (("*weight",), ["h.0.fc.weight", "h.1.fc.weight", "h.1.proj.weight"]),
        (("*weight", "lm_head.weight"), ["h.0.fc.weight", "h.1.fc.weight", "h.1.proj.weight", "lm_head.weight"]),
    ],
)
def test_a_pattern_that_names_only_what_is_left_out_by_default_selects_it(transformer, include, names):
    assert selected(transformer, include=include) == names


def test_a_named_embedding_can_be_excluded(transformer):
    with pytest.raises(LayerError, match="none is selected"):
        selected(transformer, include=("lm_head*",), exclude=("lm_head*",))


def test_a_file_without_layers_is_refused(write):
    with pytest.raises(LayerError, match="holds 1 tensor, and no layer: "):
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
        spanning_forest(layers.read(layers.infos[0]))


def test_nan_in_a_layer_that_is_not_looked_at_does_not_matter(write):
    checkpoint = open_checkpoint(write({"a": np.full((2, 2), np.nan), "b": np.ones((2, 2))}))

    (layer,) = select_layers(checkpoint, LayerPatterns(exclude=("a",))).infos

    assert layer.name == "b"


def test_layers_come_in_the_natural_order_of_their_names_wherever_they_lie(write):
    one = np.ones((2, 2))
    path = write({"h.10.w": one, "h.9.w": one, "a": one, "h.9.b": one, "h.009.w": one})

    assert selected(open_checkpoint(path)) == ["a", "h.9.b", "h.009.w", "h.9.w", "h.10.w"]


@given(st.lists(st.text(alphabet="ab019.", max_size=6), unique=True, max_size=8))
def test_the_natural_order_is_total(names):
    ordered = sorted(names, key=natural)

    backwards = names[::-1]
    assert sorted(backwards, key=natural) == ordered
    assert len({str(natural(name)) for name in names}) == len(names)


def test_groups_split_the_first_axis(write):
    weight = np.arange(24.0).reshape(6, 2, 2)
    layers = select_layers(
        open_checkpoint(write({"conv": weight, "fc": np.ones((2, 2))})), LayerPatterns(groups=(("conv", 3),))
    )

    assert [(info.name, info.tensor, info.shape, info.first) for info in layers.infos] == [
        ("conv[0]", "conv", (2, 2, 2), 0),
        ("conv[1]", "conv", (2, 2, 2), 8),
        ("conv[2]", "conv", (2, 2, 2), 16),
        ("fc", "fc", (2, 2), 0),
    ]
    for layer, part in zip(read_all(layers), np.split(weight, 3), strict=False):
        assert_array_equal(layer.strengths(), part.reshape(2, 4))


def test_stacked_experts_are_one_matrix_each(write):
    weight = np.random.default_rng(0).normal(size=(4, 5, 6))
    layers = select_layers(open_checkpoint(write({"experts": weight})), LayerPatterns(groups=(("*experts*", 4),)))

    assert [info.shape for info in layers.infos] == [(5, 6)] * 4
    for layer, expert in zip(read_all(layers), weight, strict=True):
        assert_array_equal(layer.strengths(), np.abs(expert))


def test_groups_along_the_second_axis_are_blocks_of_columns(write):
    weight = np.arange(1.0, 25).reshape(4, 6)
    layers = select_layers(open_checkpoint(write({"c_attn": weight})), LayerPatterns(groups=(("c_attn", 3, 1),)))

    assert [(info.name, info.shape, info.n_rows, info.n_columns, info.place) for info in layers.infos] == [
        (f"c_attn[{k}]", (4, 2), 4, 2, ("c_attn", 2 * k)) for k in range(3)
    ]
    for layer, block in zip(read_all(layers), np.split(weight, 3, axis=1), strict=True):
        assert_array_equal(layer.strengths(), block)


def test_one_group_is_the_whole_tensor_along_either_axis(write):
    weight = np.arange(1.0, 13).reshape(4, 3)
    checkpoint = open_checkpoint(write({"w": weight}))

    for axis in (0, 1):
        (layer,) = read_all(select_layers(checkpoint, LayerPatterns(groups=(("w", 1, axis),))))
        assert_array_equal(layer.strengths(), weight)


def test_blocks_of_a_single_column_are_listed_as_such(write):
    checkpoint = open_checkpoint(write({"w": np.ones((4, 3)), "v": np.ones((2, 2))}))

    layers = select_layers(checkpoint, LayerPatterns(groups=(("w", 3, 1),)))

    assert [(tensor.name, tensor.reason) for tensor in layers.left_out] == [
        (f"w[{k}]", "a single column") for k in range(3)
    ]


def test_more_than_ten_groups_stay_in_order(write):
    layers = select_layers(open_checkpoint(write({"w": np.ones((24, 2))})), LayerPatterns(groups=(("w", 12),)))

    assert [info.name for info in layers.infos] == [f"w[{k}]" for k in range(12)]
    assert [info.place for info in layers.infos] == [("w", 4 * k) for k in range(12)]


def test_groups_can_be_chosen_one_by_one_or_all_by_their_tensor(write):
    checkpoint = open_checkpoint(write({"w": np.ones((6, 2)), "v": np.ones((2, 2))}))
    groups = (("w", 3),)

    assert selected(checkpoint, groups=groups, include=("w",)) == ["w[0]", "w[1]", "w[2]"]
    assert selected(checkpoint, groups=groups, exclude=("w[[]1]",)) == ["v", "w[0]", "w[2]"]


@pytest.mark.parametrize("shape", [(3, 1, 9), (3, 1, 3, 3), (3, 2, 3, 3), (3, 1, 2, 2, 2)])
def test_groups_of_a_single_output_channel_are_listed_as_single_rows(write, shape):
    _, left_out = classify_tensors(
        open_checkpoint(write({"depthwise": np.ones(shape)})), LayerPatterns(groups=(("*", 3),))
    )

    assert [(tensor.name, tensor.reason) for tensor in left_out] == [
        (f"depthwise[{k}]", "a single row") for k in range(3)
    ]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ((("w", 4),), r"`groups`: tensor 'w' of shape \[6, 2\] cannot be split into 4 groups"),
        ((("w", 3, 1),), r"`groups`: tensor 'w' of shape \[6, 2\] cannot be split into 3 groups along axis 1"),
        ((("x*", 2),), r"`groups`: pattern 'x\*' matches no tensor of .*model.safetensors"),
    ],
)
def test_groups_that_do_not_fit_are_refused(write, groups, message):
    checkpoint = open_checkpoint(write({"w": np.ones((6, 2))}))

    with pytest.raises(OptionError, match=message):
        selected(checkpoint, groups=groups)


@pytest.mark.parametrize("groups", [("w", 0), ("w", -1, 1), ("w", 2, 2), ("w", 2, -1)])
def test_groups_are_a_number_from_1_along_one_of_two_axes(groups):
    with pytest.raises(OptionError, match=r"`groups`: w=.* must be a number from 1, along the axis 0 or 1"):
        LayerPatterns(groups=(groups,))


def test_the_view_channel_has_one_edge_between_two_channels(write):
    weight = np.zeros((2, 3, 2, 2))
    weight[0, 1], weight[1, 2] = [[1.0, -4.0], [2.0, 0.0]], [[0.5, 0.0], [0.0, 0.0]]
    layers = select_layers(open_checkpoint(write({"conv": weight})), LayerPatterns(view=View.CHANNEL))

    (layer,) = read_all(layers)

    assert_array_equal(layer.strengths(), [[0, 4, 0], [0, 0, 0.5]])
    assert (layers.infos[0].n_rows, layers.infos[0].n_columns, layers.infos[0].n_weights) == (2, 3, 24)
    assert (layer.n_weights, layer.n_edges_in_parallel()) == (24, 4)


@pytest.mark.parametrize("view", View)
def test_a_view_can_be_named_by_its_word(view):
    assert LayerPatterns(view=str(view)).view is view


def test_a_view_that_there_is_not_is_refused():
    with pytest.raises(OptionError, match="there is no view 'cubic'; known are matrix, channel, spatial"):
        LayerPatterns(view="cubic")


def test_the_view_channel_needs_two_input_channels(write):
    checkpoint = open_checkpoint(write({"conv1": np.ones((6, 1, 5, 5)), "fc": np.ones((2, 2))}))

    layers = select_layers(checkpoint, LayerPatterns(view=View.CHANNEL))

    assert [info.name for info in layers.infos] == ["fc"]
    assert [(tensor.name, tensor.reason) for tensor in layers.left_out] == [("conv1", "a single input channel")]


def test_nan_in_the_view_channel_is_named_where_it_lies(write):
    weight = np.ones((2, 2, 3))
    weight[1, 0, 2] = np.nan
    (info,) = (
        layers := select_layers(open_checkpoint(write({"conv": weight})), LayerPatterns(view=View.CHANNEL))
    ).infos

    with pytest.raises(LayerError, match="tensor 'conv' holds 1 NaN, the first at index 8"):
        layers.read(info)


def test_tied_tensors_are_one_layer(tmp_path):
    shared = torch.randn(3, 4)
    torch.save({"fc.weight": shared, "decoder.weight": shared, "other.weight": shared.clone()}, tmp_path / "m.pt")

    infos, left_out = classify_tensors(open_checkpoint(tmp_path / "m.pt"), LayerPatterns())

    assert [info.name for info in infos] == ["fc.weight", "other.weight"]
    assert [(tensor.name, tensor.reason) for tensor in left_out] == [
        ("decoder.weight", "tied to fc.weight, and looked at there")
    ]


def test_a_group_can_be_named_as_it_is_printed(write):
    checkpoint = open_checkpoint(write({"w": np.ones((6, 2))}))

    assert selected(checkpoint, groups=(("w", 3),), include=("w[1]",)) == ["w[1]"]


def test_a_group_with_the_name_of_a_tensor_is_refused(write):
    checkpoint = open_checkpoint(write({"w": np.ones((6, 2)), "w[1]": np.ones((2, 2))}))

    with pytest.raises(OptionError, match=r"`groups`: 'w\[1\]' is the name of a tensor of .* already"):
        selected(checkpoint, groups=(("w", 3),))


def test_a_tied_tensor_is_meant_by_each_of_its_names(tmp_path):
    shared = torch.randn(3, 4)
    torch.save({"decoder": shared, "embed": shared, "fc": torch.randn(2, 2)}, tmp_path / "m.pt")
    checkpoint = open_checkpoint(tmp_path / "m.pt")

    assert selected(checkpoint) == ["fc"]
    assert selected(checkpoint, embeddings=True, include=("embed",)) == ["decoder"]
    assert selected(checkpoint, embeddings=True, exclude=("embed",)) == ["fc"]
