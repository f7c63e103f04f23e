"""Make the sample checkpoints through topoimp itself, or train the digits one anew and compare it with the kept one."""

import argparse
import hashlib
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from topoimp.architectures import ImageShape, parse_architecture
from topoimp.checkpoint import Checkpoint, open_checkpoint
from topoimp.choices import Data
from topoimp.commands.train import Training, train_run

HERE = Path(__file__).resolve().parent
TABLE = HERE / "README.md"


@dataclass(frozen=True)
class Sample:
    """One training run, and under which names its files are kept.

    Args:
        model: as ``topoimp train`` takes it.
        data: the data set.
        epochs: passes over it.
        threads: of the processor; another number gives other last bits.
        files: by file of the run, the name it is kept under.
    """

    model: str
    data: Data
    epochs: int
    threads: int
    files: dict[str, str]

    @property
    def command(self) -> str:
        """What a user would type."""
        folder = "" if self.data is Data.DIGITS else " --data-dir DIR"
        return f"topoimp train {self.model} --data {self.data}{folder} --epochs {self.epochs} --threads {self.threads}"


DIGITS = Sample("mlp:64-32-10", Data.DIGITS, 40, 1, {"model": "mlp-digits.safetensors"})
SAMPLES = [
    Sample(
        "lenet-300-100",
        Data.MNIST,
        6,
        2,
        {"init": "lenet-300-100-mnist-init.safetensors", "model": "lenet-300-100-mnist.safetensors"},
    ),
    Sample("lenet-5", Data.MNIST, 8, 2, {"model": "lenet-5-mnist.safetensors"}),
    DIGITS,
]


def main() -> int:
    """Read the arguments and do as told; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=("make", "check"))
    parser.add_argument("--mnist", type=Path, help="folder of MNIST's four .gz files, for make")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return check(Path(folder)) if arguments.task == "check" else make(Path(folder), arguments.mnist)


def make(folder: Path, mnist: Path) -> int:
    """Train every sample and write its files and their table."""
    lines = []
    for sample in SAMPLES:
        training = train(sample, folder, mnist)
        for name, kept_as in sample.files.items():
            content = (training.seed_folder / f"{name}.safetensors").read_bytes()
            (HERE / kept_as).write_bytes(content)
            accuracy = training.report.rows[-1 if name == "model" else 0]["test_accuracy"]
            cells = (
                kept_as,
                "initial" if name == "init" else "trained",
                sample.data,
                f"{parse_architecture(sample.model, image=image_of(sample)).n_parameters():,}",
                f"{100 * accuracy:.2f} %",
                f"{len(content):,}",
                f"`{hashlib.sha256(content).hexdigest()}`",
                f"`{sample.command}`",
            )
            lines.append(f"| {' | '.join(cells)} |")
    head = TABLE.read_text(encoding="utf-8").partition("\n| file |")[0]
    titles = ("file", "weights", "data", "parameters", "test accuracy", "bytes", "sha256", "made by")
    table = [f"| {' | '.join(titles)} |", "| --- " * len(titles) + "|", *lines]
    TABLE.write_text(head + "\n" + "\n".join(table) + "\n", encoding="utf-8")
    print("\n".join(table))  # noqa: T201  # what this script is for
    return 0


def check(folder: Path) -> int:
    """Train the digits sample anew; its weights must be the same, or as close as another processor's rounding allows.

    Training amplifies last bits: on another processor the accuracy must agree within a point and the weights must point
    the same way (cosine above 0.99).
    """
    training = train(DIGITS, folder, None)
    made, kept = (
        open_checkpoint(path) for path in (training.seed_folder / "model.safetensors", HERE / DIGITS.files["model"])
    )
    if np.array_equal(weights_of(made), weights_of(kept)):
        print("the digits sample was made again, bit for bit")  # noqa: T201
        return 0
    cosine = cosine_of(weights_of(made), weights_of(kept))
    accuracy = float(training.report.network["test_accuracy"])
    wanted = accuracy_in_table(DIGITS.files["model"])
    print(f"not bit for bit: cosine {cosine:.6f}, accuracy {accuracy:.4f} instead of {wanted:.4f}")  # noqa: T201
    return 0 if cosine > 0.99 and abs(accuracy - wanted) <= 0.01 else 1


def train(sample: Sample, folder: Path, mnist: Path | None) -> Training:
    """Train one sample in a folder of its own, with topoimp's defaults."""
    return train_run(
        sample.model,
        data=sample.data,
        data_folder=mnist,
        output=folder / sample.model.replace(":", "-"),
        epochs=sample.epochs,
        threads=sample.threads,
    )


def image_of(sample: Sample) -> ImageShape:
    """Give channels, height and width of a sample's images."""
    return (1, 8, 8) if sample.data is Data.DIGITS else (1, 28, 28)


def weights_of(checkpoint: Checkpoint) -> np.ndarray:
    """Give all weights of a float32 checkpoint in one row."""
    return np.concatenate([checkpoint.read_codes(name).view(np.float32).ravel() for name in sorted(checkpoint.tensors)])


def cosine_of(a: np.ndarray, b: np.ndarray) -> float:
    """Give the cosine of the angle between two vectors."""
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def accuracy_in_table(name: str) -> float:
    """Give the accuracy that the table states for a file."""
    line = next(line for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {name} "))
    return float(line.split("|")[5].strip().removesuffix(" %")) / 100


if __name__ == "__main__":
    sys.exit(main())
