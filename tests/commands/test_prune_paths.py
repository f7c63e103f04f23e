"""A run folder is pruned by paths: magnitude above a density, whole paths below it."""

import shutil
import sys
import tomllib

import numpy as np
import pytest
from outputs import without_sizes

from topoimp.architectures import parse_architecture
from topoimp.architectures.graph import architecture_graph
from topoimp.checkpoint import open_checkpoint
from topoimp.commands.plan_run import plan_run
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.prune_run import prune_run, prune_with_trainer
from topoimp.commands.train import train_run
from topoimp.errors import OptionError
from topoimp.layers.layer import as_layer
from topoimp.layers.records import LayerPatterns
from topoimp.network.facts import kept_in, path_facts
from topoimp.network.norms import norm_factors, tensor_values
from topoimp.network.path_masks import path_masks
from topoimp.network.path_sums import path_sums
from topoimp.network.weighted_graph import WeightedGraph
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions
from topoimp.rounds.trainer import parse_trainer


def masks_of(folder, number):
    masks = read_masks(folder / f"round-{number:02}" / "mask.safetensors")
    return {name: mask.kept() for name, mask in masks.items()}


def weights_of(path, names):
    checkpoint = open_checkpoint(path)
    return {name: tensor_values(checkpoint, name).reshape(checkpoint.tensors[name].shape) for name in names}


def expected_masks(folder, number, graph, target, **others):
    """The masks by paths of the weights that the round before trained."""
    model = folder / f"round-{number - 1:02}" / "model.safetensors"
    weights = weights_of(model, graph.layers)
    layers = {name: as_layer(weight) for name, weight in weights.items()}
    network = WeightedGraph(graph, layers, norms=norm_factors(graph, open_checkpoint(model)), **others)
    kept = path_masks(network, [target]).kept(target)
    return {name: flags.reshape(weights[name].shape) for name, flags in kept.items()}


def assert_same(masks, expected):
    assert masks.keys() == expected.keys()
    assert all(np.array_equal(masks[name], expected[name]) for name in masks)


def test_rounds_above_the_density_are_those_of_magnitude_and_paths_decide_below(run):
    options = {"rounds": 5, "rate": 0.4}
    paths = prune_run(run, PruningOptions(method="paths", paths_below=0.3, inputs="ones", **options), jobs=1)
    magnitude = prune_run(run, PruningOptions(method="magnitude", **options), jobs=1)
    model = parse_architecture(recipe_of(run)["model"])
    graph = architecture_graph(model)

    # About 60, 36, 22, 13 and 8 % of the weights are kept.
    for folder, other in zip(paths.folders, magnitude.folders, strict=True):
        for number in (1, 2):
            assert_same(masks_of(folder, number), masks_of(other, number))
        for number, row in zip((3, 4, 5), network_rows(magnitude.report, folder)[3:], strict=True):
            found = masks_of(folder, number)
            assert sum(int(kept.sum()) for kept in found.values()) == row["n_kept"]
            assert_same(found, expected_masks(folder, number, graph, row["n_kept"]))
            facts = path_facts(graph, lambda name, found=found: kept_in(found[name]))
            assert sum(layer.n_off_path for layer in facts.layers.values()) <= len(graph.layers) - 1
    settings = paths.report.settings
    assert (settings["method"], settings["paths_below"], settings["inputs"]) == ("paths-below-0.3-ones", 0.3, "ones")


def recipe_of(run):
    return tomllib.loads((run / "recipe.toml").read_text(encoding="utf-8"))


def network_rows(report, folder):
    seed = int(folder.parent.name.removeprefix("seed-"))
    return [row for row in report.rows if row["level"] == "network" and row["seed"] == seed]


def test_an_interrupted_pruning_goes_on_with_the_same_rounds(run, tmp_path):
    options = PruningOptions(method="paths", rounds=4, rate=0.5, paths_below=0.5, inputs="data")
    again = tmp_path / "again"
    shutil.copytree(run, again)
    whole = prune_run(run, options, seeds=[0])

    prune_run(again, PruningOptions(method="paths", rounds=2, rate=0.5, paths_below=0.5, inputs="data"), seeds=[0])
    continued = prune_run(again, options, seeds=[0])

    assert continued.n_new == 2
    for number in range(5):
        assert_same(masks_of(continued.folders[0], number), masks_of(whole.folders[0], number))


