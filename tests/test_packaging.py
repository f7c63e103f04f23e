"""What is installed: all code, under the two names that belong to topoimp."""

import ast
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions, version

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


USED_WITHOUT_IMPORT = {
    "accelerate": "Trainer of transformers needs it",
    "cryptography": "makes the keys of TLS between the processes of a cluster",
    "flask": "moto's server needs it",
    "flask-cors": "moto's server needs it",
    "ipykernel": "runs the cells of notebooks",
    "pytest-mpl": "compares pictures with those in tests/plots/baseline",
    "pytest-xdist": "make test runs pytest -n",
    "setuptools": "builds the wheel",
}
NOT_INSTALLED = {"giotto-ph": "gph", "datasets": "datasets"}
"""Modules of distributions that a plain test environment may lack."""


INSTALLED_APART = {"real_owners.py", "models_owners.py"}
"""Files that import packages which benchmarks/real_cases.py or models_cases.py names, in folders of their own."""


def imports_of(*folders):
    """The outside modules that the Python files of some folders import."""
    files = [path for folder in folders for path in folder.rglob("*.py")]
    own = {"topoimp", "topoimp_cli", *(path.stem for path in files)}
    read = [path for path in files if path.name not in INSTALLED_APART]
    nodes = [node for path in read for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0}
    return {module.partition(".")[0] for module in modules} - own - sys.stdlib_module_names


def declared(*extras):
    """The modules of the distributions that pyproject.toml declares for topoimp, or for some extras."""
    project = PROJECT["project"]
    lists = [project["optional-dependencies"][extra] for extra in extras] or [project["dependencies"]]
    names = {canonicalize_name(Requirement(line).name) for lines in lists for line in lines}

    modules = {name: {module} for name, module in NOT_INSTALLED.items() if name in names}
    for module, distributions in packages_distributions().items():
        for name in names.intersection(map(canonicalize_name, distributions)):
            modules.setdefault(name, set()).add(module)
    return {name: modules.get(name, set()) for name in names}


def mismatches(imported, required, allowed):
    """The imported modules that are not allowed, and the required distributions of which no module is imported."""
    undeclared = imported - set().union(*allowed.values())
    unused = {name for name, modules in required.items() if not modules & imported} - set(USED_WITHOUT_IMPORT)
    return sorted(undeclared), sorted(unused)


def test_what_topoimp_imports_is_declared_and_what_is_declared_is_imported():
    imported = imports_of(REPOSITORY / "topoimp", REPOSITORY / "cli")

    extras = ("cluster", "hub", "plot", "remote", "zstd")
    allowed = declared() | declared(*extras)
    assert mismatches(imported, declared(), allowed) == ([], [])
    for extra in extras:
        assert mismatches(imported, declared(extra), allowed) == ([], [])


def test_what_tests_and_benchmarks_import_is_declared_and_what_is_declared_for_them_is_imported():
    imported = imports_of(REPOSITORY / "tests", REPOSITORY / "docs")
    measured = imports_of(REPOSITORY / "benchmarks")

    assert mismatches(imported, declared("test"), declared() | declared("test")) == ([], [])
    assert mismatches(measured, declared("bench"), declared() | declared("bench")) == ([], [])


def test_no_exception_to_the_rule_is_out_of_date():
    imported = imports_of(REPOSITORY / "topoimp", REPOSITORY / "cli", REPOSITORY / "tests")
    required = declared() | declared("test")

    assert [name for name in USED_WITHOUT_IMPORT if name not in required or required[name] & imported] == []


def test_the_guard_sees_an_undeclared_import_and_an_unused_declaration(tmp_path):
    (tmp_path / "idea.py").write_text("import os.path, numpy.linalg\nfrom scipy import stats\nfrom . import other\n")

    imported = imports_of(tmp_path)

    assert imported == {"numpy", "scipy"}
    assert mismatches(imported, {"numpy": {"numpy"}}, {"numpy": {"numpy"}}) == (["scipy"], [])
    assert mismatches(imported, declared("lint"), {"numpy": {"numpy"}, "scipy": {"scipy"}}) == (
        [],
        sorted(declared("lint")),
    )
