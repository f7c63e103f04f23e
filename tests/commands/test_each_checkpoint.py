from pathlib import Path

import numpy as np
import pytest

from topoimp.commands.barcode import barcode_report
from topoimp.commands.bound import bound_report
from topoimp.commands.bound_options import BoundOptions
from topoimp.commands.each_checkpoint import report_of_each
from topoimp.commands.tensor_list import tensor_list
from topoimp.errors import CheckpointError, LayerError, OptionError
from topoimp.layers.records import LayerPatterns


@pytest.fixture
def paths(write):
    """Three checkpoints, one of which has an embedding."""
    rng = np.random.default_rng(0)
    shapes = {"b": {"w": (3, 4)}, "a": {"v": (2, 2), "w": (4, 5)}, "c": {"embed.w": (6, 2), "w": (5, 2)}}
    return [
        write({layer: rng.normal(size=shape) for layer, shape in layers.items()}, f"{name}.safetensors")
        for name, layers in shapes.items()
    ]


@pytest.mark.parametrize(
    "report_of",
    [
        barcode_report,
        bound_report,
        tensor_list,
        lambda path: bound_report(path, BoundOptions(densities=[0.5], null="random")),
    ],
)
def test_the_rows_are_those_of_each_in_the_order_given_with_its_path(paths, report_of):
    each = report_of_each(paths, report_of)

    single = [(path, row) for path in paths for row in report_of(path).rows]
    assert each.failures == []
    assert [row["checkpoint"] for row in each.report.rows] == [str(path) for path, _ in single]
    assert [without_path(row) for row in each.report.rows] == [row for _, row in single]


def without_path(row):
    return {column: value for column, value in row.items() if column != "checkpoint"}


def test_each_has_one_network_row_and_is_an_input(paths):
    report = report_of_each(paths, barcode_report).report

    assert [row["checkpoint"] for row in report.rounds] == [str(path) for path in paths]
    assert report.inputs == {"checkpoint-1": paths[0], "checkpoint-2": paths[1], "checkpoint-3": paths[2]}


def test_tensors_left_out_are_named_with_their_checkpoint(paths):
    report = report_of_each(paths, bound_report).report

    (name,) = report.left_out
    assert name == f"{paths[2]}: embed.w"


def test_the_report_on_one_is_its_own(paths):
    report = report_of_each(paths[:1], barcode_report).report

    assert report.to_json() == barcode_report(paths[0]).to_json()


def test_the_same_checkpoint_may_be_given_twice(paths):
    report = report_of_each([paths[0], paths[0]], barcode_report).report

    assert report.rows[: len(report.rows) // 2] == report.rows[len(report.rows) // 2 :]


def test_one_that_cannot_be_used_takes_nothing_from_the_others(paths, tmp_path):
    missing = tmp_path / "missing.safetensors"

    each = report_of_each([paths[0], missing, paths[1]], barcode_report)

    assert {row["checkpoint"] for row in each.report.rows} == {str(paths[0]), str(paths[1])}
    assert [failure.path for failure in each.failures] == [missing]
    with pytest.raises(CheckpointError) as error:
        each.raise_failures("more")
    assert error.value.args == (f"{missing}: no such file", "more")


def test_the_error_has_the_type_of_the_first_and_a_message_for_each_that_names_it(paths, tmp_path):
    missing = tmp_path / "missing.safetensors"

    def report_of(path):
        if path == paths[0]:
            raise LayerError("all is zero")
        return barcode_report(path)

    each = report_of_each([*paths, missing], report_of)

    with pytest.raises(LayerError) as error:
        each.raise_failures()
    assert error.value.args == (f"{paths[0]}: all is zero", f"{missing}: no such file")


def test_without_failures_nothing_is_raised(paths):
    report_of_each(paths, barcode_report).raise_failures("more")


def test_an_error_that_all_share_is_said_once(paths):
    each = report_of_each(paths, lambda path: barcode_report(path, p=0.5))

    assert each.report is None
    with pytest.raises(OptionError) as error:
        each.raise_failures()
    assert error.value.args == ("the norm's p is 0.5; it must be at least 1, and finite",)


def test_the_same_message_beside_a_report_names_its_checkpoint(paths):
    def report_of(path: Path):
        if path != paths[2]:
            raise LayerError("all is zero")
        return barcode_report(path)

    with pytest.raises(LayerError) as error:
        report_of_each(paths, report_of).raise_failures()
    assert error.value.args == tuple(f"{path}: all is zero" for path in paths[:2])


def test_a_defect_is_no_failure_of_a_checkpoint(paths):
    with pytest.raises(ZeroDivisionError):
        report_of_each(paths, lambda path: 1 / len(path.parts[:0]))


def test_a_pattern_that_one_checkpoint_lacks_is_named_with_it(paths):
    each = report_of_each(paths, lambda path: barcode_report(path, patterns=LayerPatterns(include=("v",))))

    assert [failure.path for failure in each.failures] == [paths[0], paths[2]]
    assert {row["checkpoint"] for row in each.report.rows} == {str(paths[1])}