def n_off_path(graph, masks):
    facts = path_facts(graph, lambda name: kept_in(masks[name]))
    return sum(layer.n_off_path for layer in facts.layers.values())


@pytest.mark.parametrize(("switch", "share"), [("auto", 0.015), ("off-path:0.05", 0.05)])
def test_without_a_density_paths_take_over_where_magnitude_leaves_a_share_off_path(run, tmp_path, switch, share):
    """Interrupted after each round, as the switch must be known to the next call."""
    graph = architecture_graph(parse_architecture(recipe_of(run)["model"]))
    other = shutil.copytree(run, tmp_path / "other")
    options = {"rate": 0.3, "schedule": "geometric"}
    by_paths = {"method": "paths", "inputs": "ones", "paths_below": switch, **options}
    for n_rounds in range(1, 10):
        (folder,) = prune_run(run, PruningOptions(rounds=n_rounds, **by_paths), seeds=[0]).folders
    whole = prune_run(other, PruningOptions(rounds=9, **by_paths), seeds=[0])
    (magnitude,) = prune_run(run, PruningOptions(method="magnitude", rounds=9, **options), seeds=[0]).folders

    # Up to the switch both methods train the same networks.
    n_kept = [row["n_kept"] for row in network_rows(whole.report, folder)]
    masks = {number: masks_of(magnitude, number) for number in range(1, 10)}
    first = next(number for number in masks if n_off_path(graph, masks[number]) > share * n_kept[number])
    assert first > 1
    for number in range(1, first):
        assert_same(masks_of(folder, number), masks_of(magnitude, number))
    for number, row in enumerate(network_rows(whole.report, folder)[first:], first):
        assert_same(masks_of(folder, number), expected_masks(folder, number, graph, row["n_kept"]))
    for number in range(1, 10):
        assert_same(masks_of(folder, number), masks_of(whole.folders[0], number))
    marks = ["topoimp.of_network" in open_checkpoint(folder / f"round-{number:02}/mask.safetensors").metadata
             for number in range(1, 10)]  # fmt: skip
    assert marks == [number >= first for number in range(1, 10)]
    assert whole.report.settings["paths_below"] == f"off-path:{share:g}"


def test_each_choice_of_options_has_rounds_of_its_own(run):
    choices = ({}, {"paths_below": "off-path:0"}, {"inputs": "ones"}, {"paths_below": 0.25, "inputs": "data"})
    prunings = [prune_run(run, PruningOptions(method="paths", rounds=1, **each), seeds=[0]) for each in choices]

    names = [pruning.folders[0].name for pruning in prunings]
    assert names == ["paths", "paths-off-path-0", "paths-ones", "paths-below-0.25-data"]
    assert [pruning.report.settings["inputs"] for pruning in prunings] == ["data", "data", "ones", "data"]
    summary = (run / "summary.csv").read_text(encoding="utf-8")
    assert all(f",{name}," in summary for name in names)


def test_the_inputs_are_the_images_only_where_topoimp_trains(run):
    trainer = parse_trainer(f"{sys.executable} -m shutil {{init}} {{mask}} {{out}}")
    options = PruningOptions(method="paths", rounds=1, rate=0.6, paths_below=0.5)

    report = plan_run(run, options, seeds=[0], trainer=trainer)

    assert report.settings["inputs"] == "ones"
    assert plan_run(run, options, seeds=[0]).settings["inputs"] == "data"


def test_inputs_that_are_the_same_in_all_images_keep_no_weight(run):
    """Of the 64 pixels of the digits some are black in every image."""
    options = PruningOptions(method="paths", rounds=1, sparsity=0.5, paths_below=1, inputs="data")
    pruning = prune_run(run, options, seeds=[0])
    first = masks_of(pruning.folders[0], 1)["fc1.weight"]

    assert not first[:, [0, 32, 39]].any()


