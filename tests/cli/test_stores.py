"""Every command reads a checkpoint in a store as on this machine, and writes nothing there."""

import csv
import io
import os
import signal
import subprocess
import sys

import pytest
from conftest import SAMPLES
from processes import PATIENCE
from range_server import range_server
from s3_server import s3_server
from shards import write_shards

from topoimp.stores import fetching

LENET, INIT = "lenet-300-100-mnist.safetensors", "lenet-300-100-mnist-init.safetensors"


@pytest.fixture
def server(monkeypatch):
    """A server with the sample checkpoints."""
    monkeypatch.setattr(fetching, "FIRST_PAUSE", 0.0)
    with range_server() as server:
        server.serve(SAMPLES)
        yield server


@pytest.fixture(scope="module")
def sharded(tmp_path_factory):
    """A checkpoint in two shards, with an index and a configuration."""
    return write_shards(tmp_path_factory.mktemp("sharded") / "llama")


@pytest.fixture(scope="module")
def bucket(sharded):
    """A bucket with that checkpoint."""
    with s3_server() as bucket:
        bucket.put_folder(sharded, "llama")
        yield bucket


def rows_of(outcome):
    """The rows of a report, without the names of checkpoints."""
    assert outcome.status == 0, outcome.err
    rows = list(csv.DictReader(io.StringIO(outcome.out)))
    return [{column: cell for column, cell in row.items() if column not in ("checkpoint", "other")} for row in rows]


@pytest.mark.parametrize(
    "words",
    [
        "barcode {}",
        "barcode {} --list",
        "bound {} --densities critical,0.05",
        "compare {} {other}",
        "barcode {} {other}",
    ],
    ids=["barcode", "list", "bound", "compare", "several"],
)
def test_a_report_on_a_web_server_is_that_of_this_machine(server, topoimp, words):
    remote = words.format(server.url(LENET), other=server.url(INIT)).split()
    local = words.format(SAMPLES / LENET, other=SAMPLES / INIT).split()

    assert rows_of(topoimp(*remote, "--format", "csv")) == rows_of(topoimp(*local, "--format", "csv"))


@pytest.mark.parametrize("words", ["barcode {}", "barcode {} --list", "bound {}"])
def test_a_report_on_a_folder_of_a_bucket_is_that_of_this_machine(bucket, sharded, topoimp, monkeypatch, words):
    bucket.set_environment(monkeypatch)
    remote, local = words.format("s3://models/llama").split(), words.format(sharded).split()

    assert rows_of(topoimp(*remote, "--format", "csv")) == rows_of(topoimp(*local, "--format", "csv"))


def test_the_list_of_tensors_fetches_headers_alone(server, topoimp):
    topoimp("barcode", server.url(LENET), "--list")

    assert server.requests == [(LENET, 0, 2**17 - 1)]


def test_each_tensor_is_fetched_once_for_a_report(server, topoimp):
    topoimp("barcode", server.url(LENET))

    n_bytes = len(server.files[LENET])
    assert server.n_bytes_of(LENET) == n_bytes + 2**17  # and the header


def test_a_report_names_the_address(server, topoimp):
    outcome = topoimp("barcode", server.url(f"{LENET}?signature=secret"))

    assert outcome.out.startswith(f"{server.url(LENET)}: deaths divided by")
    assert "secret" not in outcome.out + outcome.err


def test_a_pruned_copy_of_a_file_is_written_to_this_folder(server, topoimp, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    topoimp("prune", SAMPLES / LENET, "--sparsity", "0.9", "--rounds", "1", "-o", "local.safetensors")

    outcome = topoimp("prune", server.url(LENET), "--sparsity", "0.9", "--rounds", "1")

    assert outcome.status == 0, outcome.err
    written = tmp_path / "lenet-300-100-mnist.pruned.safetensors"
    assert written.read_bytes() == (tmp_path / "local.safetensors").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "lenet-300-100-mnist.pruned.csv",
        "lenet-300-100-mnist.pruned.mask.safetensors",
        "lenet-300-100-mnist.pruned.safetensors",
        "local.csv",
        "local.mask.safetensors",
        "local.safetensors",
    ]


def test_a_pruned_copy_of_a_folder_has_its_other_files(bucket, sharded, topoimp, tmp_path, monkeypatch):
    bucket.set_environment(monkeypatch)
    monkeypatch.chdir(tmp_path)
    topoimp("prune", sharded, "--sparsity", "0.5", "--rounds", "1", "-o", "local")

    outcome = topoimp("prune", "s3://models/llama", "--sparsity", "0.5", "--rounds", "1")

    assert outcome.status == 0, outcome.err
    names = {path.name for path in (tmp_path / "local").iterdir()}
    assert names == {path.name for path in (tmp_path / "llama.pruned").iterdir()}
    assert {"config.json", "model.safetensors.index.json"} <= names
    for name in names - {"README.md"}:  # the card names the original
        assert (tmp_path / "llama.pruned" / name).read_bytes() == (tmp_path / "local" / name).read_bytes(), name


