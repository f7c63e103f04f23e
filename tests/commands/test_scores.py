"""Commands with scores in place of |w|: the same numbers for scores that order alike, masks of scores on weights."""

import json

import numpy as np
import pytest
from oracles import slow_forest, slow_lines, slow_order
from safetensors.numpy import load_file, save_file

from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.barcode import barcode_report
from topoimp.commands.bound import bound_report
from topoimp.commands.bound_options import BoundOptions
from topoimp.commands.compare import comparison_report
from topoimp.commands.plan_pruning import plan_pruning
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import OptionError
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions

SHAPES = {"a.weight": (12, 30), "b.weight": (9, 12), "c.weight": (5, 4, 3, 3)}


@pytest.fixture
def model(tmp_path):
    """A checkpoint with ties, zeros and a bias, and files of scores beside it."""
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
    weights["b.weight"] = (rng.integers(-3, 4, size=SHAPES["b.weight"]) / 4).astype(np.float32)
    save_file({**weights, "a.bias": np.ones(12, np.float32)}, tmp_path / "model.safetensors")

    magnitudes = {name: np.abs(weight) for name, weight in weights.items()}
    columns = {name: weight.reshape(len(weight), -1).shape[1] for name, weight in weights.items()}
    save_file(magnitudes, tmp_path / "magnitudes.safetensors")
    save_file({name: 8 * each for name, each in magnitudes.items()}, tmp_path / "eightfold.safetensors")
    save_file({name: np.full(n, 0.3, np.float32) for name, n in columns.items()}, tmp_path / "constant.safetensors")
    save_file({name: rng.random(n).astype(np.float32) for name, n in columns.items()}, tmp_path / "norms.safetensors")
    return tmp_path / "model.safetensors"


def scores_of(model, name="norms"):
    return model.with_name(f"{name}.safetensors")


def products(model):
    """By layer, |w| times the factor of its column, shape (rows, columns)."""
    norms = load_file(scores_of(model))
    weights = {name: load_file(model)[name].reshape(shape[0], -1) for name, shape in SHAPES.items()}
    return {name: np.abs(weight.astype(np.float64)) * norms[name] for name, weight in weights.items()}


def pruned(model, name, scores=None, **options):
    """The files of a pruning: the checkpoint's tensors, the mask's bits, and the table."""
    output = model.with_name(f"{name}-pruned.safetensors")
    found = prune_checkpoint(model, PruningOptions(**options), output=output, scores=scores, threads=2)
    masks = {layer: mask.kept() for layer, mask in read_masks(found.outputs.mask).items()}
    return load_file(output), masks, found.report


@pytest.mark.parametrize("scope", ["row", "layer", "global", "erk"])
@pytest.mark.parametrize("method", ["topological", "magnitude"])
def test_magnitudes_as_scores_give_the_files_of_no_scores(model, scope, method):
    options = {"sparsity": 0.7, "rounds": 3, "scope": scope, "method": method}

    plain, scored = (pruned(model, name, scores, **options) for name, scores in runs(model, "magnitudes"))

    assert all(plain[0][name].tobytes() == scored[0][name].tobytes() for name in plain[0])
    assert all(np.array_equal(plain[1][name], scored[1][name]) for name in SHAPES)
    assert without(plain[2].rows, ("bytes", "bytes_mask")) == without(
        scored[2].rows, ("bytes", "bytes_mask")
    )  # the header names the scores


def runs(model, name):
    return [("plain", None), ("scored", scores_of(model, name))]


@pytest.mark.parametrize("scope", ["row", "layer", "erk"])
@pytest.mark.parametrize("scores", ["eightfold", "constant"])
def test_a_factor_of_the_layer_changes_nothing_within_the_layer(model, scope, scores):
    options = {"sparsity": 0.7, "scope": scope}

    plain, scored = (pruned(model, name, each, **options) for name, each in runs(model, scores))

    assert all(np.array_equal(plain[1][name], scored[1][name]) for name in SHAPES)
    assert without(plain[2].rows, ("bytes", "bytes_mask")) == without(
        scored[2].rows, ("bytes", "bytes_mask")
    )  # the header names the scores


