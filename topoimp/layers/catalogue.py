"""The rules that decide which tensors of a checkpoint are layers, in one table.

The first of ``TENSOR_RULES`` that holds for a tensor decides. A tensor for which none holds is a layer, or several
(groups, gates), whose graphs need two rows and two columns (``GRAPH_RULES``). ``Effect`` has the consequences.

Names cannot tell all constants: ``topoimp.layers.notes`` says which selected layers have names that say nothing.
"""

import re
from functools import lru_cache

from topoimp.checkpoint import TensorInfo
from topoimp.checkpoint.number_format import NUMBER_FORMATS
from topoimp.layers.neighbours import Neighbours
from topoimp.layers.quantised import is_codes, is_scale
from topoimp.layers.recurrent import gates_in, is_recurrent
from topoimp.layers.rule import Effect, Holds, HoldsForGraph, Rule


def _named(*endings: str) -> Holds:
    """Return the question whether the last components of a name match a regular expression, whatever their case."""
    pattern = re.compile(rf"(?:.*\.)?(?:{'|'.join(endings)})", re.IGNORECASE)

    @lru_cache(maxsize=4096)
    def matches(last_components: str) -> bool:
        return pattern.fullmatch(last_components) is not None

    # Thousands of tensors of a model share their last components.
    return lambda tensor, _: matches(".".join(tensor.name.rsplit(".", _LAST)[-_LAST:]))


_LAST = 3
"""Components of a name that expressions look at, at most."""


_UNREAD = re.compile("F[468]_?|C64|complex|float|sparse|nested|meta")
"""Types of numbers that are floating-point or complex, but not read."""

EMBEDDING_REASON = "an embedding or a head"

QUANTISED_CODES = Rule(
    "quantised codes",
    Effect.NEVER,
    "{dtype} codes of a quantised weight",
    "layers/quantised.py; codes are weights only together with their scales",
)
QUANTISED_SCALES = Rule(
    "quantised scales",
    Effect.UNLESS_INCLUDED,
    "a scale, zero point or table of a quantised weight",
    "layers/quantised.py; each number serves a group of weights, which are all lost with it",
)
FACTOR = Rule(
    "factor",
    Effect.UNLESS_INCLUDED,
    "a factor of weight norm; torch.nn.utils.remove_weight_norm or parametrize.remove_parametrizations joins the two",
    "torch.nn.utils.weight_norm: weight_g, weight_v; parametrizations.weight_norm: original0, original1; the weight is "
    "g v / norm of v, and a pruned v would change all others",
)
UNREAD_TYPE = Rule("unread type", Effect.NEVER, "{dtype} numbers are not read", "types of safetensors and torch")
UNKNOWN_GATES = Rule(
    "unknown gates",
    Effect.UNLESS_GROUPED,
    "a recurrent weight whose number of gates does not follow from the shapes",
    "torch.nn.LSTM and GRU: gates are stacked along the rows (layers/recurrent.py)",
)
EMBEDDING = Rule(
    "embedding",
    Effect.UNLESS_EMBEDDINGS,
    EMBEDDING_REASON,
    "BERT: word_embeddings; GPT-2: wte, wpe; T5: shared; RWKV: emb; a table of which single rows are looked up",
)
HEAD = Rule(
    "head",
    Effect.UNLESS_EMBEDDINGS,
    EMBEDDING_REASON,
    "GPT-2: lm_head; Llama: output; RWKV: head; BERT: predictions.decoder; ChatGLM: output_layer; a row for each token",
)
SINGLE_CHANNEL = Rule("single channel", Effect.NEVER, "a single input channel", "the view `channel` joins channels")
NOT_ASKED_FOR = Rule("not asked for", Effect.BY_PATTERN, "not asked for", "the options `include` and `exclude`")

