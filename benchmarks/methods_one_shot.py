"""Prune trained networks in one shot by each method, and measure their accuracy, for docs/methods-study.md.

The networks are those of ``NETWORKS`` that methods_study.py has trained, so it needs that work folder. Nothing is
trained here. It writes benchmarks/methods/one_shot.csv: a row for each network, seed, method and density.
"""

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import torch
from methods_tables import ONE_SHOT
from safetensors.torch import load_file

from topoimp.architectures import parse_architecture
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.run_inputs import images_of
from topoimp.data import Images
from topoimp.pruning.options import PruningOptions
from topoimp.rounds.network_inputs import input_deviations
from topoimp.rounds.recipe_file import read_recipe
from topoimp.training.batches import standardised
from topoimp.training.models import build_network
from topoimp.training.recipes import Recipe

NETWORKS = ("pilot-mnist", "pilot-fashion")

DENSITIES = (0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02)

FACTS = ("n_kept", "n_off_path", "live_vertices", "beta0_glued")


def methods_for(deviations: Any) -> dict[str, dict[str, Any]]:
    """Return the options of each method, by its name in the tables."""
    return {
        "imp": {"method": "magnitude"},
        "imp-global": {"method": "magnitude", "scope": "global"},
        "paths": {"method": "paths", "inputs": deviations},
        "paths-global": {"method": "paths", "inputs": deviations, "scope": "global"},
        "paths-ones": {"method": "paths", "inputs": "ones"},
        "synflow-l2": {"method": "synflow-l2"},
        "lamp": {"method": "lamp"},
        "t-imp": {"method": "topological"},
        "random": {"method": "random"},
    }


def accuracy(model: Path, recipe: Recipe, images: Images) -> float:
    """Return the share of the test images that a checkpoint labels correctly."""
    network = build_network(parse_architecture(recipe.model), seed=0)
    network.load_state_dict(load_file(model))
    test = standardised(images)[1] if recipe.standardise else images.test_images
    with torch.inference_mode():
        scores = network.eval()(torch.from_numpy(test))
    return float((scores.argmax(dim=1).numpy() == images.test_labels).mean())


def rows_of(run: Path, seed: Path, images: Images) -> list[dict[str, Any]]:
    """Return the rows of one trained network."""
    recipe = read_recipe(run).recipe
    model = seed / "model.safetensors"
    first = parse_architecture(recipe.model).weights
    n_inputs = next(iter(first.values()))[1]
    dense = accuracy(model, recipe, images)
    rows = []
    for name, options in methods_for(input_deviations(images, n_inputs)).items():
        for density in DENSITIES:
            with TemporaryDirectory() as folder:
                given = PruningOptions(rounds=1, sparsity=1 - density, seed=int(seed.name.split("-")[1]), **options)
                pruned = prune_checkpoint(model, given, output=Path(folder) / "pruned.safetensors", threads=1)
                found = accuracy(Path(folder) / "pruned.safetensors", recipe, images)
            facts = {fact: pruned.report.network[fact] for fact in FACTS}
            place = {"network": run.name, "pruning": name, "seed": seed.name.split("-")[1], "density": density}
            rows.append({**place, **facts, "dense_accuracy": dense, "test_accuracy": found})
    return rows


def main() -> None:
    """Prune the networks in the work folder, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("methods-study"), help="folder of the run folders")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for name in NETWORKS:
        run = arguments.work / name
        images = images_of(run, read_recipe(run), Path(os.environ["TOPOIMP_DATA_DIR"]))
        for seed in sorted(run.glob("seed-*")):
            if (seed / "model.safetensors").exists():
                rows += rows_of(run, seed, images)
    ONE_SHOT.parent.mkdir(exist_ok=True)
    pd.DataFrame(rows).to_csv(ONE_SHOT, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
