"""A checkpoint in several files, as hubs and buckets have them."""

import json

import torch
from safetensors.torch import save_file


def write_shards(folder, *, seed=0):
    """Write a checkpoint of three shards, each of another type, with an index and files beside; return its folder."""
    folder.mkdir()
    rng = torch.Generator().manual_seed(seed)
    shards = {
        f"model-0000{number}-of-00003.safetensors": {
            f"fc{number}.weight": torch.randn(30, 20, generator=rng).to(dtype),
            f"fc{number}.bias": torch.randn(30, generator=rng),
        }
        for number, dtype in enumerate((torch.float32, torch.bfloat16, torch.float8_e5m2), start=1)
    }
    for name, tensors in shards.items():
        save_file(tensors, folder / name, {"format": "pt"})
    weight_map = {tensor: name for name, tensors in shards.items() for tensor in tensors}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))

    (folder / "config.json").write_text("{}")
    (folder / "empty.txt").touch()
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_text("left out")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "hidden.json").write_text("hidden")
    return folder
