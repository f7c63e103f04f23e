"""Kernels compile once, later processes load them, and topoimp works where no cache can be written."""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numba
import numpy as np
import pytest
from conftest import REPOSITORY, SAMPLES

from topoimp.kernels.compiled import compiled, telling_of_compilation

PROGRAM = "from topoimp_cli.app import run; run()"
NOTE = "compiling for this machine, once; it takes some seconds"
LEFT_OUT = "tensors left out: 2 (one axis)\n"


def topoimp(*arguments, program=PROGRAM, **environment):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=120)


def barcode(program=PROGRAM, **environment):
    finished = topoimp("barcode", SAMPLES / "mlp-digits.safetensors", "--format", "csv", program=program, **environment)
    assert finished.returncode == 0
    return finished


def test_a_first_use_says_that_it_compiles_and_a_second_loads_the_machine_code(tmp_path):
    first, second = barcode(NUMBA_CACHE_DIR=str(tmp_path)), barcode(NUMBA_CACHE_DIR=str(tmp_path))

    assert first.stderr == f"{NOTE}\n{LEFT_OUT}"
    assert second.stderr == LEFT_OUT
    assert first.stdout == second.stdout


@pytest.fixture
def sealed(tmp_path):
    """A copy of the code beside which not even root can write: a file takes the place of each cache folder."""
    for source, name in (("topoimp", "topoimp"), ("cli", "topoimp_cli")):
        shutil.copytree(REPOSITORY / source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        for folder in [tmp_path / name, *(path for path in (tmp_path / name).rglob("*") if path.is_dir())]:
            (folder / "__pycache__").touch()
    return tmp_path


@pytest.mark.parametrize("home", ["writable", "/dev/null"])
def test_an_installation_that_cannot_be_written_works_with_a_home_and_without(sealed, home):
    (sealed / "writable").mkdir()
    places = {"HOME": str(sealed / home), "XDG_CACHE_HOME": str(sealed / home / ".cache"), "NUMBA_CACHE_DIR": ""}
    program = f"import sys; sys.path.insert(0, {str(sealed)!r}); sys.dont_write_bytecode = True; {PROGRAM}"

    first, second = barcode(program, **places), barcode(program, **places)

    assert first.stderr == f"{NOTE}\n{LEFT_OUT}"
    assert second.stderr == (LEFT_OUT if home == "writable" else f"{NOTE}\n{LEFT_OUT}")


COMMANDS = [
    ("barcode", "mlp-digits.safetensors"),
    ("prune", "mlp-digits.safetensors", "--rounds", "3"),
    ("prune", "mlp-digits.safetensors", "--rounds", "3", "--scope", "global", "-o", "global.safetensors"),
    ("compare", "mlp-digits.safetensors", "mlp-digits.pruned.safetensors"),
    ("bound", "mlp-digits.safetensors", "--densities", "0.5,0.1"),
]
RUN_EACH = (
    "import os, sys; from topoimp_cli.app import main; os.chdir(sys.argv[1]); "
    f"print([main([*command, '--format', 'csv']) for command in {COMMANDS!r}])"
)


def test_without_compilation_every_command_prints_the_same(tmp_path):
    results = []
    for disabled in "01":
        folder = tmp_path / disabled
        folder.mkdir()
        shutil.copy(SAMPLES / "mlp-digits.safetensors", folder)
        results.append(topoimp(folder, program=RUN_EACH, NUMBA_DISABLE_JIT=disabled, PYTHONWARNINGS="error"))

    as_compiled, as_python = results
    assert as_compiled.stdout.endswith("[0, 0, 0, 0, 0]\n")
    assert as_python.stdout == as_compiled.stdout


LIGHT = [
    (["--help"], 0),
    (["--version"], 0),
    (["bound", "--arch", "lenet-300-100"], 0),
    (["bound", "--shape", "64x3x3x3"], 0),
    (["barcode", "missing.safetensors"], 1),
    (["prune", str(SAMPLES / "README.md"), "--rounds", "3"], 1),
    (["prune", str(SAMPLES / "mlp-digits.safetensors")], 2),
]
"""Commands that analyse no weights, and their exit statuses."""


def test_help_closed_forms_and_errors_import_neither_numba_nor_torch():
    program = (
        "import sys; from topoimp_cli.app import main\n"
        f"for arguments in {[arguments for arguments, _ in LIGHT]}:\n"
        "    print('ended with', main(arguments), *{'numba', 'torch'} & set(sys.modules))"
    )

    printed = topoimp(program=program).stdout.splitlines()

    ends = [line.removeprefix("ended with ") for line in printed if line.startswith("ended with ")]
    assert ends == [str(status) for _, status in LIGHT]


@compiled("numbers")
def total(numbers: np.ndarray, weight: int) -> int:
    added = 0
    for number in numbers:
        added += int(number) * weight
    return added


@compiled()
def double(numbers: np.ndarray) -> None:
    for i in range(numbers.size):
        numbers[i] *= 2


@compiled()
def twice(numbers: np.ndarray) -> int:
    double(numbers)
    return total(numbers, 1)


@pytest.fixture
def forget(monkeypatch):
    """Makes the functions above forget their machine code, as a new process does."""

    def forget():
        for function in (total, double, twice):
            monkeypatch.setattr(function, "_cached", None)
            monkeypatch.setattr(function, "_in_memory", None)

    return forget


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, forget):
    """An empty cache, and functions that have loaded nothing from another one."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    forget()
    return tmp_path / "cache"


@contextmanager
def counting_compilations():
    told = []
    with telling_of_compilation(lambda: told.append(True)):
        yield told


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64, np.int32, np.int64])
def test_each_type_has_its_own_code(dtype):
    assert total(np.array([1, 2, np.iinfo(dtype).max >> 3], dtype), 2) == 2 * (3 + (int(np.iinfo(dtype).max) >> 3))


def test_a_kernel_calls_another_one():
    numbers = np.arange(4)

    assert twice(numbers) == 12
    assert numbers.tolist() == [0, 2, 4, 6]


def test_read_only_inputs_take_the_code_of_writable_ones():
    numbers = np.arange(5, dtype=np.uint32)
    sealed = numbers.copy()
    sealed.flags.writeable = False

    with counting_compilations() as told:
        assert total(numbers, 3) == 30
    assert told == [True]
    with counting_compilations() as told:
        assert total(sealed, 3) == 30
    assert told == []
    assert numbers.flags.writeable


def test_a_kernel_that_writes_its_input_is_refused():
    @compiled("numbers")
    def clear(numbers: np.ndarray) -> None:
        numbers[0] = 0

    with pytest.raises(numba.TypingError, match="Cannot modify readonly array"):
        clear(np.arange(3))


def test_an_array_that_a_kernel_writes_must_be_writable():
    sealed = np.arange(3)
    sealed.flags.writeable = False

    with pytest.raises(numba.TypingError, match="Cannot modify readonly array"):
        double(sealed)


def test_compilation_is_told_once_and_only_if_the_cache_is_empty(forget):
    with counting_compilations() as told:
        total(np.arange(3), 1)
        double(np.arange(3))
    assert told == [True]

    forget()
    with counting_compilations() as told:
        assert total(np.arange(3), 1) == 3
    assert told == []


@pytest.mark.parametrize("damage", [lambda code: code[:-1], lambda _: b"", lambda _: b"no pickle"])
@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_a_damaged_file_in_the_cache_does_not_matter(folder, forget, damage, suffix):
    total(np.arange(3), 1)
    (file,) = folder.rglob(f"*.{suffix}")
    file.write_bytes(damage(file.read_bytes()))
    forget()

    with counting_compilations() as told:
        assert total(np.arange(3), 1) == 3

    assert told == [True]


def test_a_disk_that_fills_up_does_not_matter(folder):
    twice(np.arange(3))
    shutil.rmtree(folder)
    folder.touch()

    assert twice(np.arange(3, dtype=np.uint16)) == 6
    assert twice(np.arange(3, dtype=np.uint16)) == 6


def test_a_changed_source_is_compiled_anew(tmp_path):
    source = tmp_path / "source.py"
    answers = []
    for answer in (12, 345):
        source.write_text(
            "from topoimp.kernels.compiled import compiled\n\n"
            f"@compiled()\ndef answer(n: int) -> int:\n    return {answer} + n\n"
        )
        specification = importlib.util.spec_from_file_location("source", source)
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        answers.append(module.answer(0))

    assert answers == [12, 345]


def test_threads_run_side_by_side_and_compile_once(folder):
    numbers = np.arange(1000)

    with counting_compilations() as told, ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda weight: total(numbers, weight) // max(weight, 1), range(1, 50)))

    assert found == {499500}
    assert told == [True]
    assert len([*folder.rglob("*.nbc")]) == 1


def kernels_of_another_file(source):
    """The functions that a file of kernels imports from another one; numba would not notice that they change."""
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    names = [(node.module, alias.name) for node in imports for alias in node.names]
    return [name for module, name in names if module.startswith("topoimp.kernels.") and not name.isupper()]


@pytest.mark.parametrize("path", sorted((REPOSITORY / "topoimp/kernels").glob("*.py")), ids=lambda path: path.name)
def test_a_kernel_calls_kernels_of_its_own_file_alone(path):
    assert kernels_of_another_file(path.read_text(encoding="utf-8")) in ([], ["compiled"])


def test_the_guard_sees_a_kernel_of_another_file():
    source = "from topoimp.kernels.compiled import compiled\nfrom topoimp.kernels.components import root_of"

    assert kernels_of_another_file(source) == ["compiled", "root_of"]
