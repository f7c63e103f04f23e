"""Trainers as users write them, right and wrong: run as a command, with numpy and safetensors alone."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file


def unpacked(path, shapes):
    return {
        name: np.unpackbits(bits, count=np.prod(shapes[name]), bitorder="little").reshape(shapes[name]).astype(bool)
        for name, bits in load_file(path).items()
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("how")
    for name in ("init", "mask", "out", "seed", "started", "metrics"):
        parser.add_argument(f"--{name}")
    options = parser.parse_args()
    weights = load_file(options.init)
    masks = unpacked(options.mask, {name: array.shape for name, array in weights.items()})
    rng = np.random.default_rng([int(options.seed or 0), 1])
    if options.how == "ignores-init":
        weights = {name: rng.normal(size=array.shape).astype(array.dtype) for name, array in weights.items()}
        weights = {name: np.where(masks.get(name, True), array, 0) for name, array in weights.items()}
    if options.started:
        save_file(weights, options.started)
    if options.metrics:
        Path(options.metrics).write_text(json.dumps({"test_accuracy": 0.75, "epochs": 3}))
    sys.stdout.write(f"training {options.how}\n")
    if options.how == "exits-1":
        sys.exit("CUDA out of memory")
    if options.how == "writes-nothing":
        return
    if options.how == "sleeps":
        import time

        time.sleep(60)
    moved = {
        name: array + rng.normal(scale=0.01, size=array.shape).astype(array.dtype) for name, array in weights.items()
    }
    held = {name: np.where(masks.get(name, True), array, 0) for name, array in moved.items()}
    if options.how == "revives":
        name = next(iter(masks))
        held[name].flat[np.flatnonzero(~masks[name])[0]] = 1e-30
    if options.how == "writes-nan":
        held[next(iter(held))].flat[3] = np.nan
    if options.how == "wrong-shapes":
        held = {name: array.T for name, array in held.items()}
    if options.how == "other-names":
        held = {f"module.{name}": array for name, array in held.items()}
    if options.how == "other-type":
        held = {name: array.astype(np.float16) for name, array in held.items()}
    save_file({name: np.ascontiguousarray(array) for name, array in held.items()}, options.out)
    if options.how == "writes-half":
        Path(options.out).write_bytes(Path(options.out).read_bytes()[:-100])


if __name__ == "__main__":
    main()
