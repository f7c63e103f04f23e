"""The page about published models is what its records give, and its measures are those that it names. No network."""

import importlib
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY

from topoimp.commands.apply_mask import apply_mask
from topoimp.pruning.masks import read_masks

sys.path.insert(0, str(REPOSITORY / "benchmarks"))

models_cases = importlib.import_module("models_cases")
models_clips = importlib.import_module("models_clips")
models_measures = importlib.import_module("models_measures")
models_owners = importlib.import_module("models_owners")
models_page = importlib.import_module("models_page")
models_sentences = importlib.import_module("models_sentences")
models_speech = importlib.import_module("models_speech")
models_wanda = importlib.import_module("models_wanda")
real_models = importlib.import_module("real_models")

SAMPLE = REPOSITORY / "sample_checkpoints/lenet-300-100-mnist.safetensors"
MODELS = [model.name for model in models_cases.MODELS]


@pytest.fixture
def records():
    return pd.read_csv(models_page.RECORDS)


def record(**columns):
    """Return a record of a pruning that is better than another by 0.2, but for the given columns."""
    difference = {"difference": 0.2, "difference_low": 0.1, "difference_high": 0.3}
    return pd.Series({"versus": "magnitude, layer", **difference, **columns})


def test_the_page_is_what_the_records_give(records):
    page = models_page.PAGE.read_text(encoding="utf-8")

    assert models_page.with_tables(page, records) == page
    assert models_page.with_tables(page, records.assign(value=1)) != page


def test_new_tables_leave_the_rest_of_the_page_alone(records):
    page = "before\n" + "".join(f"{models_page.begin(model)}\n{models_page.END}\nafter {model}\n" for model in MODELS)

    written = models_page.with_tables(page, records)

    outside = [part.split(models_page.END)[-1] for part in written.split("<!-- ")]
    assert written.startswith(f"before\n{models_page.begin('MiniLM')}\n\nFor n = 200 sentences.")
    assert [f"after {model}\n" in written for model in MODELS] == [True] * 3
    assert outside[0] == "before\n"
    assert models_page.with_tables(written, records) == written
    with pytest.raises(ValueError, match="no place for silero-vad"):
        models_page.with_tables(page.replace(models_page.begin("silero-vad"), ""), records)


def test_each_trial_has_its_records_in_the_order_of_the_page(records):
    pruned = records[records["pruning"] != models_cases.ORIGINAL]

    assert list(pruned[["model", "pruning", "sparsity", "measure"]].itertuples(index=False, name=None)) == [
        (trial.model.name, trial.pruning.name, trial.sparsity, measure.name)
        for trial in models_cases.trials()
        for measure in models_page.MEASURES[trial.model.name]
    ]


def test_each_measure_lies_in_its_interval_and_each_difference_is_that_of_two_values(records):
    pruned = records[records["pruning"] != models_cases.ORIGINAL]
    values = records.set_index(["model", "pruning", "sparsity", "measure"])["value"]
    compared = pruned[pruned["versus"].notna()]
    keys = compared[["model", "versus", "sparsity", "measure"]].copy()
    keys.loc[keys["versus"] == models_cases.ORIGINAL, "sparsity"] = 0.0

    beside = values.loc[list(keys.itertuples(index=False, name=None))].to_numpy()

    assert pruned["value"].between(pruned["low"], pruned["high"]).all()
    assert compared["difference"].between(compared["difference_low"], compared["difference_high"]).all()
    np.testing.assert_allclose(compared["difference"], compared["value"] - beside, atol=2e-6)
    assert (compared["versus"] == models_cases.ORIGINAL).sum() == 2


