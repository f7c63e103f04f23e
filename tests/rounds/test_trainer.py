import json
import shlex
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import has_ended

from topoimp.engine import child
from topoimp.errors import OptionError, TrainingError
from topoimp.programs.running import GRACE
from topoimp.rounds.run_folder import TrainingTask
from topoimp.rounds.trainer import PLACEHOLDERS, Trainer, parse_trainer


@pytest.fixture
def task(tmp_path):
    names = ("init", "mask", "out", "started", "metrics", "log")
    return TrainingTask(number=3, seed=7, **{name: tmp_path / f"a {name}" for name in names})


def python(code, *words):
    return Trainer((sys.executable, "-c", code, *words))


def test_placeholders_are_filled_in_wherever_they_stand(task):
    words = [f"--{name}={{{name}}}" for name in PLACEHOLDERS]
    code = "import sys, json; open(sys.argv[1], 'w').write(json.dumps(sys.argv[2:]))"

    python(code, "{out}", *words).retrain(task)

    paths = {name: str(getattr(task, name)) for name in PLACEHOLDERS if name not in ("seed", "round")}
    filled = {**paths, "seed": "7", "round": "3"}
    assert json.loads(task.out.read_text()) == [f"--{name}={filled[name]}" for name in PLACEHOLDERS]


def test_doubled_braces_are_the_text_itself(task):
    code = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"
    text = "{{seed}} is {seed}, {{epoch}}"

    trainer = parse_trainer(shlex.join([sys.executable, "-c", code, "{out}", text, "{init}", "{mask}"]))
    trainer.retrain(task)

    assert task.out.read_text() == "{seed} is 7, {epoch}"


def test_a_doubled_placeholder_is_none():
    with pytest.raises(OptionError, match=r"it must have \{out\} where the command"):
        parse_trainer("train {init} {mask} {{out}}")


def test_other_braces_are_left_alone():
    trainer = parse_trainer("""run {init} {mask} {out} '{"lr": 1}' '{}' '{ a }'""")

    assert trainer.words[4:] == ('{"lr": 1}', "{}", "{ a }")


@given(st.lists(st.text(), max_size=4))
def test_no_word_is_lost(words):
    text = shlex.join(["cmd", "{init}", "{mask}", "{out}", *(word.replace("{", "(") for word in words)])

    assert list(parse_trainer(text).words[4:]) == [word.replace("{", "(") for word in words]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("train {init} {mask}", {}, r"`trainer` is 'train \{init\} \{mask\}'; it must have \{out\} where the command"),
        ("train", {}, r"it must have \{init\}"),
        ("", {}, r"it must have \{init\}"),
        ("train {init} {mask} {out} {epoch}", {}, r"`trainer` has \{epoch\}; known are \{init\}, \{mask\}, \{out\}"),
        ("train '{init} {mask} {out}", {}, "it must be a command: No closing quotation"),
        ("train {init} {mask} {out}", {"n_seeds": 2}, r"it must have \{seed\} where the command takes it"),
        ("train {init} {mask} {out}", {"timeout": 0.0}, "the trainer's time-out is 0.0; it must be above 0 seconds"),
        ("train {init} {mask} {out}", {"timeout": float("nan")}, "the trainer's time-out is nan"),
    ],
)
def test_what_is_no_trainer_is_refused(text, options, message):
    with pytest.raises(OptionError, match=message):
        parse_trainer(text, **options)


def test_metrics_are_those_that_are_known(task):
    code = 'import sys; open(sys.argv[1], \'w\').write(\'{"test_accuracy": 1, "train_loss": 0.5, "mood": "good"}\')'

    assert python(code, "{metrics}").retrain(task) == {"test_accuracy": 1.0, "train_loss": 0.5}


def test_metrics_need_not_be_written(task):
    assert python("pass").retrain(task) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the trainer's metrics are no JSON: "),
        ("[1]", "the trainer's metrics are no JSON object; train_loss, test_loss, test_accuracy may be in it"),
        ('{"test_loss": "low"}', "the trainer's test_loss is 'low'; it must be a finite number"),
        ('{"test_loss": NaN}', "the trainer's test_loss is nan; it must be a finite number"),
        (f'{{"test_loss": 1{"0" * 400}}}', r"the trainer's test_loss is 10+\.\.\.0+; it must be a finite number"),
        pytest.param("[" * 200_000, "the trainer's metrics are nested too deeply to be read", id="deep"),
        ('{"test_loss": true}', "the trainer's test_loss is True; it must be a finite number"),
    ],
)
def test_metrics_that_are_none_are_said(task, text, message):
    task.metrics.write_text(text)

    with pytest.raises(TrainingError, match=message):
        python("pass").retrain(task)


