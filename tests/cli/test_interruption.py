"""Ctrl-C and SIGTERM end a command, whatever it waits for, and leave nothing half-written."""

import os
import signal
import time

import numpy as np
import pytest

from topoimp.engine.child import GRACE
from topoimp_cli.interruption import PATIENCE

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}

PROGRAM = """
import hashlib, os, signal, sys, threading
from importlib import import_module
from topoimp_cli import app, interruption

module, name, how, prelude, sys.argv[1:] = *sys.argv[1:5], sys.argv[5:]

def begin(*_arguments, **_options):
    os.write(1, b"begun\\n")  # in one piece, as several threads may begin
    if how == "waiting":
        threading.Event().wait(600)  # ends at a signal in the main thread, and at none in a worker
    else:
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # without the interpreter's lock, and deaf to signals

setattr(import_module(module), name, begin)
interruption.PATIENCE = 0.1
exec(prelude)
app.run()
"""
"""A command of which one function takes ten minutes or more."""

PRUNE_PIECE = "topoimp.writing.pruned_copy._prune_piece"


@pytest.fixture
def model(tmp_path):
    from topoimp.checkpoint import write_arrays

    rng = np.random.default_rng(0)
    path = tmp_path / "model.safetensors"
    write_arrays(path, {f"w{k}": rng.normal(size=(30, 20)).astype(np.float32) for k in range(4)}, {})
    return path


@pytest.fixture
def status_after(forks, model):
    """Start a command, send it signals once its slow function has begun, and return its exit status."""

    def status(*signals, slow, how, arguments, prelude=""):
        program = [*slow.rsplit(".", 1), how, prelude]
        process = forks.start(*program, *arguments, code=PROGRAM, folder=model.parent)
        try:
            while not process.written() and process.poll() is None:
                time.sleep(0.005)
            for sent in signals:
                os.kill(process.pid, sent)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
        assert out.startswith("begun\n")
        assert "Traceback" not in err
        return process.returncode

    return status


@pytest.mark.parametrize(
    ("slow", "how", "command", "sent"),
    [
        ("topoimp.commands.barcode_looks.spanning_forest", "waiting", "barcode {} --threads 2", signal.SIGTERM),
        ("topoimp.commands.barcode_looks.spanning_forest", "waiting", "barcode {} --threads 1", signal.SIGINT),
        ("topoimp.topology.strong_edges.collect_strongest", "running", "bound {} --threads 1", signal.SIGTERM),
        ("topoimp.topology.strong_edges.collect_strongest", "running", "bound {} --threads 2", signal.SIGINT),
        ("topoimp.chance.simulation.generator_of", "running", "compare {} {} --null shuffle:2", signal.SIGTERM),
        ("topoimp.training.loop.cross_entropy", "running", "train mlp:64-8-10", signal.SIGTERM),
    ],
)
def test_a_command_ends_while_its_threads_work_or_wait(status_after, model, slow, how, command, sent):
    arguments = [str(model) if word == "{}" else word for word in command.split()]

    assert status_after(sent, slow=slow, how=how, arguments=arguments) == STATUS[sent]


@pytest.mark.parametrize("sent", STATUS)
@pytest.mark.parametrize("how", ["waiting", "running"])
@pytest.mark.parametrize("threads", ["1", "2"])
def test_nothing_half_written_is_left_behind(status_after, model, sent, how, threads):
    arguments = ["prune", model, "--rounds", "2", "--threads", threads]

    status = status_after(sent, slow=PRUNE_PIECE, how=how, arguments=arguments)

    assert status == STATUS[sent]
    assert list(model.parent.iterdir()) == [model]


def test_replicates_can_clean_up_before_the_watchdog_ends_the_command_within_two_seconds():
    assert GRACE < PATIENCE < 2


SIGNAL_WHILE_CLEANING_UP = """
from topoimp.checkpoint import staging
interruption.PATIENCE = 600
remove = staging.remove
staging.remove = lambda path: (os.kill(os.getpid(), signal.SIGTERM), remove(path))
"""


def test_a_second_signal_does_not_disturb_the_end(status_after, model):
    arguments = ["prune", model, "--rounds", "2", "--threads", "1"]

    status = status_after(
        signal.SIGINT,
        slow=PRUNE_PIECE,
        how="waiting",
        arguments=arguments,
        prelude=SIGNAL_WHILE_CLEANING_UP,
    )

    assert status == 130
    assert list(model.parent.iterdir()) == [model]


def test_a_signal_that_the_process_was_started_to_ignore_is_ignored(status_after, model):
    status = status_after(
        signal.SIGINT,
        signal.SIGTERM,
        slow="topoimp.commands.barcode_looks.spanning_forest",
        how="waiting",
        arguments=["barcode", model],
        prelude="signal.signal(signal.SIGINT, signal.SIG_IGN)",
    )

    assert status == 143
