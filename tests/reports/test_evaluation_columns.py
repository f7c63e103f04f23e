import json

import pytest

from topoimp.reports.cells import Kind
from topoimp.reports.columns import COLUMNS
from topoimp.reports.evaluation_columns import (
    described,
    evaluated_columns,
    evaluation_columns,
    evaluation_of,
    is_described,
    with_evaluation,
)
from topoimp.reports.gates import fired_gates, parse_gate
from topoimp.reports.report import Report, rows_of_csv

ROWS = [{"level": "layer", "layer": "fc1.weight", "beta0": 1}, {"level": "network", "beta0": 1}]


def test_no_fixed_column_begins_as_those_of_an_evaluation_do():
    assert [name for name in COLUMNS if name.startswith("eval_")] == []


@pytest.mark.parametrize("column", ["eval_", "eval", "eval_a-b", "eval_a b", "evaluation", "eval_é", "Eval_a"])
def test_other_names_are_no_columns(column):
    assert not is_described(column)
    with pytest.raises(KeyError):
        described(column)


def test_a_column_of_an_evaluation_has_a_meaning_and_holds_numbers():
    meaning = "Number `a` that the command of `evaluate` printed for the result (`bound`: for the checkpoint)."

    assert (described("eval_a").meaning, described("eval_a").kind) == (meaning, Kind.NUMBER)
    assert (
        described("eval_a_reference").meaning == "Number `a` that the command of `evaluate` printed for the reference."
    )


def test_the_rows_of_layers_have_none():
    rows = with_evaluation(ROWS, evaluation_columns({"a": 0.5}, {"a": 1}))

    assert rows == [ROWS[0], {**ROWS[1], "eval_a": 0.5, "eval_a_reference": 1}]
    assert evaluated_columns(rows) == ["eval_a"]
    assert evaluation_of(rows[1]) == {"a": 0.5}


def test_csv_and_json_have_them_after_all_others():
    columns = evaluation_columns({"z": 0.1, "a": 2}, {"z": 0.3, "a": 4})
    report = Report("prune", {}, {}, with_evaluation(ROWS, columns))

    header, layer, network = report.to_csv().splitlines()
    assert header == "level,layer,beta0,eval_z,eval_z_reference,eval_a,eval_a_reference"
    assert (layer, network) == ("layer,fc1.weight,1,,,,", "network,,1,0.1,0.3,2,4")
    assert json.loads(report.to_json())["network"] == {**ROWS[1], **columns}
    assert rows_of_csv(report.to_csv())[1] == {**ROWS[1], **columns}
    assert '<th scope="col" title="Number a that the command' in report._repr_html_()


def test_a_text_in_such_a_column_is_refused():
    with pytest.raises(ValueError, match="column 'eval_a' holds '1'; its kind is number"):
        Report("prune", {}, {}, with_evaluation(ROWS, {"eval_a": "1"}))


def test_gates_take_them_with_capital_letters():
    rows = with_evaluation(ROWS, {"eval_Top1": 0.5})

    assert fired_gates([parse_gate("eval_Top1<0.6"), parse_gate("network:eval_Top1>0.6")], rows) == [
        "gate 'eval_Top1<0.6': the network has eval_Top1 0.5"
    ]