def test_methods_that_keep_the_barcode_miss_no_forest_edge(records):
    pruned = records[records["pruning"] != models_cases.ORIGINAL]
    keeps = pruned["pruning"].str.startswith("topological") | (pruned["pruning"] == models_cases.REPAIRED)
    wanda = pruned[pruned["pruning"] == models_cases.WANDA]

    assert (pruned.loc[keeps, "n_missing"] == 0).all()
    assert (wanda["n_missing"] > 0).all()
    repaired = pruned[pruned["pruning"] == models_cases.REPAIRED]
    assert repaired["n_repaired"].tolist() == wanda["n_missing"].tolist()
    assert (repaired["n_kept"].to_numpy() == wanda["n_kept"].to_numpy()).all()


def test_densities_are_those_asked_for(records):
    pruned = records[records["pruning"] != models_cases.ORIGINAL]

    np.testing.assert_allclose(pruned["density"], pruned["n_kept"] / pruned["n_weights"], rtol=1e-5)
    np.testing.assert_allclose(pruned["density"], 1 - pruned["sparsity"], atol=1e-3)
    assert (pruned["checkpoint_density"] > pruned["density"]).all()
    assert (pruned["smallest_density"] <= pruned["density"]).all()


def test_the_page_states_the_numbers_of_sentences_voices_trials_and_clips(records):
    page = " ".join(models_page.PAGE.read_text(encoding="utf-8").split())
    n = records.groupby("model")["n"].unique().map(list).to_dict()
    n_voices = len(models_speech.VOICES)
    voices = np.repeat(np.arange(n_voices), models_speech.N_UTTERANCES)
    n_targets, n_others = models_measures.n_trials({"voices": voices})

    assert n == {"MiniLM": [200], "Resemblyzer": [n_voices], "silero-vad": [models_clips.N_CLIPS]}
    assert f"all pairs of {len(voices)} utterances: six of each of {n_voices} voices" in page
    assert f"Pairs of one voice: {n_targets}; of two voices: {n_others:,}." in page
    assert f"in {models_clips.N_CLIPS} clips of {models_clips.N_FRAMES * 512 // 16000} seconds" in page
    assert f"{models_measures.N_RESAMPLES:,} resamples" in page
    assert len(models_sentences.sentences("calibration")) == 80


def test_the_page_names_each_package_in_its_version():
    page = models_page.PAGE.read_text(encoding="utf-8")
    cases = [*(model.checkpoint for model in models_cases.MODELS), models_cases.SPEECH]

    assert [case.package for case in cases if f"{case.package} {case.version}" not in page] == []


def test_sentences_of_the_two_uses_differ():
    texts = models_sentences.sentences("evaluation") + models_sentences.sentences("calibration")

    assert len(texts) == len(set(texts)) == 280


@pytest.mark.parametrize(
    ("change", "larger_is_better", "said"),
    [
        ({}, True, "better by 0.200"),
        ({}, False, "worse by 0.200"),
        ({"difference": -0.2, "difference_low": -0.3, "difference_high": -0.1}, True, "worse by 0.200"),
        ({"difference": -0.2, "difference_low": -0.3, "difference_high": -0.1}, False, "better by 0.200"),
        ({"difference": 0.0004, "difference_low": 0.0002}, True, "better by less than 0.001"),
        ({"difference_low": -0.1}, True, "not distinguishable"),
        ({"difference_low": 0.0}, True, "not distinguishable"),
        ({"difference": 0.0, "difference_low": 0.0, "difference_high": 0.0}, False, "equal"),
    ],
)
def test_a_verdict_needs_an_interval_without_0_and_knows_which_way_is_better(change, larger_is_better, said):
    measure = models_page.Measure("m", "m", larger_is_better)

    assert models_page.verdict(record(**change), measure) == said


def test_best_and_worst_depend_on_which_way_is_better(records):
    names = records[records["pruning"] != models_cases.ORIGINAL].drop_duplicates("pruning")["pruning"][:4]
    values = [0.3, 0.1, 0.4, 0.2]
    rows = pd.DataFrame({"model": "Resemblyzer", "pruning": list(names), "sparsity": 0.5, "measure": "error", "n": 9})
    rows = rows.assign(value=values, low=0.0, high=1.0, versus=np.nan)

    errors = models_page.findings(rows, "Resemblyzer")
    cosines = models_page.findings(rows.assign(model="MiniLM", measure="cosine"), "MiniLM")

    assert errors == "- Equal error rate at 50%: best 0.100 (topological, layer), worst 0.400 (magnitude, global)."
    assert cosines == "- Mean cosine at 50%: best 0.400 (magnitude, global), worst 0.100 (topological, layer)."


