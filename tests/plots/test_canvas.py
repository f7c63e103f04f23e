import subprocess
import sys
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from topoimp.choices import PictureSize
from topoimp.plots.canvas import ENDINGS, WIDTHS, axes_or_new, new_figure, save, small_multiples


def line_of(name, ax):
    ax.plot([1, 2, 3], [1, 4, 9], label="squares")
    ax.set_xlabel("number")
    ax.set_ylabel(name)
    ax.legend()


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_drawing_has_the_same_bytes(tmp_path, ending):
    for name in ("first", "second"):
        save(small_multiples(["a", "b"], line_of), tmp_path / f"{name}{ending}")

    assert (tmp_path / f"first{ending}").read_bytes() == (tmp_path / f"second{ending}").read_bytes()


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_given_ending_is_that_of_the_content(tmp_path, ending):
    save(new_figure(), tmp_path / "picture.partial", ending=ending)

    start = (tmp_path / "picture.partial").read_bytes()[:100]
    assert {".svg": b"<?xml", ".pdf": b"%PDF", ".png": b"\x89PNG"}[ending] in start


@pytest.mark.parametrize("size", PictureSize)
def test_a_figure_has_the_width_of_a_column_or_a_page(size):
    figure = new_figure(size)

    assert isinstance(figure, Figure)
    assert figure.get_figwidth() == WIDTHS[size]
    assert WIDTHS == {"column": 3.25, "page": 6.75}


def test_names_in_an_svg_are_text_and_no_markup(tmp_path):
    save(small_multiples(["</svg><script>$a$ & b"], line_of), tmp_path / "picture.svg")

    svg = ElementTree.parse(tmp_path / "picture.svg")  # noqa: S314  # ours
    assert not [tag for tag in svg.iter() if "script" in tag.tag]


@pytest.mark.parametrize("name", ["a\x1b[31m", "層"])
def test_letters_that_the_font_lacks_are_drawn_without_a_warning(tmp_path, name):
    figure = small_multiples([name], line_of)

    save(figure, tmp_path / "picture.svg")

    assert figure.axes[0].get_title() == name.replace("\x1b", r"\x1b")


def test_what_panels_share_is_written_once():
    figure = small_multiples(["a", "b", "c"], line_of)

    assert figure.get_supxlabel() == "number"
    assert {ax.get_xlabel() for ax in figure.axes} == {""}
    assert [ax.get_ylabel() for ax in figure.axes] == ["a", "b", "c"]  # these differ
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["squares"]
    assert all(ax.get_legend() is None for ax in figure.axes)


def test_a_single_panel_keeps_its_own_labels():
    (ax,) = small_multiples(["a"], line_of).axes

    assert (ax.get_title(), ax.get_xlabel()) == ("a", "number")
    assert ax.get_legend() is not None


@pytest.mark.parametrize(("size", "n_columns"), [("column", 2), ("page", 4)])
def test_panels_fill_rows(size, n_columns):
    figure = small_multiples(list("abcde"), line_of, PictureSize(size))

    assert len(figure.axes) == 5
    assert figure.axes[0].get_gridspec().ncols == n_columns


def test_formulas_in_names_stay_text():
    (ax,) = small_multiples([r"w$\frac{$"], line_of).axes

    assert not ax.title.get_parse_math()


def test_the_axes_of_a_caller_keep_their_look():
    caller = new_figure().add_subplot()
    with axes_or_new(caller) as ax:
        assert ax is caller


def test_without_matplotlib_one_sentence_says_what_to_install():
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from topoimp.errors import OutputError\n"
        "try:\n    import topoimp.plots\nexcept OutputError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "a picture needs matplotlib; install it by: pip install 'topoimp[plot]'\n"
