"""The statistics of the study, and its tables from reports."""

import importlib
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY
from scipy.stats import ttest_1samp, ttest_rel

sys.path.insert(0, str(REPOSITORY / "benchmarks"))

study_tables = importlib.import_module("study_tables")
study_page = importlib.import_module("study_page")
study_rounds = importlib.import_module("study_rounds")
accuracy_table, excess_table, rounds_table, training_table = (
    getattr(study_tables, f"{name}_table") for name in ("accuracy", "excess", "rounds", "training")
)
holm, mean_of = study_tables.holm, study_tables.mean_of


def test_means_have_the_interval_and_the_tests_of_scipy():
    values = np.random.default_rng(0).normal(0.004, 0.01, 10)

    found = mean_of(values)

    two_sided = ttest_1samp(values, 0)
    interval = two_sided.confidence_interval(0.95)
    assert (found.n_seeds, found.mean) == (10, pytest.approx(values.mean()))
    assert (found.ci_low, found.ci_high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert found.p_above == pytest.approx(ttest_1samp(values, 0, alternative="greater").pvalue)
    assert found.p_two_sided == pytest.approx(two_sided.pvalue)
    below, above = (
        ttest_1samp(values, bound, alternative=side).pvalue for bound, side in ((0.01, "less"), (-0.01, "greater"))
    )
    assert found.p_within_margin == pytest.approx(max(below, above))


@pytest.mark.parametrize(("value", "p_above", "p_within"), [(0.0, 0.5, 0.0), (0.02, 0.0, 1.0), (-0.02, 1.0, 1.0)])
def test_equal_values_are_certain(value, p_above, p_within):
    found = mean_of([value] * 3)

    assert (found.p_above, found.p_within_margin) == (p_above, p_within)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


NULLS = """level,layer,n_kept,floor,retention,null,retention_null,excess
layer,fc1,,10,,,,
density,fc1,10,10,0.5,shuffle:1000:edges,{null},{excess}
density,fc1,40,10,0.9,shuffle:1000:edges,0.9,0.0
density,fc1,80,10,1.0,shuffle:1000:edges,0.995,0.005
density,fc1,10,10,0.5,degrees:1000,0.5,0.0
"""


def test_excesses_are_those_of_the_reports_over_the_seeds(tmp_path):
    (tmp_path / "net/nulls").mkdir(parents=True)
    for seed, excess in ((100, 0.1), (101, 0.2)):
        (tmp_path / f"net/nulls/{seed}-model.csv").write_text(NULLS.format(null=0.5 - excess, excess=excess))

    table = excess_table(tmp_path).set_index(["null", "multiple"])

    row = table.loc["edges", 1]
    assert (row["network"], row["weights"], row["layer"], row["n_seeds"]) == ("net", "model", "fc1", 2)
    assert (row["excess"], row["retention"]) == (pytest.approx(0.15), 0.5)
    assert row["excess_by_seed"] == "0.10000 0.20000"
    assert row["p_above_holm"] == min(2 * row["p_above"], 1.0)
    assert np.isnan(table.loc["edges", 8][["p_above", "p_above_holm", "p_within_margin_holm"]].astype(float)).all()
    assert table.loc["degrees", 1]["p_within_margin"] == 0.0


def test_accuracies_are_paired_by_seed_and_round(tmp_path):
    (tmp_path / "net").mkdir()
    header = "level,seed,round,density,test_accuracy\n"
    ours, others = [0.9, 0.8, 0.7], [0.85, 0.79, 0.71]
    for name, accuracies in (("t-imp", ours), ("imp", others)):
        rows = [f"network,{seed},1,0.8,{value}\n" for seed, value in enumerate(accuracies)]
        (tmp_path / f"net/prune-{name}.csv").write_text(header + "network,0,0,1.0,0.99\n" + "".join(rows))

    (row,) = accuracy_table(tmp_path).to_dict("records")

    assert (row["pruning"], row["other"], row["round"], row["n_seeds"]) == ("t-imp", "imp", 1, 3)
    assert row["difference"] == pytest.approx(np.mean(ours) - np.mean(others))
    assert row["p_two_sided"] == row["p_holm"] == pytest.approx(ttest_rel(ours, others).pvalue)


def test_rounds_have_their_excess_over_each_null(tmp_path):
    (tmp_path / "net").mkdir()
    header = "level,seed,round,pruning,layer,density,null,retention,retention_null,excess\n"
    lines = [f"layer,{seed},1,magnitude,fc1,0.8,edges:200,0.9,0.8,{excess}\n" for seed, excess in ((0, 0.1), (1, 0.3))]
    (tmp_path / "net/rounds-round-0.csv").write_text(header + "".join(lines))

    (row,) = rounds_table(tmp_path).to_dict("records")

    assert (row["network"], row["reference"], row["null"], row["n_seeds"]) == ("net", "round-0", "edges", 2)
    assert (row["excess"], row["retention"]) == (pytest.approx(0.2), 0.9)


def test_summaries_in_training_have_mean_and_deviation(tmp_path):
    for seed, value in ((1, 0.2), (2, 0.4)):
        (tmp_path / f"net/seed-{seed}").mkdir(parents=True)
        text = f"level,seed,epoch,step,layer,np_balwani,overlap,beta0\nlayer,{seed},0,0,fc1,{value},0.5,1\n"
        (tmp_path / f"net/seed-{seed}/topology.csv").write_text(text)

    (row,) = training_table(tmp_path).to_dict("records")

    assert (row["np_balwani_mean"], row["np_balwani_std"]) == (
        pytest.approx(0.3),
        pytest.approx(np.std([0.2, 0.4], ddof=1)),
    )
    assert (row["overlap_mean"], row["beta0_std"], row["n_seeds"]) == (0.5, 0.0, 2)


def test_nothing_is_made_of_nothing(tmp_path):
    assert excess_table(tmp_path).empty
    assert accuracy_table(tmp_path).empty
    assert rounds_table(tmp_path).empty
    assert training_table(tmp_path).empty


def test_the_page_about_the_paper_has_the_figures_of_the_study():
    page = (REPOSITORY / "docs/paper.md").read_text(encoding="utf-8")
    training = pd.read_csv(REPOSITORY / "benchmarks/study/training.csv")

    assert study_page.figure_1(training) in page
    assert study_page.figure_3(training) in page
    before = training[(training["network"] == "paper-mnist") & (training["epoch"] == 0)]["overlap_mean"]
    assert ", ".join(f"{value:.3f}" for value in before)[:-7] in page.replace("\n", " ")
    assert set(training[training["network"].isin(study_page.RECIPES)]["n_seeds"]) == {10}


def test_training_lowers_the_overlap_of_every_hidden_layer_and_raises_every_persistence():
    training = pd.read_csv(REPOSITORY / "benchmarks/study/training.csv")

    of_the_paper = training[training["network"].isin(study_page.RECIPES)]

    for _, network in of_the_paper.groupby("network"):
        first, last = (network[network["epoch"] == epoch] for epoch in (0, 6))
        changes = last["overlap_mean"].to_numpy() - first["overlap_mean"].to_numpy()
        assert (changes[:-1] < 0).all()
        assert (last["np_balwani_mean"].to_numpy() > first["np_balwani_mean"].to_numpy()).all()


EXCESS = pd.read_csv(REPOSITORY / "benchmarks/study/excess.csv")
STUDY_PAGE = (REPOSITORY / "docs/study.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", [study_page.weights_table, study_page.verdicts_table, study_page.nulls_table])
def test_the_page_of_the_study_has_the_tables_of_its_weights(table):
    assert table(EXCESS) in STUDY_PAGE
    assert set(EXCESS[EXCESS["network"] != "conv-cifar10"]["n_seeds"]) == {10}
    assert set(EXCESS[EXCESS["network"] == "conv-cifar10"]["n_seeds"]) == {3}


def test_the_conclusions_from_weights_have_the_numbers_of_the_tables():
    words = " ".join(STUDY_PAGE.split())
    trained = EXCESS[EXCESS["weights"] == "model"]
    edges = trained[(trained["null"] == "edges") & trained["p_above"].notna()]
    degrees = trained[(trained["null"] == "degrees") & trained["p_within_margin"].notna()]
    within = (degrees["p_within_margin_holm"] < 0.05).sum()

    assert (len(edges), len(degrees)) == (122, 122)
    assert (edges["p_above_holm"] >= 0.05).all()
    assert f"in {(edges['ci_high'] < 0).sum()} the 95 % interval lies below 0 (10 seeds each" in words
    assert f"In {within} of 122 cells" in words
    assert f"No mean is farther from 0 than {degrees['excess'].abs().max():.2%}".replace("%", " %") in words
    assert f"where the shuffle is up to {-edges['excess'].min():.0%} away".replace("%", " %") in words


def test_the_loss_by_training_is_the_deficit_against_the_shuffle():
    at_floor = EXCESS[(EXCESS["multiple"] == 1) & (EXCESS["null"] == "edges") & (EXCESS["weights"] == "model")]

    gaps = [
        abs(study_page.by_training(EXCESS, row["network"], row["layer"])["excess"] - row["excess"])
        for _, row in at_floor[at_floor["network"] != "conv-cifar10"].iterrows()
    ]

    assert max(gaps) == pytest.approx(0.013, abs=5e-4)


ACCURACY = pd.read_csv(REPOSITORY / "benchmarks/study/accuracy.csv")
ROUNDS = pd.read_csv(REPOSITORY / "benchmarks/study/rounds.csv")


@pytest.mark.parametrize("table", [study_rounds.accuracy_verdicts, study_rounds.accuracy_table])
def test_the_page_of_the_study_has_the_tables_of_its_accuracies(table):
    assert table(ACCURACY) in STUDY_PAGE
    assert set(ACCURACY[ACCURACY["network"] != "conv-cifar10"]["n_seeds"]) == {10}
    assert set(ACCURACY[ACCURACY["network"] == "conv-cifar10"]["n_seeds"]) == {3}


@pytest.mark.parametrize("table", [study_rounds.rounds_verdicts, study_rounds.rounds_table])
def test_the_page_of_the_study_has_the_tables_of_its_rounds(table):
    assert table(ROUNDS) in STUDY_PAGE
    assert set(ROUNDS["n_seeds"]) == {10}


def points(row):
    """A difference of accuracies with its interval, both without signs, as the page writes them."""
    return tuple(f"{abs(100 * row[name]):.2f}" for name in ("difference", "ci_high", "ci_low"))


def test_the_conclusions_from_accuracy_have_the_numbers_of_the_tables():
    words = " ".join(STUDY_PAGE.split())
    t_imp = ACCURACY[ACCURACY["pruning"] != "random"]
    equal = t_imp[study_rounds.is_equal(t_imp)]
    on_mnist = equal[equal["network"].str.endswith("-mnist")]
    rewound = t_imp[(t_imp["network"] == "lenet-mnist") & (t_imp["pruning"] == "t-imp")].set_index("round")

    assert (
        f"Of the {len(equal)} rounds at equal density, T-IMP is significantly ahead in two and behind in three" in words
    )
    assert (study_rounds.is_ahead(equal).sum(), study_rounds.is_behind(equal).sum()) == (2, 3)
    assert f"On MNIST it is ahead in none of {len(on_mnist)}" in words
    assert study_rounds.is_ahead(on_mnist).sum() == 0
    assert (rewound.loc[:16, "difference"].abs() < 0.001).all()
    mean, low, high = points(rewound.loc[18])
    assert f"behind by {mean} points at 1.85 % ({low} to {high})" in words
    mean, low, high = points(rewound.loc[19])
    assert f"by {mean} at 1.49 % ({low} to {high})" in words
    later = 100 * rewound.loc[20:, "difference"].abs()
    assert f"and by {later.min():.2f} to {later.max():.2f} points in the five rounds after" in words
    assert study_rounds.is_behind(rewound.loc[20:]).all()


def test_the_conclusions_about_other_images_have_the_numbers_of_the_tables():
    words = " ".join(STUDY_PAGE.split())
    rounds = {key: table.set_index("round") for key, table in ACCURACY.groupby(["network", "pruning"])}

    rewound = rounds["lenet-fashion", "t-imp"]
    is_equal = study_rounds.is_equal(rewound)
    assert (rewound.loc[:16, "difference"].abs() < 0.001).all()
    assert rewound.loc[16, "density"] == pytest.approx(0.0287, abs=5e-5)
    assert not (study_rounds.is_ahead(rewound) | study_rounds.is_behind(rewound))[is_equal].any()
    behind = 100 * rewound[study_rounds.is_behind(rewound)]["difference"].abs()
    assert (len(behind), (~is_equal).sum()) == (3, 5)
    assert f"T-IMP is behind, by {behind.min():.2f} to {behind.max():.2f} points" in words

    tuned = rounds["lenet-fashion", "t-imp-paper"]
    at_equal = tuned[study_rounds.is_equal(tuned)]
    assert at_equal[study_rounds.is_ahead(at_equal)].index.tolist() == [22, 23]
    (first, low_1, high_1), (second, low_2, high_2) = (
        tuple(f"{100 * tuned.loc[number, name]:.2f}" for name in ("difference", "ci_low", "ci_high"))
        for number in (22, 23)
    )
    assert f"ahead by {first} points ({low_1} to {high_1}) and by {second} ({low_2} to {high_2})" in words
    of_imp = [f"{accuracy:.1%}".replace("%", " %") for accuracy in tuned.loc[[22, 23], "test_accuracy_other"]]
    assert f"falls to {of_imp[0]} at a density of 8.8 % and to {of_imp[1]} at 4.7 %" in words
    on_mnist = rounds["lenet-mnist", "t-imp-paper"].loc[23]
    assert f"{100 * on_mnist['difference']:.2f} points, and is not significant (p {on_mnist['p_holm']:.3f})" in words

    conv = rounds["conv-cifar10", "t-imp"]
    assert not (study_rounds.is_ahead(conv) | study_rounds.is_behind(conv)).any()
    assert (len(conv), f"{conv['density'].min():.2%}") == (12, "0.56%")
    last = conv.loc[12]
    assert f"{-100 * last['difference']:.2f} points, is not significant (p {last['p_holm']:.2f})" in words


def test_the_conclusions_about_collapses_have_the_numbers_of_the_tables():
    words = " ".join(STUDY_PAGE.split())
    last = ACCURACY[ACCURACY["round"] == 24].set_index(["network", "pruning"])

    mnist, fashion = last.loc[("paper-mnist", "t-imp")], last.loc[("paper-fashion", "t-imp")]
    for text in (
        f"at an accuracy of {mnist['test_accuracy']:.1%} on MNIST and {fashion['test_accuracy']:.1%} on Fashion-MNIST,",
        f"while IMP falls to {mnist['test_accuracy_other']:.1%} and {fashion['test_accuracy_other']:.1%} at a density",
    ):
        assert text.replace("%", " %") in words
    for network in ("paper-mnist", "paper-fashion"):
        rounds = ACCURACY[(ACCURACY["network"] == network) & (ACCURACY["pruning"] == "t-imp")]
        assert rounds[rounds["round"] >= 21]["density"].round(4).eq(0.015).all()
        assert not (study_rounds.is_ahead(rounds) | study_rounds.is_behind(rounds))[study_rounds.is_equal(rounds)].any()
    tuned = last.loc[("lenet-mnist", "t-imp-paper")]
    mean, low, high = (f"{100 * tuned[name]:.1f}" for name in ("difference", "ci_low", "ci_high"))
    assert f"is {mean} points ahead ({low} to {high})" in words
    on_mnist = ACCURACY["network"].str.endswith("-mnist")
    fine_tuned = ACCURACY[on_mnist & (ACCURACY["pruning"] == "t-imp-paper") & (ACCURACY["round"] < 24)]
    assert (fine_tuned["p_holm"] >= 0.05).all()
    assert fine_tuned["density_other"].min() == pytest.approx(0.0465, abs=5e-5)


def test_the_conclusion_about_pruning_at_random_has_the_numbers_of_the_tables():
    at_random = ACCURACY[ACCURACY["pruning"] == "random"]

    losses = -100 * at_random["difference"]
    assert study_rounds.is_behind(at_random).all()
    assert f"by {losses.min():.2f} to {losses.max():.2f} points" in " ".join(STUDY_PAGE.split())


def test_the_conclusions_from_rounds_have_the_numbers_of_the_tables():
    words = " ".join(STUDY_PAGE.split())
    cells = study_rounds.decided(ROUNDS)

    def percent(share):
        return f"{abs(share):.1%}".replace("%", " %")

    of_round_0 = {(training, null): table for (training, of, null), table in cells.items() if of == "round-0"}
    for null in ("edges", "degrees"):
        assert f"In all {sum(len(table) for (_, of), table in of_round_0.items() if of == null)} cells" in words
    assert all((table["ci_high"] < 0).all() for table in of_round_0.values())
    edges, degrees = (of_round_0["rewound", null] for null in ("edges", "degrees"))
    assert (
        f"rewound, {percent(edges['excess'].mean())} of the forest less than a shuffle and "
        f"{percent(degrees['excess'].mean())} less than their degrees would in the mean of {len(edges)} cells" in words
    )
    edges, degrees = (of_round_0["fine-tuned", null] for null in ("edges", "degrees"))
    assert (
        f"fine-tuned, {100 * -edges['excess'].mean():.1f} and {percent(degrees['excess'].mean())} less "
        f"in the mean of {len(edges)}" in words
    )

    rewound, tuned = (cells[training, "previous", "edges"] for training in ("rewound", "fine-tuned"))
    n_below, n_above = ([(table[ci] * sign > 0).sum() for table in (rewound, tuned)] for ci, sign in SIDES)
    assert (
        f"{percent(rewound['excess'].mean())} less than a shuffle in the mean of {len(rewound)} cells: "
        f"the interval lies below 0 in {n_below[0]} and above 0 in {n_above[0]}" in words
    )
    assert (
        f"keep {percent(tuned['excess'].mean())} less in the mean of {len(tuned)} cells, "
        f"below 0 in {n_below[1]} and above in {n_above[1]}" in words
    )

    of_degrees = [cells[training, "previous", "degrees"] for training in ("rewound", "fine-tuned")]
    n_within = [((table["ci_low"] > -0.01) & (table["ci_high"] < 0.01)).sum() for table in of_degrees]
    assert f"within 1 % in {n_within[0]} of {len(of_degrees[0])} cells" in words
    assert f"fine-tuned ones in {n_within[1]} of {len(of_degrees[1])}" in words
    both = pd.concat(of_degrees)
    assert not ((both["ci_low"] > 0.01) | (both["ci_high"] < -0.01)).any()
    farthest = both.loc[both["excess"].abs().idxmax()]
    assert (farthest["network"], farthest["layer"], farthest["round"]) == ("paper-mnist", "fc5.weight", 18)
    low, high = (f"{100 * abs(farthest[ci]):.1f}" for ci in ("ci_high", "ci_low"))
    assert f"{percent(farthest['excess'])} less ({low} to {high} %)" in words


def test_the_page_about_the_paper_has_the_claim_in_numbers_of_the_study():
    words = " ".join((REPOSITORY / "docs/paper.md").read_text(encoding="utf-8").split())
    cells = study_rounds.decided(ROUNDS)

    of_round_0 = [table for (_, reference, null), table in cells.items() if (reference, null) == ("round-0", "edges")]
    assert all((table["ci_high"] < 0).all() for table in of_round_0)
    n_networks = pd.concat(of_round_0)["network"].nunique()
    assert f"in all {sum(map(len, of_round_0))} cells (layers in rounds; four networks)" in words
    assert n_networks == 4

    before = pd.concat(
        [table for (_, reference, null), table in cells.items() if (reference, null) == ("previous", "degrees")]
    )
    n_within = ((before["ci_low"] > -0.01) & (before["ci_high"] < 0.01)).sum()
    assert f"within 1 % in {n_within} of {len(before)} cells" in words


SIDES = (("ci_high", -1), ("ci_low", 1))
"""An interval lies below 0 if its upper end does, and above 0 if its lower end does."""
