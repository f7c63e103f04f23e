"""Damaged PyTorch files of both formats, down to the instructions of pickles and the fields of archives."""

import io
import pickle
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pickletools import genops

from damage import extended, noise, truncated

_ZIP = b"PK\x03\x04"
_INTEGERS = ("BININT", "BININT1", "BININT2", "LONG1")

_CALLS = (
    (b"cposix\nsystem\n", "true"),
    (b"cbuiltins\neval\n", "1"),
    (b"cbuiltins\nbytearray\n", 2**34),
    (b"cbuiltins\nbytearray\n", "text"),
    (b"cbuiltins\nset\n", 3),
    (b"ctorch\nTensor\n", 2**34),
    (b"ctorch\nSize\n", [2**62, 2**62]),
    (b"ctorch._utils\n_rebuild_tensor_v2\n", 3),
    (b"ctorch._utils\n_rebuild_meta_tensor_no_storage\n", 3),
    (b"ccollections\nOrderedDict\n", [(1, 2)]),
    (b"ccollections\nCounter\n", "text"),
    (b"ccollections\ndefaultdict\n", 3),
    (b"c_codecs\nencode\n", "text"),
    (b"cnumpy\nndarray\n", 2**40),
    (b"cargparse\nNamespace\n", 3),
    (b"cmodel\nNet\n", 3),
)
"""Instructions that push a class or a function, and an argument to call it with."""


def is_zip(content: bytes) -> bool:
    return content.startswith(_ZIP)


def main_pickle(content: bytes) -> tuple[bytes, Callable[[bytes], bytes]]:
    """Return the pickle that describes the tensors, and a function that returns the file with another pickle in it.

    The checksums of that file are right.
    """
    if is_zip(content):
        records = records_of(content)
        name = next(name for name in records if name.endswith("/data.pkl"))
        return records[name], lambda other: archive_of({**records, name: other})
    start, stop = pickles_of(content)[3]
    return content[start:stop], lambda other: content[:start] + other + content[stop:]


def pickles_of(content: bytes) -> list[tuple[int, int]]:
    """Return start and stop of the five pickles that precede the storages, in the format before torch 1.6."""
    file, ends = io.BytesIO(content), [0]
    for _ in range(5):
        list(genops(file))
        ends.append(file.tell())
    return list(pairwise(ends))


def records_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(records: dict[str, bytes], compressed: tuple[str, ...] = ()) -> bytes:
    place = io.BytesIO()
    with zipfile.ZipFile(place, "w") as archive:
        for name, data in records.items():
            way = zipfile.ZIP_DEFLATED if name in compressed else zipfile.ZIP_STORED
            archive.writestr(zipfile.ZipInfo(name), data, way)
    return place.getvalue()


def pushed(value: object) -> bytes:
    """Give the instructions that push a value, without the first and the last one of a pickle."""
    return pickle.dumps(value, protocol=2)[2:-1]


def instructions(content: bytes) -> list[tuple[str, object, int, int]]:
    """Give name, argument, start and stop of the instructions of a pickle."""
    found = [(instruction.name, argument, place) for instruction, argument, place in genops(content)]
    ends = [place for *_, place in found[1:]] + [len(content)]
    return [(*each, end) for each, end in zip(found, ends, strict=True)]


def exchanged(content: bytes, start: int, stop: int, other: bytes) -> bytes:
    return content[:start] + other + content[stop:]


def flipped_bits(content: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8])):
        damaged[rng.choice([rng.randrange(200), rng.randrange(len(content)), -rng.randrange(1, 200)])] ^= (
            1 << rng.randrange(8)
        )
    return bytes(damaged)


def flipped_instructions(content: bytes, rng: random.Random) -> bytes:
    """Change bytes of the pickle, under checksums that fit."""
    before, finished = main_pickle(content)
    damaged = bytearray(before)
    for _ in range(rng.choice([1, 1, 2, 8])):
        damaged[rng.randrange(len(damaged))] = rng.choice([rng.randrange(256), *b"(.}])tRqh\x85\x86\x87Q"])
    return finished(bytes(damaged))


def other_integers(content: bytes, rng: random.Random) -> bytes:
    """Replace sizes, strides, offsets and numbers of elements."""
    before, finished = main_pickle(content)
    for _ in range(rng.choice([1, 1, 2])):
        places = [each for each in instructions(before) if each[0] in _INTEGERS]
        _, value, start, stop = rng.choice(places)
        lies = [0, 1, -1, value - 1, value + 1, 2 * value, 2**31, 2**34, 2**40, 2**62, 2**63, 2**64, 10**300]
        lie = rng.choice([*lies, None, True, 1.5, float("nan"), "1", (), [1], {}])
        before = exchanged(before, start, stop, pushed(lie))
    return finished(before)