def test_equal_extremes_are_all_named():
    rows = pd.DataFrame({"pruning": ["a", "b", "c"], "sparsity": 0.7, "value": [0.2, 0.50001, 0.49999]})

    found = models_page.extremes(rows, models_page.Measure("m", "measure"))

    assert found == "Measure at 70%: best 0.500 (b; c), worst 0.200 (a)."


def test_a_detector_that_agrees_no_more_than_a_silent_one_is_named():
    rows = pd.DataFrame({"pruning": ["a", "b", "c"], "sparsity": 0.7, "value": [0.65, 0.66, 0.7]})

    assert models_page.silenced(rows, 0.66) == "No better than a detector that never hears speech: a at 70%; b at 70%."
    assert models_page.silenced(rows, 0.6) == "No better than a detector that never hears speech: none."


@pytest.fixture
def value_of(records):
    """Return a function from the model, the pruning, the sparsity and the measure to one column of the records."""
    rows = records.set_index(["model", "pruning", "sparsity", "measure"])
    return lambda *place, column="value": rows.loc[place, column]


def test_what_the_page_says_of_minilm_is_true(records, value_of):
    of_model = records[(records["model"] == "MiniLM") & (records["measure"] == "cosine")].set_index("pruning")
    others = of_model[of_model.index.str.match("magnitude|topological")]
    nearest = records[records["measure"] == "neighbour"]

    assert of_model.loc[models_cases.REPAIRED, "difference"].abs().max() < 0.001
    for_sparsity = others.groupby("sparsity")["value"].max()
    assert value_of("MiniLM", models_cases.WANDA, 0.5, "cosine") > for_sparsity[0.5] + 0.1
    assert value_of("MiniLM", models_cases.WANDA, 0.7, "cosine") > for_sparsity[0.7] + 0.1
    assert nearest["value"].max() < 0.5
    by_layer = value_of("MiniLM", "magnitude, layer", 0.5, "cosine")
    gains = [
        value_of("MiniLM", pruning, 0.5, "cosine") - by_layer
        for pruning in ("magnitude, row", "activation scores, layer", "activation scores, row")
    ]
    assert gains[0] == pytest.approx(0.026, abs=0.0005)
    assert gains[1] / gains[0] == pytest.approx(5, abs=0.2)
    assert gains[2] > gains[1]
    assert of_model.loc["magnitude, global", "smallest_density"].max() < 0.001


def test_what_the_page_says_of_resemblyzer_is_true(records, value_of):
    of_model = records[(records["model"] == "Resemblyzer") & records["difference"].notna()]
    compared = of_model[of_model["versus"] != models_cases.ORIGINAL]
    is_row = compared["pruning"] == "magnitude, row"
    coarse = [f"{method}, {scope}" for method in ("magnitude", "topological") for scope in ("layer", "global")]
    fine = [f"{method}, row" for method in ("magnitude", "topological")]
    original = value_of("Resemblyzer", models_cases.ORIGINAL, 0.0, "error")

    assert value_of("Resemblyzer", coarse, 0.5, "error").min() > 3 * original
    assert (value_of("Resemblyzer", fine, 0.5, "error", column="low") < original).all()
    assert value_of("Resemblyzer", fine, 0.7, "error").max() < value_of("Resemblyzer", coarse, 0.7, "error").min() / 2
    assert (compared.loc[~is_row, "difference_low"] <= 0).all()
    assert (compared.loc[~is_row, "difference_high"] >= 0).all()
    assert (compared.loc[is_row, "difference_high"] < 0).all()
    assert value_of("Resemblyzer", "magnitude, layer", 0.5, "error", column="n_missing") == 0
    assert value_of("Resemblyzer", "topological, layer", 0.5, "error", column="difference") == 0


