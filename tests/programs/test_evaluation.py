import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import has_ended, wait_for

from topoimp.errors import EvaluationError, OptionError
from topoimp.programs.evaluation import Evaluation, parse_evaluation


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A file with a space in its path."""
    return tmp_path_factory.mktemp("a folder") / "a.safetensors"


def printed(checkpoint, text):
    """What an evaluation that prints this gives."""
    checkpoint.write_text(text)
    return Evaluation(("cat", "{checkpoint}")).values(checkpoint, "a.safetensors")


def shell(code, **options):
    return Evaluation(("sh", "-c", code, "sh", "{checkpoint}"), **options)


NAMES = st.from_regex(r"[A-Za-z0-9_]+", fullmatch=True).filter(lambda name: not name.endswith("_reference"))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**15) + 1, 10**15 - 1)


@given(st.dictionaries(NAMES, NUMBERS, min_size=1, max_size=5))
def test_numbers_are_read_in_full_precision_on_one_line_or_several(checkpoint, numbers):
    words = [f"{name}={number!r}" for name, number in numbers.items()]

    assert printed(checkpoint, " ".join(words)) == numbers
    assert list(printed(checkpoint, "\n".join(words))) == list(numbers)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("accuracy=0.5\n", {"accuracy": 0.5}),
        ("Loading 100% [lr=0.1]\rloss=1 accuracy=.5\n", {"loss": 1, "accuracy": 0.5}),
        ("step=1 of 2\n==========\naccuracy = 0.5\nx=-1e-3", {"x": -0.001}),
        ("a=+2 b=1.\n\nc=1E3\n", {"a": 2, "b": 1.0, "c": 1000.0}),
        ("Top1=123456789012345\n", {"Top1": 123456789012345}),
    ],
)
def test_lines_with_other_words_do_not_count(checkpoint, text, values):
    found = printed(checkpoint, text)

    assert found == values
    assert list(map(type, found.values())) == list(map(type, values.values()))


NO_NUMBERS = (
    "the evaluation of a.safetensors printed no numbers; it must print at least one NAME=VALUE, as in accuracy=0.98, "
    "on a line without other words"
)
BEGIN = "the evaluation of a.safetensors printed "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", NO_NUMBERS),
        ("accuracy: 0.5\n", NO_NUMBERS),
        ("accuracy = 0.5\n", NO_NUMBERS),
        ("top-1=0.5", f"{BEGIN}the name 'top-1'; a name has letters, digits and underscores"),
        ("précision=0.5", f"{BEGIN}the name 'précision'; a name has letters, digits and underscores"),
        ("a_reference=1", f"{BEGIN}the name 'a_reference'; names that end in _reference are those of the reference"),
        ("a=1 b=2\na=1", f"{BEGIN}'a' twice; it must print each name once"),
        ("loss=nan", f"{BEGIN}loss='nan'; a value must be a finite number"),
        ("loss=-inf", f"{BEGIN}loss='-inf'; a value must be a finite number"),
        ("loss=1e999", f"{BEGIN}loss='1e999'; a value must be a finite number"),
        ("loss=tensor(0.5)", f"{BEGIN}loss='tensor(0.5)'; a value must be a finite number"),
        ("accuracy=98%", f"{BEGIN}accuracy='98%'; a value must be a finite number"),
        ("a=1_0", f"{BEGIN}a='1_0'; a value must be a finite number"),
        ("a=1=2", NO_NUMBERS),
    ],
)
def test_what_cannot_be_used_is_one_sentence(checkpoint, text, message):
    with pytest.raises(EvaluationError) as caught:
        printed(checkpoint, text)

    assert str(caught.value) == message


def test_the_command_gets_the_absolute_path_as_one_word(checkpoint, monkeypatch):
    monkeypatch.chdir(checkpoint.parent)
    code = "import sys; print(f'n={len(sys.argv)} same={int(sys.argv[1] == sys.argv[2])}')"
    evaluation = Evaluation((sys.executable, "-c", code, str(checkpoint), "{checkpoint}"))

    assert evaluation.values(Path(checkpoint.name)) == {"n": 3, "same": 1}


def test_standard_input_is_empty(checkpoint):
    assert shell("echo n=$(wc -c)").values(checkpoint) == {"n": 0}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("exit 3", "the evaluation of a.safetensors ended with status 3; its stderr is empty"),
        (
            "echo a=1; echo loading >&2; exit 3",
            "the evaluation of a.safetensors ended with status 3; its stderr ends with 'loading'",
        ),
        (
            "printf 'zero\\none\\n\\n two\\nthree\\n' >&2; exit 1",
            "the evaluation of a.safetensors ended with status 1; its stderr ends with 'one / two / three'",
        ),
        ("kill -9 $$", "the evaluation of a.safetensors was ended by SIGKILL; its stderr is empty"),
    ],
)
def test_a_command_that_fails_is_one_sentence_with_its_status_and_the_end_of_its_stderr(checkpoint, code, message):
    with pytest.raises(EvaluationError) as caught:
        shell(code).values(checkpoint, "a.safetensors")

    assert str(caught.value) == message


def test_a_long_line_of_stderr_is_cut(checkpoint):
    code = "import sys; sys.exit('x' * 10_000 + 'end')"

    with pytest.raises(EvaluationError, match=r"its stderr ends with '\.\.\.x{497}end'$"):
        Evaluation((sys.executable, "-c", code, "{checkpoint}")).values(checkpoint)


def test_a_command_that_does_not_exist_is_one_sentence(checkpoint):
    message = "^the evaluation cannot be started: no-such-command: No such file or directory$"

    with pytest.raises(EvaluationError, match=message):
        parse_evaluation("no-such-command {checkpoint}").values(checkpoint)


def test_a_command_that_takes_too_long_is_one_sentence(checkpoint):
    with pytest.raises(EvaluationError) as caught:
        shell("sleep 600", timeout=0.01).values(checkpoint, "a.safetensors")

    ended = "the evaluation of a.safetensors took more than 0.01 s and was ended"
    assert str(caught.value) == f"{ended}; its stderr is empty"


FAMILY = "echo deep >&2; sleep 600 & echo $! > {}; trap '' TERM; wait; sleep 600"
"""A command that does not listen to SIGTERM, and a child that outlives it."""


def test_a_time_limit_kills_the_whole_process_group(checkpoint, tmp_path, monkeypatch):
    def expired(self, timeout=None):
        monkeypatch.undo()
        wait_for(tmp_path / "child")
        raise subprocess.TimeoutExpired(self.args, timeout)

    monkeypatch.setattr("subprocess.Popen.wait", expired)

    with pytest.raises(EvaluationError, match=r"took more than 5 s and was ended; its stderr ends with 'deep'$"):
        shell(FAMILY.format(tmp_path / "child"), timeout=5.0).values(checkpoint)

    assert has_ended(int((tmp_path / "child").read_text()))


def test_processes_that_a_command_leaves_are_killed(checkpoint, tmp_path):
    code = f"sleep 600 > /dev/null & echo $! > {tmp_path}/child; echo a=1"

    assert shell(code).values(checkpoint) == {"a": 1}
    assert has_ended(int((tmp_path / "child").read_text()))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("python x.py", {}, "`evaluate` is 'python x.py'; it must have {checkpoint} where the command takes it"),
        ("", {}, "`evaluate` is ''; it must have {checkpoint} where the command takes it"),
        (
            "run {checkpoint} {mask}",
            {},
            "`evaluate` has {mask}; known is {checkpoint}, and {{mask}} is the text itself",
        ),
        ("run {checkpoint}", {"eval_timeout": 0.0}, "`eval_timeout` is 0.0; it must be above 0 seconds"),
        ("run {checkpoint}", {"eval_timeout": float("nan")}, "`eval_timeout` is nan; it must be above 0 seconds"),
    ],
)
def test_what_is_no_evaluation_is_refused(text, options, message):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        parse_evaluation(text, **options)


def test_the_options_are_parsed():
    assert parse_evaluation("run '{checkpoint}' x", eval_timeout=2.5) == Evaluation(("run", "{checkpoint}", "x"), 2.5)


def test_a_name_that_a_gate_needs_has_to_be_printed(checkpoint):
    needs = Evaluation(("sh", "-c", "echo a=1 b=2", "sh", "{checkpoint}"), needed=frozenset(["a", "c"]))

    with pytest.raises(OptionError) as caught:
        needs.values(checkpoint, "a.safetensors")

    assert str(caught.value) == "a gate looks at eval_c, and the evaluation of a.safetensors printed a, b"


def test_a_result_has_the_columns_of_the_reference_in_its_order(checkpoint, tmp_path):
    checkpoint.write_text("a=1 b=2")
    (tmp_path / "result").write_text("b=5 a=3")
    reference = Evaluation(("cat", "{checkpoint}")).of_reference(checkpoint)

    columns = reference.columns(tmp_path / "result")

    assert list(columns.items()) == [
        ("eval_a", 3), ("eval_a_reference", 1), ("eval_b", 5), ("eval_b_reference", 2),
    ]  # fmt: skip


def test_other_names_than_those_of_the_reference_are_one_sentence(checkpoint, tmp_path):
    checkpoint.write_text("a=1 b=2")
    (tmp_path / "result").write_text("b=5 c=3")
    reference = Evaluation(("cat", "{checkpoint}")).of_reference(checkpoint, "the first")

    with pytest.raises(EvaluationError) as caught:
        reference.columns(tmp_path / "result", "the second")

    printed_names = "the evaluation printed a, b for the first, and b, c for the second"
    assert str(caught.value) == f"{printed_names}; it must print the same names for both"
