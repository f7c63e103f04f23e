"""What an output may replace, and where it may lie: nothing of a user's is ever lost to --force."""

import json
import os

import numpy as np
import pytest
from safetensors.numpy import save_file

from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import CheckpointError, OptionError, OutputError
from topoimp.pruning.options import PruningOptions


@pytest.fixture
def model(tmp_path):
    """A folder with two shards, an index and a configuration."""
    return write_model(tmp_path / "model")


def write_model(folder):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in (1, 2):
        weight = rng.normal(size=(9, 8)).astype(np.float32)
        save_file({f"w{number}": weight}, folder / f"s{number}.safetensors", {"format": "pt"})
    placed = {"w1": "s1.safetensors", "w2": "s2.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": placed}))
    (folder / "config.json").write_text("{}")
    return folder


def everything_in(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_force_never_removes_what_a_user_put_into_an_output_folder(model, tmp_path):
    prune_checkpoint(model, PruningOptions(rounds=1))
    (tmp_path / "model.pruned/notes.txt").write_text("years of work")
    before = everything_in(tmp_path)

    with pytest.raises(OutputError, match=r"model.pruned: holds notes.txt, which topoimp did not write; name another"):
        prune_checkpoint(model, PruningOptions(rounds=2), force=True)

    assert everything_in(tmp_path) == before


def test_force_never_replaces_a_folder_for_the_sake_of_a_mask_in_it(model, tmp_path):
    base = write_model(tmp_path / "work/base")
    prune_checkpoint(base, PruningOptions(rounds=1))
    (tmp_path / "work/thesis.tex").write_text("years of work")
    before = everything_in(tmp_path)

    with pytest.raises(OutputError, match=r"work: exists already, and topoimp did not write it"):
        prune_checkpoint(model, PruningOptions(rounds=1), output=tmp_path / "work", force=True)

    assert everything_in(tmp_path) == before


def test_an_input_is_never_removed_whatever_links_lead_to_it(tmp_path):
    blobs = write_model(tmp_path / "blobs")
    snapshot = tmp_path / "snapshots/abc"
    snapshot.mkdir(parents=True)
    for file in blobs.iterdir():
        (snapshot / file.name).symlink_to(os.path.relpath(file, snapshot))
    index = snapshot / "model.safetensors.index.json"
    prune_checkpoint(index, PruningOptions(rounds=1))
    before = everything_in(tmp_path)

    for output in ("snapshots", "snapshots/abc", "."):
        with pytest.raises(OptionError, match=r"(holds|is) the input; an output needs another name|a name of its own"):
            prune_checkpoint(index, PruningOptions(rounds=1), output=tmp_path / output, force=True)

    assert everything_in(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": "model/out"}, r"out: lies inside the input .*model; an output needs another place"),
        ({"mask_out": "model/config.json"}, r"config.json: lies inside the input"),
        ({"mask_out": "model/model.safetensors.index.json"}, r"index.json: is the input"),
        ({"mask_out": "model.pruned/mask.safetensors"}, r"mask.safetensors: lies inside the output .*model.pruned"),
        ({"output": "model/.."}, r"the output is named '.*model/..'; it needs a name of its own"),
    ],
)
@pytest.mark.parametrize("exists", [False, True])
def test_outputs_lie_apart_from_the_input_and_from_each_other(model, tmp_path, options, message, exists):
    if exists:
        prune_checkpoint(model, PruningOptions(rounds=1))
    before = everything_in(tmp_path)

    with pytest.raises(OptionError, match=message):
        prune_checkpoint(
            model, PruningOptions(rounds=1), force=True, **{key: tmp_path / name for key, name in options.items()}
        )

    assert everything_in(tmp_path) == before


def test_a_mask_is_never_overwritten_by_what_it_is_applied_to(model, tmp_path):
    outputs = prune_checkpoint(model, PruningOptions(rounds=1)).outputs
    (tmp_path / "k.safetensors").write_bytes(outputs.mask.read_bytes())
    before = everything_in(tmp_path)

    for mask in (outputs.checkpoint, outputs.checkpoint / "model.safetensors.index.json", outputs.mask):
        with pytest.raises(OptionError, match=r"(is|holds) the input; an output needs another name"):
            apply_mask(model, mask, force=True)
    single = {"output": outputs.checkpoint / "s1.safetensors", "force": True}
    with pytest.raises(OptionError, match=r"s1.safetensors: is the input"):
        apply_mask(tmp_path / "model/s1.safetensors", outputs.checkpoint, **single)

    assert everything_in(tmp_path) == before


