import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from topoimp.checkpoint import open_checkpoint, other_files
from topoimp.errors import CheckpointError

ONES = np.ones((2, 3), np.float32)


@pytest.fixture
def folder(tmp_path):
    """Make a folder of files, by name: a safetensors or PyTorch file holds one tensor, named after the file."""

    def make(*names, **contents):
        place = tmp_path / "m"
        for name in names:
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith(".safetensors"):
                save_file({name: ONES}, path)
            elif name.endswith((".bin", ".pt", ".pth")):
                torch.save({name: torch.ones(2, 3)}, path)
            else:
                path.write_text("x")
        for name, placed in contents.items():
            (place / name).write_text(json.dumps({"weight_map": placed}))
        return place

    return make


def tensors_in(place):
    return list(open_checkpoint(place).tensors)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["adapter_model.bin", "training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state_0.pth"], 0),
        (["lora.pt", "optimizer_1.bin", "scaler.pt", "sampler.bin", "random_states_0.pt", "scheduler.bin"], 0),
        (["global_step9_optim_states.pt", "mp_rank_00_model_states.pt"], 1),
        (["diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors"], 0),
        (["diffusion_pytorch_model.bin", "diffusion_pytorch_model.safetensors"], 1),
        (["adapter_model.bin", "adapter_model.safetensors"], 1),
        (["adapter_model.safetensors", "model.safetensors"], 1),
        (["consolidated.00.pth", "params.json"], 0),
        (["._weights.safetensors", "weights.safetensors", ".hidden.safetensors"], 1),
        (["a.pt", "a.fp16.safetensors", "notes.index.json"], 1),
    ],
)
def test_the_weights_of_a_folder_are_those_that_people_mean(folder, names, expected):
    assert tensors_in(folder(*names)) == [names[expected]]


@pytest.mark.parametrize(
    ("shards", "index"),
    [
        ("model.fp16-0000{}-of-00002.safetensors", "model.safetensors.index.fp16.json"),
        (
            "diffusion_pytorch_model-0000{}-of-00002.fp16.safetensors",
            "diffusion_pytorch_model.safetensors.fp16.index.json",
        ),
        ("diffusion_pytorch_model-0000{}-of-00002.bin", "diffusion_pytorch_model.bin.index.json"),
        ("pytorch_model.fp16-0000{}-of-00002.bin", "pytorch_model.bin.index.fp16.json"),
        ("part{}.safetensors", "weights.index.json"),
        ("consolidated-{}.safetensors", "consolidated.safetensors.index.json"),
    ],
)
@pytest.mark.parametrize("is_named", [True, False])
def test_an_index_of_any_name_is_one(folder, shards, index, is_named):
    names = [shards.format(number) for number in (1, 2)]
    place = folder(*names, **{index: {name: name for name in names}})

    assert tensors_in(place / index if is_named else place) == names


@pytest.mark.parametrize(
    "names",
    [
        ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
        ["net_0-of-2.safetensors", "net_1-of-2.safetensors"],
        ["model.fp16-00001-of-00002.safetensors", "model.fp16-00002-of-00002.safetensors"],
        ["unet-1-of-2.fp16.safetensors", "unet-2-of-2.fp16.safetensors"],
        ["pytorch_model-00001-of-00003.bin", "pytorch_model-00002-of-00003.bin", "pytorch_model-00003-of-00003.bin"],
        ["only-00001-of-00001.safetensors"],
    ],
)
def test_shards_whose_index_is_missing_are_one_checkpoint(folder, names):
    checkpoint = open_checkpoint(folder(*names))

    assert list(checkpoint.tensors) == names
    assert checkpoint.paths.index is None


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["m-00002-of-00003.safetensors"],
            "holds 1 of the 3 shards of a checkpoint, and no index of it; .* 1, 3 is miss",
        ),
        (
            ["m-0-of-3.bin", "m-2-of-3.bin"],
            "holds 2 of the 3 shards of a checkpoint, and no index of it; .* 1 is missing",
        ),
        (["m-00004-of-00003.safetensors"], "holds 1 of the 3 shards .* number 1, 2, 3 is missing"),
        (["m-1-of-0.safetensors"], "holds 1 of the 0 shards"),
        (["m-1-of-999999.bin"], r"holds 1 of the 999999 shards .* number 2, 3, 4, 5, 6, ... is missing"),
        (
            ["a-1-of-2.safetensors", "a-2-of-2.safetensors", "b.safetensors"],
            r"holds 2 files of weights \(a-1-of-2.safetensors, b.safetensors\); shards need an index, or a folder of",
        ),
        (
            ["consolidated.00.pth", "consolidated.01.pth"],
            r"holds 2 slices of one checkpoint, cut for tensor parallelism \(consolidated.00.pth, c.*\)",
        ),
        (["mp_rank_00_model_states.pt", "mp_rank_01_model_states.pt"], "holds 2 slices of one checkpoint"),
        (
            [f"{k}.safetensors" for k in range(9)],
            r"holds 9 files of weights \(0.safetensors, .*, 4.safetensors, \.\.\.\);",
        ),
        (
            ["diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.safetensors.index.json"],
            "name the one that",
        ),
        (["config.json", "model.safetensors.index.json"], "index.json: is not JSON"),
        (["config.json", "other.index.json"], "is a folder without weights; a .safetensors file or an index is needed"),
    ],
)
def test_a_folder_that_could_mean_several_things_is_refused_with_what_it_holds(folder, names, message):
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(folder(*names))


def test_slices_under_the_names_of_shards_are_refused(folder):
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    place = folder(*names)
    save_file({names[0]: ONES}, place / names[1])

    with pytest.raises(CheckpointError, match=f"{names[0]} and {names[1]} both hold tensor '{names[0]}'; shards"):
        open_checkpoint(place)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["unet/diffusion_pytorch_model.safetensors", "vae/model.bin", "tokenizer/vocab.json", ".git/x.bin"],
            "is a folder without weights; its subfolders unet, vae have some: name one, such as .*m/unet",
        ),
        (["global_step9/mp_rank_00_model_states.pt", "zero_to_fp32.py"], "is a checkpoint of DeepSpeed; join it with"),
        (["snapshots/abc/model.safetensors", "refs/main"], "is a cache of the Hugging Face hub; .*/m/snapshots/abc"),
        (
            [".metadata", "__0_0.distcp"],
            r"distributed checkpoint of PyTorch \(DCP\); convert it with .*dcp_to_torch .*m",
        ),
        (
            ["optimizer.pt", "training_args.bin"],
            "is a folder without weights; a .safetensors file or an index is needed",
        ),
        (["sub/optimizer.pt"], "is a folder without weights; a .safetensors file or an index is needed"),
        (["snapshots/readme"], "is a folder without weights; a .safetensors file or an index is needed"),
    ],
)
def test_a_folder_without_weights_is_called_what_it_is(folder, names, message):
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(folder(*names))


def test_a_folder_with_weights_of_another_format_alone_says_which(folder):
    place = folder("config.json")
    (place / "tf_model.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))

    with pytest.raises(CheckpointError, match=r"is a folder without weights but tf_model.h5, which is an HDF5 file"):
        open_checkpoint(place)


def test_files_that_macos_adds_belong_to_no_folder(folder):
    place = folder("model.safetensors", "._model.safetensors", "._config.json", "config.json", "sub/._x", "sub/x")

    copied, left = other_files(open_checkpoint(place).paths)

    assert sorted(map(str, copied)) == ["config.json", "sub/x"]
    assert left == []
