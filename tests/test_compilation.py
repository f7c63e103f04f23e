"""A first use says that it compiles, later ones load; an installation that cannot be written works."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from conftest import REPOSITORY, SAMPLES

from topoimp.compilation import compiled, telling_of_compilation
from topoimp.compilation.calling import address

PROGRAM = "from topoimp_cli.app import run; run()"
NOTE = "compiling for this machine, once; it takes some seconds"


def barcode(environment, program=PROGRAM):
    sample = SAMPLES / "mlp-digits.safetensors"
    return subprocess.run(
        [sys.executable, "-c", program, "barcode", sample, "--format", "csv"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )


def test_a_first_use_says_that_it_compiles_and_a_second_loads_what_was_compiled(tmp_path):
    first, second = barcode({"NUMBA_CACHE_DIR": str(tmp_path)}), barcode({"NUMBA_CACHE_DIR": str(tmp_path)})

    assert first.stderr == f"{NOTE}\n"
    assert second.stderr == ""
    assert first.stdout == second.stdout


@pytest.fixture
def sealed(tmp_path):
    """A copy of the code beside which nothing can be written, not even by root: where a folder would be is a file."""
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

    first, second = barcode(places, program), barcode(places, program)

    assert first.stderr == f"{NOTE}\n"
    assert second.stderr == ("" if home == "writable" else f"{NOTE}\n")


@compiled
def total(numbers: np.ndarray, weight: int) -> int:
    added = 0
    for number in numbers:
        added += int(number) * weight
    return added


@compiled
def spread(numbers: np.ndarray) -> tuple[int, int]:
    least, most = np.int64(numbers[0, 0]), np.int64(numbers[0, 0])
    for i in range(numbers.shape[0]):
        for j in range(numbers.shape[1]):
            least, most = min(least, np.int64(numbers[i, j])), max(most, np.int64(numbers[i, j]))
    return least, most


@compiled
def double(numbers: np.ndarray) -> None:
    for i in range(numbers.size):
        numbers[i] *= 2


@compiled
def twice(numbers: np.ndarray) -> int:
    double(numbers)
    return total(numbers, 1)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty cache, and functions that have loaded nothing yet."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    for function in (total, spread, double, twice):
        monkeypatch.setattr(function, "_code", {})
    return tmp_path / "cache"


@contextmanager
def counting_compilations():
    told = []
    with telling_of_compilation(lambda: told.append(True)):
        yield told


def kept_in(place):
    return sorted(place.rglob("*.o"))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64, np.int32, np.int64])
def test_each_type_has_its_own_code(dtype):
    assert total(np.array([1, 2, np.iinfo(dtype).max >> 3], dtype), 2) == 2 * (3 + (int(np.iinfo(dtype).max) >> 3))


def test_what_comes_back_is_nothing_a_number_or_several():
    numbers = np.arange(6, dtype=np.uint16)

    assert double(numbers) is None
    assert total(numbers, 1) == 30
    assert spread(numbers.reshape(2, 3)) == (0, 10)


def test_one_compiled_function_calls_another():
    assert twice(np.arange(4)) == 12


def test_an_array_that_is_read_only_takes_the_same_code(place):
    numbers = np.arange(5, dtype=np.uint32)
    sealed = numbers.copy()
    sealed.flags.writeable = False

    assert total(numbers, 3) == total(sealed, 3) == 30
    assert len(kept_in(place)) == 1


def test_an_empty_array_is_an_array():
    assert total(np.empty(0, np.uint8), 1) == 0


def test_a_scalar_of_numpy_is_a_number():
    assert total(np.array([1, 2]), np.uint8(200)) == 600


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (np.arange(6)[::2], "takes contiguous arrays"),
        (np.frombuffer(b"\0" * 17, np.int64, offset=1, count=2), "takes contiguous arrays"),
        (np.ones(3, np.float32), "takes arrays of integers, truth values and float64, not float32"),
        (np.ones(3, ">u4"), "takes arrays of integers, truth values and float64, not >u4"),
        (np.ones(3, ">f8"), "takes arrays of integers, truth values and float64, not >f8"),
    ],
)
def test_other_arrays_are_refused(numbers, message):
    with pytest.raises(TypeError, match=message):
        total(numbers, 1)


def test_a_number_with_a_fraction_is_refused():
    with pytest.raises(TypeError, match="takes integers and truth values, not float64"):
        total(np.arange(3), np.float64(0.5))


def test_the_items_of_an_array_may_have_fractions():
    numbers = np.array([0.25, -1.5])

    double(numbers)

    assert numbers.tolist() == [0.5, -3.0]


def test_it_is_told_once_and_only_if_something_is_compiled(monkeypatch):
    with counting_compilations() as told:
        total(np.arange(3), 1)
        double(np.arange(3))
    assert told == [True]

    monkeypatch.setattr(total, "_code", {})
    with counting_compilations() as told:
        assert total(np.arange(3), 1) == 3
    assert told == []


@pytest.mark.parametrize("damage", [lambda code: code[:-1], lambda _: b"", lambda code: code[:99] + b"?" + code[100:]])
def test_a_damaged_file_is_compiled_anew(place, monkeypatch, damage):
    total(np.arange(3), 1)
    (file,) = kept_in(place)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    monkeypatch.setattr(total, "_code", {})

    with counting_compilations() as told:
        assert total(np.arange(3), 1) == 3

    assert told == [True]
    assert file.read_bytes()[:32] == whole[:32]
    assert kept_in(place) == [*place.rglob("*.*")] == [file]


def test_code_of_an_older_source_is_compiled_anew(place, monkeypatch):
    total(np.arange(3), 1)
    monkeypatch.setattr(total, "_code", {})
    monkeypatch.setattr("topoimp.compilation.cache._sources", lambda _: b"another")

    with counting_compilations() as told:
        total(np.arange(3), 1)

    assert told == [True]
    assert len(kept_in(place)) == 1


def test_a_function_that_allocates_is_refused():
    @compiled
    def allocates(n: int) -> int:
        return np.zeros(n, np.int64).size

    with pytest.raises(TypeError, match="allocates cannot be compiled"):
        allocates(3)


def test_a_function_that_needs_something_else_is_refused():
    @compiled
    def draws(n: int) -> int:
        return np.random.randint(n)  # noqa: NPY002  # what numba knows

    with pytest.raises(TypeError, match="draws must neither allocate nor raise; it needs numba"):
        draws(3)


def test_a_function_that_returns_something_else_than_it_says_is_refused():
    @compiled
    def halves(n: int) -> int:
        return n / 2

    with pytest.raises(TypeError, match="halves returns float64; its annotation promises int64"):
        halves(3)


def test_an_exception_ends_in_one():
    @compiled
    def raises(n: int) -> int:
        if n > 2:
            raise ValueError
        return n

    assert raises(2) == 2
    with pytest.raises(RuntimeError, match="raises ended with status 1"):
        raises(3)


@pytest.mark.parametrize("array", [np.arange(3), np.empty(0), np.ones((2, 3))[1:, 1:], np.array(4)])
def test_an_address_is_what_numpy_says_it_is(array):
    assert address(array) == array.ctypes.data


def test_threads_run_side_by_side_and_compile_once():
    numbers = np.arange(1000)

    with counting_compilations() as told, ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda weight: total(numbers, weight) // max(weight, 1), range(1, 50)))

    assert found == {499500}
    assert told == [True]


def test_a_second_process_needs_no_numba(tmp_path):
    program = (
        "import sys; from topoimp_cli.app import main; main(sys.argv[1:]); "
        "print('numba' in sys.modules, file=sys.stderr)"
    )
    places = {"NUMBA_CACHE_DIR": str(tmp_path)}

    first, second = barcode(places, program), barcode(places, program)

    assert first.stderr.endswith("True\n")
    assert second.stderr == "False\n"
