import json

import pytest
from outputs import figures_in, report_in, tables_in, texts

from topoimp.commands.prune_run import prune_run
from topoimp.commands.prune_run_pictures import FIGURES
from topoimp.errors import OptionError, OutputError
from topoimp.plots import floors_of_prunings, lottery_ticket, save
from topoimp.pruning.options import PruningOptions
from topoimp.reports.report import rows_of_file

ONE_ROUND = PruningOptions(rounds=1)


def without_blanks(rows):
    return [{column: value for column, value in row.items() if value is not None} for row in rows]


def test_a_picture_shows_all_prunings_of_the_run_folder(run, tmp_path):
    prune_run(run, PruningOptions(rounds=1, method="magnitude"), jobs=1)

    report = prune_run(run, ONE_ROUND, jobs=1, plot=tmp_path / "a.svg").report

    assert {"magnitude", "topological", "dense network", "test accuracy"} <= set(texts(tmp_path / "a.svg"))
    assert "mean of n = 2 seeds, and minimum to maximum" in texts(tmp_path / "a.svg")
    assert report.outputs["plot"] == tmp_path / "a.svg"
    assert report.settings["figure"] == "lottery-ticket"


def test_a_picture_of_finished_rounds_needs_no_training_and_changes_no_row(run, tmp_path):
    rows = prune_run(run, ONE_ROUND, jobs=1).report.rows

    again = prune_run(run, ONE_ROUND, jobs=1, plot=tmp_path / "a.png", size="page")

    assert again.n_new == 0
    assert again.report.rows == rows
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_the_table_of_a_run_folder_draws_the_same_lines(run):
    prune_run(run, ONE_ROUND, jobs=1)

    summary = rows_of_file(run / "summary.csv")

    line = lottery_ticket(summary).axes[0].lines[0]
    means = [row["mean"] for row in summary if row["level"] == "network" and row["quantity"] == "test_accuracy"]
    assert list(line.get_ydata()) == means
    assert len(means) == 2


def test_the_floors_are_those_of_the_table_of_rounds(run, tmp_path):
    prune_run(run, PruningOptions(rounds=1, method="magnitude"), jobs=1)

    report = prune_run(run, ONE_ROUND, jobs=1, plot=tmp_path / "a.svg", figure="floors").report

    assert report.settings["figure"] == "floors"
    assert {"magnitude", "topological", "weights kept / floor (log)", "smallest of n = 2 seeds"} <= {
        *texts(tmp_path / "a.svg")
    }
    rounds = rows_of_file(run / "rounds.csv")
    save(floors_of_prunings(rounds), tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_page_has_the_report_all_figures_and_the_tables_of_the_run_folder(run, tmp_path):
    prune_run(run, PruningOptions(rounds=1, method="magnitude"), jobs=1)
    rows = prune_run(run, ONE_ROUND, jobs=1).report.rows

    report = prune_run(run, ONE_ROUND, jobs=1, report=tmp_path / "a.html").report

    assert report.rows == rows
    assert report.outputs["report"] == tmp_path / "a.html"
    assert report_in(tmp_path / "a.html") == json.loads(report.to_json())
    assert figures_in(tmp_path / "a.html") == list(FIGURES)
    tables = tables_in(tmp_path / "a.html")
    assert list(tables) == ["summary", "paired"]
    for name, shown in tables.items():
        assert without_blanks(shown) == without_blanks(
            row for row in rows_of_file(run / f"{name}.csv") if row["level"] == "network"
        )
        assert shown
    assert "<dt>data.name</dt><dd>digits</dd>" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_the_pages_of_the_same_rounds_have_the_same_bytes(run, tmp_path):
    prune_run(run, ONE_ROUND, jobs=1)

    pages = []
    for _ in range(2):
        prune_run(run, ONE_ROUND, jobs=1, plot=tmp_path / "a.svg", report=tmp_path / "a.html")
        pages.append((tmp_path / "a.html").read_bytes())
        (tmp_path / "a.svg").unlink()
        (tmp_path / "a.html").unlink()

    assert pages[0] == pages[1]


def test_an_existing_page_is_refused_before_any_round(run, tmp_path):
    (tmp_path / "a.html").write_text("mine")

    with pytest.raises(OutputError, match=r"a\.html: exists already; `report` needs another name, as `force` begins"):
        prune_run(run, ONE_ROUND, jobs=1, report=tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text() == "mine"
    assert not list(run.glob("seed-*/topological"))


def test_an_existing_picture_is_refused_before_any_round(run, tmp_path):
    (tmp_path / "a.svg").write_text("mine")

    with pytest.raises(OutputError, match=r"a\.svg: exists already; `plot` needs another name, as `force` begins"):
        prune_run(run, ONE_ROUND, jobs=1, plot=tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text() == "mine"
    assert not list(run.glob("seed-*/topological"))


def test_an_unknown_figure_is_refused_before_any_round(run, tmp_path):
    with pytest.raises(OptionError, match=r"^there is no figure 'mask' here; there are lottery-ticket, floors, gains$"):
        prune_run(run, ONE_ROUND, jobs=1, plot=tmp_path / "a.svg", figure="mask")
    assert not list(run.glob("seed-*/topological"))


def test_the_command_draws_a_run_folder_and_says_so(topoimp, run, tmp_path):
    files = ("--plot", tmp_path / "a.svg", "--report", tmp_path / "a.html")

    done = topoimp("prune", run, "--rounds", 1, "--jobs", 1, *files)

    assert done.status == 0
    assert (
        f"wrote {run / 'rounds.csv'} and summary.csv\nwrote {tmp_path / 'a.svg'}\nwrote {tmp_path / 'a.html'}\n"
        in done.err
    )


def test_the_command_refuses_a_picture_of_a_dry_run(topoimp, lenet, run):
    for path in (run, lenet):
        refused = topoimp("prune", path, "--rounds", 1, "--dry-run", "--report", "a.html")

        assert refused.status == 2
        assert "--report does not go with --dry-run" in refused.err