def test_what_the_page_says_of_the_detector_is_true(value_of):
    by_layer = value_of("silero-vad", ["magnitude, layer", "topological, layer"], 0.5, "agreement")
    by_all = value_of("silero-vad", ["magnitude, global", "topological, global"], [0.5, 0.7], "agreement")

    least = value_of("silero-vad", "magnitude, global", [0.5, 0.7], "agreement", column="smallest_density")

    by_row = value_of("silero-vad", ["magnitude, row", "topological, row"], 0.5, "agreement")
    moved = [value_of("silero-vad", f"{each}, row", 0.5, "difference") for each in ("magnitude", "topological")]

    assert by_layer.min() > 0.97
    assert by_row.min() > by_layer.max()
    assert [round(each, 3) for each in moved] == [0.042, 0.027]
    assert round(value_of("silero-vad", "magnitude, layer", 0.5, "difference"), 3) == 0.027
    assert by_all.max() < 0.75
    assert least.max() < 0.1
    assert value_of("silero-vad", "topological, global", 0.5, "agreement", column="difference_high") < 0


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
    values = np.random.default_rng(1).normal(size=400)

    found = models_measures.mean(values)

    low, high = found.interval()
    assert found.value == pytest.approx(values.mean())
    assert (found.value - low, high - found.value) == pytest.approx([1.96 * values.std() / 20] * 2, rel=0.1)


def test_a_difference_is_taken_resample_by_resample():
    values = np.random.default_rng(1).normal(size=50)

    found = models_measures.mean(values + 0.25) - models_measures.mean(values)

    assert found.interval() == pytest.approx((0.25, 0.25))
    assert found.value == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("is_target", "weights", "rate"),
    [
        ([True, True, False, False], [1, 1, 1, 1], 0.0),
        ([False, False, True, True], [1, 1, 1, 1], 1.0),
        ([True, False, True, False], [1, 1, 1, 1], 0.5),
        ([True, True, False, True, False, False], [1, 1, 1, 1, 1, 1], 1 / 3),
        ([True, True, False, True, False, False], [1, 1, 0, 1, 1, 1], 0.0),
    ],
)
def test_the_equal_error_rate_of_trials_in_order(is_target, weights, rate):
    found = models_measures.equal_error_rate(np.array(is_target), np.array(weights, dtype=float))

    assert found == pytest.approx(rate)


def test_voices_that_differ_are_told_apart_and_equal_ones_are_not():
    voices = np.repeat(np.arange(12), 3)
    apart = {"voices": voices, "embeddings": np.eye(12)[voices]}
    random = np.random.default_rng(0).normal(size=(400, 8))
    alike = {"voices": np.repeat(np.arange(100), 4), "embeddings": random / np.linalg.norm(random, axis=1)[:, None]}

    assert models_measures.verification_error(apart).value == 0
    assert models_measures.verification_error(alike).value == pytest.approx(0.5, abs=0.05)
    assert models_measures.n_trials(apart) == (36, 594)


def test_a_model_agrees_with_itself_in_all():
    embeddings = np.eye(5)[[0, 1, 2, 3, 4]] * 0.6 + np.eye(5)[[1, 0, 3, 2, 0]] * 0.8
    heard = {"probabilities": np.full((3, 4), 0.25), "detected": np.zeros((3, 4), dtype=bool)}
    other = {"probabilities": np.full((3, 4), 0.75), "detected": np.eye(3, 4, dtype=bool)}

    same = models_measures.sentence_measures({"embeddings": embeddings}, {"embeddings": embeddings})
    detected = models_measures.detection_measures(heard, other)

    assert (same["cosine"].value, same["neighbour"].value) == (pytest.approx(1), 1)
    assert (detected["agreement"].value, detected["difference"].value) == (0.75, 0.5)


