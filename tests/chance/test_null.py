from pathlib import Path

import pytest

from topoimp.chance.null import Null, parse_null, parse_nulls
from topoimp.choices import NullModel
from topoimp.errors import OptionError


@pytest.mark.parametrize(
    ("text", "null"),
    [
        ("shuffle:20", Null(20, NullModel.EDGES)),
        ("shuffle:2:rows", Null(2, NullModel.ROWS)),
        ("shuffle:100:block", Null(100, NullModel.BLOCK)),
        ("shuffle:3:columns", Null(3, NullModel.COLUMNS)),
        ("edges:20", Null(20, NullModel.EDGES)),
        ("columns:3", Null(3, NullModel.COLUMNS)),
        ("degrees:200", Null(200, NullModel.DEGREES)),
        ("scales:3", Null(3, NullModel.SCALES)),
        ("random", Null(0, NullModel.RANDOM)),
        ("iid:1000", Null(1000, NullModel.IID)),
        ("initial", Null(1, NullModel.INITIAL)),
        ("initial:first.safetensors", Null(1, NullModel.INITIAL, Path("first.safetensors"))),
        ("initial:20", Null(1, NullModel.INITIAL, Path("20"))),
    ],
)
def test_how_a_null_is_written(text, null):
    assert parse_null(text) == null
    assert parse_null(str(null)) == null


def test_shuffles_are_named_as_shuffles():
    assert [str(Null(20, model)) for model in (NullModel.ROWS, NullModel.IID)] == ["shuffle:20:rows", "iid:20"]


FORM = "it must be MODEL:N, as in 'columns:200', shuffle:N[:WHAT], random, or initial[:FILE]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shuffle", f"the null is 'shuffle'; {FORM}"),
        ("shuffle:-3", f"the null is 'shuffle:-3'; {FORM}"),
        ("shuffle:20:", f"the null is 'shuffle:20:'; {FORM}"),
        ("rows", f"the null is 'rows'; {FORM}"),
        ("rows:1e3", f"the null is 'rows:1e3'; {FORM}"),
        ("", f"the null is ''; {FORM}"),
        (
            "cards:20",
            f"there is no null model 'cards'; known are {', '.join(NullModel)}",
        ),
        ("shuffle:20:cards", "there is no shuffle 'cards'; known are edges, block, rows, columns"),
        ("shuffle:20:iid", "there is no shuffle 'iid'; known are edges, block, rows, columns"),
        ("shuffle:1", "the null is 'shuffle:1'; it needs 2 simulations or more"),
        ("random:20", "the null is 'random:20'; random is exact, and has no number of simulations"),
        ("initial:", f"the null is 'initial:'; {FORM}"),
        ("iid:0", "the null is 'iid:0'; it needs 2 simulations or more"),
    ],
)
def test_what_is_no_null_is_refused(text, message):
    with pytest.raises(OptionError) as error:
        parse_null(text)

    assert str(error.value) == message


def test_one_null_or_several_or_none():
    rows, iid = Null(20, NullModel.ROWS), Null(5, NullModel.IID)

    assert parse_nulls(None) == ()
    assert parse_nulls("rows:20") == parse_nulls(rows) == (rows,)
    assert parse_nulls(["rows:20", iid]) == (rows, iid)


def test_a_null_given_twice_is_refused():
    with pytest.raises(OptionError, match=r"^the null shuffle:20:rows is given twice$"):
        parse_nulls(["rows:20", "iid:3", "shuffle:20:rows"])


def test_only_a_random_mask_says_nothing_about_the_strongest_weights():
    assert [model for model in NullModel if not Null(2, model).is_of_strongest] == ["random"]
