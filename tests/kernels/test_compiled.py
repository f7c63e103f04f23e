"""Kernels compile once, later processes load them, and topoimp works where no cache can be written."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from conftest import REPOSITORY, SAMPLES

from topoimp.kernels.compiled import compiled, telling_of_compilation

PROGRAM = "from topoimp_cli.app import run; run()"
NOTE = "compiling for this machine, once; it takes some seconds"


def topoimp(*arguments, program=PROGRAM, **environment):
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )


def barcode(program=PROGRAM, **environment):
    return topoimp("barcode", SAMPLES / "mlp-digits.safetensors", "--format", "csv", program=program, **environment)


def test_a_first_use_says_that_it_compiles_and_a_second_loads_the_machine_code(tmp_path):
    first, second = barcode(NUMBA_CACHE_DIR=str(tmp_path)), barcode(NUMBA_CACHE_DIR=str(tmp_path))

    assert first.stderr == f"{NOTE}\n"
    assert second.stderr == ""
    assert first.stdout == second.stdout


@pytest.fixture
def sealed(tmp_path):
    """A copy of the code beside which nothing can be written, not even by root: each cache folder's name is a file."""
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

    assert first.stderr == f"{NOTE}\n"
    assert second.stderr == ("" if home == "writable" else f"{NOTE}\n")


def test_without_the_compiler_results_are_the_same(tmp_path):
    rng = np.random.default_rng(3)
    for dtype in ("float16", "float32", "float64"):
        np.save(tmp_path / f"{dtype}.npy", rng.normal(size=(6, 5)).astype(dtype))
    program = (
        "import sys, numpy as np, topoimp\n"
        "for path in sys.argv[1:]:\n"
        "    forest = topoimp.spanning_forest(topoimp.as_layer(np.load(path)))\n"
        "    print(forest.indices.tolist(), forest.strengths.tolist(), forest.n_edges)"
    )
    paths = sorted(map(str, tmp_path.glob("*.npy")))

    slow, quick = topoimp(*paths, program=program, NUMBA_DISABLE_JIT="1"), topoimp(*paths, program=program)

    assert slow.stdout == quick.stdout
    assert len(slow.stdout.splitlines()) == 3


def test_without_the_compiler_a_command_prints_the_same():
    assert barcode(NUMBA_DISABLE_JIT="1").stdout == barcode().stdout


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


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty cache, and kernels that have loaded nothing yet."""
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path / "cache"))
    forget(monkeypatch)
    return tmp_path / "cache"


def forget(monkeypatch):
    for kernel in (total, double, twice):
        monkeypatch.setattr(kernel, "_cached", None)
        monkeypatch.setattr(kernel, "_in_memory", None)


@contextmanager
def counting_compilations():
    told = []
    with telling_of_compilation(lambda: told.append(True)):
        yield told


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64, np.int32, np.int64])
def test_each_type_has_machine_code_of_its_own(dtype):
    assert total(np.array([1, 2, np.iinfo(dtype).max >> 3], dtype), 2) == 2 * (3 + (int(np.iinfo(dtype).max) >> 3))


def test_one_kernel_calls_another():
    assert twice(np.arange(4)) == 12


def test_a_read_only_array_takes_the_same_machine_code():
    numbers = np.arange(5, dtype=np.uint32)
    sealed = numbers.copy()
    sealed.flags.writeable = False

    assert total(sealed, 3) == 30
    with counting_compilations() as told:
        assert total(numbers, 3) == 30

    assert told == []
    assert numbers.flags.writeable


def test_an_array_that_a_kernel_writes_must_be_writable():
    sealed = np.arange(3)
    sealed.flags.writeable = False

    with pytest.raises(Exception, match="Cannot modify readonly array"):
        double(sealed)


def test_compilation_is_told_once_and_only_if_the_cache_lacks_the_machine_code(monkeypatch):
    with counting_compilations() as told:
        total(np.arange(3), 1)
        double(np.arange(3))
    assert told == [True]

    forget(monkeypatch)
    with counting_compilations() as told:
        assert total(np.arange(3), 1) == 3
    assert told == []


@pytest.mark.parametrize("damage", [lambda code: code[:-1], lambda _: b"", lambda code: b"?" + code[1:]])
@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_a_damaged_cache_changes_no_result(place, monkeypatch, damage, suffix):
    total(np.arange(3), 1)
    (file,) = place.rglob(f"*.{suffix}")
    file.write_bytes(damage(file.read_bytes()))
    forget(monkeypatch)

    assert total(np.arange(3), 1) == 3


def test_threads_run_side_by_side_and_compile_once():
    numbers = np.arange(1000)

    with counting_compilations() as told, ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda weight: total(numbers, weight) // max(weight, 1), range(1, 50)))

    assert found == {499500}
    assert told == [True]


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["bound", "--arch", "lenet-5"], ["bound", "--shape", "30x20"]]
)
def test_commands_that_read_no_weights_import_no_numba(arguments):
    program = (
        "import sys; from topoimp_cli.app import main; main(sys.argv[1:]); "
        "print('numba' in sys.modules, file=sys.stderr)"
    )

    assert topoimp(*arguments, program=program).stderr == "False\n"
