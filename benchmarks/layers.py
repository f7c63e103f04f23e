"""The layers that are measured: easy ones of several sizes, and those on which a filter has a hard time."""

from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Case:
    """A layer to measure.

    Args:
        name: what it is.
        rows: of the layer.
        columns: of the layer.
        dtype: of its weights.
        make: gives the weights as float32, from a seeded generator.
        is_hard: whether the targets for hard layers hold for it.
        is_targeted: whether a target holds for it at all.
    """

    name: str
    rows: int
    columns: int
    dtype: torch.dtype
    make: Callable[[int, int, torch.Generator], torch.Tensor]
    is_hard: bool = False
    is_targeted: bool = False

    def weight(self) -> torch.Tensor:
        """Give the weights, the same at every call."""
        return self.make(self.rows, self.columns, torch.Generator().manual_seed(0)).to(self.dtype).contiguous()

    @property
    def type_name(self) -> str:
        """The type, as people write it."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def target(self) -> float | None:
        """How many times the time of one torch.sum over it a forest may take; None where nothing was promised."""
        if not self.is_targeted:
            return None
        limits = {torch.float32: (2.0, 6.0), torch.bfloat16: (3.0, 9.0)}
        return limits[self.dtype][self.is_hard] if self.dtype in limits else None


def iid(rows: int, columns: int, generator: torch.Generator) -> torch.Tensor:
    """Normal weights."""
    return torch.randn(rows, columns, generator=generator)


def dead(rows: int, columns: int, generator: torch.Generator) -> torch.Tensor:
    """A fifth of the rows and a fifth of the columns are zero."""
    weight = iid(rows, columns, generator)
    weight[torch.rand(rows, generator=generator) < 0.2] = 0
    weight[:, torch.rand(columns, generator=generator) < 0.2] = 0
    return weight


def lognormal(rows: int, columns: int, generator: torch.Generator) -> torch.Tensor:
    """Rows and columns have scales of their own, lognormal."""
    row_scale = torch.randn(rows, 1, generator=generator).exp()
    column_scale = torch.randn(1, columns, generator=generator).exp()
    return iid(rows, columns, generator) * row_scale * column_scale


def zeros(share: float) -> Callable[[int, int, torch.Generator], torch.Tensor]:
    """Normal weights, of which a share is zero."""

    def make(rows: int, columns: int, generator: torch.Generator) -> torch.Tensor:
        weight = iid(rows, columns, generator)
        weight[torch.rand(rows, columns, generator=generator) < share] = 0
        return weight

    return make


def rank_one(rows: int, columns: int, generator: torch.Generator) -> torch.Tensor:
    """A product of two vectors, with a little noise."""
    product = torch.randn(rows, 1, generator=generator) * torch.randn(1, columns, generator=generator)
    return product + 0.01 * iid(rows, columns, generator)


def constant(rows: int, columns: int, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG001  # one of many
    """All weights are equal."""
    return torch.full((rows, columns), 0.5)


def few_values(rows: int, columns: int, generator: torch.Generator) -> torch.Tensor:
    """Seven values, zero among them."""
    return torch.randint(-3, 4, (rows, columns), generator=generator).float() / 4


def block_diagonal(rows: int, columns: int, generator: torch.Generator) -> torch.Tensor:
    """Eight blocks, tied together by weights a million times smaller."""
    block_of_row, block_of_column = torch.arange(rows) * 8 // rows, torch.arange(columns) * 8 // columns
    weight = iid(rows, columns, generator)
    weight[block_of_row[:, None] != block_of_column] *= 1e-6
    return weight


def gradient(rows: int, columns: int, generator: torch.Generator) -> torch.Tensor:
    """Strength falls along the rows, ten thousand times in all."""
    return iid(rows, columns, generator) * torch.logspace(0, -4, rows)[:, None]


def staircase(rows: int, columns: int, generator: torch.Generator) -> torch.Tensor:
    """The forest is one long path, ever stronger along it, so that components join in pairs."""
    weight = torch.rand(rows, columns, generator=generator) * 1e-3
    steps = torch.arange(min(rows, columns))
    weight[steps, steps] = 1 + steps / len(steps)
    weight[steps[1:], steps[:-1]] = 1 + (steps[1:] - 0.5) / len(steps)
    return weight


F32, BF16, FP8 = torch.float32, torch.bfloat16, torch.float8_e4m3fn
LARGE = (4096, 11008)

EASY = [
    Case("iid", *shape, dtype, iid, is_targeted=shape == LARGE)
    for shape in ((300, 784), (1024, 1024), (4096, 4096), LARGE, (50257, 768))
    for dtype in (F32, BF16)
]
HARD = [
    Case(name, *LARGE, dtype, make, is_hard=True, is_targeted=is_targeted)
    for name, make, is_targeted in (
        ("20 % dead rows and columns", dead, True),
        ("lognormal scales", lognormal, True),
        ("95 % zeros", zeros(0.95), True),
        ("99.8 % zeros", zeros(0.998), True),
        ("rank one plus noise", rank_one, True),
        ("constant", constant, True),
        ("block-diagonal", block_diagonal, True),
        ("gradient", gradient, True),
        ("staircase", staircase, False),
    )
    for dtype in (F32, BF16)
] + [Case("seven values", *LARGE, dtype, few_values, is_hard=True, is_targeted=True) for dtype in (BF16, FP8)]
