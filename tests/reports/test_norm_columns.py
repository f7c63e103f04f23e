"""The share of the squared norm in the reports of prune and compare, against the files that they read and write."""

import csv
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from strategies import FREE_METHODS, KINDS, SEEDS, make_weight

from topoimp.choices import Method, Scope, View
from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.compare import comparison_report
from topoimp.commands.plan_pruning import plan_pruning
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.prune_run import prune_with_trainer
from topoimp.layers.records import LayerPatterns
from topoimp.layers.squared_norms import SquaredNorms
from topoimp.pruning.options import PruningOptions
from topoimp.reports.norm_columns import with_norm_column
from topoimp.rounds.trainer import parse_trainer

TYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]


def trainer_that(changes, folder):
    """A trainer that changes the weights in the state dict ``w`` as a line of Python says."""
    script = folder / "trainer.py"
    lines = ["import sys", "from safetensors.torch import load_file, save_file", "w = load_file(sys.argv[1])"]
    script.write_text("\n".join([*lines, changes, "save_file(w, sys.argv[2])"]))
    return parse_trainer(f"{sys.executable} {script} {{init}} {{out}} {{mask}}")


def share(before, after):
    """The share of the squares of ``before`` where ``after`` is not zero, and under None of all tensors together."""
    flat = torch.cat([weight.double().flatten() for weight in before.values()])
    kept = torch.cat([after[name].double().flatten() for name in before])
    return {
        **{name: share_of(weight.double(), after[name]) for name, weight in before.items()},
        None: share_of(flat, kept),
    }


def share_of(weight, kept):
    if not (weight != 0).any():
        return None
    squares = (weight / weight.abs().max()) ** 2
    return float(squares[kept != 0].sum() / squares.sum())


def shares_in(rows):
    return {row.get("layer"): row["squared_norm_kept"] for row in rows}


def close(shares):
    return {name: None if value is None else pytest.approx(value, rel=1e-12) for name, value in shares.items()}


@settings(max_examples=25)
@given(
    SEEDS,
    st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(TYPES)), min_size=1, max_size=3),
    st.sampled_from(FREE_METHODS),
)
def test_it_is_that_of_the_weights_that_are_written(tmp_path_factory, seed, layers, method):
    path = tmp_path_factory.mktemp("norms") / "m.safetensors"
    tensors = {f"w{k}": torch.from_numpy(make_weight(seed + k, 9, 7, kind)).to(t) for k, (kind, t) in enumerate(layers)}
    save_file(tensors, path)

    pruning = prune_checkpoint(path, PruningOptions(sparsity=0.6, method=method, seed=seed))

    expected = close(share(tensors, load_file(pruning.outputs.checkpoint)))
    assert shares_in(pruning.report.rows) == expected
    assert shares_in(comparison_report(path, pruning.outputs.checkpoint).rows) == expected
    assert shares_in(comparison_report(path, pruning.outputs.mask).rows) == expected
    by_mask = apply_mask(path, pruning.outputs.mask, output=path.with_name("by-mask.safetensors"))
    assert shares_in(by_mask.report.rows) == expected


