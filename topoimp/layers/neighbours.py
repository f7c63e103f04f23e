"""A tensor of a checkpoint beside the others: the questions that rules ask about the tensors around it.

A name alone does not tell a table of embeddings from a linear layer that somebody called an embedding. Shapes of the
other tensors often do: the rows of a linear layer are columns of the next, and its bias has as many entries as rows.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from topoimp.checkpoint import TensorInfo
from topoimp.layers.recurrent import is_recurrent

EMBEDDING_NAME = re.compile(
    r".*(?:embed|wte|wpe).*"  # anywhere in the name, case matters
    r"|(?:.*\.)?(?:[a-z0-9]+_)*emb(?:\.weight)?"  # RWKV: emb.weight; minGPT: tok_emb.weight
    r"|(?:(?:base_)?model\.|transformer\.|module\.|_orig_mod\.)*shared\.weight"  # T5, BART
)
"""Names of embeddings, unless the shapes around them tell a linear layer."""

TABLE_NAME = re.compile(r".*(?:wte|wpe|word|tok|pos|type|seg|vocab|shared|lang).*")
"""Names of embeddings that are tables whatever the shapes around them, unless they have a bias."""

_HEAD_NAME = re.compile(
    r".*lm_head.*"  # anywhere in the name, case matters
    r"|(?:.*\.)?(?:embed_out|vocab_projector|lm_loss|predictions\.decoder)\.weight"
)
"""Names that only heads over a vocabulary have."""

_HEAD_IF_AS_LONG = re.compile(
    r"(?:.*\.)?(?:output|output_layer|output_projection|head|decoder|proj_out|generator|generator\.proj|to_logits"
    r"|logits|ff_out|pred_layer\.proj|vocab_proj|final_proj)\.weight"
)
"""Names of heads that other layers have too: a head has as many rows as an embedding of the file."""


@dataclass(frozen=True)
class Neighbours:
    """All tensors of a checkpoint, by name, and those that are tied, by name of the other the first.

    >>> shapes = {"fc.weight": (3, 2), "fc.bias": (3,)}
    >>> tensors = {name: TensorInfo(name, "F32", shape, 0, 0) for name, shape in shapes.items()}
    >>> Neighbours(tensors, {}).has_own_bias(tensors["fc.weight"])
    True
    """

    tensors: Mapping[str, TensorInfo]
    ties: Mapping[str, str]

    def names_of(self, tensor: TensorInfo) -> tuple[str, ...]:
        """Return a tensor's name and the names that are tied to it."""
        return (tensor.name, *(name for name, first in self.ties.items() if first == tensor.name))

    def first_of(self, names: Iterable[str]) -> TensorInfo | None:
        """Return the first tensor that has one of the names; None if there is none."""
        return next((self.tensors[name] for name in names if name in self.tensors), None)

    def has_own_bias(self, tensor: TensorInfo) -> bool:
        """Whether a bias stands beside the ``weight``, with as many entries as it has rows."""
        bias = self.tensors.get(f"{tensor.name.removesuffix('weight')}bias")
        return tensor.name.endswith("weight") and bias is not None and bias.shape == tensor.shape[:1]

    def is_linear(self, tensor: TensorInfo) -> bool:
        """Whether a tensor of two axes with the name of an embedding is the weight of a linear layer.

        Either it has a bias of its own, or another layer reads its rows and none yields its columns: a table of
        embeddings is the other way round, as a layer reads its columns and its rows are a vocabulary of their own.
        """
        if len(tensor.shape) != 2:
            return False
        if self.has_own_bias(tensor):
            return True

        rows, columns = self._sides
        reads_features = tensor.shape[0] in columns and tensor.shape[1] not in rows
        return reads_features and not TABLE_NAME.fullmatch(tensor.name)

    def is_embedding(self, tensor: TensorInfo) -> bool:
        """Whether one of a tensor's names is that of an embedding, and the tensor is no linear layer."""
        is_named = any(EMBEDDING_NAME.fullmatch(name) for name in self.names_of(tensor))
        return is_named and not self.is_linear(tensor) and not is_recurrent(tensor.name, tensor.shape)

    def is_head(self, tensor: TensorInfo) -> bool:
        """Whether one of a tensor's names is that of a head over a vocabulary."""
        names = self.names_of(tensor)
        if any(map(_HEAD_NAME.fullmatch, names)):
            return True
        is_as_long = len(tensor.shape) == 2 and tensor.shape[0] in self.vocabularies
        return is_as_long and any(map(_HEAD_IF_AS_LONG.fullmatch, names))

    def is_factor(self, tensor: TensorInfo) -> bool:
        """Whether a tensor is the direction v of weight norm, whose weight is g v / |v|, or the length g.

        There is one length for each row or each column of the direction, or a single one.
        """
        length_and_direction = _factors_with(tensor.name)
        if not length_and_direction or any(name not in self.tensors for name in length_and_direction):
            return False
        length, direction = (self.tensors[name].shape for name in length_and_direction)
        sides = [(1,) * len(direction)]
        sides += [(*(1,) * axis, n, *(1,) * (len(direction) - axis - 1)) for axis, n in enumerate(direction)]
        return len(direction) > 1 and length in ((), *sides)

    @cached_property
    def dtypes(self) -> frozenset[str]:
        """The types of all tensors."""
        return frozenset(tensor.dtype for tensor in self.tensors.values())

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor, by name."""
        return {name: tensor.shape for name, tensor in self.tensors.items()}

    @cached_property
    def vocabularies(self) -> frozenset[int]:
        """Rows of the tables of embeddings with two axes."""
        return frozenset(
            tensor.shape[0]
            for tensor in self.tensors.values()
            if len(tensor.shape) == 2 and EMBEDDING_NAME.fullmatch(tensor.name) and not self.is_linear(tensor)
        )

    @cached_property
    def _sides(self) -> tuple[frozenset[int], frozenset[int]]:
        """Rows, and columns, of the matrices that do not have the name of an embedding."""
        matrices = [
            tensor.shape
            for tensor in self.tensors.values()
            if len(tensor.shape) == 2 and not EMBEDDING_NAME.fullmatch(tensor.name)
        ]
        return frozenset(rows for rows, _ in matrices), frozenset(columns for _, columns in matrices)


def _factors_with(name: str) -> tuple[str, ...]:
    """Return the names of the length and the direction of weight norm, one of which is given; none of another name."""
    parametrized = re.fullmatch(r"(.*\.?parametrizations\..+\.original)[01]", name)
    if parametrized is not None:
        return (f"{parametrized[1]}0", f"{parametrized[1]}1")
    return (f"{name[:-2]}_g", f"{name[:-2]}_v") if name.endswith(("_g", "_v")) else ()
