import numpy as np
import pytest
from conftest import stream_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import KINDS, SEEDS, make_weight

from topoimp.checkpoint import open_checkpoint, write_arrays
from topoimp.comparison.comparison import compare_layers
from topoimp.comparison.matched_deaths import matched_deaths
from topoimp.comparison.others import other_checkpoint
from topoimp.layers.layer import as_layer
from topoimp.layers.records import LayerPatterns
from topoimp.layers.tensors import select_layers
from topoimp.topology.barcode import barcode_of

SEVERAL_FILES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


def compared(tmp_path, weight, changed):
    for name, array in (("before", weight), ("after", changed)):
        write_arrays(tmp_path / f"{name}.safetensors", {"w": array}, {})
    stream = stream_of(tmp_path / "before.safetensors", threads=1)
    other = select_layers(open_checkpoint(tmp_path / "after.safetensors"), LayerPatterns())
    ((layer,),) = compare_layers(stream, [other_checkpoint(stream.layers, other)])
    return layer


@SEVERAL_FILES
@given(st.sampled_from(KINDS), SEEDS, st.booleans())
def test_deaths_are_those_of_both_barcodes_and_within_the_bound(tmp_path_factory, kind, seed, is_masked):
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(2, 9, size=2)
    weight = make_weight(seed, rows, columns, kind)
    noise = rng.random(weight.shape)
    changed = (weight * (noise < 0.6) if is_masked else weight + 0.3 * noise).astype(weight.dtype)

    found = matched_deaths(compared(tmp_path_factory.mktemp("pair"), weight, changed), 2.0)

    for deaths, array in ((found.reference, weight), (found.other, changed)):
        finite = barcode_of(as_layer(array)).deaths / 2
        assert np.array_equal(deaths, np.pad(finite, (0, rows + columns - len(finite))))
    assert np.abs(found.reference - found.other).max() <= found.bound * (1 + 1e-6)


def test_without_a_scale_deaths_are_strengths(tmp_path):
    zeros = np.zeros((2, 2), np.float32)

    found = matched_deaths(compared(tmp_path, zeros, zeros + 2), None)

    assert found.reference.tolist() == [0, 0, 0, 0]
    assert found.other.tolist() == [2, 2, 2, 0]
    assert found.bound == pytest.approx(2)
