import pytest

from topoimp.plots.canvas import new_figure
from topoimp.plots.log_axes import logarithmic, power_text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (1, "1"),
        (1000, "1,000"),
        (1e4, "10⁴"),
        (2e5, "2·10⁵"),
        (1e-3, "0.001"),
        (1e-4, "10⁻⁴"),
    ],
)
def test_ticks_are_plain_text(number, text):
    assert power_text(number) == text


@pytest.mark.parametrize("linear_below", [None, 1])
@pytest.mark.parametrize("side", ["x", "y"])
def test_both_axes_have_ticks_without_formulas(side, linear_below):
    ax = new_figure().add_subplot()
    getattr(ax, f"set_{side}lim")(1, 1e6)
    logarithmic(ax, side, linear_below=linear_below)
    ax.figure.canvas.draw()

    axis = getattr(ax, f"{side}axis")
    assert axis.get_scale() == ("log" if linear_below is None else "symlog")
    texts = [label.get_text() for label in axis.get_ticklabels()]
    assert "10⁴" in texts
    assert not [text for text in texts if "$" in text]
