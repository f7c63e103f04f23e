"""Evaluate a causal language model of Hugging Face on a text file: python hugging_face_evaluation.py FOLDER TEXT."""

import argparse
import math
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def main() -> None:
    """Print the mean loss per token, in nats, and the perplexity."""
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--length", type=int, default=512)
    options = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(options.checkpoint)
    model = AutoModelForCausalLM.from_pretrained(options.checkpoint, dtype=torch.float32).eval()

    tokens = tokenizer(options.text.read_text(encoding="utf-8"), return_tensors="pt").input_ids[0]
    total, n_tokens = 0.0, 0
    with torch.inference_mode():
        for part in tokens.split(options.length):
            if len(part) > 1:  # a single token has no next one to predict
                total += float(model(part[None], labels=part[None]).loss) * (len(part) - 1)
                n_tokens += len(part) - 1
    loss = total / n_tokens
    print(f"loss={loss} perplexity={math.exp(loss)}")  # noqa: T201  # the command's output


if __name__ == "__main__":
    main()
