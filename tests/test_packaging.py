"""What is installed: all code, under the two names that belong to topoimp."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version

import pytest
from conftest import REPOSITORY
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def folders_with_code(root):
    """Every folder of the two source trees that holds Python files, as the package it becomes."""
    names = {"topoimp": "topoimp", "cli": "topoimp_cli"}
    folders = {path.parent.relative_to(root) for tree in names for path in (root / tree).rglob("*.py")}
    return sorted(".".join((names[folder.parts[0]], *folder.parts[1:])) for folder in folders)


def test_every_folder_with_code_is_packaged():
    assert folders_with_code(REPOSITORY) == sorted(PROJECT["tool"]["setuptools"]["packages"])


def test_the_guard_sees_a_folder_that_is_not_packaged(tmp_path):
    (tmp_path / "topoimp/new").mkdir(parents=True)
    (tmp_path / "topoimp/new/idea.py").touch()

    assert folders_with_code(tmp_path) == ["topoimp.new"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The built wheel, from a copy of the sources, without the network."""
    folder, sources = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("sources")
    for name in ("topoimp", "cli"):
        shutil.copytree(REPOSITORY / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, sources)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, sources], check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_installs_two_packages_and_none_called_cli(wheel):
    roots = {name.split("/")[0] for name in wheel.namelist() if ".dist-info" not in name}

    assert roots == {"topoimp", "topoimp_cli"}
    assert "topoimp/py.typed" in wheel.namelist()
    assert "topoimp_cli/prune.py" in wheel.namelist()


def test_the_version_stands_in_one_place():
    assert version("topoimp") == PROJECT["project"]["version"]


def test_the_pinned_set_up_is_within_the_bounds_and_complete():
    pins = {}
    for line in (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            name, _, pin = line.partition("==")
            pins[canonicalize_name(name)] = pin
    extras = PROJECT["project"]["optional-dependencies"]
    lines = [
        *PROJECT["project"]["dependencies"],
        *extras["test"],
        *extras["lint"],
        *PROJECT["build-system"]["requires"],
    ]

    for requirement in map(Requirement, lines):
        assert pins[canonicalize_name(requirement.name)] in requirement.specifier
    assert pins["torch"] == "2.13.0"


def test_ci_runs_the_test_command_of_the_readme():
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    script = (REPOSITORY / ".ci/run").read_text(encoding="utf-8").splitlines()

    assert "\nmake test\n" in readme
    assert "make test" in script