def test_a_plan_shows_one_target_below_the_density(run):
    report = plan_run(run, PruningOptions(method="paths", rounds=3, rate=0.6, paths_below=0.2), seeds=[0])

    layers = {number: [row["target"] for row in report.rows if row["level"] == "layer" and row["round"] == number]
              for number in (1, 2, 3)}  # fmt: skip
    assert None not in layers[1]
    assert layers[2] == layers[3] == [None] * len(layers[1])
    totals = [row["target"] for row in report.rows if row["level"] == "network"]
    assert totals == sorted(totals, reverse=True)


def test_a_residual_network_is_pruned_along_its_shortcuts_and_norms(tmp_path):
    """Its recipe prunes the output layer never, and all other layers by one target."""
    rng = np.random.default_rng(0)
    images = tmp_path / "images.npz"
    arrays = {f"{part}_images": rng.random((20, 3, 8, 8), np.float32) for part in ("train", "test")}
    labels = {f"{part}_labels": np.arange(20) % 10 for part in ("train", "test")}
    np.savez(images, **arrays, **labels)
    folder = tmp_path / "run"
    train_run("resnet-20", data=str(images), output=folder, epochs=1, recipe="quick")

    options = PruningOptions(method="paths", paths_below=1, inputs="ones", rounds=1, sparsity=0.95)
    pruning = prune_run(folder, options, data_dir=images)

    graph = architecture_graph(parse_architecture("resnet-20"))
    target = network_rows(pruning.report, pruning.folders[0])[1]["n_kept"]
    found = masks_of(pruning.folders[0], 1)
    assert "fc.weight" not in found
    assert_same(found, expected_masks(pruning.folders[0], 1, graph, target, unpruned=frozenset(["fc.weight"])))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"method": "paths", "paths_below": 1.5},
            r"^`paths_below` is 1\.5; it must be auto, a density, or off-path: and",
        ),
        ({"method": "paths", "paths_below": float("nan")}, r"^`paths_below` is nan; it must be auto, a density"),
        (
            {"method": "paths", "paths_below": "half"},
            r"^`paths_below` is half; it must be auto, a density, or off-path: and",
        ),
        ({"method": "paths", "paths_below": "off-path:2"}, r"^`paths_below` is off-path:2; it must be auto, a density"),
        ({"method": "paths", "paths_below": "off-path:"}, r"^`paths_below` is off-path:; it must be auto, a density"),
        (
            {"method": "paths", "inputs": "pixels"},
            r"^`inputs` is pixels, and there is no such file; it must be ones, d",
        ),
        (
            {"method": "magnitude", "paths_below": 0.1},
            r"^`paths_below` goes with the method paths, not with magn",
        ),
        ({"inputs": "ones"}, r"^`inputs` goes with the method paths, not with topological$"),
        ({"method": "paths", "epsilon": 0.1}, r"^epsilon is 0\.1, but the method paths protects nothing"),
    ],
)
def test_options_of_paths_are_checked(options, message):
    with pytest.raises(OptionError, match=message):
        PruningOptions(rounds=1, **options)


NO_GRAPH = r"^the method paths needs the graph of the network: `chain` gives that of a checkpoint"


def test_a_checkpoint_alone_has_no_graph(run, tmp_path):
    model = shutil.copy(run / "seed-0/model.safetensors", tmp_path)
    with pytest.raises(OptionError, match=NO_GRAPH):
        prune_checkpoint(model, PruningOptions(rounds=1, method="paths"), output=tmp_path / "out.safetensors")
    trainer = parse_trainer("true {init} {mask} {out}")
    with pytest.raises(OptionError, match=NO_GRAPH):
        prune_with_trainer(model, PruningOptions(rounds=1, method="paths"), trainer=trainer, rewind="none")


def test_layers_that_are_not_pruned_stay_on_the_paths(run):
    patterns = LayerPatterns(exclude=("fc2.weight",))
    options = PruningOptions(method="paths", paths_below=1, inputs="ones", rounds=1, sparsity=0.9, patterns=patterns)
    pruning = prune_run(run, options, seeds=[0])

    found = masks_of(pruning.folders[0], 1)
    graph = architecture_graph(parse_architecture(recipe_of(run)["model"]))
    target = network_rows(pruning.report, pruning.folders[0])[1]["n_kept"]
    assert "fc2.weight" not in found
    assert_same(found, expected_masks(pruning.folders[0], 1, graph, target, unpruned=frozenset(["fc2.weight"])))


