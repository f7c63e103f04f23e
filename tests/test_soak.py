"""What takes gigabytes or minutes; run by ``make soak``."""

import numpy as np
import pytest
from conftest import SHARED, read_all, stream_of
from oracles import sorted_forest

from topoimp.checkpoint.header import TensorInfo, format_header
from topoimp.checkpoint.number_format import F8_E4M3
from topoimp.choices import Data
from topoimp.commands.barcode import barcode_report
from topoimp.commands.prune_run import prune_run
from topoimp.commands.train import train_run
from topoimp.pruning.options import PruningOptions
from topoimp.topology.forest import spanning_forest


@pytest.mark.soak
def test_a_layer_of_more_than_2_to_the_32_weights(tmp_path):
    """A sparse file: 4.3 GB of zeros with a few thousand weights among them, some beyond index 2^32."""
    side, path = 65_537, tmp_path / "huge.safetensors"
    n_weights = side * side
    rng = np.random.default_rng(0)
    places = np.unique(np.concatenate([rng.integers(0, n_weights, 5000), [n_weights - 1]]))
    codes = rng.integers(1, 127, len(places)).astype(np.uint8)
    header = format_header([TensorInfo("w", "F8_E4M3", (side, side), 0, n_weights)], {})
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + n_weights)
        for place, code in zip(places.tolist(), codes.tolist(), strict=True):
            file.seek(len(header) + place)
            file.write(bytes([code]))
    # The oracle sees only the rows and columns that have a weight.
    rows, row_of = np.unique(places // side, return_inverse=True)
    columns, column_of = np.unique(places % side, return_inverse=True)
    small = np.zeros((len(rows), len(columns)))
    small[row_of, column_of] = F8_E4M3.strengths(codes)
    wanted = [int(rows[i // len(columns)]) * side + int(columns[i % len(columns)]) for i in sorted_forest(small)]

    report = barcode_report(path)
    (layer,) = read_all(stream_of(path).layers)

    assert places[-1] >= 2**32
    assert report.layers[0]["n_edges"] == len(places)
    assert report.layers[0]["floor"] == len(wanted)
    assert spanning_forest(layer).indices.tolist() == wanted


@pytest.mark.soak
def test_magnitude_pruning_loses_components_long_before_accuracy_and_full_protection_costs_some(tmp_path):
    """The trial of docs/theory.md, section 11, with one epoch a round: LeNet-300-100 on MNIST, 20 rounds."""
    data, run = SHARED / "datasets", tmp_path / "run"
    if not (data / "mnist").is_dir():
        pytest.skip("the published files of MNIST are not beside the project")
    train_run("lenet-300-100", data=Data.MNIST, recipe="quick", data_dir=data, output=run)

    magnitude, topological = (
        {
            (row["round"], row.get("layer")): row
            for row in prune_run(run, PruningOptions(rounds=20, method=method), data_dir=data).report.rows
        }
        for method in ("magnitude", "topological")
    )

    unpruned, sparse, sparser = (magnitude[number, None] for number in (0, 15, 20))
    assert 0.035 < sparse["density"] < 0.037
    assert magnitude[15, "fc1.weight"]["beta0"] > 50
    assert sparse["test_accuracy"] > unpruned["test_accuracy"] - 0.01
    assert sparser["density"] < 0.015
    assert 0 < sparser["test_accuracy"] - topological[20, None]["test_accuracy"] < 0.03
    assert {row["beta0"] for (_, layer), row in topological.items() if layer} == {1}
