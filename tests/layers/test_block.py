"""The part of a tensor that a layer is, against numpy's slices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from topoimp.layers import block
from topoimp.layers.block import Block, are_in_blocks


@st.composite
def blocks(draw):
    """A block of columns or of rows, the numbers of its tensor, and those of the block."""
    n_rows, width, n_groups = draw(st.integers(1, 7)), draw(st.integers(1, 6)), draw(st.integers(1, 4))
    tensor = np.random.default_rng(draw(st.integers(0, 99))).permutation(n_rows * n_groups * width).astype(np.uint16)
    group = draw(st.integers(0, n_groups - 1))
    if draw(st.booleans()):
        own = tensor.reshape(n_rows, -1)[:, group * width : (group + 1) * width].ravel()
        return Block(group * width, len(own), width, n_groups * width), tensor, own

    n = n_rows * width
    return Block(group * n, n, n, n), tensor, tensor[group * n : (group + 1) * n]


@pytest.fixture(params=[1, 5, 1 << 22], autouse=True, scope="module")
def span(request):
    """Rectangles of few places and of many."""
    patch = pytest.MonkeyPatch()
    patch.setattr(block, "SPAN", request.param)
    yield request.param
    patch.undo()


def part(data, n):
    """Two ascending numbers up to n."""
    return sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n))))


@given(blocks(), st.data())
def test_a_range_of_indices_is_read_from_its_places(drawn, data):
    own, tensor, expected = drawn
    start, stop = part(data, own.n_weights)

    assert_array_equal(own.read(lambda first, end: tensor[first:end], start, stop), expected[start:stop])
    assert_array_equal(tensor[own.places(np.arange(start, stop))], expected[start:stop])


@given(blocks(), st.data())
def test_nothing_is_read_beyond_the_span(drawn, data):
    own, tensor, _ = drawn
    start, stop = part(data, own.n_weights)

    rectangles = list(own.rectangles(start, stop))

    assert [each.start for each in rectangles] == [start, *(each.stop for each in rectangles)][: len(rectangles)]
    assert sum(each.stop - each.start for each in rectangles) == stop - start
    assert all(each.shape[0] == 1 or each.end - each.first <= block.SPAN for each in rectangles)
    assert all(0 <= each.first < each.end <= len(tensor) for each in rectangles)
    assert all(each.shape[1] <= block.SPAN for each in rectangles)


@given(blocks(), st.data())
def test_the_weights_between_two_places_are_written_there_alone(drawn, data):
    own, tensor, values = drawn
    first, end = part(data, len(tensor))
    is_own = np.isin(tensor, values)
    start, stop = own.n_before(first), own.n_before(end)
    written = np.full(end - first, len(tensor), np.uint16)

    own.write(values[start:stop], start, written, first)

    assert (start, stop) == (np.count_nonzero(is_own[:first]), np.count_nonzero(is_own[:end]))
    assert_array_equal(written, np.where(is_own, tensor, len(tensor))[first:end])


@given(st.integers(1, 5), st.integers(1, 4), st.sets(st.integers(0, 3)), st.data())
def test_places_know_whether_they_are_in_one_of_some_blocks(n_rows, width, groups, data):
    columns = [Block(group * width, n_rows * width, width, 4 * width) for group in groups]
    first, end = part(data, n_rows * 4 * width)
    is_in = np.tile(np.repeat([group in groups for group in range(4)], width), n_rows)

    assert_array_equal(are_in_blocks(columns, first, end), is_in[first:end])