def test_synflow_l2_keeps_the_largest_sums_over_paths(run):
    options = PruningOptions(method="synflow-l2", rounds=3, rate=0.5)
    pruning = prune_run(run, options, seeds=[0])

    graph = architecture_graph(parse_architecture(recipe_of(run)["model"]))
    (folder,) = pruning.folders
    assert folder.name == "synflow-l2-global"
    rows = network_rows(pruning.report, folder)
    assert [row["n_kept"] for row in rows] == [1480, 740, 370, 185]
    for number, row in enumerate(rows[1:], 1):
        weights = weights_of(folder / f"round-{number - 1:02}" / "model.safetensors", graph.layers)
        sums = path_sums(WeightedGraph(graph, {name: as_layer(weight) for name, weight in weights.items()}))
        least_kept = np.sort(np.concatenate([part.reshape(-1) for part in sums.values()]))[-row["n_kept"]]
        assert_same(masks_of(folder, number), {name: part >= least_kept for name, part in sums.items()})


def test_synflow_l2_has_one_target_for_all_layers_and_needs_a_graph(run, tmp_path):
    with pytest.raises(OptionError, match=r"^the method synflow-l2 has the scope global alone, not layer$"):
        PruningOptions(method="synflow-l2", rounds=1, scope="layer")
    with pytest.raises(OptionError, match=NO_GRAPH.replace("paths", "synflow-l2")):
        prune_checkpoint(
            shutil.copy(run / "seed-0/model.safetensors", tmp_path),
            PruningOptions(rounds=1, method="synflow-l2"),
            output=tmp_path / "out.safetensors",
        )


def test_a_checkpoint_of_a_run_folder_has_its_graph_without_a_chain(run, tmp_path):
    options = PruningOptions(method="paths", rounds=3, sparsity=0.9)
    model = run / "seed-0/model.safetensors"
    inside, outside = (
        prune_checkpoint(path, options, output=tmp_path / f"{number}.safetensors", chain=chain)
        for number, (path, chain) in enumerate([(model, None), (shutil.copy(model, tmp_path), "fc*")])
    )

    assert without_sizes(inside.report) == without_sizes(outside.report)
    assert outside.report.settings["chain"] == ["fc1.weight", "fc2.weight"]


def test_strengths_of_the_inputs_come_from_a_file(run, tmp_path):
    graph = architecture_graph(parse_architecture(recipe_of(run)["model"]))
    strengths = np.random.default_rng(0).exponential(size=graph.places[graph.inputs]).astype(np.float32)
    strengths[:5] = 0
    np.save(tmp_path / "strengths.npy", strengths.reshape(-1, 2))
    options = {"method": "paths", "paths_below": 1, "rounds": 1, "sparsity": 0.9}
    given = PruningOptions(**options, inputs=tmp_path / "strengths.npy")
    pruning = prune_run(run, given, seeds=[0])

    (folder,) = pruning.folders
    target = network_rows(pruning.report, folder)[1]["n_kept"]
    assert_same(masks_of(folder, 1), expected_masks(folder, 1, graph, target, inputs=strengths.astype(np.float64)))
    assert folder.name.startswith("paths-below-1-inputs-")

    assert PruningOptions(**options, inputs=strengths) == given
    single = prune_checkpoint(run / "seed-0/model.safetensors", given, output=tmp_path / "single.safetensors")
    masks = {name: mask.kept() for name, mask in read_masks(single.outputs.mask).items()}
    assert_same(masks, masks_of(folder, 1))


def test_as_many_strengths_as_inputs_are_needed(run, tmp_path):
    np.save(tmp_path / "three.npy", np.ones(3))
    options = PruningOptions(method="paths", rounds=1, inputs=tmp_path / "three.npy")
    with pytest.raises(OptionError, match=r"three\.npy has 3 strengths; the network has \d+ inputs$"):
        prune_run(run, options, seeds=[0])


def test_a_file_alone_has_no_images(run, tmp_path):
    options = PruningOptions(method="paths", rounds=1, inputs="data")
    with pytest.raises(OptionError, match=r"^`inputs` is data, which needs the images that the network was trained on"):
        prune_checkpoint(run / "seed-0/model.safetensors", options, output=tmp_path / "out.safetensors")
