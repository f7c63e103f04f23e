"""docs/ci.md is true: its commands run, and so do the commands of action.yml and of the hooks that it shows."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import REPOSITORY, SAMPLES, without_compiling
from junit_rules import cases_of, violations
from test_readme import sessions, squeezed

from topoimp.checkpoint import write_arrays

PAGE = (REPOSITORY / "docs/ci.md").read_text(encoding="utf-8")
GITLAB, WORKFLOW, PRE_COMMIT = (yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
ACTION = yaml.safe_load((REPOSITORY / "action.yml").read_text(encoding="utf-8"))
HOOKS = {
    hook["id"]: hook for hook in yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
}


@pytest.fixture
def environment(forks):
    """The variables of a process that finds topoimp on its PATH."""
    return {**os.environ, "PATH": f"{forks.programs}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture
def folder(tmp_path):
    """A fresh folder with the samples, which lie in models/ too."""
    shutil.copytree(SAMPLES, tmp_path / "models", ignore=shutil.ignore_patterns("*.py", "*.md"))
    for path in (tmp_path / "models").iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path


@pytest.fixture
def run_in_shell(folder, environment):
    def run(command):
        return subprocess.run(  # noqa: S602  # ours
            command,
            shell=True,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize(("command", "output"), list(sessions(PAGE)), ids=lambda text: text[:20])
def test_every_command_of_the_page_prints_what_it_shows(run_in_shell, command, output):
    done = run_in_shell(command)

    assert squeezed(without_compiling(done.stdout)) == squeezed(output)


def test_the_script_for_gitlab_writes_its_report(run_in_shell, folder):
    install, command = GITLAB["checkpoints"]["script"]

    done = run_in_shell(command)

    report = folder / GITLAB["checkpoints"]["artifacts"]["reports"]["junit"]
    assert install.startswith("pip install ")
    assert done.returncode == 0
    assert violations(report.read_bytes()) == []
    assert len(cases_of(report.read_bytes())) == 12


def environment_of(step, inputs):
    """The variables of a step, as GitHub's runner fills in the inputs of the action."""
    defaults = {name: each.get("default") for name, each in ACTION["inputs"].items()}
    values = {f"${{{{ inputs.{name} }}}}": value for name, value in {**defaults, **inputs}.items()}
    return {name: values[expression] for name, expression in step["env"].items()}


def run_step(step, folder, inputs, **environment):
    """Run a step of the action as GitHub's runner does: ``shell: bash``, from a file, in the user's checkout."""
    script = folder.parent / "step.sh"
    script.write_text(step["run"], encoding="utf-8")
    own = {**os.environ, **environment_of(step, inputs), **environment}
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", script]
    return subprocess.run(shell, cwd=folder, env=own, capture_output=True, text=True, check=False)


INSTALL, RUN = ACTION["runs"]["steps"]


@pytest.fixture
def runner(tmp_path, forks):
    """A folder for the runner's temporary files, in which the action finds topoimp installed."""
    installed = tmp_path / "runner/topoimp"
    installed.mkdir(parents=True)
    (installed / "bin").symlink_to(forks.programs)
    return tmp_path / "runner"


def run_action(folder, runner, **inputs):
    words = {name.replace("_", "-"): value for name, value in inputs.items()}
    done = run_step(RUN, folder, words, RUNNER_TEMP=str(runner))
    return done.returncode, done.stdout.splitlines()


USES = [step["with"] for step in WORKFLOW["jobs"]["checkpoints"]["steps"] if "topoimp" in step["uses"]]


@pytest.mark.parametrize("inputs", USES, ids=lambda inputs: inputs.get("command", "barcode"))
def test_the_action_of_the_workflow_passes(folder, runner, inputs):
    done = run_step(RUN, folder, inputs, RUNNER_TEMP=str(runner))

    assert set(inputs) <= set(ACTION["inputs"])
    assert (done.returncode, done.stdout) == (0, "")
    assert (folder / "gates.xml").is_file() == ("junit" in inputs)


def test_the_action_hands_on_every_line_of_its_inputs(folder, runner):
    status, lines = run_action(
        folder,
        runner,
        command="bound",
        checkpoints="models/lenet-3*.safetensors\n\nmodels/mlp-digits.safetensors\n",
        fail_if="layer:safe_count>50000\nlayer : floor < 100\n",
        junit="gates.xml",
        arguments="--exclude=fc2*\n--rate\n0.3",
    )

    trained, digits = "models/lenet-300-100-mnist.safetensors", "models/mlp-digits.safetensors"
    assert status == 3
    assert lines == [
        "::error title=topoimp bound::gate 'layer:safe_count>50000': layer 'fc1.weight' of "
        f"{trained} has safe_count 53131",
        f"::error title=topoimp bound::gate 'layer : floor < 100': layer 'fc1.weight' of {digits} has floor 95",
    ]
    assert violations((folder / "gates.xml").read_bytes()) == []