def test_masks_and_earlier_weights_are_read_from_stores(server, topoimp, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    topoimp("prune", SAMPLES / LENET, "--sparsity", "0.9", "--rounds", "1", "-o", "p.safetensors")
    server.serve(tmp_path)
    mask = server.url("p.mask.safetensors")

    to_rewind = ["prune", SAMPLES / LENET, "--sparsity", "0.9", "--rounds", "1", "--rewind-from"]
    outcomes = [
        topoimp("prune", SAMPLES / LENET, "--apply-mask", "p.mask.safetensors", "-o", "masked-here.safetensors"),
        topoimp("prune", SAMPLES / LENET, "--apply-mask", mask, "-o", "masked.safetensors"),
        topoimp(*to_rewind, SAMPLES / INIT, "-o", "rewound-here.safetensors"),
        topoimp(*to_rewind, server.url(INIT), "-o", "rewound.safetensors"),
    ]

    assert [each.status for each in outcomes] == [0, 0, 0, 0]
    for name in ("masked", "rewound"):
        written = tmp_path / f"{name}.safetensors"
        assert written.read_bytes() == (tmp_path / f"{name}-here.safetensors").read_bytes()
    assert rows_of(topoimp("compare", server.url(LENET), mask, "--format", "csv")) == rows_of(
        topoimp("compare", SAMPLES / LENET, "p.mask.safetensors", "--format", "csv")
    )


@pytest.mark.parametrize(
    "words",
    [
        "prune {} --sparsity 0.9 --output s3://bucket/p.safetensors",
        "prune {} --sparsity 0.9 --mask-out s3://bucket/m.safetensors",
        "barcode {} --bars s3://bucket/bars.csv",
        "bound {} --plot s3://bucket/bound.svg",
        "barcode {} --report s3://bucket/page.html",
        "train lenet-300-100 --output s3://bucket/run",
    ],
)
def test_an_output_in_a_store_is_refused_and_nothing_is_made(topoimp, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)

    outcome = topoimp(*words.format(SAMPLES / LENET).split())

    assert outcome.status == 1
    (address,) = (word for word in words.split() if word.startswith("s3://"))
    needed = "outputs are written to this machine, and the store's own tools copy them there"
    assert outcome.err.splitlines()[-1] == f"error: {address}: is in a store; {needed}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        "prune s3://bucket/run/model.safetensors --rounds 2 --rewind none --trainer 'true {init} {mask} {out}'",
        "train lenet-300-100 --init s3://bucket/model.safetensors",
        "train lenet-300-100 --mask s3://bucket/mask.safetensors",
    ],
)
def test_training_needs_its_files_on_this_machine(topoimp, tmp_path, monkeypatch, words):
    import shlex

    monkeypatch.chdir(tmp_path)

    outcome = topoimp(*shlex.split(words))

    assert outcome.status == 1
    assert "is in a store; here a path on this machine is needed, so download it first" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_without_obstore_one_line_says_how_to_install_it(topoimp, monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)

    outcome = topoimp("barcode", "s3://bucket/model.safetensors")

    assert (outcome.status, outcome.out) == (1, "")
    reason = "files in stores are read by obstore, which is not installed: pip install 'topoimp[remote]'"
    assert outcome.err == f"error: s3://bucket/model.safetensors: {reason}\n"


def test_a_file_that_is_replaced_while_it_is_read_ends_the_command(server, topoimp):
    octets = server.files[LENET]
    server.faults.extend([None, lambda: server.files.update({LENET: octets[::-1]})])

    outcome = topoimp("barcode", server.url(LENET))

    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.endswith(f"error: {server.url(LENET)}: changed while it was read\n")


def test_a_server_that_fails_now_and_then_changes_no_result(server, topoimp):
    expected = rows_of(topoimp("barcode", SAMPLES / LENET, "--format", "csv"))
    server.faults.extend([503, None, "cut", 500, "cut", 429])

    assert rows_of(topoimp("barcode", server.url(LENET), "--format", "csv")) == expected


def test_a_command_that_waits_for_a_silent_server_can_be_interrupted(server):
    server.faults.extend([None, "silent", "silent"])
    process = subprocess.Popen(
        [sys.executable, "-m", "topoimp", "barcode", server.url(LENET)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        while len(server.requests) < 2 and process.poll() is None:
            server.is_over.wait(0.01)
        process.send_signal(signal.SIGINT)

        out, _ = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out) == (130, b"")
    finally:
        process.kill()
        process.communicate()
