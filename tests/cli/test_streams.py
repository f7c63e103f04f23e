"""Closed streams and gone readers keep the exit status; no control character reaches a terminal."""

import io
import os
import shlex
import subprocess
import sys

import numpy as np
import pytest

from topoimp.reports.readable import plain
from topoimp_cli.streams import encodable

PROGRAM = shlex.join([sys.executable, "-c", "from topoimp_cli.app import run; run()"])
"""The program in a new interpreter, as the interpreter itself sees which streams are closed."""

GATE = "--fail-if 'network:density<2'"
HOSTILE = "a\x1b[31m\nred\x9b\u202e"
"""A name with an escape sequence, a line break, a control character of eight bits and one that turns the direction."""


def shell(command, **environment):
    """Run a line of bash."""
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


@pytest.fixture
def forked(forks):
    """The program in a forked process, as a word of a shell."""
    return shlex.join(forks.command())


OF_EACH_COMMAND = """
import os, shlex, sys
from pathlib import Path
from topoimp_cli import app
import numba, topoimp.commands.compare

statuses = []
for command in sys.argv[2:]:
    process = os.fork()
    if process == 0:
        sys.argv[1:] = shlex.split(command)
        app.run()
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
Path(sys.argv[1]).write_text(str(statuses))
"""
"""Runs commands in copies of this interpreter, and writes their exit statuses to a file."""


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_keeps_the_exit_status(lenet, closed):
    compare = f"compare {lenet} {lenet}"
    statuses = lenet.with_name("statuses")
    program = [
        sys.executable,
        "-c",
        OF_EACH_COMMAND,
        statuses,
        compare,
        f"{compare} {GATE}",
        f"{compare} --null nonsense",
    ]

    shell(f"{shlex.join(map(str, program))} {closed}")

    assert statuses.read_text() == "[0, 3, 2]"


def test_with_stderr_closed_stdout_has_the_result_and_nothing_else(lenet, forked):
    arguments = f"prune {lenet} --rounds 1 --force"

    closed = shell(f"{PROGRAM} {arguments} 2>&-").stdout

    assert closed == shell(f"{forked} {arguments} 2>/dev/null").stdout
    assert closed.startswith(str(lenet))


def test_a_file_that_is_written_while_streams_are_closed_holds_nothing_else(lenet, forked):
    done = shell(f"{PROGRAM} prune {lenet} --rounds 1 -v <&- >&- 2>&-")

    written = lenet.with_name("lenet-300-100-mnist.pruned.csv").read_text()
    assert done.returncode == 0
    assert written == shell(f"{forked} prune {lenet} --rounds 1 --force --format csv").stdout


@pytest.mark.parametrize(("options", "status"), [("", 0), (GATE, 3)])
def test_a_gone_reader_of_stdout_keeps_the_exit_status(forked, lenet, options, status):
    done = shell(f"{forked} compare {lenet} {lenet} --format json {options} | true; echo ${{PIPESTATUS[0]}}")

    assert done.stdout == f"{status}\n"


def test_a_gone_reader_of_stderr_keeps_the_exit_status(forked, lenet):
    done = shell(f"{{ {forked} compare {lenet} {lenet} {GATE} > out; }} 2>&1 | true; echo ${{PIPESTATUS[0]}}; rm out")

    assert done.stdout == "3\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_the_rule_of_a_table_is_one_that_stdout_can_show(forked, write, encoding):
    path = write({"层": np.eye(3), "long.name.of.a.layer": np.eye(3)})

    title, _, rule, first, second, _, network, _ = (
        shell(f"{forked} barcode {path}", PYTHONIOENCODING=encoding).stdout.encode("ascii").decode().split("\n")[:8]
    )
    assert title.startswith(str(path))
    assert set(rule) == {"-"}
    assert len(first) == len(second) == len(network) == len(rule)
    assert "\\u5c42 " in first + second


def test_the_rule_of_a_table_is_a_line_where_stdout_has_one(forked, lenet):
    done = shell(f"{forked} barcode {lenet}", PYTHONIOENCODING="utf-8")

    assert set(done.stdout.splitlines()[2]) == {"─"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("barcode", "FILE"),
        ("barcode", "FILE", "--list"),
        ("bound", "FILE", "--densities", "0.5"),
        ("compare", "FILE", "FILE"),
        ("compare", "FILE", "FILE", "--fail-if", "network:density<2"),
        ("prune", "FILE", "--sparsity", "0.5", "-v"),
        ("prune", "FILE", "--sparsity", "0.5", "--dry-run"),
        ("barcode", "FILE.missing"),
        ("barcode", "FILE", "--include", HOSTILE),
    ],
)
def test_no_control_character_of_a_name_is_printed(topoimp, write, arguments):
    path = str(write({HOSTILE: np.eye(3), "weight": np.eye(4)}, f"{HOSTILE}.safetensors"))

    outcome = topoimp(*(argument.replace("FILE", path) for argument in arguments))

    printed = outcome.out + outcome.err
    assert "\\x1b[31m" in printed
    assert [sign for sign in printed if sign != "\n" and not sign.isprintable()] == []


def test_csv_shows_control_characters_on_a_terminal_and_keeps_them_in_a_pipe(forked, write):
    path = write({HOSTILE: np.eye(3)})
    command = f"{forked} barcode {path} --format csv -q"
    terminal = ["script", "--quiet", "--return", "--command", command, "/dev/null"]

    shown = subprocess.run(terminal, capture_output=True, text=True, check=True).stdout

    assert f'layer,"{HOSTILE}",3,3' in shell(command).stdout
    assert "\x1b" not in shown
    assert "a\\x1b[31m\nred\\x9b\\u202e" in shown.replace("\r\n", "\n")


def test_plain_text_stays_as_it_is():
    assert plain("层 é [bold] C:\\x\udc80") == "层 é [bold] C:\\x\\udc80"


def test_text_that_stdout_cannot_encode_is_escaped(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))

    assert encodable("é\x07") == "\\xe9\\x07"
