"""Strengths of inputs: a word, a file or an array."""

import numpy as np
import pytest

from topoimp.errors import OptionError
from topoimp.pruning.methods.path_inputs import path_inputs


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.uint16, ">f4"])
def test_a_file_and_an_array_of_the_same_numbers_are_the_same(tmp_path, dtype):
    numbers = np.arange(12).reshape(3, 4).astype(dtype)
    np.save(tmp_path / "a.npy", np.asfortranarray(numbers))

    of_file, of_text, of_array = (
        path_inputs(given) for given in (tmp_path / "a.npy", str(tmp_path / "a.npy"), numbers)
    )
    assert of_file == of_text == of_array == path_inputs(of_array)
    assert of_file.strengths.tolist() == list(range(12))
    assert of_file != path_inputs(np.arange(12)[::-1])


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (np.array([0, 1, -1]), r"the strength of input 2 is -1\.0; it must be finite and at least 0$"),
        (np.array([[0, np.nan]]), r"the strength of input 1 is nan; it must be finite and at least 0$"),
        (np.array([np.inf]), r"the strength of input 0 is inf; it must be finite and at least 0$"),
        (np.array([]), r"has 0 values of type float64; it must have numbers$"),
        (np.array([True]), r"has 1 values of type bool; it must have numbers$"),
        (np.array(["a"]), r"has 1 values of type <U1; it must have numbers$"),
        (np.array([1j]), r"has 1 values of type complex128; it must have numbers$"),
    ],
)
def test_strengths_are_finite_and_at_least_0(tmp_path, numbers, message):
    np.save(tmp_path / "a.npy", numbers)
    for given in (numbers, tmp_path / "a.npy"):
        with pytest.raises(OptionError, match=message):
            path_inputs(given)


@pytest.mark.parametrize("content", [b"", b"1 2 3", b"\x93NUMPY\x01\x00"])
def test_another_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(OptionError, match=r"^`inputs` is .*a\.npy, which is no array of numbers; it must be ones"):
        path_inputs(path)


def test_a_pickle_is_never_read(tmp_path):
    np.save(tmp_path / "a.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(OptionError, match=r"a\.npy, which is no array of numbers"):
        path_inputs(tmp_path / "a.npy")


@pytest.mark.parametrize("given", ["one", "a.npy", ""])
def test_a_missing_file_is_refused_with_what_is_possible(given):
    with pytest.raises(OptionError, match=r"there is no such file; it must be ones, data, or a \.npy file with the st"):
        path_inputs(given)