@pytest.mark.parametrize("name", [".", "./", "/", ""])
@pytest.mark.parametrize("role", ["output", "mask_out"])
def test_an_output_needs_a_name(model, monkeypatch, tmp_path, name, role):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(OptionError, match=r"it needs a name of its own"):
        prune_checkpoint(model, PruningOptions(rounds=1), **{role: name})


@pytest.mark.parametrize("name", ["x" * 300, "loop", "loop/x"])
def test_a_folder_that_no_file_system_takes_is_said(model, tmp_path, name):
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(OutputError, match=r"cannot be written: |is a link; name what it leads to"):
        prune_checkpoint(model, PruningOptions(rounds=1), output=tmp_path / name, force=True)


@pytest.mark.parametrize("leads_to", ["nowhere", "there"])
def test_a_link_is_no_output(model, lenet, tmp_path, leads_to):
    (tmp_path / "there").mkdir()
    for name in ("link", "link.safetensors"):
        (tmp_path / name).symlink_to(leads_to)

    for source, name in ((model, "link"), (lenet, "link.safetensors")):
        with pytest.raises(OutputError, match=r"link.*: is a link; name what it leads to"):
            prune_checkpoint(source, PruningOptions(rounds=1), output=tmp_path / name, force=True)

    assert not list(tmp_path.glob("link.*sv"))
    assert not list(tmp_path.glob("*.partial-*"))


def test_two_files_that_would_become_one_are_refused(tmp_path):
    import torch

    for name in ("x.bin", "x.pt"):
        torch.save({f"w{name}": torch.ones(3, 3)}, tmp_path / name)
    index = {"weight_map": {"wx.bin": "x.bin", "wx.pt": "x.pt"}}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))

    with pytest.raises(CheckpointError, match=r"two of its files would both become x.safetensors"):
        prune_checkpoint(
            tmp_path / "pytorch_model.bin.index.json", PruningOptions(rounds=1), output=tmp_path.with_name("o")
        )


