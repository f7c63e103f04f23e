"""What many tests need: the command line in this process, the sample checkpoints, and small files to work on."""

import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from forks import running_forks

from topoimp.checkpoint import open_checkpoint, write_arrays
from topoimp.layers.records import LayerInfo, LayerPatterns
from topoimp.layers.streaming import LayerStream
from topoimp.layers.tensors import select_layers

# Cases are drawn anew each time; a failure prints the blob that finds it again. Slow machines may be slow.
hypothesis.settings.register_profile("topoimp", deadline=None, print_blob=True, max_examples=100)
hypothesis.settings.load_profile("topoimp")

# Tests run on all cores side by side, and the threads of one operation of torch would only wait for each other: the
# small networks here took five times as long. torch and the programs that tests start read this when they are loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A script's background jobs ignore interruptions, and so would every command that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).parent.parent
SAMPLES = REPOSITORY / "sample_checkpoints"
SHARED = REPOSITORY.parent / "shared"


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str


def without_compiling(lines):
    """What a command wrote to stderr, but for the line that a first use on a machine adds."""
    return lines.replace("compiling for this machine, once; it takes some seconds\n", "")


def stream_of(path, threads=2, **patterns):
    """The layers of a checkpoint, as the commands look at them."""
    return LayerStream(select_layers(open_checkpoint(path), LayerPatterns(**patterns)), threads)


def read_all(layers):
    """The layers of a checkpoint, in order, with their weights."""
    return [layers.read(info) for info in layers.infos]


def info_of(layer):
    """What a catalogue would say of a layer that is in memory."""
    sides = layer.codes.shape
    return LayerInfo(layer.name, layer.name, sides, *sides, layer.number_format)


@pytest.fixture
def topoimp(capsys):
    """Run a command in this process."""
    from topoimp_cli.app import main

    def run(*arguments):
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(status, captured.out, without_compiling(captured.err))

    return run


@pytest.fixture
def sample(tmp_path):
    """A copy of a sample checkpoint in a folder of its own."""

    def copy(name):
        return Path(shutil.copy(SAMPLES / name, tmp_path / name))

    return copy


@pytest.fixture
def lenet(sample):
    """A copy of the trained LeNet-300-100."""
    return sample("lenet-300-100-mnist.safetensors")


@pytest.fixture
def lenet_init(sample):
    """A copy of the initial LeNet-300-100."""
    return sample("lenet-300-100-mnist-init.safetensors")


@pytest.fixture
def write(tmp_path):
    """Write arrays as a checkpoint in a fresh folder and give its path."""

    def write_file(arrays, name="model.safetensors", metadata=None):
        write_arrays(tmp_path / name, {key: np.asarray(array) for key, array in arrays.items()}, metadata or {})
        return tmp_path / name

    return write_file


@pytest.fixture(scope="session")
def forks():
    """Start the command line, and other programs, in forked processes."""
    with running_forks() as forks:
        yield forks


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A run folder of two seeds, trained once; tests write into a copy, ``run``."""
    from topoimp.commands.train import train_run

    run = tmp_path_factory.mktemp("trained") / "run"
    train_run("mlp:64-20-10", output=run, epochs=2, rewind_at=7, seeds=[0, 1], jobs=1)
    return run


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the trained run folder."""
    return Path(shutil.copytree(trained, tmp_path / "run"))
