import csv
import io
import json

import pytest

NO_ROOM = "the pattern 2:4 has no room for 26 of 1,192 forest edges: fc1.weight, fc3.weight"


def test_the_table_names_the_pattern_and_the_edges_that_do_not_fit(topoimp, lenet):
    outcome = topoimp("prune", lenet, "--pattern", "2:4")

    assert outcome.status == 0
    assert "method topological, pattern 2:4\n" in outcome.out
    assert "no room" in outcome.out
    assert outcome.out.endswith(
        "\n\n"
        "density 50.00% of the selected layers, 50.08% of the checkpoint; 84.23% of the squared norm is kept\n"
        "magnitude pruning to the same targets drops 11 of the 133,100 weights kept\n"
        f"{NO_ROOM}\n"
    )
    assert "no training: one round, in which the pattern alone decides how much is kept\n" in outcome.err


def test_the_plain_mask_of_the_pattern(topoimp, lenet):
    outcome = topoimp("prune", lenet, "--pattern", "2:4", "--method", "magnitude")

    assert "method magnitude, pattern 2:4\n" in outcome.out
    assert "topological pruning to the same targets keeps 11 of the weights that were dropped\n" in outcome.out


def test_a_forest_that_fits_needs_no_sentence(topoimp, lenet):
    outcome = topoimp("prune", lenet, "--pattern", "30:32", "--output-columns", "*", "--include", "fc2*")

    assert outcome.status == 0
    assert "has no room" not in outcome.out


def test_a_plan_says_the_same(topoimp, lenet):
    outcome = topoimp("prune", lenet, "--pattern", "2:4", "--dry-run")

    assert f"{NO_ROOM}\n" in outcome.out
    assert "the barcode is another from round 1 on: fc1.weight, fc3.weight\n" in outcome.out
    assert "dry run: nothing was written" in outcome.err


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_strict_exits_with_3(topoimp, lenet, more):
    outcome = topoimp("prune", lenet, "--pattern", "2:4", "--strict", *more)

    assert (outcome.status, outcome.out) == (3, "")
    assert outcome.err == f"error: {NO_ROOM}; nothing was written\n"


@pytest.mark.parametrize(("gate", "status"), [("network:n_forest_unfit>26", 0), ("n_forest_unfit>0", 3)])
def test_a_gate_looks_at_the_edges_that_do_not_fit(topoimp, lenet, gate, status):
    assert topoimp("prune", lenet, "--pattern", "2:4", "--fail-if", gate).status == status


def test_without_a_pattern_there_is_no_such_column(topoimp, lenet):
    outcome = topoimp("prune", lenet, "--rounds", 1, "--fail-if", "n_forest_unfit>0")

    assert outcome.status == 2
    assert "no row of this report has a column 'n_forest_unfit'" in outcome.err


def test_reports_for_programs(topoimp, lenet):
    of_json = topoimp("prune", lenet, "--pattern", "2:4", "--dry-run", "--format", "json")
    of_csv = topoimp("prune", lenet, "--pattern", "2:4", "--dry-run", "--format", "csv")

    report = json.loads(of_json.out)
    assert report["settings"]["pattern"] == "2:4"
    assert [row["n_forest_unfit"] for row in report["layers"]] == [25, 0, 1]
    assert [row["n_forest_unfit"] for row in csv.DictReader(io.StringIO(of_csv.out))] == ["25", "0", "1", "26"]


def test_an_evaluation_and_pictures_go_with_it(topoimp, lenet):
    page, picture = (lenet.with_name(name) for name in ("page.html", "p.svg"))
    outcome = topoimp(
        *("prune", lenet, "--pattern", "2:4", "--eval", "sh -c 'echo accuracy=0.5' {checkpoint}"),
        *("--report", page, "--plot", picture, "--figure", "floors"),
    )

    assert outcome.status == 0
    assert page.is_file()
    assert picture.is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pattern", "5:4"), "--pattern is '5:4'; it must be N:M with N from 1 to M and M at most 32, as in 2:4"),
        (
            ("--pattern", "2:4", "--layer-rate", "a=0.1"),
            "--pattern alone decides how much is kept, in one round; leave --layer-rate out",
        ),
        (
            ("--pattern", "2:4", "--rounds", "3"),
            "--pattern alone decides how much is kept, in one round; leave --rounds out",
        ),
        (
            ("--pattern", "2:4", "--method", "lamp"),
            "--pattern goes with the methods topological and magnitude, not with lamp",
        ),
        (
            ("--pattern", "2:4", "--apply-mask", "mask.safetensors"),
            "--pattern does not go with --apply-mask: the mask decides alone",
        ),
        (
            ("--pattern", "2:4", "--repair", "mask.safetensors"),
            "--pattern does not go with --repair: the mask decides alone",
        ),
        (("--pattern", "2:4", "--trainer", "true"), "--pattern does not go with rounds that are trained"),
    ],
)
def test_options_that_do_not_go_with_it_are_refused(topoimp, lenet, arguments, message):
    outcome = topoimp("prune", lenet, *arguments)

    assert (outcome.status, outcome.out, outcome.err) == (2, "", f"error: {message}\n")
    assert [path.name for path in lenet.parent.iterdir()] == [lenet.name]


def test_a_run_folder_is_refused(topoimp, run):
    outcome = topoimp("prune", run, "--pattern", "2:4")

    assert (outcome.status, outcome.err) == (2, "error: --pattern does not go with rounds that are trained\n")
