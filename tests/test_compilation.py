"""A first use says that it compiles, later ones load; an installation that cannot be written works."""

import os
import shutil
import subprocess
import sys

import pytest
from conftest import REPOSITORY, SAMPLES

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
