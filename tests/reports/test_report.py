import csv
import io
import json
from pathlib import Path

import pytest

from topoimp.errors import CheckpointError
from topoimp.reports.report import Report, rows_of_csv, rows_of_file

REPORT = Report(
    command="barcode",
    inputs={"checkpoint": Path("folder/model.safetensors")},
    settings={"include": ["a*"], "p": 2.0},
    rows=[
        {"level": "layer", "layer": 'a,"b"', "density": 0.1 + 0.2, "beta0": 3, "beta0_kept": True, "tau": None},
        {"level": "network", "density": 1e-300, "beta0": 3, "beta0_kept": False, "np_rieck": 2 / 3},
    ],
    left_out={"embed.weight": "an embedding or a head"},
)


def test_json_is_one_object_with_everything():
    content = json.loads(REPORT.to_json())

    assert list(content) == ["command", "version", "inputs", "settings", "layers", "network", "left_out"]
    assert content["inputs"] == {"checkpoint": "folder/model.safetensors"}
    assert content["layers"] == [REPORT.rows[0]]
    assert content["network"] == REPORT.rows[1]


def test_csv_has_one_header_line_full_precision_and_blanks():
    lines = list(csv.DictReader(io.StringIO(REPORT.to_csv())))

    assert list(lines[0]) == ["level", "layer", "density", "beta0", "tau", "beta0_kept", "np_rieck"]
    assert lines[0]["layer"] == 'a,"b"'
    assert float(lines[0]["density"]) == 0.1 + 0.2
    assert (lines[0]["beta0_kept"], lines[0]["tau"], lines[1]["layer"]) == ("true", "", "")
    assert float(lines[1]["np_rieck"]) == 2 / 3


def test_a_pandas_table_has_the_same_values_with_types():
    frame = REPORT.frame()

    assert frame["density"].tolist() == [0.1 + 0.2, 1e-300]
    assert frame["beta0_kept"].tolist() == [True, False]
    assert frame["tau"].isna().all()


def test_rounds_are_listed_and_the_last_is_the_network():
    report = Report("prune", {}, {}, [{"level": "network", "round": k} for k in (1, 2)])

    content = json.loads(report.to_json())

    assert content["rounds"] == [{"level": "network", "round": 1}, {"level": "network", "round": 2}]
    assert content["network"] == {"level": "network", "round": 2}


def test_a_column_that_nobody_described_is_refused():
    with pytest.raises(ValueError, match=r"columns without a description: \['surprise'\]"):
        Report("barcode", {}, {}, [{"level": "layer", "surprise": 1}])


@pytest.mark.parametrize(
    ("column", "value", "kind"),
    [("layer", 3, "text"), ("beta0", 1.0, "count"), ("beta0", True, "count"), ("beta0_kept", 1, "flag")],
)
def test_a_value_of_another_kind_than_its_column_is_refused(column, value, kind):
    with pytest.raises(ValueError, match=f"column '{column}' holds {value}; its kind is {kind}"):
        Report("barcode", {}, {}, [{"level": "layer", column: value}])


def test_not_a_number_never_gets_into_json():
    report = Report("barcode", {}, {}, [{"level": "layer", "tau": float("nan")}])

    with pytest.raises(ValueError, match="not JSON compliant"):
        report.to_json()


def test_a_table_is_read_back_without_its_blanks():
    assert rows_of_csv(REPORT.to_csv()) == [
        {name: cell for name, cell in row.items() if cell is not None} for row in REPORT.rows
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "metrics.csv: is no table of a report: a table has a column '', which no report has"),
        (
            b"epoch,mood\n1,2\n",
            "metrics.csv: is no table of a report: a table has a column 'mood', which no report has",
        ),
        (b"epoch,step\n1,2,3\n", "is no table of a report: a table has a row with more cells than there are columns"),
        (b"epoch\n" + b"1" * 200_000, "is no table of a report: a table is no CSV: field larger than field limit"),
        (b"epoch\nsoon\n", "a table has 'soon' in column 'epoch', whose kind is index"),
        (b"beta0_kept\nyes\n", "a table has 'yes' in column 'beta0_kept', whose kind is flag"),
        (b"epoch,step\n", "metrics.csv: holds no row; a table has at least one"),
        (b"epoch\n\xff\n", "metrics.csv: is no table: 'utf-8' codec can't decode"),
    ],
)
def test_a_file_that_is_no_table_is_said(tmp_path, content, message):
    (tmp_path / "metrics.csv").write_bytes(content)

    with pytest.raises(CheckpointError, match=message):
        rows_of_file(tmp_path / "metrics.csv")


def test_a_table_that_is_not_there_is_said(tmp_path):
    with pytest.raises(CheckpointError, match=r"metrics.csv: cannot be read: No such file"):
        rows_of_file(tmp_path / "metrics.csv")
