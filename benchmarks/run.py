"""Measure topoimp beside its peers and beside the limit, and write the ratios into docs/performance.md and a CSV."""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch
from layers import EASY, HARD, LARGE, Case, iid
from measure import extra_memory, interleaved, once, write_table
from peers import PEERS
from torch.nn.utils import prune

from topoimp.kernels.threads import available_threads
from topoimp.layers.layer import Layer, as_layer
from topoimp.layers.records import LayerInfo
from topoimp.layers.streaming import InHand
from topoimp.pruning.ranking import StrengthRanking
from topoimp.pruning.selection import Threshold, layer_selections, threshold_of
from topoimp.topology.forest import spanning_forest

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs/performance.md"
TABLE = HERE / "results.csv"


@dataclass(frozen=True)
class Line:
    """One comparison.

    Args:
        what: the task.
        size: of the layer.
        dtype: of its weights.
        against: what topoimp is compared with.
        ours_ms: median of topoimp's runs.
        theirs_ms: median of the other's runs, or its only one.
        spread: half the distance of the quartiles of our runs, as a share of their median.
        ratio: ours over theirs for the limit, theirs over ours for peers.
        target: the ratio that is wanted: at most for the limit, at least for peers; None where none is.
    """

    what: str
    size: str
    dtype: str
    against: str
    ours_ms: float
    theirs_ms: float
    spread: float
    ratio: float
    target: float | None

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        return self.ratio <= self.target if self.against == "torch.sum" else self.ratio >= self.target