TENSOR_RULES: tuple[tuple[Rule, Holds], ...] = (
    # Tensors that cannot be read as a layer.
    (
        Rule("empty", Effect.NEVER, "no weights", "a graph needs vertices"),
        lambda tensor, _: 0 in tensor.shape,
    ),
    (
        QUANTISED_CODES,
        lambda tensor, around: tensor.dtype not in NUMBER_FORMATS and is_codes(tensor, around),
    ),
    (
        UNREAD_TYPE,
        lambda tensor, _: tensor.dtype not in NUMBER_FORMATS and _UNREAD.match(tensor.dtype) is not None,
    ),
    (
        Rule(
            "not floating-point",
            Effect.NEVER,
            "{dtype} numbers are no floating-point weights",
            "indices, flags and counters are integers",
        ),
        lambda tensor, _: tensor.dtype not in NUMBER_FORMATS,
    ),
    (
        Rule("scalar", Effect.NEVER, "a scalar", "a graph needs rows and columns"),
        lambda tensor, _: not tensor.shape,
    ),
    (
        Rule("one axis", Effect.NEVER, "one axis", "biases and norms: a graph needs rows and columns"),
        lambda tensor, _: len(tensor.shape) == 1,
    ),
    (
        Rule("tied", Effect.NEVER, "tied to {first}, and looked at there", "PyTorch files: two names of one memory"),
        lambda tensor, around: tensor.name in around.ties,
    ),
    (
        UNKNOWN_GATES,
        lambda tensor, around: is_recurrent(tensor.name, tensor.shape) and gates_in(tensor.name, around.shapes) is None,
    ),
    # Tensors whose numbers are no weights between neurons.
    (
        QUANTISED_SCALES,
        is_scale,
    ),
    (
        FACTOR,
        lambda tensor, around: around.is_factor(tensor),
    ),
    (
        Rule("mask", Effect.UNLESS_INCLUDED, "a mask", "CLIP and Swin: attn_mask, a buffer; nanoGPT: tril"),
        _named(r"(?:[^.]*_)?masks?", "tril", "triu"),
    ),
    (
        Rule(
            "relative positions",
            Effect.UNLESS_INCLUDED,
            "a table of biases by relative position",
            "Swin: relative_position_bias_table; T5: relative_attention_bias; SAM: rel_pos_h; LeViT: attention_biases",
        ),
        _named(
            r"rel(?:ative)?_(?:pos|position|positional|attn|attention)"
            r"(?:_(?:h|w|d|t|bias|biases|bias_table|table|encodings?))?(?:\.weight)?",
            r"relative_coords_table|attention_biases(?:\.weight)?",
        ),
    ),
    (
        Rule(
            "bias",
            Effect.UNLESS_INCLUDED,
            "a bias with several axes",
            "gpt-oss: experts.gate_up_proj_bias, by expert; Transformer-XL: r_w_bias; SevenNet: shift, by element",
        ),
        _named(r"(?:[^.]*_)?bias(?:es)?(?:_[a-z0-9_]+)?", "(?:[^.]*_)?shifts?"),
    ),
    (
        Rule(
            "norm",
            Effect.UNLESS_INCLUDED,
            "the factors of a normalisation",
            "torch.nn.LayerNorm over several axes; Cohere: q_norm.weight, a row for each head",
        ),
        _named(
            r"(?:[^.]*_)?(?:(?:layer|batch|group|instance|rms)_?)?norm_?\d*\.weight",
            r"(?:[^.]*_)?(?:ln|bn)_?\d*\.weight",
            "gamma|beta",
        ),
    ),
    (
        Rule(
            "statistics",
            Effect.UNLESS_INCLUDED,
            "running statistics",
            "torch.nn.BatchNorm: running_mean; EnCodec: embed_avg; VQ-VAE: ema_w; MoCo: queue",
        ),
        _named("running_[^.]*", "moving_(?:mean|var|variance)", "embed_avg|_?ema_w|queue"),
    ),
    (
        Rule(
            "positions",
            Effect.UNLESS_INCLUDED,
            "an encoding of positions that is computed",
            "Transformer of the PyTorch tutorials: pe; Llama: freqs_cis, cos_cached; SAM: a fixed Gaussian matrix",
        ),
        _named(
            r"pe|pos(?:ition|itional)?_enc(?:oding)?s?|pos_table|inv_freq|freqs(?:_cis)?|(?:cos|sin)(?:_cached)?",
            "positional_encoding_gaussian_matrix",
        ),
    ),
    (
        Rule(
            "signal basis",
            Effect.UNLESS_INCLUDED,
            "a fixed basis or filter bank of signals",
            "Silero VAD: stft_conv; torchlibrosa: stft.conv_real, melW; torchaudio: mel_scale.fb; nnAudio: wsin, wcos",
        ),
        _named(
            "(?:[^.]*_)?(?:forward|inverse|mel|fft|dft|stft)_(?:basis|fb|filters?|kernels?)(?:_buffer)?",
            r"(?:[^.]*_)?i?stft(?:_[^.]*)?\.(?:conv_real\.|conv_imag\.)?weight",
            "melW|fb|fbanks?|filter_?banks?|wsin|wcos|window",
        ),
    ),
    (
        Rule(
            "symbols",
            Effect.UNLESS_INCLUDED,
            "coupling coefficients of rotations, which are constants",
            "e3nn: _w3j_1_1_0, Wigner 3j symbols; MACE: U_matrix_3, from Clebsch-Gordan coefficients",
        ),
        _named("[^.]*(?:w3j|wigner|clebsch)[^.]*|U_matrix_[^.]*"),
    ),
    (
        Rule(
            "recurrence",
            Effect.UNLESS_INCLUDED,
            "decay rates of a recurrence, each of one state",
            "Mamba: A_log, (channels, states); S4: A_imag, inv_A_real; RWKV: time_decay, (heads, channels)",
        ),
        _named("A_logs?|(?:log_|inv_)?A_(?:real|imag)|log_dt|time_(?:decay|first|faaaa)|time_mix_[^.]*"),
    ),
    (
        Rule(
            "learned inputs",
            Effect.UNLESS_INCLUDED,
            "learned queries, tokens or other inputs, which no neuron yields",
            "Mask2Former: query_feat; Perceiver: latents; BLIP-2: query_tokens; StyleGAN2: const, noise_const",
        ),
        _named(
            r"(?:[^.]*_)?(?:queries|latents)(?:\.weight)?|query_feat\.weight",
            "(?:[^.]*_)?(?:tokens?|prompts?)|(?:noise_)?const",
        ),
    ),
    (
        Rule(
            "grids and filters",
            Effect.UNLESS_INCLUDED,
            "anchors, a grid or a fixed filter of images",
            "YOLOv5: anchors, anchor_grid; StyleGAN2: resample_filter; antialiased-cnns: filt",
        ),
        _named(r"anchors?|(?:[^.]*_)?(?:grid|coords)|resample_filter|filt|blur(?:_?pool)?\d*\.(?:kernel|weight)"),
    ),
    # Layers that are not pruned by default.
    (EMBEDDING, lambda tensor, around: around.is_embedding(tensor)),
    (HEAD, lambda tensor, around: around.is_head(tensor)),
)
"""Rules for tensors, in the order in which they are asked, each with its question."""


