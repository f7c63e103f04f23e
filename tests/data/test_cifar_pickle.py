import pickle
import pickletools
import warnings

import numpy as np
import pytest
from cifar_files import batch, pickled, pickled_array, pickled_batch, pickled_list
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from topoimp.data.cifar_pickle import unpickled_batch
from topoimp.errors import DataError

IMAGES, LABELS = batch(rows=3)


class Unsafe:
    """What a pickle could run when it is loaded."""

    def __reduce__(self):
        return print, ("it ran",)


def by_pickle(content):
    """What pickle and numpy themselves make of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy.core is where such arrays say that numpy's function lies
        return pickle.loads(content, encoding="bytes")  # noqa: S301  # written by this test


@given(rows=st.integers(1, 4), seed=st.integers(0, 5))
def test_a_batch_is_what_pickle_and_numpy_make_of_it(rows, seed):
    content = pickled(*batch(rows, seed))

    images, labels = unpickled_batch(content, "batch")

    expected = by_pickle(content)
    assert images.dtype == np.uint8
    assert_array_equal(images, expected[b"data"])
    assert labels.tolist() == expected[b"labels"]


def test_arrays_in_fortran_order_are_what_numpy_makes_of_them():
    content = pickled_batch(pickled_list(LABELS), pickled_array(3, 3072, IMAGES.tobytes(), fortran=True))

    images, _ = unpickled_batch(content, "batch")

    assert_array_equal(images, by_pickle(content)[b"data"])


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_that_a_pickle_names_is_run(capsys, protocol):
    content = pickle.dumps([Unsafe()], protocol=protocol)

    with pytest.raises(DataError, match=r"data_batch_1: .* \(names .*print, which no file of CIFAR-10 does\)"):
        unpickled_batch(content, "data_batch_1")

    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "name", ["numpy\nload", "numpy.core.multiarray\nndarray", "numpy\n_reconstruct", "os\nsystem", "builtins\neval"]
)
def test_of_numpy_only_the_three_names_are_admitted(name):
    with pytest.raises(DataError, match="which no file of CIFAR-10 does"):
        unpickled_batch(b"\x80\x02c" + name.encode() + b"\n.", "batch")


def test_no_pickle_changes_what_the_next_one_meets():
    # Sets attributes on whatever stands for numpy.dtype, by its state of two dictionaries.
    hostile = b"\x80\x02cnumpy\ndtype\nN}(U\x09argumentsU\x05wrongu\x86b."

    with pytest.raises(DataError, match="holds no dictionary with data and labels"):
        unpickled_batch(hostile, "batch")

    assert_array_equal(unpickled_batch(pickled(IMAGES, LABELS), "batch")[0], IMAGES)


@pytest.mark.parametrize("opcode", [b"\x81", b"\x92", b"Q"])
def test_opcodes_that_make_objects_otherwise_are_refused(opcode):
    with pytest.raises(DataError, match="is no pickled batch of CIFAR-10 that can be read"):
        unpickled_batch(b"\x80\x02cnumpy\nndarray\n)}" + opcode + b".", "batch")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is no pickled batch of CIFAR-10 that can be read \(pickle exhausted before seeing STOP\)"),
        (b"\x80\x02}r\xff\xff\xff\x7f.", r"that can be read \(numbers an object 2147483647\)"),
        (b"\x80\x02}p1000\n.", r"that can be read \(numbers an object 1000\)"),
        (b"\x80\x02}", "is no pickled batch of CIFAR-10 that can be read"),
        (b"\x80\x02].", "holds no dictionary with data and labels; a pickled batch of CIFAR-10 is needed"),
        (b"\x80\x02}.", "holds no dictionary with data and labels"),
        (
            pickled_batch(pickled_list([0, 10]), pickled_array(2, 0, b"")),
            "labels that are no list of numbers from 0 to",
        ),
        (pickled_batch(pickled_list([-1]), pickled_array(1, 0, b"")), "labels that are no list of numbers from 0 to 9"),
        (pickled_batch(b"](\x88e", pickled_array(1, 0, b"")), "labels that are no list of numbers from 0 to 9"),
        (pickled_batch(b"K\x01", pickled_array(1, 0, b"")), "labels that are no list of numbers from 0 to 9"),
        (pickled_batch(b"]", b"K\x01"), "data that are no array of bytes with two axes"),
        (pickled_batch(b"]", pickled_array(2, 2, b"abc")), "data that are no array of bytes with two axes"),
        (pickled_batch(b"]", pickled_array(-1, -3, b"abc")), "data that are no array of bytes with two axes"),
        (pickled_batch(b"]", pickled_array(1, 4, b"abcd", kind=b"f4")), "data that are no array of bytes with two"),
        (pickled_batch(b"]", b"cnumpy\nndarray\n"), "data that are no array of bytes with two axes"),
    ],
)
def test_other_pickles_are_refused(content, message):
    with pytest.raises(DataError, match=f"data_batch_1: .*{message}"):
        unpickled_batch(content, "data_batch_1")


def test_labels_from_zero_to_nine_are_taken():
    _, labels = unpickled_batch(pickled_batch(pickled_list([0, 9]), pickled_array(2, 1, b"ab")), "batch")

    assert (labels.tolist(), labels.dtype) == ([0, 9], np.int64)


@given(st.data())
def test_a_damaged_pickle_is_refused_or_read_and_never_anything_else(data):
    content = bytearray(pickled(IMAGES, LABELS))
    # The bulk of it is pixels; what surrounds them is where damage matters.
    edges = [place for _, _, place in pickletools.genops(bytes(content))]
    place = data.draw(st.sampled_from(edges)) + data.draw(st.integers(0, 3))
    content[min(place, len(content) - 1)] = data.draw(st.integers(0, 255))

    assert read_or_refused(bytes(content)) in ("read", "refused")


def read_or_refused(content):
    try:
        unpickled_batch(content, "batch")
    except DataError:
        return "refused"
    return "read"