def other_texts(content: bytes, rng: random.Random) -> bytes:
    """Replace names of tensors and keys of storages."""
    before, finished = main_pickle(content)
    texts = [each for each in instructions(before) if each[0] == "BINUNICODE"]
    _, _, start, stop = rng.choice(texts)
    lies = [
        "",
        "0",
        "1",
        "2",
        "99",
        "../data.pkl",
        "a" * 100_000,
        "\0",
        "\n",
        "__metadata__",
        "cuda:3",
        "meta",
        "\x1b[1m",
    ]
    values = [None, 0, -1, 2**70, 10**5000, 1.5, b"bytes", (), (1, (2, "x")), [], {}, rng.choice(texts)[1]]
    return finished(exchanged(before, start, stop, pushed(rng.choice([*lies, *values]))))


def other_classes(content: bytes, rng: random.Random) -> bytes:
    """Replace the type of a storage, or the function that builds a tensor."""
    before, finished = main_pickle(content)
    _, _, start, stop = rng.choice([each for each in instructions(before) if each[0] == "GLOBAL"])
    names = ["DoubleStorage", "FloatStorage", "HalfStorage", "ByteStorage", "QInt8Storage", "Tensor", "device", "x"]
    names += ["ComplexFloatStorage", "BoolStorage", "float32", "Size"]
    others = [f"ctorch\n{name}\n".encode() for name in names] + [call for call, _ in _CALLS]
    return finished(exchanged(before, start, stop, rng.choice(others)))


def inserted_call(content: bytes, rng: random.Random) -> bytes:
    """Add a call of something, as a value of the state dict or in the midst of anything."""
    before, finished = main_pickle(content)
    function, argument = rng.choice(_CALLS)
    call = function + pushed(argument) + b"\x85" + rng.choice([b"R", b"R", b"R", b"\x81", b"R}b"])
    places = [start for name, _, start, _ in instructions(before) if name in ("BINUNICODE", "SETITEMS", "TUPLE3")]
    place = rng.choice(places)
    return finished(exchanged(before, place, place, pushed("called") + call if rng.random() < 0.7 else call))


def nested_deeply(content: bytes, rng: random.Random) -> bytes:
    """Put something nested into the state dict, as a value or as a name."""
    before, finished = main_pickle(content)
    depth = rng.choice([100, 900, 2_000, 20_000])
    wrapped = rng.choice([b"\x85" * depth, b"".join([b"]" * depth, b"a" * (depth - 1)]), _dictionaries(depth)])
    nested = (b")" if wrapped.startswith(b"\x85") else b"") + wrapped
    place = next(start for name, _, start, _ in reversed(instructions(before)) if name == "SETITEMS")
    pair = pushed("deep") + nested if rng.random() < 0.7 else nested + pushed("deep")
    return finished(exchanged(before, place, place, pair))


def _dictionaries(depth: int) -> bytes:
    return (b"}" + pushed("a")) * depth + b"}" + b"s" * depth


def doubled_references(content: bytes, rng: random.Random) -> bytes:
    """Put dictionaries into the state dict of which each holds the one before twice; or one that holds itself."""
    before, finished = main_pickle(content)
    place = next(start for name, _, start, _ in reversed(instructions(before)) if name == "SETITEMS")
    itself = pushed("self") + b"}" + _memo(0) + pushed("again") + _from_memo(0) + b"s"
    first = pushed("level 0") + b"}" + _memo(0) + rng.choice([b"", pushed("w") + pushed(1) + b"s"])
    levels = [
        pushed(f"level {n}") + b"}" + _memo(n) + b"(" + b"".join(pushed(k) + _from_memo(n - 1) for k in "ab") + b"u"
        for n in range(1, rng.choice([3, 30, 200]))
    ]
    return finished(exchanged(before, place, place, rng.choice([itself, first + b"".join(levels)])))


def _memo(number: int) -> bytes:
    return b"r" + struct.pack("<I", 2**16 + number)


def _from_memo(number: int) -> bytes:
    return b"j" + struct.pack("<I", 2**16 + number)