@pytest.mark.parametrize("scope", ["row", "layer"])
@pytest.mark.parametrize("method", ["topological", "magnitude"])
def test_the_mask_is_that_of_the_scores_and_the_weights_stay(model, scope, method):
    weights = load_file(model)

    written, masks, report = pruned(model, "norms", scores_of(model), sparsity=0.6, scope=scope, method=method)

    for name, scores in products(model).items():
        protected = slow_forest(scores) if method == "topological" else []
        target = max(int(scores.size * 0.4 + 0.5), len(protected))
        if scope == "row":
            expected = slow_lines(scores, target, protected, by_column=False)
        else:
            others = [index for index in slow_order(scores) if index not in protected]
            expected = np.zeros(scores.size, bool)
            expected[[*protected, *others[: target - len(protected)]]] = True
        assert np.array_equal(masks[name].reshape(-1), expected.reshape(-1))
        assert np.array_equal(written[name], np.where(masks[name], weights[name], 0))
    assert report.settings["scores"] == "norms.safetensors"
    assert report.network["barcode_kept"] == (method == "topological")


def test_emitted_rounds_are_checked_by_their_scores(model):
    output = model.with_name("out.safetensors")

    prune_checkpoint(model, PruningOptions(rounds=3), output=output, emit_rounds=[1, 2], scores=scores_of(model))

    counts = [
        np.count_nonzero(load_file(output.with_name(f"out{suffix}.safetensors"))["a.weight"])
        for suffix in (".round-01", ".round-02", "")
    ]
    assert counts == [288, 230, 184]


def test_a_plan_has_the_rows_of_the_pruning(model):
    options = PruningOptions(sparsity=0.6, scope="row")

    plan = plan_pruning(model, options, scores=scores_of(model))
    found = prune_checkpoint(model, options, scores=scores_of(model))

    planned = [{key: row[key] for key in row.keys() & done.keys()} for row, done in zip_rows(plan.report, found.report)]
    assert planned == [{key: done[key] for key in planned[k]} for k, done in enumerate(found.report.rows)]


def zip_rows(one, other):
    return zip(one.rows, other.rows, strict=True)


@pytest.mark.parametrize("report", [barcode_report, bound_report])
def test_magnitudes_as_scores_have_the_reports_of_no_scores(model, report):
    assert report(model).rows == report(model, scores=scores_of(model, "magnitudes")).rows


def test_the_bars_of_scores_are_those_of_a_checkpoint_that_holds_them(model):
    save_file(products(model), model.with_name("products.safetensors"))

    by_scores = barcode_report(model, scores=scores_of(model)).rows
    by_weights = barcode_report(model.with_name("products.safetensors")).rows

    drop = ("dtype", "n_checkpoint_weights", "safe_sparsity_checkpoint")
    assert without(by_scores, drop) == without(by_weights, drop)
    bounds = [
        without(report.rows, drop)
        for report in (
            bound_report(model, BoundOptions(densities=[0.3]), scores=scores_of(model)),
            bound_report(model.with_name("products.safetensors"), BoundOptions(densities=[0.3])),
        )
    ]
    assert bounds[0] == bounds[1]


def without(rows, columns):
    return [{key: value for key, value in row.items() if key not in columns} for row in rows]


def test_a_comparison_by_scores_keeps_what_pruning_by_scores_kept(model):
    prune_checkpoint(
        model, PruningOptions(sparsity=0.7), output=model.with_name("out.safetensors"), scores=scores_of(model)
    )

    by_scores = comparison_report(model, model.with_name("out.safetensors"), scores=scores_of(model)).network
    by_mask = comparison_report(model, model.with_name("out.mask.safetensors"), scores=scores_of(model)).network
    by_weights = comparison_report(model, model.with_name("out.safetensors")).network

    assert (by_scores["barcode_kept"], by_scores["retention"]) == (True, 1.0)
    assert (by_mask["barcode_kept"], by_mask["n_kept"]) == (True, by_scores["n_kept"])
    assert not by_weights["barcode_kept"]


