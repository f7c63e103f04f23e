"""Every rule about tensors has an example for which it decides, and one beside it for which it does not."""

import pytest
from conftest import REPOSITORY

from topoimp.checkpoint import TensorInfo
from topoimp.layers.catalogue import all_rules, rule_for_graph, rule_for_tensor
from topoimp.layers.neighbours import Neighbours
from topoimp.layers.quantised import QUANTISATIONS
from topoimp.layers.rule import Effect

PAGE = (REPOSITORY / "docs/layers.md").read_text(encoding="utf-8")


def decided(name, shape=(8, 6), dtype="F32", others=None, ties=None):
    """Return the name of the rule for a tensor among others, which are given as name: (type, shape)."""
    tensors = {
        each: TensorInfo(each, *stored, 0, 0) for each, stored in {**(others or {}), name: (dtype, shape)}.items()
    }
    rule = rule_for_tensor(tensors[name], Neighbours(tensors, ties or {}))
    return None if rule is None else rule.name


BY_NAME = {
    "mask": ("attn_mask", "h.0.attn.causal_mask", "mask", "tril", "layers.0.blocks.1.attn_mask"),
    "relative positions": (
        "layers.0.blocks.0.attn.relative_position_bias_table",
        "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
        "image_encoder.blocks.2.attn.rel_pos_h",
        "blocks.0.attn.attention_biases",
        "rel_pos_bias",
    ),
    "bias": (
        "model.layers.0.mlp.experts.gate_up_proj_bias",
        "r_w_bias",
        "self_attn.pos_bias_u",
        "layers.3.bias",
        "e_score_correction_bias",
        "biases",
        "rescale_atomic_energy.shift",
        "energy_shifts",
    ),
    "norm": (
        "self_attn.q_norm.weight",
        "norm.weight",
        "LayerNorm.weight",
        "ln_1.weight",
        "bn2.weight",
        "LayerNorm.gamma",
    ),
    "statistics": ("bn.running_mean", "running_var", "quantizer.layers.0._codebook.embed_avg", "queue", "vq._ema_w"),
    "positions": (
        "pos_encoder.pe",
        "freqs_cis",
        "rotary.cos_cached",
        "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
    ),
    "signal basis": (
        "stft_conv.weight",
        "stft.forward_basis_buffer",
        "spectrogram_extractor.stft.conv_real.weight",
        "logmel_extractor.melW",
        "mel_scale.fb",
        "mel_basis",
    ),
    "symbols": ("interactions.0.conv_tp._w3j_1_1_0", "wigner_3j", "products.0.contractions.0.U_matrix_3"),
    "recurrence": (
        "backbone.layers.0.mixer.A_log",
        "blocks.0.att.time_decay",
        "kernel.inv_A_real",
        "blocks.1.att.time_first",
    ),
    "learned inputs": (
        "head.queries",
        "latents",
        "query_feat.weight",
        "qformer.query_tokens",
        "b4.const",
        "b8.noise_const",
        "register_tokens",
    ),
    "grids and filters": ("model.22.anchor_grid", "anchors", "b8.resample_filter", "pool.filt", "blur.kernel"),
    "embedding": (
        "bert.embeddings.word_embeddings.weight",
        "transformer.wte.weight",
        "transformer.wpe.weight",
        "shared.weight",
        "model.shared.weight",
        "module._orig_mod.shared.weight",
        "emb.weight",
        "tok_emb.weight",
        "model.embed_tokens.weight",
        "tok_embeddings.weight",
        "encoder.embed_positions.weight",
        "query_embed.weight",
    ),
    "head": (
        "lm_head.weight",
        "cls.predictions.decoder.weight",
        "vocab_projector.weight",
        "lm_loss.weight",
        "generator_lm_head.weight",
    ),
}


@pytest.mark.parametrize(("rule", "name"), [(rule, name) for rule, names in BY_NAME.items() for name in names])
def test_a_name_decides(rule, name):
    assert decided(name) == rule


ORDINARY = (
    "weight",
    "fc1.weight",
    "features.0.weight",
    "layer1.0.downsample.0.weight",
    "classifier.6.weight",
    "heads.head.weight",
    "head.weight",
    "fc.weight",
    "bert.encoder.layer.0.attention.self.query.weight",
    "bert.pooler.dense.weight",
    "cls.predictions.transform.dense.weight",
    "cls.seq_relationship.weight",
    "classifier.weight",
    "h.0.attn.c_attn.weight",
    "h.0.mlp.c_proj.weight",
    "model.layers.0.self_attn.q_proj.weight",
    "model.layers.0.mlp.down_proj.weight",
    "model.layers.0.mlp.shared_expert.up_proj.weight",
    "mlp.shared.weight",
    "layers.0.attention.wq.weight",
    "encoder.layer.0.output.dense.weight",
    "decoder.block.0.layer.1.EncDecAttention.o.weight",
    "blocks.0.norm1.linear.weight",
    "mask_head.weight",
    "token_mixer.weight",
    "time_maa_w1",
    "attn.in_proj_weight",
    "experts.gate_up_proj",
    "dense.kernel",
    "conv_grid.weight",
    "pe_layer.weight",
    "bias_mlp.weight",
    "window_attention.weight",
)


@pytest.mark.parametrize("name", ORDINARY)
def test_a_layer_with_a_name_like_that_of_a_constant_stays_one(name):
    assert decided(name) is None


TYPES = {
    "empty": {"shape": (0, 4)},
    "unread type": {"dtype": "F8_E4M3FNUZ"},
    "not floating-point": {"dtype": "I64"},
    "scalar": {"shape": ()},
    "one axis": {"shape": (7,)},
    "tied": {"ties": {"weight": "fc.weight"}},
}


