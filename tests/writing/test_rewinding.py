import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from strategies import FREE_METHODS

from topoimp.choices import Scope
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import CheckpointError, OptionError, VerificationError
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions

METHODS, SCOPES = st.sampled_from(FREE_METHODS), st.sampled_from(list(Scope))


@given(METHODS, SCOPES, st.integers(0, 99))
def test_a_ticket_is_the_earlier_weights_under_the_mask_of_the_later_ones(tmp_path_factory, method, scope, seed):
    folder, rng = tmp_path_factory.mktemp("ticket"), np.random.default_rng(seed)
    arrays = [
        {"a": rng.integers(-2, 3, (6, 7)).astype(np.float32), "b": rng.normal(size=(3, 4)), "bias": rng.normal(size=3)}
        for _ in range(2)
    ]
    for name, each in zip(("init", "model"), arrays, strict=True):
        save_file(each, folder / f"{name}.safetensors")
    options = {"rounds": 2, "rate": 0.4, "method": method, "scope": scope}

    ticket = prune_checkpoint(
        folder / "model.safetensors",
        PruningOptions(**options),
        rewind_from=folder / "init.safetensors",
        output=folder / "t.safetensors",
    )
    plain = prune_checkpoint(folder / "model.safetensors", PruningOptions(**options))

    masks, written = read_masks(ticket.outputs.mask), load_file(folder / "t.safetensors")
    assert all(np.array_equal(masks[name].bits, mask.bits) for name, mask in read_masks(plain.outputs.mask).items())
    for name in ("a", "b"):
        np.testing.assert_array_equal(written[name], np.where(masks[name].kept(), arrays[0][name], 0))
    np.testing.assert_array_equal(written["bias"], arrays[0]["bias"])
    assert ticket.report.rows == plain.report.rows


def test_a_ticket_of_a_real_network(lenet, lenet_init, tmp_path):
    pruning = prune_checkpoint(
        lenet, PruningOptions(rounds=5), rewind_from=lenet_init, output=tmp_path / "ticket.safetensors"
    )

    ticket, init = load_file(tmp_path / "ticket.safetensors"), load_file(lenet_init)
    kept = read_masks(pruning.outputs.mask)["fc1.weight"].kept()
    np.testing.assert_array_equal(ticket["fc1.weight"][kept], init["fc1.weight"][kept])
    assert not ticket["fc1.weight"][~kept].any()
    assert pruning.report.inputs == {"checkpoint": lenet, "rewind": lenet_init}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("fc1.bias"), "lacks tensor 'fc1.bias' of .*lenet-300-100-mnist.safetensors"),
        (
            lambda arrays: arrays.update({"module.fc1.bias": arrays.pop("fc1.bias")}),
            "calls tensor 'fc1.bias' 'module.fc1.bias'; a wrapper of the module renamed it, and both need the same",
        ),
        (lambda arrays: arrays.update(more=np.zeros(1)), "has a tensor 'more' that .*lenet-300-100-mnist.safetensors"),
        (
            lambda arrays: arrays.update({"fc2.weight": np.zeros((100, 301), np.float32)}),
            r"tensor 'fc2.weight' is F32 \[100, 301\]; .*lenet-300-100-mnist.safetensors has F32 \[100, 300\]",
        ),
        (
            lambda arrays: arrays.update({"fc2.weight": np.zeros((100, 300))}),
            r"tensor 'fc2.weight' is F64 \[100, 300\]; .* has F32 \[100, 300\]",
        ),
    ],
)
def test_what_is_rewound_to_must_have_the_same_tensors(lenet, tmp_path, change, message):
    arrays = load_file(lenet)
    change(arrays)
    save_file(arrays, tmp_path / "other.safetensors")

    with pytest.raises(CheckpointError, match=message):
        prune_checkpoint(lenet, PruningOptions(rounds=1), rewind_from=tmp_path / "other.safetensors")


def test_rounds_are_not_written_while_rewinding(lenet, lenet_init):
    with pytest.raises(OptionError, match="which writes the last round's ticket alone"):
        prune_checkpoint(lenet, PruningOptions(rounds=3), rewind_from=lenet_init, emit_rounds=[2])


def test_the_output_is_not_the_checkpoint_that_is_rewound_to(lenet, lenet_init):
    with pytest.raises(OptionError, match="is the input; an output needs another name"):
        prune_checkpoint(lenet, PruningOptions(rounds=3), rewind_from=lenet_init, output=lenet_init, force=True)


def test_a_mask_that_keeps_another_number_than_it_was_to_is_noticed(lenet, lenet_init, monkeypatch):
    monkeypatch.setattr("topoimp.pruning.masks.PackedMask.n_kept_of", lambda *_: 3)

    with pytest.raises(VerificationError, match=r"the mask of 'fc1.weight' keeps 3 weights; it must keep 188160"):
        prune_checkpoint(lenet, PruningOptions(rounds=1), rewind_from=lenet_init)
    assert not lenet.with_name("lenet-300-100-mnist.pruned.safetensors").exists()