@pytest.mark.parametrize("null", [None, "edges:5", "rows:5", "columns:5", "iid:5"])
def test_a_comparison_beside_chance_is_the_same_with_magnitudes_as_scores(model, null):
    output = model.with_name("out.safetensors")
    prune_checkpoint(model, PruningOptions(sparsity=0.7, method="magnitude", scope="row"), output=output)

    plain = comparison_report(model, output, null=null).rows
    scored = comparison_report(model, output, null=null, scores=scores_of(model, "magnitudes")).rows

    of_weights = ("squared_norm_kept", "undefined")
    assert without(plain, of_weights) == without(scored, of_weights)
    assert "no squared_norm_kept: it is of weights, and the strengths are scores" in scored[0]["undefined"]


@pytest.mark.parametrize("null", ["rows:5", "degrees:5"])
def test_bounds_beside_chance_are_the_same_with_magnitudes_as_scores(model, null):
    options = BoundOptions(densities=[0.3], null=null)

    assert bound_report(model, options).rows == bound_report(model, options, scores=scores_of(model, "magnitudes")).rows


def test_a_repaired_mask_keeps_the_forest_of_the_scores(model):
    kept = {name: np.random.default_rng(1).random(shape) < 0.5 for name, shape in SHAPES.items()}
    save_file({name: mask.astype(np.uint8) for name, mask in kept.items()}, model.with_name("random.safetensors"))

    found = apply_mask(model, model.with_name("random.safetensors"), repair=True, scores=scores_of(model))

    masks = read_masks(found.outputs.mask)
    for name, scores in products(model).items():
        assert masks[name].kept().reshape(-1)[slow_forest(scores)].all()
    assert found.report.network["barcode_kept"]


def test_rewound_weights_are_written_under_the_mask_of_the_scores(model):
    earlier = {name: np.full_like(array, 0.5) for name, array in load_file(model).items()}
    save_file(earlier, model.with_name("earlier.safetensors"))
    output = model.with_name("out.safetensors")

    prune_checkpoint(
        model,
        PruningOptions(sparsity=0.6),
        output=output,
        rewind_from=model.with_name("earlier.safetensors"),
        scores=scores_of(model),
    )

    mask = read_masks(output.with_name("out.mask.safetensors"))["a.weight"].kept()
    assert np.array_equal(load_file(output)["a.weight"], np.where(mask, np.float32(0.5), 0))
    assert mask.reshape(-1)[slow_forest(products(model)["a.weight"])].all()


def test_the_metadata_of_the_output_names_the_scores(model):
    prune_checkpoint(
        model, PruningOptions(sparsity=0.6), output=model.with_name("out.safetensors"), scores=scores_of(model)
    )

    header = (model.with_name("out.safetensors")).read_bytes()
    length = int.from_bytes(header[:8], "little")
    metadata = json.loads(header[8 : 8 + length])["__metadata__"]
    assert json.loads(metadata["topoimp.settings"])["scores"] == "norms.safetensors"


@pytest.mark.parametrize("method", ["random", "lamp"])
def test_methods_that_do_not_go_by_strength_have_no_scores(model, method):
    message = f"^`scores` are strengths, and the method {method} does not go by strength$"

    with pytest.raises(OptionError, match=message):
        prune_checkpoint(model, PruningOptions(sparsity=0.6, method=method), scores=scores_of(model))

    assert not model.with_name("model.pruned.safetensors").exists()


def test_the_output_may_not_be_the_file_of_scores(model):
    with pytest.raises(OptionError, match=r"norms.safetensors: is the input; an output needs another name"):
        prune_checkpoint(model, PruningOptions(sparsity=0.6), output=scores_of(model), scores=scores_of(model))


def test_a_chain_of_weights_has_no_scores(model):
    with pytest.raises(OptionError, match=r"^`chain` reports the weights as one graph; it does not go with `scores`$"):
        barcode_report(model, chain=["a.weight", "b.weight"], scores=scores_of(model))


def test_the_null_of_initial_weights_has_no_scores(model):
    with pytest.raises(OptionError, match=r"^the null initial is of weights before training; it does not go with"):
        comparison_report(model, model, null=f"initial:{model}", scores=scores_of(model))
