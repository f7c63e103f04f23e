import json
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topoimp.errors import OptionError, TrainingError
from topoimp.rounds.assignment import Assignment
from topoimp.trainer import PLACEHOLDERS, Trainer, parse_trainer


@pytest.fixture
def assignment(tmp_path):
    names = ("init", "mask", "out", "started", "metrics", "log")
    return Assignment(number=3, seed=7, **{name: tmp_path / f"a {name}" for name in names})


def python(code, *words):
    return Trainer((sys.executable, "-c", code, *words))


def test_placeholders_are_filled_in_wherever_they_stand(assignment):
    words = [f"--{name}={{{name}}}" for name in PLACEHOLDERS]
    code = "import sys, json; open(sys.argv[1], 'w').write(json.dumps(sys.argv[2:]))"

    python(code, "{out}", *words).retrain(assignment)

    paths = {name: str(getattr(assignment, name)) for name in PLACEHOLDERS if name not in ("seed", "round")}
    filled = {**paths, "seed": "7", "round": "3"}
    assert json.loads(assignment.out.read_text()) == [f"--{name}={filled[name]}" for name in PLACEHOLDERS]


def test_other_braces_are_left_alone():
    trainer = parse_trainer("""run {init} {mask} {out} '{"lr": 1}' '{}' '{ a }'""")

    assert trainer.words[4:] == ('{"lr": 1}', "{}", "{ a }")


@given(st.lists(st.text(), max_size=4))
def test_no_word_is_lost(words):
    import shlex

    text = shlex.join(["cmd", "{init}", "{mask}", "{out}", *(word.replace("{", "(") for word in words)])

    assert list(parse_trainer(text).words[4:]) == [word.replace("{", "(") for word in words]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("train {init} {mask}", {}, r"--trainer is 'train \{init\} \{mask\}'; it must have \{out\} where the trainer"),
        ("train", {}, r"it must have \{init\}"),
        ("", {}, r"it must have \{init\}"),
        ("train {init} {mask} {out} {epoch}", {}, r"--trainer has \{epoch\}; known are \{init\}, \{mask\}, \{out\}"),
        ("train '{init} {mask} {out}", {}, "it must be a command: No closing quotation"),
        ("train {init} {mask} {out}", {"n_seeds": 2}, r"it must have \{seed\} where the trainer takes it"),
        ("train {init} {mask} {out}", {"timeout": 0.0}, "the trainer's time-out is 0.0; it must be above 0 seconds"),
        ("train {init} {mask} {out}", {"timeout": float("nan")}, "the trainer's time-out is nan"),
    ],
)
def test_what_is_no_trainer_is_refused(text, options, message):
    with pytest.raises(OptionError, match=message):
        parse_trainer(text, **options)


def test_metrics_are_those_that_are_known(assignment):
    code = 'import sys; open(sys.argv[1], \'w\').write(\'{"test_accuracy": 1, "train_loss": 0.5, "mood": "good"}\')'

    assert python(code, "{metrics}").retrain(assignment) == {"test_accuracy": 1.0, "train_loss": 0.5}


def test_metrics_need_not_be_written(assignment):
    assert python("pass").retrain(assignment) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the trainer's metrics are no JSON: "),
        ("[1]", "the trainer's metrics are no JSON object; train_loss, test_loss, test_accuracy may be in it"),
        ('{"test_loss": "low"}', "the trainer's test_loss is 'low'; it must be a finite number"),
        ('{"test_loss": NaN}', "the trainer's test_loss is nan; it must be a finite number"),
        ('{"test_loss": true}', "the trainer's test_loss is True; it must be a finite number"),
    ],
)
def test_metrics_that_are_none_are_said(assignment, text, message):
    assignment.metrics.write_text(text)

    with pytest.raises(TrainingError, match=message):
        python("pass").retrain(assignment)


def test_a_trainer_that_was_killed_is_said(assignment):
    with pytest.raises(TrainingError, match=r"the trainer was ended by SIGKILL; it said nothing"):
        python("import os; os.kill(os.getpid(), 9)").retrain(assignment)


def test_what_a_trainer_started_is_ended_with_it(assignment):
    code = (
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "open(sys.argv[1], 'w').write(str(child.pid)); child.wait()"
    )

    with pytest.raises(TrainingError, match=r"the trainer took more than 1.5 s and was ended"):
        Trainer((sys.executable, "-c", code, "{out}"), timeout=1.5).retrain(assignment)

    assert not _is_running(int(assignment.out.read_text()))


def _is_running(process):
    for _ in range(50):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return False
        if state == "Z":
            return False
        time.sleep(0.1)
    return True


def test_an_interruption_ends_the_trainer(assignment, monkeypatch):
    def interrupted(*_arguments):
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr("subprocess.Popen.wait", interrupted)
    begin = time.monotonic()

    with pytest.raises(KeyboardInterrupt):
        python("import time; time.sleep(60)").retrain(assignment)

    assert time.monotonic() - begin < 30


def test_what_a_trainer_says_is_in_the_log(assignment):
    python("import sys; print('out'); print('err', file=sys.stderr)").retrain(assignment)

    assert sorted(assignment.log.read_text().split()) == ["err", "out"]
