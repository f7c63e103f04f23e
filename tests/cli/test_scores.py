"""Scores on the command line: what titles and messages say, and the options that do not go with them."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file


@pytest.fixture
def scores(lenet):
    """A factor for each column of each layer."""
    rng = np.random.default_rng(0)
    shapes = {name: array.shape for name, array in load_file(lenet).items() if array.ndim == 2}
    factors = {name: rng.random(shape[1]).astype(np.float32) for name, shape in shapes.items()}
    save_file(factors, lenet.with_name("norms.safetensors"))
    return lenet.with_name("norms.safetensors")


@pytest.mark.parametrize(
    "arguments",
    [("barcode",), ("bound",), ("prune", "--sparsity", "0.5", "--dry-run"), ("prune", "--sparsity", "0.5")],
)
def test_the_first_line_names_the_file_of_scores(topoimp, lenet, scores, arguments):
    command, *options = arguments

    outcome = topoimp(command, lenet, *options, "--scores", scores, "-q")

    assert outcome.status == 0
    assert "strengths from norms.safetensors" in outcome.out.splitlines()[0]


def test_a_report_of_a_comparison_names_the_scores(topoimp, lenet, scores):
    topoimp("prune", lenet, "--sparsity", "0.9", "--scores", scores, "-q")

    outcome = topoimp(
        "compare", lenet, lenet.with_name(f"{lenet.stem}.pruned.safetensors"), "--scores", scores, "--format", "json"
    )

    report = json.loads(outcome.out)
    assert (report["settings"]["scores"], report["inputs"]["scores"]) == ("norms.safetensors", str(scores))
    assert report["network"]["barcode_kept"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--method", "random"), "error: --scores are strengths, and the method random does not go by strength\n"),
        (("--trainer", "cp {init} {out}"), "error: --scores does not go with rounds that are trained\n"),
    ],
)
def test_options_that_do_not_go_with_scores_are_refused(topoimp, lenet, scores, options, message):
    outcome = topoimp("prune", lenet, "--sparsity", "0.5", "--scores", scores, *options)

    assert (outcome.status, outcome.out, outcome.err) == (2, "", message)


def test_a_file_of_scores_that_lacks_a_layer_ends_in_one_line_and_no_output(topoimp, lenet, scores):
    save_file({"fc1.weight": np.ones(784, np.float32)}, scores)

    outcome = topoimp("prune", lenet, "--sparsity", "0.5", "--scores", scores)

    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err == (
        f"error: {scores}: has no scores of layer 'fc2.weight' of {lenet} (2 in all); --include and --exclude choose "
        "layers\n"
    )
    assert sorted(path.name for path in lenet.parent.iterdir()) == sorted([lenet.name, scores.name])


def test_output_columns_are_refused_without_the_scope_row(topoimp, lenet):
    outcome = topoimp("prune", lenet, "--sparsity", "0.5", "--output-columns", "*")

    assert (outcome.status, outcome.err) == (
        2,
        "error: --output-columns goes with the scope row, not with layer\n",
    )


def test_a_given_mask_has_no_output_columns(topoimp, lenet, scores):
    outcome = topoimp("prune", lenet, "--apply-mask", scores, "--output-columns", "*")

    assert (outcome.status, outcome.err) == (
        2,
        "error: --output-columns does not go with --apply-mask: the mask decides alone\n",
    )