@pytest.mark.parametrize(
    "name",
    ["with space.safetensors", "-dash.safetensors", "[ab].safetensors", "$(touch x).safetensors", "a'b\".safetensors"],
)
def test_the_action_reads_files_of_any_name(folder, runner, name):
    shutil.copy(folder / "mlp-digits.safetensors", folder / name)
    before = sorted(folder.iterdir())

    status, lines = run_action(folder, runner, checkpoints=name, fail_if="network:beta0>2")

    assert (status, lines) == (0, [])
    assert sorted(folder.iterdir()) == before


def test_no_input_of_the_action_is_run_as_a_command(folder, runner):
    before = sorted(folder.iterdir())
    evil = '$(touch x)"; touch y; `touch z`'

    status, lines = run_action(folder, runner, checkpoints=evil, fail_if=evil, junit=evil, arguments=evil, command=evil)

    assert status == 2
    assert len(lines) == 1
    assert sorted(folder.iterdir()) == before
    assert "${{" not in INSTALL["run"] + RUN["run"]


def test_the_action_names_a_path_that_no_file_matches(folder, runner):
    status, lines = run_action(folder, runner, checkpoints="models/*.pt\nmlp-digits.safetensors")

    assert status == 1
    assert lines == ["::error title=topoimp barcode::models/*.pt: no such file"]


def test_the_action_installs_the_repository_once_in_an_environment_of_its_own(tmp_path):
    action, checkout, temporary = (tmp_path / name for name in ("action", "checkout", "temporary"))
    for name in ("topoimp", "cli"):
        shutil.copytree(REPOSITORY / name, action / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, action)
    checkout.mkdir()
    # Without the network: setuptools, which builds the wheel, is that of the tests, and dependencies are left out.
    offline = {"PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    places = {"RUNNER_TEMP": temporary, "GITHUB_ACTION_PATH": action, "PYTHONPATH": setuptools(tmp_path)}
    environment = {**offline, **{name: str(place) for name, place in places.items()}}

    done = run_step(INSTALL, checkout, {"python": sys.executable}, **environment)
    again = run_step(INSTALL, checkout, {"python": "no-python"}, **environment)

    assert (done.returncode, again.returncode) == (0, 0), done.stderr
    installed = {path.name for path in temporary.glob("topoimp/lib/python*/site-packages/*")}
    assert {"topoimp", "topoimp_cli"} <= installed
    assert os.access(temporary / "topoimp/bin/topoimp", os.X_OK)
    assert list(checkout.iterdir()) == []


def setuptools(folder):
    """A folder with the setuptools of the tests and nothing else."""
    packages = Path(find_spec("setuptools").origin).parent.parent
    links = folder / "setuptools"
    links.mkdir()
    for pattern in ("setuptools*", "_distutils_hack", "pkg_resources"):
        for path in packages.glob(pattern):
            (links / path.name).symlink_to(path)
    return links


def files_for(hook, folder):
    """The files of a folder that pre-commit hands to a hook."""
    names = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()]
    return [name for name in names if re.search(hook["files"], name) and not re.search(hook["exclude"], name)]


@pytest.fixture
def run_hook(folder, environment):
    """Run a hook as pre-commit does: its entry, the arguments of the user, and the files; without a shell."""

    def run(name, args=()):
        hook = HOOKS[name]
        command = [*shlex.split(hook["entry"]), *args, *files_for(hook, folder)]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_has_what_pre_commit_needs(name):
    hook = HOOKS[name]

    assert {"id", "name", "entry", "language"} <= set(hook)
    assert hook["language"] == "python"
    assert hook["require_serial"]  # one process sees all files, as topoimp uses all cores itself


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_takes_checkpoints_and_no_other_files(name):
    hook = HOOKS[name]
    taken = ["a.safetensors", "b/c.pt", "d.pth", "e.ckpt"]

    names = [*taken, "a.mask.safetensors", "safetensors", "a.safetensors.json", "pt.py", "f.bin"]
    assert [each for each in names if re.search(hook["files"], each) and not re.search(hook["exclude"], each)] == taken


@pytest.mark.parametrize("use", PRE_COMMIT["repos"][0]["hooks"], ids=lambda use: use["id"])
def test_the_hooks_of_the_page_pass_and_fail_where_their_gates_do(run_hook, folder, use):
    passed = run_hook(use["id"], use["args"])
    bad = {"parts": np.diag([1.0, 1.0, 0.0]), "tight": np.arange(36.0, 0.0, -1.0).reshape(6, 6)}
    write_arrays(folder / "models/bad.safetensors", bad, {})

    failed = run_hook(use["id"], use["args"])

    assert passed.returncode == 0, passed.stderr
    assert failed.returncode == 3
    assert {line.partition(" has ")[0].rpartition(" of ")[2] for line in failed.stderr.splitlines()} == {
        "models/bad.safetensors"
    }


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_without_arguments_fails_for_files_that_cannot_be_used(run_hook, folder, name):
    passed = run_hook(name)
    write_arrays(folder / "bad.safetensors", {"w": np.array([[1.0, np.nan], [1.0, 1.0]])}, {})

    failed = run_hook(name)

    assert passed.returncode == 0, passed.stderr
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: bad.safetensors: ")
