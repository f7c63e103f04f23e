"""Formats that topoimp does not read, recognised by the content of a file: what each is, and what its owner can do.

A name says little: a download that failed leaves a web page under the name of the weights. Nothing is unpacked; of a
zip archive only the names of its members are read.
"""

import codecs
import re
import zipfile
from pathlib import Path

N_BYTES = 512
"""First bytes that are read to recognise a format."""

ARCHIVE = b"PK\x03\x04"
"""First bytes of a zip archive, as PyTorch's files are."""

_AGAIN = "download the file again"
_EXPORT = "save the state dict with torch.save, or as safetensors"
_EXPORT_NUMPY = "save its arrays with safetensors.numpy.save_file"
_UNPACK = "unpack it, and name the checkpoint in it"

_BEGINNINGS = (
    (rb"version https://git-lfs", "a Git LFS pointer, which stands for the weights; fetch them with 'git lfs pull'"),
    (rb"GGUF|ggml|lmgg|tjgg|fmgg", "a GGUF or GGML file of llama.cpp; name the checkpoint that it was converted from"),
    (rb"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes them; export its weights as safetensors"),
    (rb"\x93NUMPY", f"a NumPy array (.npy); {_EXPORT_NUMPY}"),
    (rb"\x08[\x01-\x20][\x12\x1a\x22\x3a\x42]", f"an ONNX model; of the network that it was exported from, {_EXPORT}"),
    (rb"....TFL3", "a TensorFlow Lite model; export the weights of the original network as safetensors"),
    (rb"....PTMF", f"a PyTorch Mobile file; of the network that it was made from, {_EXPORT}"),
    (rb"\x1f\x8b", "compressed with gzip; unpack it with gunzip"),
    (rb"\x28\xb5\x2f\xfd", "compressed with Zstandard; unpack it with 'zstd -d'"),
    (rb"\xfd7zXZ\x00", "compressed with xz; unpack it with unxz"),
    (rb"BZh[1-9]1AY&SY", "compressed with bzip2; unpack it with bunzip2"),
    (rb"\x04\x22\x4d\x18", "compressed with LZ4; unpack it with 'lz4 -d'"),
    (rb"7z\xbc\xaf\x27\x1c", f"a 7z archive; {_UNPACK}"),
    (rb"Rar!\x1a\x07", f"a RAR archive; {_UNPACK}"),
    (rb".{257}ustar", f"a tar archive; {_UNPACK}"),
    (rb"\x00\x05\x16\x07", "an AppleDouble file, which macOS writes beside a file; name that file, without the '._'"),
    (rb"(?:[\x81-\x8f]|\xde..)[\xa1-\xbf][a-z_]", f"a MessagePack file, as Flax writes them; {_EXPORT_NUMPY}"),
    (rb"\x00{64}", f"all zeros at its beginning, as after a download that did not finish; {_AGAIN}"),
    (rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head|body)", f"a web page, such as one with an error; {_AGAIN}"),
    (rb"(?:\xef\xbb\xbf)?\s*[{\[]", "a JSON text; the name of an index of shards ends in .index.json"),
    (rb"(?:\xef\xbb\xbf)?\s*<\?xml", f"an XML text, such as one with an error; {_AGAIN}"),
)
"""Patterns of the first bytes, in any case of letters, and the rest of the sentence "FILE: is"."""

_PICKLE = re.compile(rb"\x80[\x02-\x05](?!\x8a\nl\xfc\x9cF\xf9 j\xa8P)(?:[}\]\x95(cX\x8c])", re.DOTALL)
"""First bytes of a pickle, but for the magic number of an old torch.save file."""

_MEMBERS = (
    ("constants.pkl", "a TorchScript archive, which holds a program; load it with torch.jit.load, and "),
    ("serialized_exported_program.json", "an archive of torch.export, which holds a program; load it, and "),
    ("archive_format", "an archive of torch.export, which holds a program; load it, and "),
)
"""Names of members that tell programs from state dicts."""


def other_format(path: Path) -> str | None:
    """Return what a file is and what to do with it, as the rest of "FILE: is ..."; None for what may be a checkpoint.

    Raises:
        OSError: if the file cannot be read.
    """
    with path.open("rb") as file:
        begin = file.read(N_BYTES)
    return _archive(path) if begin.startswith(ARCHIVE) else format_that_begins(begin, path)


def format_that_begins(begin: bytes, path: Path) -> str | None:
    """Return the same of a file by its first bytes, and for a pickle by its name; None also for an archive."""
    if begin[4:9] == b"\0\0\0\0{":  # the header of a safetensors file
        return None
    for pattern, format_ in _BEGINNINGS:
        if re.match(pattern, begin, re.DOTALL | re.IGNORECASE):
            return format_
    if _PICKLE.match(begin) and not _is_torch_name(path):
        return f"a pickle that torch.save did not write, and loading one could run code; {_EXPORT}"
    return _text(begin)


def _archive(path: Path) -> str | None:
    """Return what a zip archive is if it is no PyTorch file; a damaged one is left to the reader of those."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except Exception:  # a damaged archive can raise anything
        return None

    names = {member.rpartition("/")[2] for member in members}
    for name, format_ in _MEMBERS:
        if name in names:
            return f"{format_}{_EXPORT}"
    if "data.pkl" in names:
        return None
    if names and all(name.endswith(".npy") for name in names):
        return f"a NumPy archive (.npz); {_EXPORT_NUMPY}"
    if "model.weights.h5" in names:
        return "a Keras archive (.keras); export its weights as safetensors"
    return f"a zip archive without PyTorch's data.pkl; {_UNPACK}"


def _is_torch_name(path: Path) -> bool:
    """Whether torch.load is to say what is wrong: other protocols of pickle are torch.save files too."""
    return path.suffix in (".pt", ".pth", ".bin", ".ckpt")


def _text(begin: bytes) -> str | None:
    """Return what a text is: a download that was refused leaves some words in place of the weights."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(begin)  # the last sign may be cut
    except UnicodeDecodeError:
        return None
    words = " ".join(text.split())
    if not words or not words.isprintable():
        return None
    shown = words if len(words) <= _SHOWN else f"{words[:_SHOWN]}..."
    return f"a text that begins with {shown!r}, and no weights; {_AGAIN}"


_SHOWN = 60
"""Letters of a text that a message shows."""
