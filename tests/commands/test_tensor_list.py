import numpy as np
import pytest

from topoimp.choices import View
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.tensor_list import tensor_list
from topoimp.errors import CheckpointError
from topoimp.layers.records import LayerPatterns
from topoimp.pruning.options import PruningOptions

WEIGHTS = {"a": np.array([[4.0, 1.0], [2.0, 0.5]]), "embed": np.array([[8.0, 1.0], [2.0, 0.5]]), "bias": np.ones(2)}


def test_the_list_says_why_a_tensor_is_no_layer(write):
    rows = {row["layer"]: row for row in tensor_list(write(WEIGHTS), patterns=LayerPatterns(exclude=("embed",))).rows}

    assert {name: (row["selected"], row["reason"]) for name, row in rows.items()} == {
        "a": (True, None),
        "embed": (False, "not asked for"),
        "bias": (False, "one axis"),
    }
    assert (rows["a"]["shape"], rows["a"]["rows"], rows["bias"]["rows"]) == ("2x2", 2, None)


def test_the_list_says_what_prune_takes_and_which_rule_decides(write):
    eye = np.eye(3)
    path = write(
        {"fc.weight": eye, "embed.weight": eye, "attn_mask": eye, "conv.weight": np.ones((2, 1, 3)), "bias": eye[0]}
    )

    rows = tensor_list(path, patterns=LayerPatterns(embeddings=True, exclude=("fc*",), view=View.CHANNEL)).rows

    columns = ("layer", "selected", "pruned_by_default", "rule", "reason")
    assert [tuple(row[column] for column in columns) for row in rows] == [
        ("attn_mask", False, False, "mask", "a mask"),
        ("bias", False, False, "one axis", "one axis"),
        ("conv.weight", False, True, "single channel", "a single input channel"),
        ("embed.weight", True, False, "embedding", "an embedding or a head"),
        ("fc.weight", False, True, "not asked for", "not asked for"),
    ]


def test_what_the_list_says_is_what_prune_takes(write, tmp_path):
    eye = np.eye(3)
    path = write(
        {"fc.weight": eye, "rel_pos_h": eye, "lm_head.weight": eye, "x.q_norm.weight": eye, "proj.weight": eye}
    )

    listed = {row["layer"] for row in tensor_list(path).rows if row["pruned_by_default"]}
    pruned = prune_checkpoint(path, PruningOptions(rounds=1), output=tmp_path / "out.safetensors")

    assert {row["layer"] for row in pruned.report.layers} == listed == {"fc.weight", "proj.weight"}


def test_a_checkpoint_of_which_no_layer_is_selected_can_be_listed(write):
    rows = tensor_list(write({"attn_mask": np.eye(3)})).rows

    assert [(row["selected"], row["rule"]) for row in rows] == [(False, "mask")]


def test_a_checkpoint_without_layers_can_be_listed(write):
    assert [row["reason"] for row in tensor_list(write({"bias": np.ones(2)})).rows] == ["one axis"]


def test_a_checkpoint_without_tensors_is_refused(write):
    with pytest.raises(CheckpointError, match=r"model.safetensors: holds no tensors"):
        tensor_list(write({}))
