import json
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracles import slow_components, slow_forest
from safetensors.numpy import load_file, save_file
from strategies import FILE_METHODS

from topoimp.checkpoint import open_checkpoint, write_arrays
from topoimp.choices import Method, Scope
from topoimp.errors import CheckpointError, GateError, OutputError, VerificationError
from topoimp.layers.records import LayerPatterns
from topoimp.pruning.masks import read_masks
from topoimp.pruning.methods.naming import method_of
from topoimp.pruning.options import Scheme
from topoimp.pruning.schedule import plan_schedule
from topoimp.rounds.loop import prune_iteratively
from topoimp.rounds.plan import Plan, Start
from topoimp.rounds.run_folder import PruningFiles
from topoimp.rounds.seed import sole_run

SHAPES = {"a.weight": (6, 9), "b.weight": (4, 6)}
METHODS, SCOPES = st.sampled_from(FILE_METHODS), st.sampled_from(list(Scope))


def plan_for(n_rounds=4, **options):
    schedule = plan_schedule(rounds=n_rounds, sparsity=None, rate=options.pop("rate", 0.3))
    settings = {"method": Method.TOPOLOGICAL, "scope": Scope.LAYER, "epsilon": 0.0, "patterns": LayerPatterns()}
    strict = options.pop("strict", False)
    settings = {**settings, **options}
    method = method_of(settings.pop("method"))
    return Plan(Scheme(schedule, method, **settings), threads=1, strict=strict)


def moving(scale=1.0):
    """A trainer that moves every kept weight at random, and says what it started from."""

    def retrain(task):
        rng = np.random.default_rng([task.number, task.seed])
        start = load_file(task.init)
        masks = {name: mask.kept() for name, mask in read_masks(task.mask).items()}
        moved = {
            name: array + scale * rng.normal(size=array.shape).astype(array.dtype) for name, array in start.items()
        }
        save_file(start, task.started)
        save_file({name: np.where(masks.get(name, True), array, 0) for name, array in moved.items()}, task.out)
        return {"test_accuracy": 0.5}

    return retrain


def pruned(folder, plan, *, seed=0, retrain=None, rewind=True, shapes=SHAPES, dtype=np.float32):
    rng = np.random.default_rng(seed)
    for name in ("init", "model"):
        arrays = {layer: rng.normal(size=shape).astype(dtype) for layer, shape in shapes.items()}
        write_arrays(folder / f"{name}.safetensors", {**arrays, "bias": rng.normal(size=5).astype(dtype)}, {})
    files = PruningFiles(folder / "rounds")
    files.folder.mkdir()
    start = Start(
        seed, folder / "model.safetensors", open_checkpoint(folder / "init.safetensors") if rewind else None, {}
    )
    prune_iteratively(start, files, plan, retrain or moving())
    return files


def weights_before(files, number):
    """What a round's mask was found on: the weights that the last round arrived at."""
    return load_file(files.round(number - 1).model)


def masks_of(files, number):
    return {name: mask.kept() for name, mask in read_masks(files.round(number).mask).items()}


def deaths(weight, kept):
    weight = np.where(kept, weight, 0)
    return sorted(np.abs(weight).flat[slow_forest(weight)], reverse=True)


