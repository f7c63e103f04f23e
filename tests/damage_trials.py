"""Trials of damaged files in a process of their own: a crash or a hang of it is a failed test, and not the end of all.

``python damage_trials.py N FOLDER`` damages files N times for each trial, and reads, prunes or compares each. For each
trial it prints, as JSON, the outcomes, the peak of memory in MB beyond that after the first inputs, and the files that
a refusal left. FOLDER/at has the number of an input and its damage before it is tried.
"""

import io
import json
import random
import resource
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import torch
from damage import DAMAGES, other_index
from safetensors.torch import save, save_file
from torch_damage import TORCH_DAMAGES

from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.barcode import barcode_report
from topoimp.commands.compare import comparison_report
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import TopoimpError
from topoimp.pruning.options import PruningOptions

Damage = Callable[[bytes, random.Random], bytes]


def tensors() -> dict[str, torch.Tensor]:
    """Layers of all types and layouts, in storages of their own, shared and tied, and tensors that are none."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    fused, shared = normal(9, 5), normal(6, 4)
    layers = {"one.weight": normal(6, 5), "two.weight": normal(4, 5).bfloat16(), "turned": normal(4, 7).T}
    layers |= {"first": fused[:5], "second": fused[5:], "tied": shared, "tied.too": shared, "half": normal(5, 5).half()}
    return {**layers, "bias": normal(3), "ids": torch.arange(4), "empty": torch.ones(0, 3)}


def torch_file(content: object, *, is_zip: bool) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=is_zip)
    return file.getvalue()


def checkpoints() -> list[bytes]:
    """The same network as a PyTorch file of both formats."""
    optimizer = {"state": {0: {"m": torch.ones(7)}}, "param_groups": [{"lr": 0.1}]}
    content = {"model": tensors(), "optimizer": optimizer, "epoch": 3}
    return [torch_file(content, is_zip=is_zip) for is_zip in (True, False)]


def modules() -> dict[str, torch.Tensor]:
    """The layers, each as the weight of a module of its own."""
    layers = {name: tensor for name, tensor in tensors().items() if tensor.ndim > 1 and tensor.numel()}
    return {f"{name.removesuffix('.weight')}.weight": tensor for name, tensor in layers.items()}


def masks(dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Masks of all layers."""
    generator = torch.Generator().manual_seed(1)
    return {
        name: torch.randint(0, 2, tensor.shape, generator=generator).to(dtype) for name, tensor in modules().items()
    }


def nested_masks() -> list[object]:
    """Masks by module, as a dictionary, in a list, and in a list below a key."""
    by_module = {
        name.removesuffix(".weight"): {"weight": mask, "bias": None} for name, mask in masks(torch.float32).items()
    }
    one_by_one = [{name: parameters} for name, parameters in by_module.items()]
    return [by_module, [by_module], {"masks": one_by_one}]


def other_flags(content: bytes, rng: random.Random) -> bytes:
    """Write numbers other than 0 and 1 into the last bytes of a mask."""
    place = len(content) - rng.randrange(1, 60)
    return content[:place] + bytes([rng.choice([2, 255, 128])]) + content[place + 1 :]


def damaged_torch_files(n: int, rng: random.Random, folder: Path) -> Iterator[tuple[Path, str]]:
    sound = checkpoints()
    yield from _damaged(n, rng, folder / "m.pt", sound, TORCH_DAMAGES)


