"""Small files in the two published forms of CIFAR-10, written byte by byte as their sources describe them."""

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np

TRAIN = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")
BATCHES = (*TRAIN, "test_batch")


def batch(rows, seed=0):
    """Images as rows of 3,072 bytes, and their labels."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (rows, 3072), dtype=np.uint8), rng.integers(0, 10, rows, dtype=np.uint8)


def all_batches():
    """Six batches of different sizes, by name."""
    return {name: batch(rows=k + 1, seed=k) for k, name in enumerate(BATCHES)}


def records(images, labels):
    """A batch of the binary version."""
    return np.hstack([labels[:, np.newaxis], images]).astype(np.uint8).tobytes()


def _text(content):
    return b"U" + bytes([len(content)]) + content


def _number(value):
    return b"J" + int(value).to_bytes(4, "little", signed=True)


def pickled_array(rows, columns, data, *, fortran=False, kind=b"u1"):
    """What Python 2 and protocol 2 write for an array of bytes."""
    created = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + _text(b"b") + b"\x87R"
    dtype = b"cnumpy\ndtype\n" + _text(kind) + b"K\x00K\x01\x87R(K\x03" + _text(b"|") + b"NNN"
    dtype += _number(-1) + _number(-1) + b"K\x00tb"
    raw = b"T" + len(data).to_bytes(4, "little") + data
    shape = _number(rows) + _number(columns) + b"\x86"
    return created + b"(K\x01" + shape + dtype + (b"\x88" if fortran else b"\x89") + raw + b"tb"


def pickled_list(labels):
    return b"](" + b"".join(_number(label) for label in labels) + b"e"


def pickled_batch(labels, data):
    """A dictionary with pickled labels and data, as the Python version of CIFAR-10 has one."""
    name = _text(b"batch_label") + _text(b"training batch 1 of 5")
    files = _text(b"filenames") + b"](" + _text(b"a.png") + b"e"
    return b"\x80\x02}(" + name + _text(b"labels") + labels + _text(b"data") + data + files + b"u."


def pickled(images, labels):
    """A batch of the Python version."""
    return pickled_batch(pickled_list(labels), pickled_array(*images.shape, images.tobytes()))


def write_binary(folder: Path, batches):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in batches.items():
        (folder / f"{name}.bin").write_bytes(records(*content))


def write_python(folder: Path, batches):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in batches.items():
        (folder / name).write_bytes(pickled(*content))


def packed(members):
    """A .tar.gz of (name, content) pairs."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(file.getvalue())


def binary_archive(batches):
    """As it is published: the batches in no particular order, and other files beside them."""
    members = [(f"cifar-10-batches-bin/{name}.bin", records(*batches[name])) for name in reversed(batches)]
    return packed([("cifar-10-batches-bin/readme.html", b"<html>"), *members])


def python_archive(batches):
    members = [(f"cifar-10-batches-py/{name}", pickled(*batches[name])) for name in reversed(batches)]
    return packed([("cifar-10-batches-py/batches.meta", b"\x80\x02}."), *members])