def rows_of(files, number):
    content = json.loads(files.round(number).metrics.read_text())
    return {row["layer"]: row for row in content["layers"]}, content["network"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(METHODS, SCOPES, st.integers(0, 99), st.booleans())
def test_every_round_reports_what_it_is(tmp_path_factory, method, scope, seed, rewind):
    files = pruned(tmp_path_factory.mktemp("loop"), plan_for(method=method, scope=scope), seed=seed, rewind=rewind)

    first = load_file(files.round(0).model)
    for number in range(1, 5):
        rows, network = rows_of(files, number)
        before, masks = weights_before(files, number), masks_of(files, number)
        assert network["n_kept"] == sum(mask.sum() for mask in masks.values())
        assert network["test_accuracy"] == 0.5
        for name, mask in masks.items():
            row, forest = rows[name], slow_forest(first[name])
            assert row["n_kept"] == mask.sum()
            assert row["retention"] == mask.flat[forest].sum() / len(forest)
            assert row["beta0"] == slow_components(mask)
            assert row["round_beta0_kept"] == (slow_components(mask) == slow_components(before[name] != 0))
            kept = deaths(before[name], mask) == deaths(before[name], True)
            assert row["round_barcode_kept"] == kept
            assert row["seed"] == seed


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SCOPES, st.integers(0, 99), st.booleans(), st.sampled_from([0.2, 0.5]))
def test_within_every_round_full_protection_keeps_every_bar_and_the_mask_graph_its_components(
    tmp_path_factory, scope, seed, rewind, rate
):
    plan = plan_for(scope=scope, rate=rate)
    files = pruned(tmp_path_factory.mktemp("loop"), plan, seed=seed, rewind=rewind)

    first = load_file(files.round(0).model)
    for number in range(1, 5):
        before = weights_before(files, number)
        for name, mask in masks_of(files, number).items():
            assert deaths(before[name], mask) == deaths(before[name], True)
            assert slow_components(mask) == slow_components(first[name] != 0)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SCOPES, st.integers(0, 99), st.sampled_from([0.05, 0.2, 0.5, 1.0]))
def test_within_every_round_epsilon_bounds_how_far_a_bar_moves(tmp_path_factory, scope, seed, epsilon):
    plan = plan_for(scope=scope, rate=0.5, epsilon=epsilon)
    files = pruned(tmp_path_factory.mktemp("loop"), plan, seed=seed)

    for number in range(1, 5):
        before = weights_before(files, number)
        scale = max(np.abs(before[name]).max() for name in SHAPES)
        for name, mask in masks_of(files, number).items():
            was, now = deaths(before[name], True), deaths(before[name], mask)
            now += [0.0] * (len(was) - len(now))
            assert [d for d in was if d > epsilon * scale] == [d for d in now if d > epsilon * scale]
            assert max((abs(a - b) for a, b in zip(was, now, strict=True)), default=0) <= epsilon * scale


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(METHODS, SCOPES, st.integers(0, 99))
def test_masks_are_nested_and_pruned_weights_stay_zero(tmp_path_factory, method, scope, seed):
    files = pruned(tmp_path_factory.mktemp("loop"), plan_for(method=method, scope=scope), seed=seed)

    for number in range(1, 5):
        before, now = masks_of(files, number - 1), masks_of(files, number)
        weights = load_file(files.round(number).model)
        for name in SHAPES:
            assert not np.any(now[name] & ~before[name])
            assert not weights[name][~now[name]].any()


def test_targets_go_by_the_edges_at_round_0(tmp_path):
    files = pruned(tmp_path, plan_for(8, method=Method.MAGNITUDE, rate=0.2), shapes={"w": (11, 13)})

    kept = [rows_of(files, number)[1]["n_kept"] for number in range(9)]
    assert kept == [143, 114, 92, 73, 59, 47, 37, 30, 24]  # 143 * 0.8^k, rounded


def test_a_round_starts_from_the_weights_to_rewind_to(tmp_path):
    starts = []

    def retrain(task):
        starts.append(load_file(task.init))
        return moving()(task)

    files = pruned(tmp_path, plan_for(2), retrain=retrain)

    init = load_file(tmp_path / "init.safetensors")
    for number, start in enumerate(starts, 1):
        masks = masks_of(files, number)
        for name, array in init.items():
            np.testing.assert_array_equal(start[name], np.where(masks.get(name, True), array, 0))


