"""A trainer in plain PyTorch: a small network on the digits of scikit-learn, trained under a mask.

topoimp prune run --rounds 10 --trainer \
    'python docs/examples/plain_trainer.py --init {init} --mask {mask} --out {out} --seed {seed}
     --started {started} --metrics {metrics}'

This script does not import topoimp: a mask is a safetensors file of packed bits, which any framework can read.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_digits
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--init", required=True)
parser.add_argument("--mask", required=True)
parser.add_argument("--out", required=True)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--started")
parser.add_argument("--metrics")
parser.add_argument("--epochs", type=int, default=5)
options = parser.parse_args()
torch.manual_seed(options.seed)

# 1. Load the weights to start from. load_state_dict is strict: a missing or unknown tensor is an error.
start = load_file(options.init)
n_hidden, n_pixels = start["fc1.weight"].shape
model = nn.Sequential()
model.add_module("fc1", nn.Linear(n_pixels, n_hidden))
model.add_module("relu", nn.ReLU())
model.add_module("fc2", nn.Linear(n_hidden, 10))
model.load_state_dict(start)

# 2. Unpack the mask: one bit per weight, the first in the lowest bit of the first byte.
masks = {}
for name, packed in load_file(options.mask).items():
    shape = start[name].shape
    bits = np.unpackbits(packed.numpy(), count=shape.numel(), bitorder="little")
    masks[name] = torch.from_numpy(bits).reshape(shape).to(start[name].dtype)

# 3. Write the weights that training starts from, so that topoimp can compare them with {init}.
if options.started:
    save_file(model.state_dict(), options.started)

# 4. Train. Pruned weights are zero; without a gradient they and the optimizer's momentum stay zero.
images, labels = load_digits(return_X_y=True)
images, labels = torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for _ in range(options.epochs):
    for batch in torch.randperm(1400).split(50):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
        for name, mask in masks.items():
            model.get_parameter(name).grad.mul_(mask)
        optimizer.step()

# 5. Write the same tensors, and the metrics.
save_file(model.state_dict(), options.out, metadata={"format": "pt"})
if options.metrics:
    accuracy = (model(images[1400:]).argmax(dim=1) == labels[1400:]).float().mean().item()
    Path(options.metrics).write_text(json.dumps({"test_accuracy": accuracy}))
