import numpy as np
import pytest

from topoimp.plots import input_image, small_multiples


def test_pixels_are_weights_and_those_without_one_are_black():
    ax = input_image(np.array([[3, 0], [1, 2], [0, 0]]))

    (image,) = ax.images
    assert image.get_array().filled(0).tolist() == [[3, 0], [1, 2], [0, 0]]
    assert image.to_rgba(image.get_array())[0, 1].tolist() == [0, 0, 0, 1]
    assert image.get_clim() == (0, 3)
    assert image.colorbar.ax.get_ylabel() == "weights kept"
    assert ax.get_xlabel() == "3 of 6 pixels cut off"


@pytest.mark.parametrize("n_kept", [[[0, 0]], [[4, 4], [4, 4]], [[7]], [[0]]])
def test_an_image_without_weights_or_of_one_pixel_is_drawn(n_kept):
    ax = input_image(np.array(n_kept))
    ax.figure.canvas.draw()

    assert ax.images[0].get_clim() == (0, max(1, np.max(n_kept)))


def test_images_of_different_ranges_keep_their_colour_bars():
    images = {"a": np.array([[1, 2]]), "b": np.array([[5, 0]])}
    figure = small_multiples(list(images), lambda name, ax: input_image(images[name], ax=ax))

    assert [len(ax.child_axes) for ax in figure.axes] == [1, 1]
