"""Bounds are tight: at the magnitude-safe count every barcode is kept, and with one weight fewer one is not."""

from fractions import Fraction

import numpy as np
import pytest
from conftest import info_of, read_all, stream_of
from hypothesis import given, settings
from hypothesis import strategies as st

from topoimp.checkpoint import TensorWriter, laid_out
from topoimp.checkpoint.number_format import NUMBER_FORMATS
from topoimp.choices import Scope
from topoimp.commands.bound import bound_report
from topoimp.commands.compare import comparison_report
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import InHand
from topoimp.pruning.bounds import global_safe_count, layer_bound
from topoimp.pruning.methods.magnitude import Magnitude, strength_rule
from topoimp.pruning.one_shot import sweep
from topoimp.pruning.options import Scheme
from topoimp.pruning.rules import keep_each, pruned_layer
from topoimp.pruning.schedule import Schedule
from topoimp.topology.barcode import barcode_of
from topoimp.topology.forest import spanning_forest


@st.composite
def code_matrices(draw):
    """A number format and finite codes of it: any at all, or a few that tie, with zeros of both signs."""
    number_format = NUMBER_FORMATS[draw(st.sampled_from(sorted(NUMBER_FORMATS)))]
    n_rows, n_columns = draw(st.integers(2, 7)), draw(st.integers(2, 7))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    largest = draw(st.sampled_from([3, number_format.first_special - 1]))
    codes = rng.integers(0, largest, (n_rows, n_columns), dtype=np.uint64, endpoint=True)
    signs = rng.integers(0, 1, (n_rows, n_columns), dtype=np.uint64, endpoint=True)
    codes |= signs << np.uint64(number_format.n_bits - 1)
    return number_format, codes.astype(number_format.code_dtype)


@given(code_matrices())
def test_a_layer_pruned_to_its_safe_count_keeps_its_barcode_and_to_one_less_does_not(matrix):
    number_format, codes = matrix
    layer = Layer("fc", codes, number_format)
    forest, info = spanning_forest(layer), info_of(layer)
    count = layer_bound(layer, forest).safe_count

    keeps = keep_each([info], {"fc": forest}, [count, count - 1], strength_rule([info]), InHand(layer, 1))

    whole, less = (barcode_of(pruned_layer(keep["fc"], layer, 1)) for keep in keeps)
    assert keeps[0]["fc"].n_kept == count
    assert whole.equals(barcode_of(layer))
    assert count == 0 or not less.equals(barcode_of(layer))


@settings(max_examples=50)
@given(st.lists(code_matrices(), min_size=1, max_size=3))
def test_layers_of_any_formats_pruned_in_one_order_are_kept_down_to_the_global_safe_count(tmp_path_factory, matrices):
    path = tmp_path_factory.mktemp("formats") / "model.safetensors"
    layers = {f"layer{k}": matrix for k, matrix in enumerate(matrices)}
    shapes = {name: (number_format.name, codes.shape) for name, (number_format, codes) in layers.items()}
    with TensorWriter(path, laid_out(shapes), {}) as writer:
        for name, (_, codes) in layers.items():
            writer.write(name, 0, codes)
    stream = stream_of(path)
    safe = global_safe_count(
        stream, {layer.name: layer_bound(layer, spanning_forest(layer)) for layer in read_all(stream.layers)}
    )

    def all_are_kept(count):
        n_weights = sum(info.n_weights for info in stream.layers.infos)
        schedule = Schedule(1, None, Fraction(n_weights - count, n_weights))
        (only,) = sweep(stream, Scheme(schedule, method=Magnitude(), scope=Scope.GLOBAL)).rounds
        pruned = {layer.name: pruned_layer(only.keeps[layer.name], layer, 1) for layer in read_all(stream.layers)}
        kept = {
            layer.name: barcode_of(pruned[layer.name]).equals(barcode_of(layer)) for layer in read_all(stream.layers)
        }
        assert only.preservation.barcode_kept == all(kept.values())
        return kept

    if safe is None:
        assert not any(
            codes.astype(np.uint64).any() & number_format.magnitude_mask for number_format, codes in matrices
        )
    else:
        assert all(all_are_kept(safe.count).values())
        assert [name for name, is_kept in all_are_kept(safe.count - 1).items() if not is_kept] == [safe.layer]


SAMPLE_LAYERS = {
    "lenet-300-100-mnist-init.safetensors": ["fc1.weight", "fc2.weight", "fc3.weight"],
    "lenet-300-100-mnist.safetensors": ["fc1.weight", "fc2.weight", "fc3.weight"],
    "lenet-5-mnist.safetensors": ["conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight"],
    "mlp-digits.safetensors": ["fc1.weight", "fc2.weight"],
}


@pytest.mark.parametrize(("name", "layer"), [(name, layer) for name in SAMPLE_LAYERS for layer in SAMPLE_LAYERS[name]])
def test_prune_by_magnitude_keeps_a_sample_layer_down_to_its_safe_count(topoimp, sample, tmp_path, name, layer):
    path = sample(name)
    (row,) = (row for row in bound_report(path).layers if row["layer"] == layer)

    kept = [kept_by_prune(topoimp, path, tmp_path, row, row["safe_count"] - less, layer) for less in (0, 1)]

    assert kept == [True, False]


@pytest.mark.parametrize("name", SAMPLE_LAYERS)
def test_prune_by_magnitude_in_one_order_keeps_a_sample_down_to_its_global_safe_count(topoimp, sample, tmp_path, name):
    path = sample(name)
    network = bound_report(path).network

    kept = [
        kept_by_prune(topoimp, path, tmp_path, network, network["safe_count_global"] - less, "*") for less in (0, 1)
    ]

    assert kept == [True, False]


def kept_by_prune(topoimp, path, folder, row, count, pattern):
    """Whether a checkpoint that the command pruned to so many weights has the barcodes of the original."""
    target = folder / f"{count}.safetensors"
    sparsity = repr(1 - count / row["n_weights"])
    options = ["--method", "magnitude", "--scope", "global", "--rounds", 1, "--sparsity", sparsity]
    assert topoimp("prune", path, *options, "--include", pattern, "-o", target, "-q").status == 0
    report = comparison_report(path, target)
    (n_kept,) = {sum(r["n_kept"] for r in report.layers if pattern in ("*", r["layer"]))}
    assert n_kept == count
    return report.network["barcode_kept"]