def damaged_masks(n: int, rng: random.Random, folder: Path) -> Iterator[tuple[Path, str]]:
    """Masks as PyTorch files and safetensors files, of booleans, integers and floating-point numbers, also nested."""
    kinds = (torch.bool, torch.uint8, torch.int64, torch.float32)
    as_torch = [torch_file(masks(kind), is_zip=is_zip) for kind in kinds for is_zip in (True, False)]
    as_torch += [torch_file(nested, is_zip=is_zip) for nested in nested_masks() for is_zip in (True, False)]
    as_safetensors = [save(masks(kind)) for kind in kinds]
    torch_files = _damaged(n - n // 2, rng, folder / "mask.pt", as_torch, (*TORCH_DAMAGES, other_flags))
    safetensors_files = _damaged(n // 2, rng, folder / "mask.safetensors", as_safetensors, (*DAMAGES, other_flags))
    for each in (torch_files, safetensors_files):
        yield from each
        for file in folder.iterdir():
            file.unlink()


def damaged_scores(n: int, rng: random.Random, folder: Path) -> Iterator[tuple[Path, str]]:
    """Safetensors files with scores of every weight, or a factor for each column, of three types."""
    shapes = {name: tensor.shape for name, tensor in modules().items()}
    generator = torch.Generator().manual_seed(2)
    sound = []
    for kind in (torch.float32, torch.float64, torch.bfloat16):
        scores = {name: torch.rand(shape, generator=generator).to(kind) for name, shape in shapes.items()}
        sound += [save(scores), save({name: score[0].clone() for name, score in scores.items()})]
    yield from _damaged(n, rng, folder / "scores.safetensors", sound, DAMAGES)


def _damaged(
    n: int, rng: random.Random, path: Path, sound: list[bytes], damages: tuple[Damage, ...]
) -> Iterator[tuple[Path, str]]:
    for _, damage in zip(range(n), cycle(damages), strict=False):
        path.write_bytes(damage(rng.choice(sound), rng))
        yield path, damage.__name__


INDICES = ("pytorch_model.bin.index.json", "pytorch_model.fp16.bin.index.json", "model.fp16.index.json", "w.index.json")


def damaged_indices(n: int, rng: random.Random, folder: Path) -> Iterator[tuple[Path, str]]:
    """Folders with indices of other names; their shards are PyTorch or safetensors files, every third one damaged."""
    for number, name in zip(range(n), cycle(INDICES), strict=False):
        for file in folder.iterdir():
            file.unlink()
        is_torch = ".bin." in name
        shards = {f"w{k}": f"shard-{k}.{'bin' if is_torch else 'safetensors'}" for k in (1, 2)}
        for tensor, shard in shards.items():
            content = {tensor: tensors()["one.weight"], f"{tensor}.bias": torch.ones(3)}
            (torch.save if is_torch else save_file)(content, folder / shard)
        index = json.dumps({"metadata": {}, "weight_map": shards}).encode()
        (folder / name).write_bytes(other_index(index, rng) if number % 3 else index)
        if number % 3 == 0:
            shard_file = folder / shards["w2"]
            damage = rng.choice(TORCH_DAMAGES if is_torch else DAMAGES)
            shard_file.write_bytes(damage(shard_file.read_bytes(), rng))
        yield folder, name


def barcode(path: Path, _: Path, __: random.Random) -> None:
    report = barcode_report(path, threads=1)
    report.to_json()
    report.to_csv()


def prune(path: Path, out: Path, rng: random.Random) -> None:
    """Prune to a file of the same kind, or to a safetensors file, and verify it."""
    ending = "" if path.is_dir() else rng.choice([".safetensors", path.suffix])
    prune_checkpoint(path, PruningOptions(rounds=2), output=out / f"out{ending}", threads=1)


def prune_by_scores(path: Path, out: Path, _: random.Random) -> None:
    prune_checkpoint(_sound_modules(out), PruningOptions(rounds=2), scores=path, output=out / "out.pt", threads=1)


def mask(path: Path, out: Path, _: random.Random) -> None:
    apply_mask(_sound_modules(out), path, output=out / "out.pt", threads=1)


def compare(path: Path, out: Path, _: random.Random) -> None:
    comparison_report(_sound(out, checkpoints()[0]), path, threads=1)


def compare_mask(path: Path, out: Path, _: random.Random) -> None:
    comparison_report(_sound_modules(out), path, threads=1)


def _sound_modules(out: Path) -> Path:
    """Return the sound checkpoint that the masks are of."""
    return _sound(out, torch_file(modules(), is_zip=True))


def _sound(out: Path, content: bytes) -> Path:
    """Return a sound checkpoint of this content beside the folder of outputs."""
    path = out.with_name("sound.pt")
    if not path.exists():
        path.write_bytes(content)
    return path


TRIALS = {
    "torch files, read": (damaged_torch_files, barcode),
    "torch files, pruned": (damaged_torch_files, prune),
    "torch files, compared": (damaged_torch_files, compare),
    "indices, read": (damaged_indices, barcode),
    "indices, pruned": (damaged_indices, prune),
    "masks, applied": (damaged_masks, mask),
    "masks, compared": (damaged_masks, compare_mask),
    "scores, pruned by": (damaged_scores, prune_by_scores),
}
"""By name, the inputs of a trial and the command that takes each."""


def run(trial: str, n: int, folder: Path) -> dict[str, object]:
    inputs, command = TRIALS[trial]
    rng = random.Random(f"{trial} {n}")  # noqa: S311  # nothing here is secret
    at, out, damaged = folder / "at", folder / trial / "out", folder / trial / "in"
    for made in (out, damaged):
        made.mkdir(parents=True)

    outcomes: Counter[str] = Counter()
    left: list[str] = []
    memory = 0.0
    for number, (path, damage) in enumerate(inputs(n, rng, damaged)):
        at.write_text(f"{trial}, {number}: {damage}")
        before = _contents(damaged)
        try:
            command(path, out, rng)
            outcome = "read"
        except TopoimpError as error:
            outcome = type(error).__name__
            left += [f"{number}: {damage}: {file.name}" for file in out.iterdir()]
        outcomes[outcome] += 1
        if _contents(damaged) != before:
            left.append(f"{number}: {damage}: changed the input")
        for file in out.iterdir():
            shutil.rmtree(file) if file.is_dir() else file.unlink()
        if number == _WARM:
            memory = _peak()
    return {"outcomes": outcomes, "memory": _peak() - memory, "left": left}


_WARM = 20
"""Number of the input after which the memory of the trial is measured; the first ones take that of every command."""


def _contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in TRIALS:
        print(json.dumps([name, run(name, int(sys.argv[1]), Path(sys.argv[2]))]))  # noqa: T201  # read by the test
