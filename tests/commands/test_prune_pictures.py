import json
import re
from math import prod

import numpy as np
import pytest
from outputs import figures_in, report_in, texts

from topoimp import OptionError, OutputError, PruningOptions, apply_mask, barcode_report, prune_checkpoint
from topoimp.chance.closed_forms import expected_forest_edges_iid
from topoimp.commands.prune_pictures import FIGURES, PruneResults
from topoimp.plots import new_figure

ROUNDS = PruningOptions(rounds=12, rate=0.3, method="magnitude")


@pytest.fixture
def layers(write):
    """A checkpoint of a dense layer, one without edges, one of several components, and equal weights."""
    rng = np.random.default_rng(5)
    block = np.zeros((6, 8))
    block[:3, :4] = rng.normal(size=(3, 4))
    block[3:, 4:] = rng.normal(size=(3, 4))
    arrays = {"dense": rng.normal(size=(20, 30)), "zero": np.zeros((4, 3)), "parts": block, "equal": np.ones((5, 4))}
    return write({name: array.astype("f4") for name, array in arrays.items()})


@pytest.fixture
def found(monkeypatch):
    """The results that figures are drawn from, of each pruning."""
    made = []

    def record(*arguments):
        made.append(PruneResults(*arguments))
        return made[-1]

    monkeypatch.setattr("topoimp.commands.prune.PruneResults", record)
    return made


def lines(results, name):
    """The lines of the figure retention of a layer, by label."""
    ax = new_figure().add_subplot()
    FIGURES["retention"].panel(results, name, ax)
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.get_lines()}


def of_layer(report, name):
    return [row for row in report.layers if row["layer"] == name]


def test_retention_is_that_of_the_report_beside_chance(layers, found, tmp_path):
    report = prune_checkpoint(layers, ROUNDS, plot=tmp_path / "a.svg", threads=1).report

    drawn = lines(found[0], "dense")
    rows = of_layer(report, "dense")[::-1]
    densities, kept = drawn["observed"]
    assert densities == [*(row["density"] for row in rows), 1]
    assert kept == pytest.approx([*(row["retention"] for row in rows), 1], abs=1e-15)
    assert min(kept) < 0.5
    densities, by_chance = drawn["iid"]
    n_kept = [round(600 * density) for density in densities[:-1]]
    assert by_chance == pytest.approx([*(expected_forest_edges_iid(20, 30, k) / 49 for k in n_kept), 1], abs=1e-12)
    densities, random = drawn["random mask"]
    assert random == pytest.approx(densities)
    assert drawn["critical density"][0] == [49 / 600] * 2
    assert {"dense", "zero", "parts", "equal", "observed", "no edges"} <= set(texts(tmp_path / "a.svg"))


def test_chance_is_found_at_the_first_and_the_last_round_of_many(layers, found, tmp_path):
    options = PruningOptions(rounds=40, rate=0.1, method="magnitude")

    report = prune_checkpoint(layers, options, plot=tmp_path / "a.svg", threads=1).report

    densities, _ = lines(found[0], "dense")["iid"]
    assert len(densities) < 40
    assert [densities[0], densities[-1]] == [report.layers[-4]["density"], 1]
    assert report.layers[-4]["layer"] == "dense"


def test_floors_are_those_of_the_rounds_and_of_the_unpruned_layers(layers, found, tmp_path):
    report = prune_checkpoint(layers, ROUNDS, plot=tmp_path / "a.svg", figure="floors", threads=1).report

    ax, *_ = FIGURES["floors"].draw(found[0], "column").axes
    dense, *_, zero = ax.images[0].get_array()
    assert list(dense) == [600 / 49, *(row["n_kept"] / 49 for row in of_layer(report, "dense"))]
    assert zero.mask.all()
    assert ax.get_title() == "magnitude"
    assert not [text for text in texts(tmp_path / "a.svg") if "seed" in text]


@pytest.mark.parametrize("method", ["topological", "magnitude", "random"])
def test_the_mask_is_that_of_the_pruned_checkpoint(layers, tmp_path, method):
    options = PruningOptions(rounds=4, method=method)

    outputs = prune_checkpoint(layers, options, plot=tmp_path / "a.svg", figure="mask", threads=1).outputs
    barcode_report(outputs.checkpoint, plot=tmp_path / "b.svg", figure="mask", threads=1)

    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_picture_and_a_page_change_no_other_output(layers, tmp_path):
    plain = prune_checkpoint(layers, ROUNDS, output=tmp_path / "a/p.safetensors", threads=1)

    drawn = prune_checkpoint(
        layers,
        ROUNDS,
        output=tmp_path / "b/p.safetensors",
        plot=tmp_path / "b/p.svg",
        report=tmp_path / "b/p.html",
        threads=1,
    )

    assert drawn.report.rows == plain.report.rows
    for path in (tmp_path / "a").iterdir():
        assert (tmp_path / "b" / path.name).read_bytes() == path.read_bytes()
    assert {path.name for path in (tmp_path / "b").iterdir()} == {
        *(path.name for path in (tmp_path / "a").iterdir()),
        "p.svg",
        "p.html",
    }
    assert (drawn.report.settings["figure"], drawn.report.settings["size"]) == ("retention", "column")


