"""Damaged checkpoints: what bad disks, broken downloads and ill will do to safetensors files and indices."""

import json
import random
from collections.abc import Callable

LENGTH = 8


def split(content: bytes) -> tuple[dict, bytes]:
    """Give a file's header and its data."""
    length = int.from_bytes(content[:LENGTH], "little")
    return json.loads(content[LENGTH : LENGTH + length]), content[LENGTH + length :]


def joined(header: bytes, data: bytes) -> bytes:
    return len(header).to_bytes(LENGTH, "little") + header + data


def a_tensor(header: dict, rng: random.Random) -> dict:
    return header[rng.choice([name for name in header if name != "__metadata__"])]


def flipped_bits(content: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(content)
    length = int.from_bytes(content[:LENGTH], "little") + LENGTH
    for _ in range(rng.choice([1, 1, 2, 8])):
        place = rng.randrange(rng.choice([LENGTH, length, length, len(content)]))
        damaged[place] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def truncated(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.choice([rng.randrange(20), rng.randrange(len(content)), len(content) - rng.randrange(1, 9)])]


def extended(content: bytes, rng: random.Random) -> bytes:
    return content + rng.randbytes(rng.choice([1, 8, 1000]))


def another_length(content: bytes, rng: random.Random) -> bytes:
    length = int.from_bytes(content[:LENGTH], "little")
    lies = [0, 1, length - 1, length + 1, 10**8, 10**8 + 1, 2**31, 2**32 + length, 2**63, 2**64 - 1, len(content)]
    return rng.choice(lies).to_bytes(LENGTH, "little") + content[LENGTH:]


def other_offsets(content: bytes, rng: random.Random) -> bytes:
    header, data = split(content)
    offsets = a_tensor(header, rng)["data_offsets"]
    offsets[rng.randrange(2)] = number(rng, offsets[0])
    return joined(json.dumps(header).encode(), data)


def other_sizes(content: bytes, rng: random.Random) -> bytes:
    header, data = split(content)
    shape = a_tensor(header, rng)["shape"]
    for _ in range(rng.choice([1, 2, 40])):
        shape.insert(rng.randrange(len(shape) + 1), number(rng, 3))
    return joined(json.dumps(header).encode(), data)


def number(rng: random.Random, near: int) -> object:
    lies = [
        near - 8,
        near + 8,
        0,
        -1,
        2**31,
        2**40,
        2**62,
        2**63,
        2**64,
        10**300,
        1.5,
        True,
        None,
        "1",
        [1],
        float("nan"),
    ]
    return rng.choice(lies)


def another_value(content: bytes, rng: random.Random) -> bytes:
    """Replace something in the header by something of another type."""
    header, data = split(content)
    lies = [None, 3, -1.5, "F32", "F33", [], {}, [[]], {"dtype": "F32"}, "\ud800", "a" * 10_000, True]
    if rng.random() < 0.3:
        header[rng.choice(list(header))] = rng.choice(lies)
    else:
        tensor = a_tensor(header, rng)
        tensor[rng.choice([*tensor, "extra"])] = rng.choice(lies)
    return joined(json.dumps(header).encode(), data)


def doubled_name(content: bytes, rng: random.Random) -> bytes:
    header, data = split(content)
    text = json.dumps(header)
    name = rng.choice(list(header))
    return joined(f"{text[:-1]}, {json.dumps(name)}: {json.dumps(header[name])}}}".encode(), data)


def lost_tensor(content: bytes, rng: random.Random) -> bytes:
    header, data = split(content)
    header.pop(rng.choice(list(header)))
    return joined(json.dumps(header).encode(), data)


def swapped_tensors(content: bytes, rng: random.Random) -> bytes:
    header, data = split(content)
    one, other = a_tensor(header, rng), a_tensor(header, rng)
    one["data_offsets"], other["data_offsets"] = other["data_offsets"], one["data_offsets"]
    return joined(json.dumps(header).encode(), data)


def deep_json(content: bytes, rng: random.Random) -> bytes:
    depth = rng.choice([100, 10_000, 200_000])
    opening, closing = rng.choice([(b"[", b"]"), (b'{"a":', b"}")])
    return joined(opening * depth + b"1" + closing * depth, split(content)[1])


def not_utf8(content: bytes, rng: random.Random) -> bytes:
    length = int.from_bytes(content[:LENGTH], "little")
    header = bytearray(content[LENGTH : LENGTH + length])
    header[rng.randrange(length)] = rng.choice([0x80, 0xFF, 0xC0, 0x00])
    return joined(bytes(header), content[LENGTH + length :])


def other_numbers(content: bytes, rng: random.Random) -> bytes:
    """Replace data by random bytes: NaN, infinities, denormal numbers among them."""
    length = int.from_bytes(content[:LENGTH], "little") + LENGTH
    damaged = bytearray(content)
    start = rng.randrange(length, len(content))
    stop = min(len(content), start + rng.choice([1, 4, 100, len(content)]))
    damaged[start:stop] = rng.choice([rng.randbytes(stop - start), b"\xff" * (stop - start), b"\0" * (stop - start)])
    return bytes(damaged)


def noise(content: bytes, rng: random.Random) -> bytes:
    return rng.choice([b"", b"PK\x03\x04", b"\x80\x02", content[:LENGTH]]) + rng.randbytes(rng.randrange(200))


DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    flipped_bits,
    truncated,
    extended,
    another_length,
    other_offsets,
    other_sizes,
    another_value,
    doubled_name,
    lost_tensor,
    swapped_tensors,
    deep_json,
    not_utf8,
    other_numbers,
    noise,
)


def other_index(content: bytes, rng: random.Random) -> bytes:
    """Damage an index of shards, which has no length and no data."""
    entries = json.loads(content)
    placed = entries["weight_map"]
    names = [
        "../x",
        "/etc/passwd",
        "..",
        "",
        "a/b",
        "nul\0",
        "model-9.safetensors",
        3,
        None,
        [],
        "C:\\x",
        "a" * 5000,
        ".",
    ]
    if rng.random() < 0.6:
        placed[rng.choice([*placed, "new"])] = rng.choice(names + list(placed.values()))
        return json.dumps(entries).encode()
    if rng.random() < 0.5:
        entries["weight_map"] = rng.choice([None, [], {}, 3, "x", {"a": {}}])
        return json.dumps(entries).encode()
    damaged = bytearray(content)
    damaged[rng.randrange(len(content))] = rng.randrange(256)
    return rng.choice([bytes(damaged), content[: rng.randrange(len(content))], b"[" * 100_000])
