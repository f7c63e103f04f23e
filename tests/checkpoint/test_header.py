import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topoimp.checkpoint.header import (
    BITS,
    MAX_HEADER_BYTES,
    Header,
    HeaderError,
    TensorInfo,
    format_header,
    header_length,
    parse_header,
    tensor_bytes,
)

ONE = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}


def parse(entries, data_bytes=16):
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return parse_header(text, data_bytes)


NAMES = st.text(min_size=1, max_size=8).filter(lambda name: name != "__metadata__" and name.isprintable())
TENSORS = st.dictionaries(NAMES, st.tuples(st.sampled_from(sorted(BITS)), st.lists(st.integers(0, 5), max_size=3)))


@given(TENSORS, st.dictionaries(NAMES, NAMES))
def test_a_header_is_read_back_as_it_was_written(shapes, metadata):
    tensors, start = [], 0
    for name, (dtype, shape) in shapes.items():
        end = start + tensor_bytes(dtype, shape)
        tensors.append(TensorInfo(name, dtype, tuple(shape), start, end))
        start = end

    header = format_header(tensors, metadata)

    assert len(header) % 8 == 0
    assert header_length(header[:8], len(header) + start) == len(header) - 8
    assert parse_header(header[8:], start) == Header(tuple(tensors), metadata)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (b"\xff\xfe", "has a header that is not UTF-8 text"),
        (b"{", "has a header that is not JSON"),
        (b"[" * 100_000, "has a header nested too deeply to read"),
        (b'{"a": ' + b"9" * 5000 + b"}", "has a header that is not JSON"),
        (b"[1]", "has a header that is a JSON list; it must be an object"),
        (b'{"a": 1, "a": 2}', "names 'a' twice in its header"),
        ({"__metadata__": {"a": 1}}, "has metadata that is not a map from text to text"),
        ({"__metadata__": ["a"]}, "has metadata that is not a map from text to text"),
        (b'{"\\ud800": {}}', "which is not Unicode text"),
        ({"a": 1}, "describes tensor 'a' without dtype, shape and data_offsets"),
        ({"a": {"dtype": "F32", "shape": [2, 2], "more": 1}}, "describes tensor 'a' without dtype, shape and data_off"),
        ({"a": {**ONE, "dtype": "F33"}}, "gives tensor 'a' the type 'F33', which safetensors does not have"),
        ({"a": {**ONE, "dtype": []}}, r"gives tensor 'a' the type \[\]"),
        ({"a": {**ONE, "shape": [2, -2]}}, r"gives tensor 'a' the shape \[2, -2\]; it must be a list of sizes"),
        ({"a": {**ONE, "shape": [True, 2]}}, r"gives tensor 'a' the shape \[True, 2\]"),
        ({"a": {**ONE, "shape": 4}}, "gives tensor 'a' the shape 4"),
        ({"a": {**ONE, "data_offsets": [16, 0]}}, r"gives tensor 'a' the offsets \[16, 0\]"),
        ({"a": {**ONE, "data_offsets": [0, 16, 16]}}, "they must be a start and an end"),
        ({"a": {**ONE, "data_offsets": [0, 12]}}, r"gives tensor 'a' 12 bytes; F32 of shape \[2, 2\] needs 16"),
        ({"a": {**ONE, "shape": [2**60, 2]}}, "gives tensor 'a' 16 bytes"),
        ({"a": {**ONE, "shape": [2**40, 2**40]}}, "it must be a list of sizes"),
        ({"a": {**ONE, "shape": [2**62, 2**62, 0]}}, "it must be a list of sizes"),
        ({"a": {**ONE, "data_offsets": [8, 24]}}, "places tensor 'a' at byte 8; 0 is expected there"),
        ({"a": ONE, "b": ONE}, "places tensor 'b' at byte 0; 16 is expected there"),
    ],
)
def test_a_header_that_contradicts_the_format_or_itself_is_refused(entries, message):
    with pytest.raises(HeaderError, match=message):
        parse(entries)


@pytest.mark.parametrize("half", [2**32, 2**50, 2**61])
def test_a_file_may_be_as_large_as_a_computer_can_count(half):
    first = {"dtype": "U8", "shape": [half], "data_offsets": [0, half]}
    second = {"dtype": "U8", "shape": [half], "data_offsets": [half, 2 * half]}

    header = parse({"a": first, "b": second}, data_bytes=2 * half)

    assert [tensor.end for tensor in header.tensors] == [half, 2 * half]


def test_metadata_may_be_null():
    assert parse({"__metadata__": None}, data_bytes=0) == Header((), {})


def test_entries_that_the_format_does_not_have_are_passed_over_and_named():
    header = parse({"a": {**ONE, "strides": [2, 1], "note": None}})

    assert [tensor.name for tensor in header.tensors] == ["a"]
    assert header.unknown == ("strides of a", "note of a")


def test_a_header_that_no_reader_would_accept_is_not_written():
    with pytest.raises(HeaderError, match="would have a header of 100000024 bytes; readers accept 100000000"):
        format_header([], {"k": "v" * (MAX_HEADER_BYTES - 2)})


def test_data_beyond_the_file_are_truncated():
    with pytest.raises(HeaderError, match="needs 16 bytes of tensor data and holds 12; it is truncated"):
        parse({"a": ONE}, data_bytes=12)


def test_bytes_that_no_tensor_describes_are_refused():
    with pytest.raises(HeaderError, match="holds 20 bytes of tensor data, but its header describes 16"):
        parse({"a": ONE}, data_bytes=20)


def test_an_absurd_header_length_is_refused_before_anything_is_allocated():
    with pytest.raises(HeaderError, match="this is not a safetensors file"):
        header_length((MAX_HEADER_BYTES + 1).to_bytes(8, "little"), 2**60)


def test_a_header_longer_than_the_file_is_refused():
    with pytest.raises(HeaderError, match="announces a header of 100 bytes, but the file holds 50; it is truncated"):
        header_length((100).to_bytes(8, "little"), 50)