def test_without_rewinding_a_round_starts_where_the_last_one_ended(tmp_path):
    starts = []

    def retrain(task):
        starts.append(load_file(task.init))
        return moving()(task)

    files = pruned(tmp_path, plan_for(2), retrain=retrain, rewind=False)

    for number, start in enumerate(starts, 1):
        before, masks = weights_before(files, number), masks_of(files, number)
        for name, array in before.items():
            np.testing.assert_array_equal(start[name], np.where(masks.get(name, True), array, 0))


def test_a_kept_weight_that_is_rewound_to_zero_stays_kept(tmp_path):
    write_arrays(tmp_path / "init.safetensors", {"w": np.zeros((4, 5), np.float32)}, {})
    write_arrays(tmp_path / "model.safetensors", {"w": np.arange(1, 21, dtype=np.float32).reshape(4, 5)}, {})
    files = PruningFiles(tmp_path / "rounds")
    files.folder.mkdir()

    prune_iteratively(
        Start(0, tmp_path / "model.safetensors", open_checkpoint(tmp_path / "init.safetensors"), {}),
        files,
        plan_for(1, rate=0.5),
        moving(),
    )

    assert masks_of(files, 1)["w"].sum() == 10
    assert np.count_nonzero(load_file(files.round(1).model)["w"]) == 10


def test_weights_that_training_makes_zero_leave_fewer_than_asked_for_and_it_is_said(tmp_path):
    def retrain(task):
        start = load_file(task.init)
        kept = np.flatnonzero(start["w"])
        start["w"].flat[kept[5:]] = 0
        save_file(start, task.out)
        return {}

    files = pruned(tmp_path, plan_for(2, method=Method.MAGNITUDE), retrain=retrain, shapes={"w": (10, 12)})

    assert rows_of(files, 1)[1]["n_kept"] == 84
    assert (rows_of(files, 2)[1]["target"], rows_of(files, 2)[1]["n_kept"]) == (59, 5)
    assert rows_of(files, 1)[1]["beta0"] == slow_components(masks_of(files, 1)["w"])


def test_finished_rounds_are_not_done_again(tmp_path):
    done = []

    def retrain(task):
        done.append(task.number)
        return moving()(task)

    files = pruned(tmp_path, plan_for(2), retrain=retrain)
    start = Start(0, tmp_path / "model.safetensors", open_checkpoint(tmp_path / "init.safetensors"), {})
    prune_iteratively(start, files, plan_for(4), retrain)
    prune_iteratively(start, files, plan_for(4), retrain)

    assert done == [1, 2, 3, 4]
    straight = tmp_path / "straight"
    straight.mkdir()
    whole = pruned(straight, plan_for(4))
    for number in range(5):
        for path in (files.round(number).model, files.round(number).mask, files.round(number).metrics):
            assert path.read_bytes() == (whole.folder / path.relative_to(files.folder)).read_bytes()


def test_a_round_leaves_nothing_but_model_mask_and_metrics(tmp_path):
    files = pruned(tmp_path, plan_for(1))

    assert sorted(path.name for path in files.round(1).folder.iterdir()) == [
        "mask.safetensors",
        "metrics.json",
        "model.safetensors",
    ]
    assert rows_of(files, 1)[1]["checked"] == "nested counts forest barcode rewound started finite held"


def test_a_trainer_that_fails_loses_its_round_alone(tmp_path):
    def retrain(task):
        if task.number == 2:
            raise KeyboardInterrupt
        return moving()(task)

    with pytest.raises(KeyboardInterrupt):
        pruned(tmp_path, plan_for(3), retrain=retrain)

    assert sorted(path.name for path in (tmp_path / "rounds").iterdir()) == ["round-00", "round-01"]


def test_strict_stops_before_a_round_whose_target_is_below_a_floor(tmp_path):
    with pytest.raises(GateError, match=r"round 2 asks b.weight for 6 weights, below its floor of 9; the rounds"):
        pruned(tmp_path, plan_for(4, rate=0.5, strict=True))

    assert sorted(path.name for path in (tmp_path / "rounds").iterdir()) == ["round-00", "round-01"]


