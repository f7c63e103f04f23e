import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import slow_components, unrolled_convolution, unrolled_strengths

from topoimp.errors import OptionError
from topoimp.layers.spatial import InputSize, spatial_graph

AXES = st.integers(1, 2).flatmap(
    lambda n: st.tuples(st.tuples(*[st.integers(1, 3)] * n), st.tuples(*[st.integers(3, 6)] * n))
)


@given(AXES, st.integers(1, 4), st.integers(0, 2))
def test_it_is_the_graph_of_one_filter_laid_over_the_image(axes, stride, padding):
    kernel, sides = axes

    graph = spatial_graph(kernel, InputSize(sides, stride, padding))

    present = unrolled_convolution(kernel, sides, stride, padding)
    assert (graph.n_outputs, graph.n_inputs) == present.shape
    assert graph.n_edges == present.sum()
    assert graph.n_components == slow_components(present)
    assert graph.floor == sum(present.shape) - slow_components(present)


@given(st.integers(2, 11), st.integers(1, 300), st.integers(1, 300), st.integers(0, 20))
def test_at_stride_1_the_compression_is_k_k_n_over_m_plus_n_minus_1(k, height, width, padding):
    height, width = height + k, width + k
    m, n = (
        (height + 2 * padding) * (width + 2 * padding),
        (height + 2 * padding - k + 1) * (width + 2 * padding - k + 1),
    )

    graph = spatial_graph((k, k), InputSize((height, width), padding=padding))

    assert graph.critical_compression == k * k * n / (m + n - 1)


@given(st.integers(1, 9), st.integers(1, 300))
def test_by_default_there_are_as_many_outputs_as_inputs(k, side):
    graph = spatial_graph((k, k), InputSize((side, side)))

    assert (graph.n_outputs, graph.n_inputs) == (side**2, (side + k - 1) ** 2)


def test_by_hand_a_kernel_of_2_x_2_over_3_x_3():
    graph = spatial_graph((2, 2), InputSize((3, 3), padding=0))

    assert (graph.n_inputs, graph.n_outputs, graph.n_edges, graph.n_components) == (9, 4, 16, 1)
    assert (graph.floor, graph.critical_compression) == (12, 16 / 12)


def test_a_kernel_of_one_position_connects_each_output_to_an_input_of_its_own():
    graph = spatial_graph((1, 1), InputSize((5, 5)))

    assert (graph.n_components, graph.floor, graph.critical_compression) == (25, 25, 1.0)


def test_an_input_beyond_the_last_place_of_the_kernel_is_alone():
    assert spatial_graph((2, 2), InputSize((5, 4), stride=2, padding=0)).n_components == 4 + 4


def test_a_kernel_as_large_as_the_image_is_a_star():
    assert spatial_graph((3,), InputSize((3,), padding=0)).critical_compression == 1.0


def test_it_is_written_as_it_is_asked_for():
    assert str(InputSize((28, 14), 2, 1)) == "28x14:2:1"
    assert str(InputSize((28, 28))) == "28x28:1:same"


@pytest.mark.parametrize("corner", [(0, 0), (0, 2), (2, 0), (2, 2)])
def test_without_a_corner_of_its_kernel_a_filter_leaves_an_input_alone(corner):
    kernel = np.ones((3, 3))
    kernel[corner] = 0

    strengths = unrolled_strengths(kernel, (4, 5), 1, 1)

    assert (strengths == 0).all(axis=0).sum() == 1


@pytest.mark.parametrize(
    ("kernel", "size", "message"),
    [
        ((3, 3), InputSize((32,)), "the image is 32 and the kernel 3 x 3; both need the same axes"),
        ((), InputSize((32, 32)), "the image is 32 x 32 and the kernel nothing; both need the same axes"),
        ((3, 3), InputSize((0, 4)), "sides and stride must be at least 1, padding at least 0"),
        ((3, 3), InputSize((4, 4), 0), "the image is 4 x 4 at stride 0 with padding same; sides and stride must be"),
        ((3, 3), InputSize((4, 4), 1, -1), "at stride 1 with padding -1; sides and stride must be at least 1, padding"),
        (
            (5, 5),
            InputSize((2, 4), 1, 1),
            "the image is 4 x 6 with its padding; the kernel is 5 x 5, and must fit",
        ),
    ],
)
def test_what_does_not_fit_is_refused(kernel, size, message):
    with pytest.raises(OptionError, match=message):
        spatial_graph(kernel, size)
