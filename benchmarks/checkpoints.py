"""Synthetic checkpoints with the names and shapes of real models: normal weights, bfloat16."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from topoimp.checkpoint import TensorWriter, laid_out

if TYPE_CHECKING:
    import torch

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Llama:
    """The sizes of a Llama model."""

    vocabulary: int
    width: int
    inner: int
    key_width: int
    n_blocks: int
    is_tied: bool

    def shapes(self) -> Shapes:
        """Give the shape of each tensor, by the names that Hugging Face gives them."""
        shapes: Shapes = {"model.embed_tokens.weight": (self.vocabulary, self.width)}
        for block in range(self.n_blocks):
            shapes.update({f"model.layers.{block}.{name}": shape for name, shape in self._block().items()})
        shapes["model.norm.weight"] = (self.width,)
        if not self.is_tied:
            shapes["lm_head.weight"] = (self.vocabulary, self.width)
        return shapes

    def _block(self) -> Shapes:
        return {
            "self_attn.q_proj.weight": (self.width, self.width),
            "self_attn.k_proj.weight": (self.key_width, self.width),
            "self_attn.v_proj.weight": (self.key_width, self.width),
            "self_attn.o_proj.weight": (self.width, self.width),
            "mlp.gate_proj.weight": (self.inner, self.width),
            "mlp.up_proj.weight": (self.inner, self.width),
            "mlp.down_proj.weight": (self.width, self.inner),
            "input_layernorm.weight": (self.width,),
            "post_attention_layernorm.weight": (self.width,),
        }


LLAMA_1B = Llama(128_256, 2048, 8192, 512, 16, is_tied=True)
"""The shapes of Llama 3.2 1B: 1.24e9 weights, 2.5 GB."""
LLAMA_8B = Llama(128_256, 4096, 14_336, 1024, 32, is_tied=False)
"""The shapes of Llama 3.1 8B: 8.03e9 weights, 16 GB."""


def write_checkpoint(path: Path, shapes: Shapes, seed: int = 0) -> None:
    """Write a checkpoint of normal weights in one file; the same shapes and seed give the same bytes."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with TensorWriter(
        path, laid_out({name: ("BF16", shape) for name, shape in shapes.items()}), {"format": "pt"}
    ) as out:
        for name, shape in shapes.items():
            for start, weight in _pieces(shape, generator):
                out.write(name, start * 2, weight.view(torch.uint8).numpy())


def _pieces(shape: tuple[int, ...], generator: "torch.Generator") -> Iterator[tuple[int, "torch.Tensor"]]:
    import torch

    n_weights, piece = torch.Size(shape).numel(), 1 << 24
    for start in range(0, n_weights, piece):
        n = min(piece, n_weights - start)
        yield start, (torch.randn(n, generator=generator) * shape[-1] ** -0.5).to(torch.bfloat16)
