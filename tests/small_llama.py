"""A small causal language model in a folder, with its tokenizer and texts, made without training and without a network.

All weights are drawn, but for those of the last layer, which least squares fit to a language of 20 words.
"""

import numpy as np
import pytest

DICTIONARY = "the a cat dog bird tree house river saw met left found old small red green and then slowly today"
WORDS = DICTIONARY.split()


def write_texts(folder):
    """Write calibration.txt and held-out.txt, whose words are followed by one of three words each."""
    rng = np.random.default_rng(0)
    followers = rng.integers(len(WORDS), size=(len(WORDS), 3))
    for name, n_sentences in (("calibration.txt", 200), ("held-out.txt", 20)):
        sentences = [sentence(rng, followers) for _ in range(n_sentences)]
        (folder / name).write_text("".join(f"{each}\n" for each in sentences), encoding="utf-8")


def sentence(rng, followers):
    """Return eight words."""
    words = [int(rng.integers(len(WORDS)))]
    while len(words) < 8:
        words.append(int(rng.choice(followers[words[-1]], p=[0.8, 0.1, 0.1])))
    return " ".join(WORDS[word] for word in words)


def write_model(folder):
    """Write my-model, as ``save_pretrained`` does."""
    import torch

    tokenizers, transformers = pytest.importorskip("tokenizers"), pytest.importorskip("transformers")

    vocabulary = {word: number for number, word in enumerate([*WORDS, "[UNK]"])}
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106  # a word
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]")  # noqa: S106  # a word
    size = {"hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    ends = {"bos_token_id": None, "eos_token_id": None}
    config = transformers.LlamaConfig(vocab_size=len(vocabulary), **size, **heads, **ends)
    model = transformers.LlamaForCausalLM(config).double().eval()

    # Drawn by NumPy, whose numbers are the same on every machine.
    rng = np.random.default_rng(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                drawn = rng.normal(size=parameter.shape) / parameter.shape[1] ** 0.5
                parameter.copy_(torch.from_numpy(drawn))
        model.lm_head.weight.copy_(model.model.embed_tokens.weight)

    text = (folder / "calibration.txt").read_text(encoding="utf-8").splitlines()
    fit_last_layer(model, torch.tensor([tokenizer(each).input_ids for each in text]))
    model.float().save_pretrained(folder / "my-model")
    tokenizer.save_pretrained(folder / "my-model")


def fit_last_layer(model, tokens):
    """Set the weights of the last layer so that the states before the head are near the embedding of the next word."""
    import torch

    layer = model.model.layers[-1].mlp.down_proj
    inputs, states = [], []
    with torch.no_grad():
        layer.weight.zero_()
        hooks = [
            layer.register_forward_pre_hook(lambda _, args: inputs.append(args[0][:, :-1].flatten(0, 1))),
            model.model.norm.register_forward_pre_hook(lambda _, args: states.append(args[0][:, :-1].flatten(0, 1))),
        ]
        model(tokens)
        for hook in hooks:
            hook.remove()

        wanted = 6 * model.model.embed_tokens(tokens[:, 1:]).flatten(0, 1) - states[0]
        products = inputs[0].T @ inputs[0] + 10 * torch.eye(inputs[0].shape[1])
        layer.weight.copy_(torch.linalg.solve(products, inputs[0].T @ wanted).T)