def test_two_runs_are_not_at_work_on_the_same_rounds(tmp_path):
    files = PruningFiles(tmp_path / "rounds")

    with sole_run(files), pytest.raises(OutputError, match="another run is at work there"), sole_run(files):
        pass


def test_half_precision_is_pruned_in_rounds_too(tmp_path):
    files = pruned(tmp_path, plan_for(3), dtype=np.float16)

    assert load_file(files.round(3).model)["a.weight"].dtype == np.float16
    assert rows_of(files, 3)[1]["round_barcode_kept"]


def damaged(tmp_path, change):
    files = pruned(tmp_path, plan_for(2))
    change(files)
    return files, Start(0, tmp_path / "model.safetensors", open_checkpoint(tmp_path / "init.safetensors"), {})


def mask_of_round_0(files):
    files.round(2).mask.write_bytes(files.round(0).mask.read_bytes())


def weights_of_round_0(files):
    files.round(2).model.write_bytes(files.round(0).model.read_bytes())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda files: files.round(2).model.unlink(),
            CheckpointError,
            "round-02/model.safetensors: is missing; `force` begins",
        ),
        (
            lambda files: files.round(1).mask.unlink(),
            CheckpointError,
            "round-01/mask.safetensors: is missing; `force` begins",
        ),
        (
            lambda files: shutil.rmtree(files.round(1).folder),
            CheckpointError,
            "has round-02 without a whole round-01 before it",
        ),
        (
            mask_of_round_0,
            VerificationError,
            "round 2: round-02/mask.safetensors: keeps a weight of '.*' that was pruned",
        ),
        (
            weights_of_round_0,
            VerificationError,
            "round 2: round-02/model.safetensors: .* pruned weights of '.*' came back",
        ),
    ],
)
def test_finished_rounds_that_are_not_what_they_were_are_noticed(tmp_path, change, error, message):
    files, start = damaged(tmp_path, change)

    with pytest.raises(error, match=message):
        prune_iteratively(start, files, plan_for(3), moving())


def test_weights_to_rewind_to_that_change_meanwhile_are_noticed(tmp_path):
    def retrain(task):
        (tmp_path / "init.safetensors").touch()
        return moving()(task)

    with pytest.raises(CheckpointError, match=r"init.safetensors: changed while it was read"):
        pruned(tmp_path, plan_for(2), retrain=retrain)


def forging(task):
    mask = task.mask.read_bytes()
    metrics = moving()(task)
    task.mask.write_bytes(mask[:-1] + b"\x00")
    return metrics


def removing(task):
    metrics = moving()(task)
    task.mask.unlink()
    return metrics


def linking(task):
    metrics = moving()(task)
    task.out.replace(task.out.with_name("elsewhere"))
    task.out.symlink_to("elsewhere")
    return metrics


@pytest.mark.parametrize(
    ("retrain", "message"),
    [
        (forging, "round 1, seed 0: mask.safetensors: the trainer changed its mask"),
        (removing, "round 1, seed 0: the trainer changed what it was given, or removed it"),
        (linking, "round 1, seed 0: model.safetensors: is a link; the trainer must write the weights themselves"),
    ],
)
def test_a_trainer_that_meddles_with_its_files_is_noticed(tmp_path, retrain, message):
    with pytest.raises(VerificationError, match=message):
        pruned(tmp_path, plan_for(1), retrain=retrain)


def test_whatever_else_a_trainer_leaves_is_removed(tmp_path):
    def retrain(task):
        place = task.out.parent
        (tmp_path / "far").mkdir(exist_ok=True)
        (tmp_path / "far/kept").touch()
        (place / "latest").symlink_to(tmp_path / "far")
        (place / "metrics.json").mkdir()
        return moving()(task)

    files = pruned(tmp_path, plan_for(1), retrain=retrain)

    assert len(list(files.round(1).folder.iterdir())) == 3
    assert (tmp_path / "far/kept").is_file()
