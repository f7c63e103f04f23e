"""Make the sample checkpoints with topoimp, or train the digits sample again and compare it with the stored file."""

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
    """One training run, and the names of its files in this folder.

    Args:
        model: as ``topoimp train`` takes it.
        data: the data set.
        epochs: passes over the data set.
        threads: number of threads; another number gives other last bits.
        files: by file of the run, its name in this folder.
    """

    model: str
    data: Data
    epochs: int
    threads: int
    files: dict[str, str]

    @property
    def command(self) -> str:
        """The command that trains the same."""
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
    """Run the task of the command line; return 0 if it succeeds."""
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
        for name, file_name in sample.files.items():
            content = (training.seed_folders[0] / f"{name}.safetensors").read_bytes()
            (HERE / file_name).write_bytes(content)
            accuracy = training.report.rows[-1 if name == "model" else 0]["test_accuracy"]
            cells = (
                file_name,
                "initial" if name == "init" else "trained",
                sample.data,
                f"{parse_architecture(sample.model, image=image_of(sample)).n_parameters():,}",
                f"{100 * float(accuracy or 0):.2f} %",
                f"{len(content):,}",
                f"`{hashlib.sha256(content).hexdigest()}`",
                f"`{sample.command}`",
            )
            lines.append(f"| {' | '.join(cells)} |")

    head = TABLE.read_text(encoding="utf-8").partition("\n| file |")[0]
    titles = ("file", "weights", "data", "parameters", "test accuracy", "bytes", "sha256", "made by")
    table = [f"| {' | '.join(titles)} |", "| --- " * len(titles) + "|", *lines]
    TABLE.write_text(head + "\n" + "\n".join(table) + "\n", encoding="utf-8")
    print("\n".join(table))  # noqa: T201  # the result of this script
    return 0


def check(folder: Path) -> int:
    """Train the digits sample again; return 0 if its weights are the same, or close on another processor.

    Training amplifies the last bits of another processor's rounding: the accuracy must then agree within a point, and
    the cosine between the weights must be above 0.99.
    """
    training = train(DIGITS, folder, None)
    made, kept = (
        open_checkpoint(path) for path in (training.seed_folders[0] / "model.safetensors", HERE / DIGITS.files["model"])
    )
    if np.array_equal(weights_of(made), weights_of(kept)):
        print("the digits sample was made again, bit for bit")  # noqa: T201
        return 0
    cosine = cosine_of(weights_of(made), weights_of(kept))
    accuracy = float(training.report.network["test_accuracy"] or 0)
    expected = accuracy_in_table(DIGITS.files["model"])
    print(f"not bit for bit: cosine {cosine:.6f}, accuracy {accuracy:.4f} instead of {expected:.4f}")  # noqa: T201
    return 0 if cosine > 0.99 and abs(accuracy - expected) <= 0.01 else 1


def train(sample: Sample, folder: Path, mnist: Path | None) -> Training:
    """Train one sample in a folder of its own, with topoimp's defaults."""
    return train_run(
        sample.model,
        data=sample.data,
        data_dir=mnist,
        output=folder / sample.model.replace(":", "-"),
        epochs=sample.epochs,
        threads=sample.threads,
    )


def image_of(sample: Sample) -> ImageShape:
    """Return channels, height and width of a sample's images."""
    return (1, 8, 8) if sample.data is Data.DIGITS else (1, 28, 28)


def weights_of(checkpoint: Checkpoint) -> np.ndarray:
    """Return all weights of a float32 checkpoint as one vector."""
    return np.concatenate([checkpoint.codes(name).view(np.float32).ravel() for name in sorted(checkpoint.tensors)])


def cosine_of(a: np.ndarray, b: np.ndarray) -> float:
    """Return the cosine of the angle between two vectors."""
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def accuracy_in_table(name: str) -> float:
    """Return the accuracy of a file in the table."""
    line = next(line for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {name} "))
    return float(line.split("|")[5].strip().removesuffix(" %")) / 100


if __name__ == "__main__":
    sys.exit(main())
