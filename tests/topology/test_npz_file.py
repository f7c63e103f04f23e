import numpy as np
import pytest

from topoimp.errors import OutputError
from topoimp.topology.npz_file import write_npz


def test_numpy_reads_what_was_written(tmp_path):
    write_npz(tmp_path / "a.npz", [("x/y", np.arange(3)), ("text", np.array("word")), ("none", np.empty((0, 2)))])

    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays.files == ["x/y", "text", "none"]
        assert (arrays["x/y"].tolist(), str(arrays["text"]), arrays["none"].shape) == ([0, 1, 2], "word", (0, 2))


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        write_npz(tmp_path / name, [("x", np.arange(3))])

    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_name_that_would_be_cut_short_is_refused(tmp_path):
    with pytest.raises(OutputError, match=r"'a\\x00b' is no name for an array in an .npz file; it holds NUL"):
        write_npz(tmp_path / "a.npz", [("a\0b", np.arange(3))])