def test_wanda_keeps_in_each_row_the_largest_products_of_magnitude_and_norm():
    weight = np.array([[3.0, -2.0, 1.0, 1.0], [1.0, 1.0, -1.0, 1.0]], dtype=np.float32)

    scores = models_wanda.wanda_scores(weight, np.array([1.0, 2.0, 5.0, 5.0]))

    assert scores.tolist() == [[3, 4, 5, 5], [1, 2, 5, 5]]
    assert models_wanda.wanda_mask(scores, 0.5).tolist() == [[False, False, True, True], [False, False, True, True]]
    assert models_wanda.wanda_mask(np.ones((1, 4)), 0.5).tolist() == [[True, True, False, False]]


def test_topoimp_applies_and_repairs_the_mask_that_is_written(tmp_path):
    norms = {"fc1.weight": np.ones(784), "fc2.weight": np.ones(300), "fc3.weight": np.ones(100)}
    scores = models_wanda.scores_of(SAMPLE, norms, norms)
    path = tmp_path / "wanda.safetensors"

    models_wanda.write_wanda_mask(path, scores, 0.7)

    applied = apply_mask(SAMPLE, path, output=tmp_path / "applied.safetensors").report.network
    repaired = apply_mask(SAMPLE, path, repair=True, output=tmp_path / "repaired.safetensors").report.network
    assert read_masks(path)["fc2.weight"].n_kept == 100 * 90
    assert applied["n_kept"] == repaired["n_kept"] == 300 * 235 + 100 * 90 + 10 * 30
    assert applied["retention"] < repaired["retention"] == 1


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("stft_conv.weight", "_model.stft.forward_basis_buffer"),
        ("conv1.bias", "_model.encoder.0.reparam_conv.bias"),
        ("lstm_cell.weight_hh", "_model.decoder.rnn.weight_hh"),
        ("final_conv.weight", "_model.decoder.decoder.2.weight"),
    ],
)
def test_tensors_of_the_detector_have_a_place_in_its_program(name, own):
    assert models_owners.own_name(name) == own


def test_clips_have_speech_where_they_say_and_are_the_same_each_time(tmp_path):
    path = tmp_path / "speech.npz"
    n_utterances = 150
    tone = (20_000 * np.sin(np.arange(22_050) / 20)).astype(np.int16)
    starts = np.arange(n_utterances + 1) * len(tone)
    np.savez(path, samples=np.tile(tone, n_utterances), starts=starts, voices=np.zeros(n_utterances, dtype=int))

    found, again = (models_clips.clips(path) for _ in range(2))

    assert found["audio"].shape == (60, 500 * 512)
    assert np.array_equal(found["audio"], again["audio"])
    assert np.abs(found["audio"]).max() <= 1
    assert found["spoken"].shape == (60, 500)
    assert (found["spoken"].sum(axis=1) == 0).sum() == 12
    silent_background = found["audio"][0].reshape(500, 512)
    assert (np.abs(silent_background[~found["spoken"][0]]).max(axis=1) == 0).mean() > 0.9


def test_a_trial_that_topoimp_refuses_ends_the_benchmark():
    with pytest.raises(RuntimeError, match="No such option: --no-such-option"):
        real_models.done([*real_models.TOPOIMP, "prune", str(SAMPLE), "--no-such-option"])


def test_the_masks_of_a_trial_are_put_in_place_of_their_names(tmp_path, monkeypatch):
    trial = next(each for each in models_cases.trials() if each.pruning.name == models_cases.WANDA)
    bench = real_models.Bench(tmp_path)
    monkeypatch.setattr(bench, "scores", lambda _: {"fc.weight": np.eye(4, dtype=np.float32)})

    named = bench.stand_ins(trial, "{mask}")

    assert read_masks(named["mask"])["fc.weight"].n_kept == 8
    assert bench.stand_ins(trial, "{sparsity}") == {"sparsity": "0.5"}
    assert set(bench.stand_ins(trial, "{scores}")) == {"sparsity", "scores"}