def test_a_page_has_the_report_and_all_figures(layers, tmp_path):
    pages = []
    for _ in range(2):
        report = prune_checkpoint(layers, ROUNDS, report=tmp_path / "a.html", force=True, threads=1).report
        pages.append((tmp_path / "a.html").read_bytes())

    assert report_in(tmp_path / "a.html") == json.loads(report.to_json())
    assert figures_in(tmp_path / "a.html") == list(FIGURES)
    assert report.outputs["report"] == tmp_path / "a.html"
    assert pages[0] == pages[1]


def test_pruning_by_a_mask_has_the_same_figures(layers, tmp_path):
    pruned = prune_checkpoint(layers, PruningOptions(rounds=4), threads=1).outputs

    report = apply_mask(
        layers,
        pruned.mask,
        output=tmp_path / "again.safetensors",
        plot=tmp_path / "a.svg",
        figure="mask",
        report=tmp_path / "a.html",
        threads=1,
    ).report
    barcode_report(pruned.checkpoint, plot=tmp_path / "b.svg", figure="mask", threads=1)

    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert report_in(tmp_path / "a.html") == json.loads(report.to_json())
    assert figures_in(tmp_path / "a.html") == list(FIGURES)


def test_a_rewound_checkpoint_has_the_mask_of_the_trained_one(layers, write, tmp_path):
    shapes = {"dense": (20, 30), "zero": (4, 3), "parts": (6, 8), "equal": (5, 4)}
    earlier = {name: np.arange(prod(shape), dtype="f4").reshape(shape) for name, shape in shapes.items()}
    options = PruningOptions(rounds=4)

    plots = []
    for name, rewind_from in (("a", None), ("b", write(earlier, "earlier.safetensors"))):
        plots.append(tmp_path / f"{name}.svg")
        prune_checkpoint(layers, options, rewind_from=rewind_from, plot=plots[-1], figure="mask", force=True, threads=1)

    assert plots[0].read_bytes() == plots[1].read_bytes()


def test_an_unknown_figure_is_refused_before_anything_is_read(tmp_path):
    message = "there is no figure 'lottery-ticket' here; there are retention, floors, mask, overview"

    with pytest.raises(OptionError, match=f"^{message}$"):
        prune_checkpoint("absent", ROUNDS, plot=tmp_path / "a.svg", figure="lottery-ticket")
    with pytest.raises(OptionError, match=f"^{message}$"):
        apply_mask("absent", "absent", plot=tmp_path / "a.svg", figure="lottery-ticket")


@pytest.mark.parametrize("role", ["plot", "report"])
def test_an_existing_file_is_refused_and_nothing_is_written(layers, tmp_path, role):
    mine = tmp_path / {"plot": "a.svg", "report": "a.html"}[role]
    mine.write_text("mine")
    before = sorted(tmp_path.iterdir())

    with pytest.raises(OutputError, match="exists already; `force` replaces it"):
        prune_checkpoint(layers, ROUNDS, **{role: mine}, threads=1)
    assert sorted(tmp_path.iterdir()) == before
    assert mine.read_text() == "mine"


def test_a_picture_lies_in_no_output_folder(layers, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    layers.rename(folder / layers.name)

    with pytest.raises(OptionError, match=re.escape(f"lies inside the output {tmp_path / 'model.pruned'}")):
        prune_checkpoint(folder, ROUNDS, plot=tmp_path / "model.pruned/a.svg", force=True, threads=1)
    assert not (tmp_path / "model.pruned").exists()


def test_the_command_lists_the_figures_of_both_inputs(topoimp):
    listed = topoimp("prune", "--figure", "list")

    assert listed.status == 0
    assert [line.split()[0] for line in listed.out.splitlines()] == [
        *("of", "retention", "floors", "mask", "overview"),
        *("of", "lottery-ticket", "floors", "gains"),
    ]


def test_the_command_writes_picture_and_page_and_says_so(topoimp, layers, tmp_path):
    files = ("--plot", tmp_path / "a.svg", "--figure", "mask", "--size", "page", "--report", tmp_path / "a.html")

    done = topoimp("prune", layers, "--rounds", 2, *files)
    again = topoimp("prune", layers, "--rounds", 2, "-o", tmp_path / "b.safetensors", *files)

    assert done.status == 0
    assert done.err.endswith(f"wrote {tmp_path / 'a.svg'}\nwrote {tmp_path / 'a.html'}\n")
    assert again.status == 1
    assert "a.svg: exists already; --force replaces it" in again.err
    assert not (tmp_path / "b.safetensors").exists()


def test_the_command_draws_a_pruning_by_a_mask(topoimp, layers, tmp_path):
    assert topoimp("prune", layers, "--rounds", 2).status == 0
    mask = layers.with_name("model.pruned.mask.safetensors")

    done = topoimp(
        "prune", layers, "--apply-mask", mask, "-o", tmp_path / "b.safetensors", "--plot", tmp_path / "a.svg"
    )

    assert done.status == 0
    assert "observed" in texts(tmp_path / "a.svg")