def test_shards_whose_copies_sort_otherwise_are_held_against_the_right_ones(tmp_path):
    import torch

    folder = tmp_path / "m"
    folder.mkdir()
    torch.save({"a": torch.randn(4, 4)}, folder / "pytorch_model-1.bin")
    save_file({"b": np.random.default_rng(0).normal(size=(4, 5))}, folder / "n.safetensors")
    index = {"weight_map": {"a": "pytorch_model-1.bin", "b": "n.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    prune_checkpoint(folder, PruningOptions(rounds=1))

    names = sorted(path.name for path in (tmp_path / "m.pruned").iterdir())
    assert names == ["README.md", "model-1.safetensors", "model.safetensors.index.json", "n.safetensors"]


def test_a_folder_that_cannot_be_looked_into_is_said(model, monkeypatch):
    from pathlib import Path

    (model / "locked").mkdir()
    listing = Path.iterdir

    def refused(path):
        if path.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(Path, "iterdir", refused)

    with pytest.raises(CheckpointError, match=r"locked: cannot be read: Permission denied"):
        prune_checkpoint(model, PruningOptions(rounds=1))


def test_a_file_beside_the_weights_that_cannot_be_read_is_named(model, monkeypatch):
    import shutil

    def refused(source, _place):
        raise PermissionError(13, "Permission denied", str(source))

    monkeypatch.setattr(shutil, "copyfile", refused)

    with pytest.raises(
        CheckpointError, match=r"model.safetensors.index.json: cannot be read|config.json: cannot be read"
    ):
        prune_checkpoint(model, PruningOptions(rounds=1))


@pytest.fixture
def cache(tmp_path):
    """A cache of huggingface_hub with one repository and snapshot: links to blobs."""
    repository = tmp_path / "hub/models--org--name"
    write_model(repository / "blobs")
    snapshot = repository / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text("a" * 40)
    for file in (repository / "blobs").iterdir():
        (snapshot / file.name).symlink_to(os.path.relpath(file, snapshot))
    return tmp_path / "hub"


SNAPSHOT = "models--org--name/snapshots/" + "a" * 40


@pytest.mark.parametrize(
    "name",
    [
        SNAPSHOT,
        f"{SNAPSHOT}/model.safetensors.index.json",
        f"{SNAPSHOT}/s1.safetensors",
        "models--org--name/blobs/s1.safetensors",
        "to-snapshots/" + "a" * 40,
        "models--org--name/refs/../snapshots/" + "a" * 40,
    ],
)
def test_a_hub_cache_gets_no_file_beside_those_of_its_own(cache, tmp_path, name):
    (cache / "to-snapshots").symlink_to("models--org--name/snapshots")
    before = everything_in(tmp_path)

    with pytest.raises(OptionError, match=r"would lie in .*--org--name of the Hugging Face cache; `output` can name"):
        prune_checkpoint(cache / name, PruningOptions(rounds=1))

    assert everything_in(tmp_path) == before


def test_a_hub_cache_is_clean_for_its_own_scan_and_a_snapshot_can_be_pruned_elsewhere(cache, tmp_path, monkeypatch):
    from huggingface_hub import scan_cache_dir

    monkeypatch.chdir(cache / SNAPSHOT)
    for options in ({}, {"output": "../new"}, {"mask_out": "../mask.safetensors", "output": tmp_path / "new"}):
        with pytest.raises(OptionError, match="of the Hugging Face cache"):
            prune_checkpoint(".", PruningOptions(rounds=1), **options)
    (tmp_path / "link").symlink_to(cache / SNAPSHOT)

    prune_checkpoint(".", PruningOptions(rounds=1), output=tmp_path / "deep/new")
    prune_checkpoint(tmp_path / "link", PruningOptions(rounds=1))

    assert (tmp_path / "deep/new/s1.safetensors").is_file()
    assert (tmp_path / "link.pruned/s1.safetensors").is_file()
    scanned = scan_cache_dir(cache)
    assert not scanned.warnings
    assert [repository.nb_files for repository in scanned.repos] == [4]


def test_names_like_those_of_a_cache_are_names(tmp_path):
    folder = write_model(tmp_path / "models--org--name/final")

    prune_checkpoint(folder, PruningOptions(rounds=1))

    assert (folder.parent / "final.pruned").is_dir()


def test_new_folders_of_outputs_are_made_and_a_plan_makes_none(model, tmp_path):
    from topoimp.commands.plan_pruning import plan_pruning

    places = {"output": tmp_path / "new/deep/out", "mask_out": tmp_path / "masks/m.safetensors"}
    plan_pruning(model, PruningOptions(rounds=1), **places)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]

    prune_checkpoint(model, PruningOptions(rounds=1), **places)

    assert sorted(path.name for path in (tmp_path / "new/deep").iterdir()) == ["out", "out.csv"]
    assert (tmp_path / "masks/m.safetensors").is_file()


def test_a_copy_has_the_files_of_linked_folders_and_no_output_lies_in_one(model, tmp_path):
    (tmp_path / "elsewhere/sub").mkdir(parents=True)
    (tmp_path / "elsewhere/sub/vocabulary.txt").write_text("a b c")
    (model / "tokenizer").symlink_to("../elsewhere")
    before = everything_in(tmp_path)

    for output in ("elsewhere/sub/out", "model/tokenizer/sub/out"):
        with pytest.raises(OptionError, match=r"out: lies inside the input .*tokenizer/sub; an output needs another"):
            prune_checkpoint(model, PruningOptions(rounds=1), output=tmp_path / output)
    assert everything_in(tmp_path) == before
    prune_checkpoint(model, PruningOptions(rounds=1))
    prune_checkpoint(model, PruningOptions(rounds=2), force=True)

    copy = tmp_path / "model.pruned/tokenizer"
    assert not copy.is_symlink()
    assert everything_in(copy) == {"sub/vocabulary.txt": b"a b c"}


def test_a_folder_with_a_link_that_leads_nowhere_gets_no_copy(model, tmp_path):
    (model / "tokenizer.json").symlink_to("../../blobs/gone")

    with pytest.raises(CheckpointError, match=r"tokenizer.json: is a link to ../../blobs/gone, which is not there"):
        prune_checkpoint(model, PruningOptions(rounds=1))

    assert [path.name for path in tmp_path.iterdir()] == ["model"]