def main() -> int:
    """Run the benchmark; 0 whatever it finds: the page says which targets are missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="about two minutes: no slow peers, no curve, nothing written"
    )
    is_quick = parser.parse_args().quick
    torch.set_num_threads(available_threads())
    sections = {
        "Forests against the limit": against_the_limit(is_quick),
        "Forests against peers": against_peers(is_quick),
        "Thresholds against peers": thresholds(is_quick),
    }
    lines: dict[str, list[Line]] = {}
    for title, measured in sections.items():
        print(f"\n{title}")  # noqa: T201  # what this script is for
        lines[title] = []
        for line in measured:
            lines[title].append(line)
            print(as_text(line), flush=True)  # noqa: T201
    curve = [] if is_quick else list(cost_per_weight())
    if not is_quick:
        write_table(TABLE, [line for part in lines.values() for line in part])
        write_page(lines, curve)
    return 0


def against_the_limit(is_quick: bool) -> Iterator[Line]:
    """Compare the forest of a layer with one torch.sum over it: reading all weights once."""
    for case in [*EASY, *HARD]:
        if is_quick and not (case.is_targeted and case.dtype is torch.float32):
            continue
        weight = case.weight()
        layer = as_layer(weight)
        # float8 has no sum of its own: its bytes are added up instead.
        summed = weight.view(torch.uint8) if weight.element_size() == 1 else weight
        contenders = {"sum": summed.sum, "forest": partial(spanning_forest, layer, threads=available_threads())}
        times = interleaved(contenders, 3 if is_quick else 9)
        ours, theirs = times["forest"], times["sum"]
        ratio = ours.median / theirs.median
        yield line_of(case, "torch.sum", ours.median, theirs.median, ours.spread, ratio, case.target)


def against_peers(is_quick: bool) -> Iterator[Line]:
    """Compare with other tools, at the largest size at which they finish."""
    targets = {"GUDHI": 1000.0, "SciPy": 200.0, "giotto-ph": 200.0}
    shapes = [(300, 784), (1024, 1024)] if is_quick else [(300, 784), (1024, 1024), (4096, 4096), LARGE]
    for shape in shapes:
        case = Case("iid", *shape, torch.float32, iid)
        layer, strengths = as_layer(case.weight()), case.weight().abs().numpy()
        for name, peer in PEERS.items():
            if name == "dense Prim" and shape == LARGE:
                continue  # its ratio is that of 4096 x 4096
            ours = interleaved({"ours": partial(spanning_forest, layer, threads=available_threads())}, 3)["ours"]
            try:
                theirs = once(partial(checked, peer, strengths, layer))
            except ImportError:
                continue  # giotto-ph is an extra
            target = targets.get(name) if shape == LARGE else None
            yield line_of(case, name, ours.median, theirs, ours.spread, theirs / ours.median, target)


def checked(peer: Callable[[np.ndarray], int], strengths: np.ndarray, layer: Layer) -> None:
    """Run a peer; one that finds another number of forest edges does not count."""
    found, wanted = peer(strengths), len(spanning_forest(layer).indices)
    if found != wanted:
        raise ValueError(f"a peer found {found} forest edges; {wanted} are there")


def thresholds(is_quick: bool) -> Iterator[Line]:
    """Compare the exact global threshold with torch's ways to find one, at nine tenths pruned."""
    for n in (10_000_000,) if is_quick else (10_000_000, 100_000_000):
        case = Case("global threshold", n // 1000, 1000, torch.float32, iid)
        weight = case.weight()
        layer = as_layer(weight)
        k = n // 10
        ours = interleaved({"ours": partial(threshold, layer, k)}, 5)["ours"]
        flat = weight.abs().flatten()
        peers = {
            "torch.topk": partial(torch.topk, flat, k),
            "torch.kthvalue": partial(torch.kthvalue, flat, len(flat) - k),
            "global_unstructured": partial(prune_globally, weight, k),
        }
        for name, peer in peers.items():
            theirs = once(peer)
            target = 200.0 if name == "global_unstructured" and n == 100_000_000 else None
            yield line_of(case, name, ours.median, theirs, ours.spread, theirs / ours.median, target)
        memory = extra_memory(partial(threshold, layer, k))
        print(f"  extra memory of ours: {memory / 1e6:.1f} MB")  # noqa: T201


def threshold(layer: Layer, k: int) -> Threshold:
    """Return the threshold that keeps the k strongest weights."""
    info = LayerInfo(layer.name, layer.name, layer.codes.shape, *layer.codes.shape, layer.number_format)
    ranking = StrengthRanking(info, n_bits=32, protected=np.empty(0, np.int64), protected_strengths=np.empty(0))
    (selections,) = layer_selections([ranking], [k], InHand(layer, available_threads()))
    return threshold_of(selections[layer.name], ranking, layer, available_threads())


def prune_globally(weight: torch.Tensor, k: int) -> None:
    """Prune to the k strongest weights as torch does it."""
    module = torch.nn.Module()
    module.weight = torch.nn.Parameter(weight.clone())
    prune.global_unstructured([(module, "weight")], prune.L1Unstructured, amount=weight.numel() - k)


def cost_per_weight() -> Iterator[tuple[int, float]]:
    """Give nanoseconds per weight of a forest from a million weights to a thousand million, bfloat16."""
    for side in (1024, 2048, 4096, 8192, 16384, 32768):
        weight = torch.empty(side, side, dtype=torch.bfloat16).normal_(generator=torch.Generator().manual_seed(0))
        layer = as_layer(weight)
        times = interleaved({"forest": partial(spanning_forest, layer, threads=available_threads())}, 5)["forest"]
        print(f"{side * side:>13,} weights: {1e9 * times.median / side**2:.3f} ns each", flush=True)  # noqa: T201
        yield side * side, 1e9 * times.median / side**2


def line_of(
    case: Case, against: str, ours: float, theirs: float, spread: float, ratio: float, target: float | None
) -> Line:
    """Give a line from seconds."""
    size = f"{case.rows}x{case.columns}"
    return Line(case.name, size, case.type_name, against, 1e3 * ours, 1e3 * theirs, spread, ratio, target)


def as_text(line: Line) -> str:
    """Give a line for people."""
    verdict = "" if line.target is None else f"  target {line.target:g}: {'met' if line.is_met else 'MISSED'}"
    return (
        f"{line.what:<28}{line.size:>13}{line.dtype:>15}  {line.against:<24}"
        f"{line.ours_ms:>10.2f} ms{line.theirs_ms:>12.2f} ms{line.ratio:>10.2f}x{verdict}"
    )


def write_page(sections: dict[str, list[Line]], curve: Sequence[tuple[int, float]]) -> None:
    """Write docs/performance.md anew below its first section."""
    head = PAGE.read_text(encoding="utf-8").partition("\n## Measured")[0]
    parts = [head.rstrip(), "", "## Measured", "", machine(), ""]
    for title, lines in sections.items():
        ratio = "ours / limit" if "limit" in title else "theirs / ours"
        parts += [f"### {title}", "", f"| what | size | type | against | ours, ms | theirs, ms | {ratio} | target |"]
        parts += ["| --- | --- | --- | --- | --- | --- | --- | --- |"]
        parts += [as_row(line) for line in lines] + [""]
    parts += ["### Cost per weight", "", "| weights (bfloat16, square) | ns per weight |", "| --- | --- |"]
    parts += [f"| {n:,} | {cost:.3f} |" for n, cost in curve]
    PAGE.write_text("\n".join(parts) + "\n", encoding="utf-8")


def as_row(line: Line) -> str:
    """Give a line as a row of a Markdown table."""
    target = "" if line.target is None else f"{line.target:g}: {'met' if line.is_met else '**missed**'}"
    ours = f"{line.ours_ms:.2f} ± {100 * line.spread:.0f} %"
    cells = (line.what, line.size, line.dtype, line.against, ours, f"{line.theirs_ms:.2f}", f"{line.ratio:.2f}", target)
    return f"| {' | '.join(cells)} |"


def machine() -> str:
    """Say where and when this was measured, and with which versions."""
    versions = []
    for name in ("numpy", "numba", "torch", "scipy", "gudhi", "giotto-ph"):
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"{name} not installed")
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {available_threads()} cores, "
        f"Python {platform.python_version()}, {', '.join(versions)}."
    )


def processor() -> str:
    """Give the processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else f"{platform.machine()} ({os.uname().sysname})"


if __name__ == "__main__":
    sys.exit(main())
