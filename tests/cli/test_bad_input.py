"""Bad input: one line on stderr that says what is wrong, the right exit status, nothing on stdout, nothing written."""

import os
import re
import signal
import socket

import numpy as np
import pytest

READERS = (["barcode"], ["barcode", "--list"], ["bound"], ["prune", "--rounds", "1"])


def assert_refused(outcome, status, message):
    assert outcome.status == status
    assert outcome.out == ""
    assert outcome.err.count("\n") == 1
    assert re.match(f"error: {message}", outcome.err), outcome.err


@pytest.fixture
def unchanged(tmp_path):
    """Check that the folder holds afterwards exactly what the test put there."""
    folder = tmp_path

    def snapshot():
        return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    class Check:
        def __enter__(self):
            self.before = snapshot()

        def __exit__(self, *_error):
            assert snapshot() == self.before

    return Check()


@pytest.fixture
def deadline():
    """End a test that waits for the writer of a pipe; it would wait for ever."""

    def end(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("deadline")
@pytest.mark.parametrize(
    "command",
    [
        *([*reader, "{pipe}"] for reader in READERS),
        ["prune", "{lenet}", "--apply-mask", "{pipe}"],
        ["prune", "{lenet}", "--rounds", "1", "--rewind-from", "{pipe}"],
        ["compare", "{lenet}", "{pipe}"],
        ["compare", "{pipe}", "{lenet}"],
    ],
)
@pytest.mark.parametrize("name", ["pipe", "m.pt", "m.safetensors", "model.safetensors.index.json"])
def test_a_pipe_is_refused_at_once(topoimp, lenet, tmp_path, command, name):
    os.mkfifo(tmp_path / name)

    outcome = topoimp(*(word.format(pipe=tmp_path / name, lenet=lenet) for word in command))

    assert_refused(
        outcome, 1, f".*/{name}: is a pipe; a checkpoint is a file, of which any part can be read at any time"
    )


def test_a_device_and_a_socket_are_refused(topoimp, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the name of a socket has a limit
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")

        assert_refused(topoimp("barcode", "socket"), 1, "socket: is a socket; a checkpoint is a file")
    assert_refused(topoimp("barcode", "/dev/null"), 1, "/dev/null: is a device; a checkpoint is a file")


@pytest.mark.parametrize("reader", READERS)
def test_no_such_file(topoimp, tmp_path, unchanged, reader):
    with unchanged:
        outcome = topoimp(*reader, tmp_path / "none.safetensors")

    assert_refused(outcome, 1, ".*none.safetensors: no such file")


@pytest.mark.parametrize("reader", READERS)
def test_a_folder_without_weights(topoimp, tmp_path, unchanged, reader):
    (tmp_path / "folder").mkdir()

    with unchanged:
        outcome = topoimp(*reader, tmp_path / "folder")

    assert_refused(outcome, 1, ".*folder: is a folder without weights; a .safetensors file or an index is needed")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04 a zip file", ".*bad.safetensors: is cut short or damaged, as after a download"),
        (b"GGUF\x03 another format", ".*bad.safetensors: is a GGUF or GGML file of llama.cpp; name the checkpoint"),
        (b"", ".*bad.safetensors: holds 0 bytes; a safetensors file has at least 8"),
        (
            (99).to_bytes(8, "little") + b"{}",
            ".*bad.safetensors: announces a header of 99 bytes, but the file holds 10",
        ),
    ],
)
def test_not_safetensors(topoimp, tmp_path, unchanged, reader, content, message):
    (tmp_path / "bad.safetensors").write_bytes(content)

    with unchanged:
        outcome = topoimp(*reader, tmp_path / "bad.safetensors")

    assert_refused(outcome, 1, message)


@pytest.mark.parametrize("reader", READERS)
def test_truncated(topoimp, lenet, unchanged, reader):
    lenet.write_bytes(lenet.read_bytes()[:-100])

    with unchanged:
        outcome = topoimp(*reader, lenet)

    assert_refused(outcome, 1, ".*needs 1066440 bytes of tensor data and holds 1066340; it is truncated")


@pytest.mark.parametrize("reader", [["barcode"], ["bound"], ["prune", "--rounds", "1"]])
def test_no_layer_left_after_selection(topoimp, write, unchanged, reader):
    path = write({"fc.weight": np.ones((2, 2)), "bias": np.ones(2)})

    with unchanged:
        outcome = topoimp(*reader, path, "--exclude", "fc*")

    assert_refused(outcome, 1, ".*model.safetensors: holds 1 layer, and none is selected")


@pytest.mark.parametrize("reader", [*READERS, ["compare"]])
def test_a_pattern_that_matches_nothing(topoimp, lenet, unchanged, reader):
    files = [lenet, lenet] if reader == ["compare"] else [lenet]

    with unchanged:
        outcome = topoimp(*reader, *files, "--include", "conv*")

    assert_refused(
        outcome, 2, "pattern 'conv\\*' matches no layer of .*; its layers are fc1.weight, fc2.weight, fc3.weight"
    )


@pytest.mark.parametrize("reader", [["barcode"], ["bound"], ["prune", "--rounds", "1"], ["compare"]])
def test_nan_in_a_layer(topoimp, write, unchanged, reader):
    path = write({"fc.weight": np.array([[1.0, np.nan], [np.nan, 2.0]])})

    with unchanged:
        outcome = topoimp(*reader, path, *([path] if reader == ["compare"] else []))

    assert_refused(outcome, 1, ".*tensor 'fc.weight' holds 2 NaN, the first at index 1; a layer needs finite weights")