def other_record(content: bytes, rng: random.Random) -> bytes:
    """Lose, double, rename, swap, compress, shorten or lengthen records of an archive, or storages of an older file."""
    if not is_zip(content):
        return _other_storages(content, rng)
    records = records_of(content)
    name, other = rng.choice(list(records)), rng.choice(list(records))
    folder = name.partition("/")[0]
    data = records[name]
    changes: list[dict[str, bytes]] = [
        {each: value for each, value in records.items() if each != name},
        {**records, name: records[other], other: data},
        {**records, name: data[: rng.randrange(len(data) + 1)]},
        {**records, name: data + rng.randbytes(rng.choice([1, 4, 64, 10_000]))},
        {**records, f"{folder}/byteorder": rng.choice([b"big", b"little", b"middle", b""])},
        {**records, f"{folder}/.format_version": rng.choice([b"0", b"9" * 5000, b"", b"x"])},
        {**records, f"{folder}/.storage_alignment": rng.choice([b"0", b"-1", b"9" * 30, b"x"])},
        {rng.choice([each, f"other/{each}", each.upper(), "../x"]): value for each, value in records.items()},
        {other: records[other], **records},
    ]
    damaged = archive_of(rng.choice(changes), compressed=rng.choice([(), (), (name,), tuple(records)]))
    return _with_doubled_record(damaged, rng) if rng.random() < 0.15 else damaged


def _with_doubled_record(content: bytes, rng: random.Random) -> bytes:
    """Two entries of one name: readers differ in the one that they take."""
    place = io.BytesIO(content)
    with zipfile.ZipFile(place, "a") as archive:
        info = rng.choice(archive.infolist())
        again = zipfile.ZipInfo(info.filename.replace("data", rng.choice(["data", "DATA", "Data"])))
        archive.filelist.append(info)
        archive.NameToInfo.pop(info.filename, None)
        archive.writestr(again, rng.randbytes(info.file_size))
        archive.filelist.pop(-2)
    return place.getvalue()


def _other_storages(content: bytes, rng: random.Random) -> bytes:
    """Change the list of storages, the version, the system, a length, or the numbers of a file before version 1.6."""
    pickles = pickles_of(content)
    start, stop = rng.choice([pickles[1], pickles[2], pickles[4], pickles[4], (pickles[4][1], pickles[4][1] + 8)])
    keys = pickle.loads(content[pickles[4][0] : pickles[4][1]])  # noqa: S301  # of a file made by a test
    other_keys = [keys[1:], keys[:-1], keys[::-1], keys + keys, [*keys, "99"], [], {}, None, dict.fromkeys(keys), "0"]
    values = [*other_keys, 1001, 1002, {"little_endian": False}, {"type_sizes": {"int": 2}}]
    lies = [0, 1, 2**31, 2**40, 2**63, 2**64 - 1]
    if stop - start == 8:
        return exchanged(content, start, stop, rng.choice(lies).to_bytes(8, "little"))
    return exchanged(content, start, stop, pickle.dumps(rng.choice(values), protocol=2))


def other_fields(content: bytes, rng: random.Random) -> bytes:
    """Change a field in a header of an archive, or in its directory: sizes, places, flags, ways of compression."""
    if not is_zip(content):
        return flipped_bits(content, rng)
    signature, size = rng.choice([(_ZIP, 30), (b"PK\x01\x02", 46), (b"PK\x05\x06", 22)])
    start = rng.choice(list(_places(content, signature)))
    n_bytes = rng.choice([2, 4])
    place = start + 4 + 2 * rng.randrange((size - 4 - n_bytes) // 2 + 1)
    near = int.from_bytes(content[place : place + n_bytes], "little")
    lies = [0, 1, 8, 12, 99, 0xFFFF, 0xFFFFFFFF, 2**31, near + 1, near - 1, near + 64, 2 * near, len(content), start]
    lie = rng.choice(lies) % 2 ** (8 * n_bytes)
    return exchanged(content, place, place + n_bytes, lie.to_bytes(n_bytes, "little"))


def _places(content: bytes, part: bytes) -> Iterator[int]:
    place = content.find(part)
    while place >= 0:
        yield place
        place = content.find(part, place + 1)


def overlapping_records(content: bytes, rng: random.Random) -> bytes:
    """Let an entry of the directory lead to the bytes of another record, or into their midst."""
    if not is_zip(content):
        return other_integers(content, rng)
    entries = list(_places(content, b"PK\x01\x02"))
    one, other = rng.choice(entries), rng.choice(entries)
    return exchanged(content, one + 42, one + 46, content[other + 42 : other + 46])


def other_numbers(content: bytes, rng: random.Random) -> bytes:
    """Replace bytes of storages: NaN, infinities, denormal numbers among them; the checksums stay those of before."""
    start = rng.randrange(len(content) // 4, len(content) * 3 // 4)
    stop = start + rng.choice([1, 4, 100])
    other = rng.choice([rng.randbytes(stop - start), b"\xff" * (stop - start), b"\0" * (stop - start)])
    return exchanged(content, start, stop, other)


TORCH_DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    flipped_bits,
    truncated,
    extended,
    flipped_instructions,
    other_integers,
    other_texts,
    other_classes,
    inserted_call,
    nested_deeply,
    doubled_references,
    other_record,
    other_fields,
    overlapping_records,
    other_numbers,
    noise,
)
