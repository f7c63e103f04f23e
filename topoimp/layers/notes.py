"""Sentences for people about the tensors of a checkpoint that are left out, and about layers that may be none.

Nothing is left out silently: each tensor that is no selected layer is counted in one of the sentences. The library's
arguments stand in backticks.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from topoimp.checkpoint import Checkpoint
from topoimp.layers.catalogue import (
    EMBEDDING,
    FACTOR,
    HEAD,
    NOT_ASKED_FOR,
    QUANTISED_CODES,
    QUANTISED_SCALES,
    SINGLE_CHANNEL,
    UNKNOWN_GATES,
    UNREAD_TYPE,
)
from topoimp.layers.matching import matches
from topoimp.layers.neighbours import Neighbours
from topoimp.layers.packed import experts_in, projections_in
from topoimp.layers.quantised import quantisation_of_codes, scale_of
from topoimp.layers.records import Layers, LeftOut
from topoimp.layers.rule import Effect, Rule

NOT_QUANTISED = "what can be pruned is the checkpoint before quantisation, or a dequantised copy of this one"

_SAYS_WEIGHT = re.compile(
    r"(?:.*[._])?(?:[a-z]*(?:weights?|kernels?|proj|conv|linear)|matrix|filters?|lin|fc|dense|lora|qkv|w[a-z]?)"
    r"\d*(?:_[^.]*)?",
    re.IGNORECASE,
)
"""Names whose last component says that the numbers are weights."""


def notes_on(layers: Layers) -> list[str]:
    """Return the sentences about a selection of layers."""
    return [*notes_on_files(layers.checkpoint), *_on_left_out(layers), *_on_selected(layers)]


def notes_on_files(checkpoint: Checkpoint) -> list[str]:
    """Return the sentences about masked weights, and about state dicts and tensors that the commands do not read."""
    notes = [
        _listed(
            "as other state dicts of the file",
            checkpoint.other_keys,
            f"; {checkpoint.key} was read (`key` reads another)",
        ),
        _listed("as the index does not name them", checkpoint.unindexed),
    ]
    masked = [*checkpoint.masked_weights]
    if masked:
        notes.append(f"read under their masks: {first_names(masked)}, {len(masked)} in all (NAME_orig times NAME_mask)")
    return [note for note in notes if note]


def why_no_layer(layers: Layers) -> str:
    """Return the message about a checkpoint of which no layer is selected."""
    path = layers.checkpoint.path
    if (codes := _of_rules(layers, QUANTISED_CODES)) and not layers.patterns.include:
        return f"{path}: no layer is selected: {_quantised(layers, codes)}"

    unselected = _of_rules(layers, NOT_ASKED_FOR, EMBEDDING, HEAD)
    if unselected:
        cure = "; `embeddings` adds embeddings and heads" if _of_rules(layers, EMBEDDING, HEAD) else ""
        return f"{path}: holds {_counted(len(unselected), 'layer')}, and none is selected{cure}"

    holds = f"{path}: holds {_counted(len(layers.checkpoint.tensors), 'tensor')}, and no layer"
    if gates := _of_rules(layers, UNKNOWN_GATES):
        return f"{holds}: `groups` gives the number of gates in {gates[0].name}"
    if factors := _of_rules(layers, FACTOR):
        return f"{holds}: {factors[0].name} is {FACTOR.reason}"
    if constants := _constants(layers):
        return f"{holds}: {constants[0].name} is left out ({constants[0].reason}); `include` adds it by its name"
    return f"{holds}: a floating-point tensor with two rows and two columns or more"


def _on_left_out(layers: Layers) -> list[str]:
    notes = [
        _listed("as embeddings or heads", _names(_of_rules(layers, EMBEDDING, HEAD)), " (`embeddings` adds them)"),
        _listed(
            "as no weights between neurons",
            [f"{tensor.name} ({tensor.reason})" for tensor in _constants(layers)],
            " (`include` adds those that it names)",
        ),
        _listed(
            "as they have a single input channel",
            _names(_of_rules(layers, SINGLE_CHANNEL)),
            " (the view matrix has them)",
        ),
        _listed(
            "as recurrent weights with an unknown number of gates",
            _names(_of_rules(layers, UNKNOWN_GATES)),
            " (`groups` PATTERN=G reads them)",
        ),
        _listed(
            "as their types are not read",
            [f"{tensor.name} ({tensor.dtype})" for tensor in _of_rules(layers, UNREAD_TYPE)],
        ),
        _listed(
            "as factors of weight norm",
            _names(_of_rules(layers, FACTOR)),
            " (torch.nn.utils.remove_weight_norm or parametrize.remove_parametrizations joins them)",
        ),
        _listed("as scales, zero points or tables of quantised weights", _names(_of_rules(layers, QUANTISED_SCALES))),
    ]
    codes = _of_rules(layers, QUANTISED_CODES)
    if codes:
        notes.append(f"left out: {_quantised(layers, codes)}")

    counts = Counter(tensor.rule.name for tensor in layers.left_out if tensor.rule not in _NAMED_RULES)
    counts -= Counter(tensor.rule.name for tensor in _constants(layers))
    if counts:
        notes.append(f"tensors left out: {', '.join(f'{n} ({rule})' for rule, n in counts.most_common())}")
    return [note for note in notes if note]


_NAMED_RULES = frozenset(
    {EMBEDDING, HEAD, FACTOR, SINGLE_CHANNEL, UNKNOWN_GATES, UNREAD_TYPE, QUANTISED_SCALES, QUANTISED_CODES}
)
"""Rules that have a sentence with names; those of constants have one together, and all others are only counted."""


def _on_selected(layers: Layers) -> list[str]:
    notes = []
    around = Neighbours(layers.checkpoint.tensors, layers.checkpoint.ties)
    tensors = [layers.checkpoint.tensors[name] for name in layers.by_tensor()]
    scaled = [tensor.name for tensor in tensors if scale_of(tensor, around) is not None]
    if scaled:
        notes.append(
            f"without their scales: {first_names(scaled)}, {len(scaled)} in all; strengths, and all that follows from "
            "them, are those of the stored codes; a dequantised copy has the weights that the network computes with"
        )

    unnamed = [
        tensor.name
        for tensor in tensors
        if not (_SAYS_WEIGHT.fullmatch(tensor.name) or experts_in(tensor.name, tensor.shape))
    ]
    if unnamed and not layers.patterns.include:
        notes.append(
            f"taken for weights, though their names do not say so: {first_names(unnamed)}, {len(unnamed)} in all "
            "(`exclude` leaves out those that are none)"
        )
    return [*notes, *_on_packed(layers)]


def _on_packed(layers: Layers) -> list[str]:
    """Return the sentences about tensors of several matrices that are read as one graph."""
    tensors = [
        layers.checkpoint.tensors[name]
        for name in layers.by_tensor()
        if not any(matches(name, groups.pattern) for groups in layers.patterns.all_groups)
    ]
    kinds = {"stacked experts": experts_in, "packed queries, keys and values": projections_in}
    found = {kind: [groups for t in tensors if (groups := shown(t.name, t.shape))] for kind, shown in kinds.items()}
    return [
        f"{kind} read as one graph: {first_names([each.pattern for each in groups])}, {len(groups)} in all "
        f"(`groups` {groups[0]} reads the parts of the first as graphs of their own)"
        for kind, groups in found.items()
        if groups
    ]


def _constants(layers: Layers) -> list[LeftOut]:
    """Return the tensors that are left out as their numbers are no weights, scales and factors aside."""
    return [
        tensor
        for tensor in layers.left_out
        if tensor.rule.effect is Effect.UNLESS_INCLUDED and tensor.rule not in (QUANTISED_SCALES, FACTOR)
    ]


def _of_rules(layers: Layers, *rules: Rule) -> list[LeftOut]:
    return [tensor for tensor in layers.left_out if tensor.rule in rules]


def _quantised(layers: Layers, codes: Sequence[LeftOut]) -> str:
    """Return, such as "1 tensor holds codes of quantised weights (GPTQ or AWQ): up.qweight; what can be pruned ..."."""
    around = Neighbours(layers.checkpoint.tensors, layers.checkpoint.ties)
    formats = [quantisation_of_codes(layers.checkpoint.tensors[tensor.name], around) for tensor in codes]
    names = ", ".join(dict.fromkeys("torch" if each is None else each.name for each in formats))
    hold = "1 tensor holds" if len(codes) == 1 else f"{len(codes)} tensors hold"
    return f"{hold} codes of quantised weights ({names}): {first_names(_names(codes))}; {NOT_QUANTISED}"


def _listed(description: str, names: Sequence[str], remedy: str = "") -> str:
    return f"left out {description}: {first_names(names)}, {len(names)} in all{remedy}" if names else ""


def _names(tensors: Iterable[LeftOut]) -> list[str]:
    return [tensor.name for tensor in tensors]


def first_names(names: Sequence[str]) -> str:
    """Return the first three names, and dots if there are more."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