GRAPH_RULES: tuple[tuple[Rule, HoldsForGraph], ...] = (
    (
        Rule("single row", Effect.NEVER, "a single row", "a star: its H0 is its weights, sorted"),
        lambda n_rows, _n_columns, _n_parallel: n_rows < 2,
    ),
    (SINGLE_CHANNEL, lambda _n_rows, n_columns, n_parallel: n_columns < 2 and n_parallel > 1),
    (
        Rule("single column", Effect.NEVER, "a single column", "a star: its H0 is its weights, sorted"),
        lambda _n_rows, n_columns, _n_parallel: n_columns < 2,
    ),
)
"""Rules for the graphs of a tensor, once its groups and its view are known."""


def rule_for_tensor(tensor: TensorInfo, around: Neighbours) -> Rule | None:
    """Return the rule that decides about a tensor; None if it holds layers that are pruned by default.

    >>> mask = TensorInfo("attn_mask", "F32", (77, 77), 0, 0)
    >>> rule_for_tensor(mask, Neighbours({"attn_mask": mask}, {})).reason
    'a mask'
    """
    return next((rule for rule, holds in TENSOR_RULES if holds(tensor, around)), None)


def rule_for_graph(n_rows: int, n_columns: int, n_parallel: int) -> Rule | None:
    """Return the rule by which a graph is no layer; None if it is one."""
    return next((rule for rule, holds in GRAPH_RULES if holds(n_rows, n_columns, n_parallel)), None)


def all_rules() -> tuple[Rule, ...]:
    """Return every rule, in the order in which they are asked."""
    return (*(rule for rule, _ in TENSOR_RULES), *(rule for rule, _ in GRAPH_RULES), NOT_ASKED_FOR)
