"""Check a pruned checkpoint against its original, and in its owner's code.

``python benchmarks/real_check.py OWNER ORIGINAL PRUNED TENSORS`` writes as JSON how the pruned checkpoint differs from
the original, and whether the owner's code loads and runs it. OWNER is a function of benchmarks/real_owners.py, or
empty. TENSORS is a file with the names of the pruned tensors, one a line.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from real_owners import OWNERS
from torch import Tensor


def tensors_of(path: Path, names: set[str]) -> dict[str, Tensor]:
    """Return the tensors of a file or folder, those of the nested dictionary that holds the names."""
    if path.is_dir():
        path = next(path / name for name in ("model.safetensors", "pytorch_model.bin") if (path / name).exists())
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    # The package is trusted with its code, which runs here; its pickle is that of the same owner.
    contents = [torch.load(path, map_location="cpu", weights_only=False)]
    for content in contents:
        if isinstance(content, Mapping):
            if names <= content.keys():
                return {name: tensor for name, tensor in content.items() if isinstance(tensor, Tensor)}
            contents.extend(content.values())
    raise ValueError(f"{path}: no dictionary has all of {sorted(names)[:3]}")


def matching(name: str, tensors: Mapping[str, Tensor]) -> Tensor | None:
    """Return the tensor of a name that may have gained or lost a prefix, as those of wrapped modules do."""
    if name in tensors:
        return tensors[name]
    found = [tensors[own] for own in tensors if own.endswith(f".{name}") or name.endswith(f".{own}")]
    return found[0] if len(found) == 1 else None


def is_pruned_copy(original: Mapping[str, Tensor], pruned: Mapping[str, Tensor], layers: set[str]) -> bool:
    """Check names, shapes and types; entries of layers are kept or zero, and all else is unchanged."""
    if list(original) != list(pruned):
        return False
    for name, old in original.items():
        new = pruned[name]
        if (old.shape, old.dtype) != (new.shape, new.dtype):
            return False
        same = new == old
        if not (same | (new == 0) if name in layers else same | (old != old) & (new != new)).all():
            return False
    return True


def have_equal_weights(own: Tensor, in_file: Tensor) -> bool:
    """Whether the tensor of an owner's network is that of the file, or has its magnitudes in another order.

    SevenNet sorts the columns of convolutions that older versions of it have saved, and changes the sign of some.
    """
    own = own.to(in_file.dtype)
    return torch.equal(own, in_file) or torch.equal(*(x.abs().flatten().sort().values for x in (own, in_file)))


def findings(owner: str, original: Path, pruned: Path, layers: set[str]) -> dict[str, object]:
    """Return how a pruned checkpoint stands to its original, and to the owner's code.

    ``same_otherwise`` says that nothing but layers has changed, and only to zeros. ``n_loaded`` and ``n_unread`` count
    the pruned tensors that the owner's network has and lacks; without an owner there are none.
    """
    in_file = tensors_of(pruned, layers)
    found: dict[str, object] = {"same_otherwise": is_pruned_copy(tensors_of(original, layers), in_file, layers)}
    if owner in OWNERS:
        network = OWNERS[owner](pruned)
        own = {name: matching(name, network.tensors) for name in sorted(layers)}
        present = {name: tensor for name, tensor in own.items() if tensor is not None}
        found["n_loaded"] = len(present)
        found["n_unread"] = len(own) - len(present)
        found["loads"] = bool(present) and all(have_equal_weights(own, in_file[name]) for name, own in present.items())
        found["runs"] = network.run is not None
        if network.run is not None:
            with torch.no_grad():
                network.run()
    return found


def main() -> None:
    """Check a pruned checkpoint, and write the findings as JSON."""
    owner, original, pruned = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    layers = set(Path(sys.argv[4]).read_text(encoding="utf-8").split("\n"))

    sys.stdout.write(f"\n{json.dumps(findings(owner, original, pruned, layers))}\n")


if __name__ == "__main__":
    main()
