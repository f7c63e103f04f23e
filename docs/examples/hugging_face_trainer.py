"""A trainer with Hugging Face's Trainer: reads a model folder, trains it under a mask, and writes a folder like it.

topoimp prune my-bert --rounds 3 --rewind none --exclude '*classifier*' --trainer \
    'python docs/examples/hugging_face_trainer.py --init {init} --mask {mask} --out {out} --seed {seed}
     --metrics {metrics}'

With several GPUs: 'torchrun --nproc-per-node 8 docs/examples/hugging_face_trainer.py ...'.
"""

import argparse
import json
from pathlib import Path

import torch
from torch.utils.data import Dataset
from transformers import AutoModelForSequenceClassification, Trainer, TrainingArguments

import topoimp

parser = argparse.ArgumentParser()
parser.add_argument("--init", required=True)
parser.add_argument("--mask", required=True)
parser.add_argument("--out", required=True)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--metrics")
parser.add_argument("--steps", type=int, default=20)
options = parser.parse_args()


class Parity(Dataset):
    """A stand-in for your data: the label is the parity of the sum of the tokens."""

    def __init__(self, n: int, n_tokens: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.tokens = torch.randint(0, n_tokens, (n, 8), generator=generator)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        tokens = self.tokens[index]
        return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens), "labels": tokens.sum() % 2}


# 1. {init} is a folder, because the input of prune was a folder: config, tokenizer and weights, already pruned.
model = AutoModelForSequenceClassification.from_pretrained(options.init)
n_tokens = model.config.vocab_size
arguments = TrainingArguments(
    output_dir=Path(options.out).parent / "trainer",
    max_steps=options.steps,
    per_device_train_batch_size=16,
    learning_rate=1e-3,
    seed=options.seed,
    save_strategy="no",
    report_to="none",
    disable_tqdm=True,
)
trainer = Trainer(model, arguments, train_dataset=Parity(400, n_tokens, 0), eval_dataset=Parity(100, n_tokens, 1))

# 2. Train with the mask held; hold_mask works with every optimizer that the Trainer makes.
with topoimp.hold_mask(model, options.mask):
    trainer.train()

# 3. Write the same tensors into {out}, and the metrics. If several processes train, one of them writes.
if trainer.is_world_process_zero():
    model.save_pretrained(options.out)
    if options.metrics:
        Path(options.metrics).write_text(json.dumps({"test_loss": trainer.evaluate()["eval_loss"]}))
