"""What holds for every command: help, examples, exit status, one line on stderr, quiet pipes."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import SAMPLES, without_compiling

COMMANDS = ("train", "barcode", "bound", "prune", "compare")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_file_and_a_test_of_its_name(command):
    from conftest import REPOSITORY

    assert (REPOSITORY / f"cli/{command}.py").is_file()
    assert (REPOSITORY / f"tests/cli/test_{command}.py").is_file()
    assert (REPOSITORY / f"topoimp/commands/{command}.py").is_file()


def test_help_lists_the_commands(topoimp):
    outcome = topoimp("--help")

    assert outcome.status == 0
    assert all(re.search(rf"\b{command}\b", outcome.out) for command in COMMANDS)


def example_in(text):
    """The arguments of the example that ends a help."""
    return shlex.split(" ".join(text.split()).partition("Example: topoimp ")[2])


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_that_ends_the_help_runs(topoimp, tmp_path, monkeypatch, command):
    for path in SAMPLES.glob("*.safetensors"):
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)

    outcome = topoimp(*example_in(topoimp(command, "--help").out))

    assert outcome.status == 0
    assert outcome.out


@pytest.mark.parametrize("text", ["Usage: topoimp bound [OPTIONS]", "Example: topoimp bound missing.safetensors"])
def test_a_help_without_an_example_that_runs_is_found(topoimp, text):
    assert topoimp(*example_in(text)).status != 0


def test_the_version_is_printed(topoimp):
    from importlib.metadata import version

    assert topoimp("--version").out == f"topoimp {version('topoimp')}\n"


def test_the_package_runs_as_a_program():
    done = subprocess.run([sys.executable, "-m", "topoimp", "--version"], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("topoimp ")


def test_without_arguments_help_is_shown(topoimp):
    outcome = topoimp()

    assert outcome.status == 2
    assert "Usage: topoimp" in outcome.out + outcome.err
    assert "error" not in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("command", "default"),
    [
        ("prune", "[default: 0.2]"),
        ("prune", "[default: the name of CHECKPOINT with .pruned before its ending]"),
        ("prune", "[default: topological]"),
        ("barcode", "[default: rieck]"),
        ("train", "[default: the recipe's]"),
    ],
)
def test_help_states_defaults(topoimp, command, default):
    words = " ".join(topoimp(command, "--help").out.split())

    assert default in words


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "error: No such command 'frobnicate'."),
        (["barcode"], "error: Missing argument 'CHECKPOINT'."),
        (["barcode", "x", "--colour"], "error: No such option: --colour"),
        (["prune", "x", "--rounds", "many"], "error: Invalid value for '--rounds': "),
        (
            ["prune", "x", "--rounds", "1", "--method", "magic"],
            "error: there is no method 'magic'; known are topological, ",
        ),
        (["barcode", "x", "--format", "xml"], "error: Invalid value for '--format': "),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(topoimp, arguments, message):
    outcome = topoimp(*arguments)

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(message)
    assert outcome.err.count("\n") == 1


def test_a_bug_of_ours_shows_its_traceback_and_exits_with_70(topoimp, monkeypatch, lenet):
    def broken(*_arguments, **_options):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("topoimp.commands.barcode.barcode_report", broken)

    outcome = topoimp("barcode", lenet)

    assert outcome.status == 70
    assert "ZeroDivisionError: a bug" in outcome.err
    assert outcome.err.endswith("error: this is a defect of topoimp; the lines above say where\n")


def test_failed_verification_exits_with_4(topoimp, monkeypatch, lenet):
    def nothing_pruned(name, checkpoint, first, _parts, piece, kept):
        piece[:], kept[:] = checkpoint.codes(name, first, first + len(piece)), False

    monkeypatch.setattr("topoimp.writing.pruned_copy._prune_piece", nothing_pruned)

    outcome = topoimp("prune", lenet, "--rounds", 1)

    assert (outcome.status, outcome.out) == (4, "")
    assert outcome.err.startswith("error: ")


def test_a_closed_pipe_is_quiet(forks, lenet):
    command = f"{shlex.join(forks.command())} barcode {lenet} --format json -q | true; echo ${{PIPESTATUS[0]}}"

    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)

    assert (done.stdout, without_compiling(done.stderr)) == ("0\n", "")


def test_a_full_stdout_is_one_line(forks, lenet):
    command = [*forks.command(), "barcode", lenet]

    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert done.returncode == 1
    assert without_compiling(done.stderr) == "error: stdout: cannot be written: No space left on device\n"


def test_names_that_the_terminal_cannot_show_are_spelled_out(forks, write):
    path = write({"層.weight": np.eye(3)})
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}

    done = subprocess.run(
        [*forks.command(), "barcode", path], capture_output=True, text=True, check=True, env=environment
    )

    assert "\\u5c64.weight" in done.stdout


def test_wide_and_control_characters_do_not_break_a_table(topoimp, write):
    outcome = topoimp("barcode", write({"层一二三四五六七": np.eye(3), "\x1b[31mred\n": np.eye(3)}))

    assert "层一二三四五六七 " in outcome.out
    assert "\\x1b[31mred\\n" in outcome.out


@pytest.mark.parametrize("arguments", [("prune", "--rounds", "3"), ("compare",)])
def test_tables_of_the_sample_fit_80_columns(forks, lenet, arguments):
    files = [lenet.name] * (2 if arguments[0] == "compare" else 1)
    command = shlex.join([*forks.command(), arguments[0], *files, *arguments[1:]])
    terminal = ["script", "--quiet", "--command", f"stty cols 80; cd {lenet.parent}; {command}", "/dev/null"]

    shown = subprocess.run(terminal, capture_output=True, text=True, check=True).stdout

    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in shown.splitlines()]
    table = [line for line in lines if line.startswith(("fc", "──", "network", "layer", "round"))]
    assert len(table) > 4
    assert max(map(len, table)) <= 80


def test_nothing_on_stdout_is_coloured_or_cut_when_piped(topoimp, write):
    name = "a.very.long.name.of.a.layer" * 8
    outcome = topoimp("barcode", write({name: np.eye(3)}))

    assert name in outcome.out
    assert "\x1b" not in outcome.out


def test_a_bar_is_shown_on_a_terminal_if_it_takes_long_and_leaves_nothing_behind(forks, lenet, tmp_path):
    program = "import topoimp_cli.progress as p; p._PATIENCE = 0; from topoimp_cli.app import run; run()"
    command = shlex.join([*forks.command(program), "barcode", str(lenet)])
    terminal = ["script", "--quiet", "--return", "--command", f"stty cols 80; {command} > out", "/dev/null"]

    shown = subprocess.run(terminal, capture_output=True, text=True, check=True, cwd=tmp_path).stdout

    assert "looking at layers" in shown
    assert "100%" in shown
    assert "looking" not in (tmp_path / "out").read_text()


@pytest.mark.parametrize("command", ["train", "barcode", "bound", "prune", "compare"])
@pytest.mark.parametrize("width", [60, 80, 200])
def test_help_is_plain_and_breaks_no_word(topoimp, command, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))

    lines = topoimp(command, "--help").out.splitlines()

    wide = [line for line in lines if len(line) > min(width, 100) and len(line.split()) > 1]
    names = [line for line in wide if line.lstrip().startswith(("-", "Usage:", "Example:", "[")) or line.endswith(":")]
    assert wide == names  # a name that users copy stays on one line
    assert not any("<bool>" in line or "list[" in line or "│" in line for line in lines)


def test_help_names_arguments_once(topoimp):
    usages = [topoimp(command, "--help").out.splitlines()[0] for command in ("train", "barcode", "bound", "compare")]

    assert usages == [
        "Usage: topoimp train [OPTIONS] [MODEL]",
        "Usage: topoimp barcode [OPTIONS] CHECKPOINT...",
        "Usage: topoimp bound [OPTIONS] [CHECKPOINT...]",
        "Usage: topoimp compare [OPTIONS] [REFERENCE] OTHER...",
    ]
