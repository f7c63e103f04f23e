import math
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topoimp.errors import OptionError
from topoimp.reports.gates import Gate, check_gates, fired_gates, gate_results, parse_gate

OPERATORS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


ROWS = (
    {"level": "layer", "layer": "a", "retention": 0.5, "barcode_kept": False, "dtype": "F32", "rows": 3},
    {"level": "layer", "layer": "b", "retention": 1.0, "barcode_kept": True, "dtype": "F32", "rows": 4},
    {"level": "layer", "layer": "c", "retention": 0.75, "barcode_kept": False, "dtype": "F32", "rows": 5},
    {"level": "network", "retention": 0.8, "barcode_kept": False},
)


@given(NUMBERS, st.sampled_from(sorted(OPERATORS)), NUMBERS)
def test_a_gate_fires_exactly_if_its_comparison_is_true(value, comparison, number):
    gate = parse_gate(f"retention{comparison}{number!r}")

    fired = fired_gates([gate], [{"level": "network", "retention": value}])

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
        ("density: excess<0", Gate("density: excess<0", "excess", "<", 0.0, "density")),
        ("density<0.1", Gate("density<0.1", "density", "<", 0.1)),
        ("density:density<0.1", Gate("density:density<0.1", "density", "<", 0.1, "density")),
        ("convolutions:floor>9", Gate("convolutions:floor>9", "floor", ">", 9.0, "convolutions")),
        ("dense:floor>9", Gate("dense:floor>9", "floor", ">", 9.0, "dense")),
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
    ("text", "found"),
    [
        ("barcode_kept==0", [f"{row} has barcode_kept false" for row in ("layer 'a'", "layer 'c'", "the network")]),
        ("network:barcode_kept==0", ["the network has barcode_kept false"]),
        ("layer:retention<0.6", ["layer 'a' has retention 0.5"]),
        ("rows>=4", ["layer 'b' has rows 4", "layer 'c' has rows 5"]),
    ],
)  # fmt: skip
def test_every_row_that_matches_is_named_with_its_value(text, found):
    assert fired_gates([parse_gate(text)], ROWS) == [f"gate {text!r}: {each}" for each in found]


def test_a_gate_on_densities_looks_at_no_other_row():
    rows = [
        {"level": "layer", "layer": "a", "retention": 0.1},
        {"level": "density", "layer": "a", "density": 0.5, "retention": 0.75},
        {"level": "density", "layer": "a", "density": 0.25, "retention": 0.5},
        {"level": "network", "retention": 0.1},
    ]

    assert fired_gates([parse_gate("density:retention<0.6")], rows) == [
        "gate 'density:retention<0.6': layer 'a' at density 0.25 has retention 0.5"
    ]


def test_a_gate_on_densities_is_refused_where_there_are_none():
    with pytest.raises(OptionError, match="no density row of this report has a column 'retention'"):
        fired_gates([parse_gate("density:retention<0.6")], ROWS)


def test_a_gate_narrowed_to_rows_that_do_not_match_does_not_fire():
    assert fired_gates([parse_gate("network:retention<0.6"), parse_gate("layer:retention>1")], ROWS) == []


def test_gates_fire_one_after_the_other():
    gates = [parse_gate("retention<0.6"), parse_gate("retention>2"), parse_gate("network:barcode_kept==0")]

    assert [sentence.split(":")[0] for sentence in fired_gates(gates, ROWS)] == [
        "gate 'retention<0.6'",
        "gate 'network",
    ]


def test_a_gate_has_a_result_at_every_row_that_it_looks_at():
    results = gate_results([parse_gate("retention<0.6"), parse_gate("rows<0")], ROWS)

    assert [(result.subject, result.value, result.fires) for result in results] == [
        ("layer 'a'", 0.5, True),
        ("layer 'b'", 1.0, False),
        ("layer 'c'", 0.75, False),
        ("the network", 0.8, False),
        ("layer 'a'", 3, False),
        ("layer 'b'", 4, False),
        ("layer 'c'", 5, False),
    ]


def network(**columns):
    return {"level": "network", "retention": 0.5, **columns}


@pytest.mark.parametrize(
    ("rows", "subjects"),
    [
        ([network(other="round-03")], ["the network of round-03"]),
        ([network(other="s/t/round-03", seed=0, round=3, pruning="t"), network(other="s/t/round-04", seed=0, round=4)],
         ["the network of s/t/round-03", "the network of s/t/round-04"]),
        ([network(checkpoint="a.safetensors"), network(checkpoint="b.safetensors")],
         ["the network of a.safetensors", "the network of b.safetensors"]),
        ([network(round=3)], ["the network"]),
        ([network(seed=0, round=3), network(seed=1, round=3)], ["the network of seed 0", "the network of seed 1"]),
        ([network(null="iid:2"), network(null="random")], ["the network beside iid:2", "the network beside random"]),
        ([network(quantity="tau", baseline=each, round=1) for each in (None, "m")],
         ["tau of the network", "tau of the network less m"]),
        ([{"level": "density", "layer": "a", "density": 0.1, "retention": 0.5}], ["layer 'a' at density 0.1"]),
        ([{"level": "convolutions", "retention": 0.5}, {"level": "dense", "retention": 0.5}],
         ["all convolutions", "all dense layers"]),
    ],
)  # fmt: skip
def test_the_words_for_a_row_tell_it_from_the_others(rows, subjects):
    assert [result.subject for result in gate_results([parse_gate("retention<1")], rows)] == subjects


@pytest.mark.parametrize("comparison", ["<0.5", ">0.5", "==0", "!=0"])
def test_an_undefined_value_does_not_pass(comparison):
    rows = [{"level": "layer", "layer": "a", "z_score": None, "undefined": "no z_score: all agree"}]

    assert fired_gates([parse_gate(f"z_score{comparison}")], rows) == [
        f"gate 'z_score{comparison}': layer 'a' has no z_score (no z_score: all agree), and an undefined value "
        "does not pass"
    ]


def test_a_row_that_lacks_a_column_of_its_level_is_undefined_and_one_of_another_level_is_not_looked_at():
    rows = [{"level": "layer", "layer": "a"}, {"level": "network", "tau": 2.0}, {"level": "network"}]

    assert fired_gates([parse_gate("tau<1")], rows) == [
        "gate 'tau<1': the network has no tau, and an undefined value does not pass"
    ]


NO_SUCH_ROWS = [
    ("tau<1", "the gate is 'tau<1'; no row of this report has a column 'tau'"),
    ("network:rows<1", "the gate is 'network:rows<1'; no network row of this report has a column 'rows'"),
]


@pytest.mark.parametrize(("text", "message"), NO_SUCH_ROWS)
def test_a_gate_that_this_report_cannot_answer_is_refused(text, message):
    with pytest.raises(OptionError) as error:
        gate_results([parse_gate(text)], ROWS)

    assert str(error.value) == message


@pytest.mark.parametrize(("text", "message"), NO_SUCH_ROWS)
def test_it_is_refused_before_there_is_a_report(text, message):
    with pytest.raises(OptionError) as error:
        check_gates(
            [parse_gate("retention<1"), parse_gate(text)], {"layer": {"rows", "retention"}, "network": {"retention"}}
        )

    assert str(error.value) == message
