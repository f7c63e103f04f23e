"""Commands give the same report where other processes look at layers: all that is sent to them can be pickled."""

import pickle
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from conftest import REPOSITORY
from safetensors.numpy import load_file, save_file
from travelling import arrived, travelled

from topoimp.checkpoint import open_checkpoint
from topoimp.errors import CheckpointError
from topoimp.layers.records import LayerPatterns
from topoimp.layers.scored import with_scores
from topoimp.layers.streaming import LayerStream
from topoimp.layers.tensors import select_layers
from topoimp.pruning.masks import read_masks
from topoimp.topology.forest import spanning_forests

LENET = REPOSITORY / "sample_checkpoints" / "lenet-300-100-mnist.safetensors"


@dataclass
class Travelling:
    """Workers that get each layer alone, as a pickle, and send their result back as one; last layers first."""

    sent: list[int] = field(default_factory=list)

    def each(self, layers, look, arguments, on_layer):
        results = {}
        for name in reversed(layers.by_name):
            argument = None if arguments is None else {name: arguments[name]}
            task = pickle.dumps((layers.only([name]), look, argument))
            self.sent.append(len(task))
            there, look_there, argument_there = travelled((layers.only([name]), look, argument))
            stream = LayerStream(there, 1, on_layer)
            found = stream.each(look_there) if argument is None else stream.each_with(look_there, argument_there)
            results |= travelled(found)
        return results


def test_layers_come_back_in_their_order_whatever_the_order_of_results():
    stream = LayerStream(select_layers(open_checkpoint(LENET), LayerPatterns()), 1)
    n_layers = []

    found = spanning_forests(replace(stream, workers=Travelling(), on_layer=lambda: n_layers.append(1)))

    assert list(found) == ["fc1.weight", "fc2.weight", "fc3.weight"]
    assert len(n_layers) == 3
    for name, forest in spanning_forests(stream).items():
        assert np.array_equal(found[name].indices, forest.indices)
        assert np.array_equal(found[name].strengths, forest.strengths)


def test_a_checkpoint_is_opened_again_once_and_named_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_file({"w": np.eye(3, dtype=np.float32)}, "a.safetensors")
    pickled = pickle.dumps(open_checkpoint("a.safetensors"))
    (tmp_path / "below").mkdir()
    monkeypatch.chdir("below")

    there = arrived(pickled)

    assert str(there.path) == "a.safetensors"
    assert arrived(pickled) is there
    assert np.array_equal(there.codes("w").view(np.float32).reshape(3, 3), np.eye(3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: save_file({"w": np.ones((3, 3), np.float32)}, path), "is another file on node7 than where the"),
        (lambda path: save_file({"v": np.eye(3, dtype=np.float32)}, path), "is another file on node7 than where the"),
        (lambda path: path.unlink(), r"no such file \(on node7\)"),
        (lambda path: path.write_bytes(b"short"), r"\(on node7\)"),
    ],
)
def test_a_file_that_is_another_or_gone_elsewhere_is_refused_with_the_machine(tmp_path, monkeypatch, change, message):
    monkeypatch.setattr("platform.node", lambda: "node7")
    path = tmp_path / "a.safetensors"
    save_file({"w": np.eye(3, dtype=np.float32)}, path)
    pickled = pickle.dumps(open_checkpoint(path))
    change(path)

    with pytest.raises(CheckpointError, match=rf"a.safetensors: .*{message}"):
        arrived(pickled)


def test_a_copy_with_another_time_is_the_same_file(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"w": np.eye(3, dtype=np.float32)}, path)
    opened = open_checkpoint(path)
    stamp = opened.stamp
    path.write_bytes(path.read_bytes())

    assert open_checkpoint(path).stamp == stamp


def test_layers_masks_and_scores_are_pickled_as_their_places(tmp_path):
    weights = load_file(LENET)
    shapes = {name: each.shape for name, each in weights.items() if each.ndim == 2}
    save_file(
        {name: np.full(shape, 2.0, np.float32) for name, shape in shapes.items()}, tmp_path / "scores.safetensors"
    )
    layers = select_layers(open_checkpoint(LENET), LayerPatterns(groups=(("fc1*", 2),)))
    scored = with_scores(select_layers(open_checkpoint(LENET), LayerPatterns()), tmp_path / "scores.safetensors")

    for each in (layers, scored):
        name = each.infos[0].name
        pickled = pickle.dumps(each.only([name]))
        there = arrived(pickled)
        assert len(pickled) < 4000
        assert list(there.by_name) == [name]
        assert np.array_equal(there.read(there.infos[0]).codes, each.read(each.infos[0]).codes)
        assert there.infos[0].number_format is each.infos[0].number_format


def test_a_mask_is_pickled_as_its_place_and_one_in_memory_as_its_bits(topoimp, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert topoimp("prune", LENET, "--sparsity", "0.5", "--rounds", "1", "-o", "p.safetensors").status == 0
    masks = read_masks("p.mask.safetensors")
    mask = masks["fc1.weight"]

    assert len(pickle.dumps(mask)) < 1000 < mask.bits.nbytes
    assert np.array_equal(travelled(mask).kept(), mask.kept())
    assert np.array_equal(travelled(replace(mask, source=None)).kept(), mask.kept())