@pytest.fixture
def model(tmp_path):
    tensors = {"conv": make_weight(1, 6, 27, "normal").reshape(6, 3, 3, 3), "fc": make_weight(2, 30, 20, "normal")}
    save_file({name: torch.from_numpy(weight).float() for name, weight in tensors.items()}, tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def test_rounds_that_are_not_written_have_none(model):
    pruning = prune_checkpoint(model, PruningOptions(rounds=4, rate=0.3), emit_rounds=[2])

    known = {row["round"] for row in pruning.report.rows if row["squared_norm_kept"] is not None}
    assert known == {2, 4}
    of_second = [row for row in pruning.report.rows if row["round"] == 2]
    written = load_file(pruning.outputs.rounds[2])
    assert shares_in(of_second) == close(share(load_file(model), written))


@given(
    SEEDS,
    st.sampled_from(KINDS),
    st.sampled_from(TYPES[2:]),
    st.sampled_from([Method.TOPOLOGICAL, Method.MAGNITUDE]),
    st.sampled_from([scope for scope in Scope if scope is not Scope.ROW]),
)
@settings(max_examples=25)
def test_all_rounds_of_narrow_types_have_the_share_of_what_they_keep(
    tmp_path_factory, seed, kind, dtype, method, scope
):
    path = tmp_path_factory.mktemp("narrow") / "m.safetensors"
    tensors = {f"w{k}": torch.from_numpy(make_weight(seed + k, 9, 7, kind)).to(dtype) for k in range(2)}
    save_file(tensors, path)
    options = PruningOptions(rounds=3, rate=0.5, method=method, scope=scope)

    rows = prune_checkpoint(path, options).report.rows

    emitted = prune_checkpoint(path, options, emit_rounds=[1, 2], force=True).outputs
    for number, written in {**emitted.rounds, 3: emitted.checkpoint}.items():
        assert shares_in(row for row in rows if row["round"] == number) == close(share(tensors, load_file(written)))


def test_nothing_is_written_by_a_plan_so_it_has_no_such_column(model):
    report = plan_pruning(model, PruningOptions(sparsity=0.5)).report

    assert not any("squared_norm_kept" in row for row in report.rows)


def test_a_ticket_has_the_share_of_the_trained_weights_on_which_its_mask_was_found(model):
    early = model.with_name("early.safetensors")
    save_file({name: torch.randn_like(weight) for name, weight in load_file(model).items()}, early)

    pruning = prune_checkpoint(model, PruningOptions(sparsity=0.5), rewind_from=early)

    expected = prune_checkpoint(model, PruningOptions(sparsity=0.5), force=True)
    assert shares_in(pruning.report.rows) == shares_in(expected.report.rows)


def test_a_comparison_may_be_of_other_types_and_of_other_weights(model):
    other = {name: (weight * (weight.abs() > 0.5)).neg().bfloat16() for name, weight in load_file(model).items()}
    save_file(other, model.with_name("other.safetensors"))

    expected = close(share(load_file(model), other))
    for view in (View.MATRIX, View.CHANNEL):
        report = comparison_report(model, model.with_name("other.safetensors"), patterns=LayerPatterns(view=view))
        assert shares_in(report.rows) == expected


def test_trained_rounds_have_the_share_before_the_round(model, tmp_path):
    options = PruningOptions(rounds=2, rate=0.5)
    doubling = trainer_that("w = {name: 2 * each for name, each in w.items()}", tmp_path)

    pruning = prune_with_trainer(model, options, trainer=doubling, rewind="none", output=tmp_path / "run")

    rounds = [load_file(pruning.folders[0] / f"round-0{k}/model.safetensors") for k in range(3)]
    for number in (1, 2):
        found = {
            row.get("layer"): row["round_squared_norm_kept"] for row in pruning.report.rows if row["round"] == number
        }
        assert found == close(share(rounds[number - 1], rounds[number]))
    compared = comparison_report(tmp_path / "run", reference="previous").rows
    assert shares_in(compared[-3:]) == close(share(rounds[1], rounds[2]))
    assert shares_in(comparison_report(tmp_path / "run").rows[-3:]) == close(share(rounds[0], rounds[2]))


def test_a_weight_that_a_mask_keeps_counts_also_if_training_made_it_zero(model, tmp_path):
    zeroing = trainer_that("w['fc'] *= w['fc'] > 0", tmp_path)
    prune_with_trainer(
        model, PruningOptions(rounds=1, rate=0.5), trainer=zeroing, rewind="none", output=tmp_path / "run"
    )

    rows = comparison_report(tmp_path / "run").rows[-3:]

    by_mask = prune_checkpoint(model, PruningOptions(rounds=1, rate=0.5))
    assert shares_in(rows) == close(shares_in(by_mask.report.rows))


def test_the_shares_do_not_depend_on_the_number_of_threads(tmp_path):
    weight = np.random.default_rng(0).normal(size=(1100, 1200)).astype(np.float32)
    save_file({"fc": torch.from_numpy(weight)}, tmp_path / "m.safetensors")

    pruned = [
        prune_checkpoint(tmp_path / "m.safetensors", PruningOptions(sparsity=0.9), threads=threads, force=True)
        for threads in (1, 2, 3)
    ]

    assert pruned[0].report.rows == pruned[1].report.rows == pruned[2].report.rows
    other = pruned[0].outputs.checkpoint
    compared = [comparison_report(tmp_path / "m.safetensors", other, threads=threads).rows for threads in (1, 2, 3)]
    assert compared[0] == compared[1] == compared[2]
    assert compared[0][-1]["squared_norm_kept"] == pruned[0].report.network["squared_norm_kept"]


def test_the_column_is_blank_without_norms():
    rows = [{"level": "layer", "layer": "fc"}, {"level": "network"}]

    assert [row["squared_norm_kept"] for row in with_norm_column(rows, {})] == [None, None]
    found = with_norm_column(rows, {"fc": SquaredNorms(1.0, 4.0)})
    assert [row["squared_norm_kept"] for row in found] == [0.25, 0.25]


@pytest.mark.parametrize(("number", "status"), [("0.3", 0), ("0.999", 3)])
def test_a_gate_looks_at_the_share(topoimp, model, number, status):
    outcome = topoimp("prune", model, "--sparsity", 0.5, "--fail-if", f"squared_norm_kept<{number}")

    assert outcome.status == status
    with (model.with_name("m.pruned.csv")).open() as table:
        last = list(csv.DictReader(table))[-1]
    assert f"; {100 * float(last['squared_norm_kept']):.2f}% of the squared norm is kept\n" in outcome.out
