import csv
import subprocess
import sys

import numpy as np
import pytest
from outputs import without_columns
from strategies import FREE_METHODS, make_weight

from topoimp.choices import Method, Scope
from topoimp.commands.barcode import barcode_report
from topoimp.commands.bound import bound_report
from topoimp.commands.bound_options import BoundOptions
from topoimp.commands.compare import comparison_report
from topoimp.commands.plan_pruning import plan_pruning
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import GateError, OptionError
from topoimp.pruning.options import PruningOptions


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("method", FREE_METHODS)
@pytest.mark.parametrize("scope", Scope)
def test_the_plan_is_the_report_of_the_pruning_and_writes_nothing(lenet, method, scope):
    plan = plan_pruning(lenet, PruningOptions(rounds=10, method=method, scope=scope))

    assert names_in(lenet.parent) == [lenet.name]
    pruning = prune_checkpoint(lenet, PruningOptions(rounds=10, method=method, scope=scope))
    extra = ("bytes_to_write", "peak_memory", "retention_iid")
    of_written = ("squared_norm_kept", "bytes", "bytes_mask")
    assert without_columns(plan.report.rows, extra) == without_columns(pruning.report.rows, of_written)
    assert plan.report.outputs == pruning.report.outputs
    assert plan.report.settings == {**pruning.report.settings, "seed": 0, "dry_run": True}


def with_ties():
    """Strengths of 20 steps, so that a level holds all weights of a step."""
    strengths = np.abs(make_weight(0, 60, 80, "normal"))
    return np.ceil(20 * strengths / strengths.max())


def with_zeros():
    """Different strengths; three tenths of the weights are zero."""
    weight = make_weight(1, 60, 80, "normal")
    return np.where(np.random.default_rng(0).random(weight.shape) < 0.3, 0, weight)


@pytest.mark.parametrize(
    ("make", "tolerance"),
    [(with_ties, 1e-9), (with_zeros, 1.0)],  # zeros are simulated, by the curve in one random order for all levels
)
def test_plan_bound_compare_and_curve_agree_on_the_retention_by_chance(write, tmp_path, make, tolerance):
    weight = make()
    strengths = np.sort(np.abs(weight), axis=None)[::-1]
    n_kept = int(np.count_nonzero(strengths >= strengths[240]))
    reference, density = write({"a": weight}, "reference"), n_kept / weight.size
    options = PruningOptions(sparsity=1 - density, rounds=1, method="magnitude")

    plan = plan_pruning(reference, options).report

    pruned = prune_checkpoint(reference, options, output=tmp_path / "pruned.safetensors").outputs.checkpoint
    (bound,) = bound_report(reference, BoundOptions(densities=[density])).densities
    (compared,) = comparison_report(reference, pruned).layers
    level = strengths[n_kept - 1] / strengths[0]
    barcode_report(reference, curve=tmp_path / "curve.csv", levels=[level])
    curve = dict(zip(*csv.reader((tmp_path / "curve.csv").read_text().splitlines()), strict=True))
    assert [row["n_kept"] for row in (plan.layers[0], bound, compared)] == [n_kept] * 3
    assert int(curve["n_edges"]) == n_kept
    assert plan.layers[0]["retention_iid"] == plan.network["retention_iid"] == compared["retention_iid"]
    assert plan.layers[0]["retention_iid"] == bound["forest_iid"] / bound["floor"]
    assert 140 - float(curve["beta0_iid"]) == pytest.approx(bound["forest_iid"], abs=tolerance)


def test_it_says_when_floors_bind(lenet):
    plan = plan_pruning(lenet, PruningOptions(rounds=30))

    assert plan.first_bound == {"fc3.weight": 10, "fc2.weight": 20, "fc1.weight": 25}
    assert plan.first_changed == {}


def test_it_says_when_barcodes_change(lenet):
    plan = plan_pruning(lenet, PruningOptions(rounds=10, method=Method.MAGNITUDE))

    pruned = prune_checkpoint(lenet, PruningOptions(rounds=10, method=Method.MAGNITUDE)).report
    rows = {
        layer: [row["barcode_kept"] for row in pruned.layers if row["layer"] == layer] for layer in plan.first_changed
    }
    assert set(plan.first_changed) == {"fc1.weight", "fc2.weight", "fc3.weight"}
    assert {layer: kept.index(False) + 1 for layer, kept in rows.items()} == plan.first_changed
    assert plan.first_bound == {}


def test_bytes_are_those_that_are_written_but_for_headers_and_the_table(lenet):
    plan = plan_pruning(lenet, PruningOptions(rounds=4), emit_rounds=[2, 4])

    outputs = prune_checkpoint(lenet, PruningOptions(rounds=4), emit_rounds=[2, 4]).outputs
    written = sum(path.stat().st_size for path in outputs.in_order if path != outputs.table)
    assert plan.bytes_to_write == pytest.approx(written, rel=0.001)
    assert [row["bytes_to_write"] for row in plan.report.rounds][0::2] == [0, 0]
    assert sum(row["bytes_to_write"] for row in plan.report.rounds) == plan.bytes_to_write


def test_memory_grows_by_the_largest_tensor_and_twice_with_random_masks(write):
    small = write({"a": np.ones((4, 4), np.float32)}, "small.safetensors")
    large = write({"a": np.ones((1000, 1000), np.float32)}, "large.safetensors")

    def peak(path, method):
        return plan_pruning(path, PruningOptions(rounds=1, method=method), threads=1).peak_memory

    grown = [peak(large, method) - peak(small, method) for method in (Method.MAGNITUDE, Method.RANDOM)]
    weights, vertices = 4 * (1_000_000 - 16), 2000 - 8
    assert grown == [weights + 32 * vertices, 2 * weights + 32 * vertices]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process had")
def test_memory_is_about_what_a_pruning_takes(write):
    rng = np.random.default_rng(0)
    path = write({"a": rng.normal(size=(2000, 3000)), "b": rng.normal(size=(2000, 3000))})
    program = (
        "import sys; from topoimp import PruningOptions, prune_checkpoint; "
        "prune_checkpoint(sys.argv[1], PruningOptions(rounds=1))"
    )
    program += "; print(open('/proc/self/status').read())"

    plan = plan_pruning(path, PruningOptions(rounds=1))
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)

    kilobytes = int(done.stdout.partition("VmHWM:")[2].split()[0])
    assert 0.6 < plan.peak_memory / (1024 * kilobytes) < 1.6


def test_outputs_that_are_there_are_told_and_stay(lenet):
    table = lenet.with_name("lenet-300-100-mnist.pruned.csv")
    table.write_text("mine")

    assert plan_pruning(lenet, PruningOptions(rounds=1)).existing == [table]
    assert table.read_text() == "mine"


def test_strict_fails_as_the_pruning_would(lenet):
    with pytest.raises(GateError, match=r"round 10 asks fc3.weight for 107 weights, below its floor of 109"):
        plan_pruning(lenet, PruningOptions(rounds=10), strict=True)


def test_what_cannot_be_done_cannot_be_planned(lenet):
    with pytest.raises(OptionError, match="neither rounds nor a sparsity is given"):
        plan_pruning(lenet, PruningOptions())
    with pytest.raises(OptionError, match="is the input; an output needs another name"):
        plan_pruning(lenet, PruningOptions(rounds=1), output=lenet)