@pytest.mark.parametrize("rule", TYPES)
def test_shape_and_type_decide(rule):
    assert decided("weight", **TYPES[rule]) == rule


@pytest.mark.parametrize(
    "dtype", ["F4", "F6_E2M3", "F8_E8M0", "C64", "complex128", "sparse_coo float32", "nested float16"]
)
def test_other_types_of_numbers_are_said_not_to_be_read(dtype):
    assert decided("weight", dtype=dtype) == "unread type"


def test_the_reason_names_the_type_and_the_tie():
    tensors = {"a": TensorInfo("a", "U8", (2, 2), 0, 0), "b": TensorInfo("b", "F32", (2, 2), 0, 0)}
    around = Neighbours(tensors, {"b": "first"})

    reasons = [rule_for_tensor(tensor, around).reason_for(tensor, around) for tensor in tensors.values()]

    assert reasons == ["U8 numbers are no floating-point weights", "tied to first, and looked at there"]


@pytest.mark.parametrize(
    ("sides", "rule"),
    [
        ((1, 5, 1), "single row"),
        ((1, 1, 9), "single row"),
        ((5, 1, 9), "single channel"),
        ((5, 1, 1), "single column"),
        ((2, 2, 1), None),
    ],
)
def test_the_sides_of_a_graph_decide(sides, rule):
    found = rule_for_graph(*sides)

    assert (None if found is None else found.name) == rule


def test_gates_of_an_unknown_number_decide():
    hidden = {"rnn.weight_hh_l0": ("F32", (32, 8))}

    assert decided("rnn.weight_ih_l0", (24, 6), others=hidden) == "unknown gates"
    assert decided("rnn.weight_ih_l0", (32, 6), others=hidden) is None


@pytest.mark.parametrize(
    "name", ["output", "output_layer", "head", "decoder", "proj_out", "generator.proj", "to_logits"]
)
def test_a_head_that_has_the_name_of_another_layer_is_as_long_as_an_embedding(name):
    table = {"tok_embeddings.weight": ("F32", (100, 16)), "layers.0.wq.weight": ("F32", (16, 16))}

    assert decided(f"model.{name}.weight", (100, 16), others=table) == "head"
    assert decided(f"model.{name}.weight", (10, 16), others=table) is None
    assert decided(f"model.{name}.weight", (100, 16)) is None


@pytest.mark.parametrize(
    "name", ["angle_embedding.weight", "embedder.weight", "bond_emb.weight", "embeddings_project.weight"]
)
def test_a_linear_layer_that_is_called_an_embedding_is_told_by_the_shapes(name):
    of_chgnet = {
        "mlp.0.weight": ("F32", (64, 192)),
        "mlp.2.weight": ("F32", (64, 64)),
        "other.weight": ("F32", (64, 31)),
    }

    assert decided(name, (64, 31), others=of_chgnet) is None
    assert decided(name, (94, 64), others=of_chgnet) == "embedding"
    assert decided(name, (64, 64), others=of_chgnet) == "embedding"


def test_a_bias_of_its_own_makes_a_linear_layer():
    bias, other = {"pos_embed.bias": ("F32", (64,))}, {"pos_embed.bias": ("F32", (3,))}

    assert decided("pos_embed.weight", (64, 3), others=bias) is None
    assert decided("pos_embed.weight", (64, 3), others=other) == "embedding"


def test_a_table_of_tokens_stays_one_if_shapes_fit_a_linear_layer():
    others = {"fc.weight": ("F32", (10, 64))}

    assert decided("word_embedding.weight", (64, 31), others=others) == "embedding"
    assert decided("some_embedding.weight", (64, 31), others=others) is None


def test_a_patch_embedding_and_a_recurrent_layer_within_an_embedder():
    bias = {"patch_embed.proj.bias": ("F32", (64,)), "embedder.lstm.weight_hh_l0": ("F32", (32, 8))}

    assert decided("patch_embed.proj.weight", (64, 3, 16, 16), others=bias) == "embedding"
    assert decided("embedder.lstm.weight_ih_l0", (32, 6), others=bias) is None


def test_a_tied_name_counts_as_well():
    assert decided("decoder.weight", ties={"embed_tokens.weight": "decoder.weight"}) == "embedding"
    assert decided("decoder.weight", ties={"lm_head.weight": "decoder.weight"}) == "head"


def test_every_rule_has_an_example():
    examples = {*BY_NAME, *TYPES, "unknown gates", "factor", "single row", "single channel", "single column"}
    in_other_files = {"quantised codes", "quantised scales", "not asked for"}

    assert {rule.name for rule in all_rules()} == examples | in_other_files


def test_names_of_rules_are_unique():
    assert len({rule.name for rule in all_rules()}) == len(all_rules())


def test_the_documentation_has_the_rules_and_their_effects():
    rules = [f"| {rule.name} | {words(rule.effect)} | {rule.reason} | {rule.source} |" for rule in all_rules()]
    effects = [f"| {words(effect)} | {effect.value} |" for effect in Effect]

    assert "\n".join(["| rule | effect | reason | source |", "| --- | --- | --- | --- |", *rules, ""]) in PAGE
    assert "\n".join(["| effect | meaning |", "| --- | --- |", *effects, ""]) in PAGE


def test_the_documentation_has_the_formats_of_quantised_weights():
    formats = [
        f"| {each.name} | {code(each.codes)} | {', '.join(sorted(each.dtypes))} | {code(each.companions)} |"
        for each in QUANTISATIONS
    ]

    assert "\n".join(["| format | codes | types | beside them |", "| --- | --- | --- | --- |", *formats, ""]) in PAGE


def words(effect):
    return effect.name.lower().replace("_", " ")


def code(endings):
    return ", ".join(f"`X{ending}`" for ending in endings)