def test_metrics_that_are_no_text_are_said(task):
    task.metrics.write_bytes(b'{"test_loss": "\xff"}')

    with pytest.raises(TrainingError, match="the trainer's metrics are no JSON: 'utf-8' codec can't decode"):
        python("pass").retrain(task)


@pytest.mark.skipif(not hasattr(signal, "SIGRTMIN"), reason="there are no real-time signals here")
def test_a_signal_without_a_name_is_said_by_its_number(task):
    number = signal.SIGRTMIN + 1

    with pytest.raises(TrainingError, match=f"the trainer was ended by signal {number}; it said nothing"):
        python(f"import os; os.kill(os.getpid(), {number})").retrain(task)


def test_a_trainer_that_was_killed_is_said(task):
    with pytest.raises(TrainingError, match=r"the trainer was ended by SIGKILL; it said nothing"):
        python("import os; os.kill(os.getpid(), 9)").retrain(task)


def test_what_a_trainer_started_is_ended_with_it(task):
    code = (
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "open(sys.argv[1], 'w').write(str(child.pid)); child.wait()"
    )

    with pytest.raises(TrainingError, match=r"the trainer took more than 1.5 s and was ended"):
        Trainer((sys.executable, "-c", code, "{out}"), timeout=1.5).retrain(task)

    assert has_ended(int(task.out.read_text()))


def test_an_interruption_ends_the_trainer(task, monkeypatch):
    def interrupted(*_arguments):
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr("subprocess.Popen.wait", interrupted)
    begin = time.monotonic()

    with pytest.raises(KeyboardInterrupt):
        python("import time; time.sleep(600)").retrain(task)

    assert time.monotonic() - begin < 30


def test_what_a_trainer_says_is_in_the_log(task):
    python("import sys; print('out'); print('err', file=sys.stderr)").retrain(task)

    assert sorted(task.log.read_text().split()) == ["err", "out"]


def test_a_shell_is_handed_its_paths_as_the_documentation_says(task):
    text = """sh -c 'cat "$1" > "$2"' sh {init} {out} {mask}"""
    task.init.write_text("weights")

    parse_trainer(text).retrain(task)

    assert " " in str(task.init)
    assert task.out.read_text() == "weights"


def test_what_is_shown_of_the_log_is_its_last_line_and_at_most_200_characters(task):
    with pytest.raises(TrainingError, match=r"ended with status 3; its last line: 'short', all of it is in .*a log"):
        python("print('x' * 100_000); print('short'); raise SystemExit(3)").retrain(task)
    with pytest.raises(TrainingError, match=rf"its last line: '{'y' * 200}\.\.\.', all of it"):
        python("print('y' * 100_000); raise SystemExit(3)").retrain(task)


def test_what_a_trainer_leaves_running_is_ended_once_it_has_ended(task):
    code = (
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "open(sys.argv[1], 'w').write(str(child.pid))"
    )

    python(code, "{out}").retrain(task)

    assert has_ended(int(task.out.read_text()))


STUBBORN = (
    "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
)
"""A trainer that does not end when it is told to."""


def test_a_second_interruption_ends_a_trainer_that_does_not_listen(task, monkeypatch):
    def interrupted(*arguments):
        if GRACE in arguments:
            monkeypatch.undo()
        _wait_for(task.out)
        raise KeyboardInterrupt

    monkeypatch.setattr("subprocess.Popen.wait", interrupted)

    with pytest.raises(KeyboardInterrupt):
        python(STUBBORN, "{out}").retrain(task)

    assert has_ended(int(task.out.read_text()))


def test_a_trainer_ends_when_the_process_that_started_it_is_killed(task):
    code = (
        "import sys; from pathlib import Path; from topoimp.rounds.run_folder import TrainingTask;"
        "from topoimp.rounds.trainer import Trainer; path = Path(sys.argv[1]);"
        "names = ('init', 'mask', 'out', 'started', 'metrics', 'log');"
        "given = {name: path if name == 'out' else path.with_name(name) for name in names};"
        "Trainer((sys.executable, '-c', sys.argv[2], '{out}')).retrain(TrainingTask(number=1, seed=0, **given))"
    )
    sleeping = STUBBORN.replace("SIG_IGN", "SIG_DFL")
    process = subprocess.Popen([sys.executable, "-c", code, task.out, sleeping])
    _wait_for(task.out)

    process.kill()
    process.wait()

    assert has_ended(int(task.out.read_text()))


def test_a_trainer_has_less_time_to_end_than_the_replicate_that_runs_it():
    assert GRACE < child.GRACE < 2


def _wait_for(path):
    begin = time.monotonic()
    while time.monotonic() - begin < 30 and not (path.exists() and path.read_text()):
        time.sleep(0.05)
