import math
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topoimp.errors import OptionError
from topoimp.reports.gates import Gate, fired_gates, parse_gate
from topoimp.reports.report import Report

OPERATORS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def report_of(*rows):
    return Report("compare", {}, {}, rows)


ROWS = report_of(
    {"level": "layer", "layer": "a", "retention": 0.5, "barcode_kept": False, "dtype": "F32", "rows": 3},
    {"level": "layer", "layer": "b", "retention": 1.0, "barcode_kept": True, "dtype": "F32", "rows": 4},
    {"level": "network", "retention": 0.8, "barcode_kept": False},
)


@given(NUMBERS, st.sampled_from(sorted(OPERATORS)), NUMBERS)
def test_a_gate_fires_exactly_if_its_comparison_is_true(value, comparison, number):
    gate = parse_gate(f"retention{comparison}{number!r}")

    fired = fired_gates([gate], report_of({"level": "network", "retention": value}))

    assert bool(fired) == OPERATORS[comparison](value, number)


@given(NUMBERS)
def test_a_number_is_read_as_python_writes_it(number):
    assert parse_gate(f"tau < {number!r}").number == number


@given(st.text())
def test_whatever_is_written_is_a_gate_or_refused(text):
    try:
        gate = parse_gate(text)
    except OptionError as error:
        assert repr(text) in str(error)  # noqa: PT017  # one of the two
    else:
        assert math.isfinite(gate.number)


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("retention<0.9", Gate("retention<0.9", "retention", "<", 0.9)),
        ("network:beta0>=3", Gate("network:beta0>=3", "beta0", ">=", 3.0, "network")),
        (" layer : tau == -1e-3 ", Gate(" layer : tau == -1e-3 ", "tau", "==", -0.001, "layer")),
        ("barcode_kept!=true", Gate("barcode_kept!=true", "barcode_kept", "!=", 1.0)),
        ("barcode_kept==false", Gate("barcode_kept==false", "barcode_kept", "==", 0.0)),
        ("wasserstein_1>.5", Gate("wasserstein_1>.5", "wasserstein_1", ">", 0.5)),
    ],
)
def test_how_a_gate_is_written(text, gate):
    assert parse_gate(text) == gate


@pytest.mark.parametrize(
    "text",
    ["", "retention", "retention<", "<0.5", "retention=0.5", "retention<nan", "retention<inf", "retention<0.5 or 1",
     "rounds:retention<1", "retention<beta0", "__import__('os')<1", "retention<1e99999", "retention<٣"],
)  # fmt: skip
def test_what_is_no_gate_is_refused(text):
    with pytest.raises(OptionError, match=r"it must be a column, one of <=, >=, ==, !=, <, > and a number, as in"):
        parse_gate(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("retentoin<1", "the gate is 'retentoin<1'; no report has a column 'retentoin'"),
        ("dtype<1", "the gate is 'dtype<1'; the column 'dtype' holds text, and a gate needs numbers"),
    ],
)
def test_a_gate_on_such_a_column_is_refused_before_anything_is_computed(text, message):
    with pytest.raises(OptionError, match=message):
        parse_gate(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("barcode_kept==0", "layer 'a' has barcode_kept false, and 1 more of 3 rows"),
        ("network:barcode_kept==0", "the network has barcode_kept false"),
        ("layer:retention<0.6", "layer 'a' has retention 0.5"),
        ("rows>=4", "layer 'b' has rows 4"),
    ],
)
def test_it_is_said_which_row_and_which_value(text, sentence):
    assert fired_gates([parse_gate(text)], ROWS) == [f"gate {text!r}: {sentence}"]


def test_a_gate_narrowed_to_rows_that_do_not_match_does_not_fire():
    assert fired_gates([parse_gate("network:retention<0.6"), parse_gate("layer:retention>1")], ROWS) == []


def test_every_gate_that_fires_is_said():
    gates = [parse_gate("retention<0.6"), parse_gate("retention>2"), parse_gate("barcode_kept==0")]

    assert [sentence.split(":")[0] for sentence in fired_gates(gates, ROWS)] == [
        "gate 'retention<0.6'",
        "gate 'barcode_kept==0'",
    ]


def test_several_others_are_told_apart():
    row = {"level": "network", "other": "round-03", "retention": 0.5}

    assert fired_gates([parse_gate("retention<1")], report_of(row)) == [
        "gate 'retention<1': the network of round-03 has retention 0.5"
    ]


@pytest.mark.parametrize("comparison", ["<0.5", ">0.5", "==0", "!=0"])
def test_an_undefined_value_does_not_pass(comparison):
    report = report_of({"level": "layer", "layer": "a", "z_score": None, "undefined": "no z_score: all agree"})

    assert fired_gates([parse_gate(f"z_score{comparison}")], report) == [
        f"gate 'z_score{comparison}': layer 'a' has no z_score (no z_score: all agree), and an undefined value "
        "does not pass"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tau<1", "the gate is 'tau<1'; no row of this report has a column 'tau'"),
        ("network:rows<1", "the gate is 'network:rows<1'; no network row of this report has a column 'rows'"),
    ],
)
def test_a_gate_that_this_report_cannot_answer_is_refused(text, message):
    with pytest.raises(OptionError) as error:
        fired_gates([parse_gate(text)], ROWS)

    assert str(error.value) == message
