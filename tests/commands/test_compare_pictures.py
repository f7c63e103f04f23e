import numpy as np
import pytest
from outputs import texts

from topoimp.checkpoint import write_arrays
from topoimp.commands.compare import comparison_report
from topoimp.commands.compare_pictures import CompareResults
from topoimp.commands.prune import prune_checkpoint
from topoimp.comparison.matched_deaths import MatchedDeaths
from topoimp.errors import OptionError, OutputError
from topoimp.pruning.options import PruningOptions


@pytest.fixture
def sparse(lenet, tmp_path):
    """LeNet-300-100 with a twentieth of its weights."""
    options = PruningOptions(sparsity=0.95, method="magnitude")
    return prune_checkpoint(lenet, options, output=tmp_path / "sparse.safetensors", threads=1).outputs.checkpoint


def test_a_picture_is_an_output_with_its_settings_and_changes_no_row(lenet, sparse, tmp_path):
    path = tmp_path / "a.svg"

    report = comparison_report(lenet, sparse, plot=path, threads=1)

    assert report.outputs == {"plot": path}
    assert (report.settings["figure"], report.settings["size"]) == ("before-after", "column")
    assert {"fc1.weight", "fc2.weight", "fc3.weight", "equal deaths"} <= set(texts(path))
    assert report.rows == comparison_report(lenet, sparse, threads=1).rows


def test_of_several_others_each_layer_has_a_panel_beside_each(lenet, sparse, tmp_path):
    path = tmp_path / "a.svg"

    comparison_report(lenet, lenet, sparse, plot=path, threads=1)

    assert texts(path).count("fc1.weight") == 2
    assert "sparse" in texts(path)


def test_panels_are_named_by_the_part_of_a_path_that_others_do_not_share():
    pair = MatchedDeaths(np.ones(1), np.ones(1), 0.0)
    names = [("run/seed-0/round-01", "w"), ("run/seed-1/round-01", "w"), ("run/b.safetensors", "w")]

    assert list(CompareResults([], dict.fromkeys(names, pair)).panels) == [
        "seed-0/round-01\nw",
        "seed-1/round-01\nw",
        "b\nw",
    ]


def test_a_picture_never_replaces_an_input_or_an_existing_file(lenet, tmp_path):
    (tmp_path / "a.svg").write_text("mine")
    write_arrays(tmp_path / "b.svg", {"w": np.ones((2, 2), np.float32)}, {})

    with pytest.raises(OutputError, match="exists already"):
        comparison_report(lenet, lenet, plot=tmp_path / "a.svg", threads=1)
    with pytest.raises(OptionError, match=r"b\.svg"):
        comparison_report(tmp_path / "b.svg", tmp_path / "b.svg", plot=tmp_path / "b.svg", force=True, threads=1)
    assert (tmp_path / "a.svg").read_text() == "mine"


def test_the_command_says_which_picture_it_wrote(topoimp, lenet, tmp_path):
    done = topoimp("compare", lenet, lenet, "--plot", tmp_path / "a.png", "--threads", 1)

    assert done.status == 0
    assert f"wrote {tmp_path / 'a.png'}" in done.err
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_the_figures_are_listed(topoimp):
    assert "before-after" in topoimp("compare", "--figure", "list").out