@pytest.mark.parametrize("value", ["1", "-0.5", "1.5", "nan"])
@pytest.mark.parametrize(("option", "needed"), [("rate", "at least 0"), ("sparsity", "above 0")])
def test_rate_or_sparsity_outside_0_to_1(topoimp, lenet, unchanged, option, needed, value):
    with unchanged:
        outcome = topoimp("prune", lenet, "--rounds", 3, f"--{option}={value}")

    assert_refused(outcome, 2, f"the {option} is {float(value)}; it must be {needed} and below 1")


def test_a_sparsity_of_0(topoimp, lenet, unchanged):
    with unchanged:
        outcome = topoimp("prune", lenet, "--rounds", 3, "--sparsity", 0)

    assert_refused(outcome, 2, "the sparsity is 0.0; it must be above 0 and below 1")


def test_a_rate_outside_0_to_1_for_bound(topoimp, lenet):
    assert_refused(topoimp("bound", lenet, "--rate", 1), 2, "the rate is 1.0; it must be above 0 and below 1")


def test_neither_rounds_nor_sparsity(topoimp, lenet, unchanged):
    with unchanged:
        outcome = topoimp("prune", lenet)

    assert_refused(outcome, 2, "neither rounds nor a sparsity is given; --rounds, --sparsity or both are needed")


def test_rounds_sparsity_and_rate_that_contradict_each_other(topoimp, lenet, unchanged):
    with unchanged:
        outcome = topoimp("prune", lenet, "--rounds", 3, "--sparsity", 0.9, "--rate", 0.2)

    assert_refused(outcome, 2, "a sparsity of 0.9 at a rate of 0.2 takes 11 rounds, not 3; leave one out")


@pytest.mark.parametrize("name", ["out.safetensors", "out.mask.safetensors", "out.csv"])
def test_an_output_that_exists(topoimp, lenet, tmp_path, unchanged, name):
    (tmp_path / name).write_text("mine")

    with unchanged:
        outcome = topoimp("prune", lenet, "--rounds", 1, "-o", tmp_path / "out.safetensors")

    assert_refused(outcome, 1, f".*{name}: exists already; --force replaces it")


def test_an_output_that_is_the_input(topoimp, lenet, unchanged):
    with unchanged:
        outcome = topoimp("prune", lenet, "--rounds", 1, "-o", lenet, "--force")

    assert_refused(outcome, 2, ".*lenet-300-100-mnist.safetensors: is the input; an output needs another name")


@pytest.mark.parametrize("folder", ["file", "file/new", "/proc", "/proc/new"])
def test_a_folder_that_cannot_be_written(topoimp, lenet, tmp_path, unchanged, folder):
    (tmp_path / "file").touch()

    with unchanged:
        outcome = topoimp("prune", lenet, "--rounds", 1, "-o", tmp_path / folder / "out.safetensors")

    assert_refused(outcome, 1, ".*cannot be written: (No such file or directory|Not a directory|Permission denied)")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"a": np.ones((2, 2))}, r".*other: lacks layer 'b' of .*reference \(1 of 2 in all\)"),
        ({"a": np.ones((2, 2)), "b": np.ones((4, 2))}, r".*other: layer 'b' has the shape \[4, 2\]; .* has \[2, 4\]"),
    ],
)
def test_two_checkpoints_whose_layers_differ(topoimp, write, unchanged, other, message):
    reference, there = write({"a": np.ones((2, 2)), "b": np.ones((2, 4))}, "reference"), write(other, "other")

    with unchanged:
        outcome = topoimp("compare", reference, there)

    assert_refused(outcome, 1, message)


def test_a_name_that_spans_lines_still_gives_one_line(topoimp, write):
    path = write({"two\nlines": np.array([[np.nan, 1.0], [1.0, 1.0]])})

    assert_refused(topoimp("barcode", path), 1, ".*holds 1 NaN")


@pytest.mark.parametrize("text", ["", "3;7", "-1", "1.5", "a", "²"])
def test_emitted_rounds_that_are_no_numbers(topoimp, lenet, unchanged, text):
    with unchanged:
        outcome = topoimp("prune", lenet, "--rounds", 3, f"--emit-rounds={text}")

    assert_refused(outcome, 2, f"--emit-rounds is '{text}'; it must be round numbers with commas, as in 3,7")


@pytest.mark.parametrize("arguments", [[], ["x.safetensors", "--arch", "lenet-5"]])
def test_bound_of_neither_or_both(topoimp, arguments):
    assert_refused(topoimp("bound", *arguments), 2, "bound takes a CHECKPOINT, --arch MODEL or --shape, and one")


def test_an_unknown_architecture(topoimp):
    assert_refused(topoimp("bound", "--arch", "alexnet"), 2, "there is no model 'alexnet'; known are lenet-300-100, ")


def test_training_on_files_that_are_not_there(topoimp, tmp_path):
    outcome = topoimp("train", "lenet-5", "--data", "mnist", "--data-dir", tmp_path, "-o", tmp_path / "run")

    assert_refused(
        outcome, 1, ".*train-images-idx3-ubyte.gz: no such file; the data set's four published files are needed"
    )
