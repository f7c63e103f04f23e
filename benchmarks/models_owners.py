"""The owners' own code of the models of docs/real-models.md: what each model says about fixed inputs.

``python benchmarks/models_owners.py MODEL CHECKPOINT INPUTS OUTPUTS.npz`` runs one of the functions below, with the
owner's packages on the path. benchmarks/models_cases.py has the versions of the packages.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from models_clips import FRAME, RATE
from models_sentences import sentences
from models_speech import RATE as SPEECH_RATE
from models_speech import utterances
from torch import Tensor, nn

N_IN_BATCH = 20


def bert(checkpoint: Path, use: str, model: nn.Module) -> list[tuple[Tensor, Tensor]]:
    """Return the last hidden states and attention masks of batches of the sentences of a use."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    texts = sentences(use)
    batches = []
    for start in range(0, len(texts), N_IN_BATCH):
        words = tokenizer(texts[start : start + N_IN_BATCH], padding=True, return_tensors="pt")
        batches.append((model(**words).last_hidden_state, words["attention_mask"]))
    return batches


def minilm(checkpoint: Path, use: str) -> dict[str, Any]:
    """Return the embedding of each sentence: the mean over its tokens, of length 1, as in the model's modules.json."""
    from transformers import AutoModel

    embeddings = []
    for states, attention in bert(checkpoint, use, AutoModel.from_pretrained(checkpoint).eval()):
        weights = attention[:, :, None].to(states.dtype)
        means = (states * weights).sum(dim=1) / weights.sum(dim=1)
        embeddings.append(nn.functional.normalize(means, dim=1))
    return {"embeddings": torch.cat(embeddings).numpy()}


def minilm_norms(checkpoint: Path, use: str) -> dict[str, Any]:
    """Return the norm of each input of each linear layer over all tokens of the sentences, by the weight's name.

    The layer behind the first token (``pooler``) sees that token alone.
    """
    from transformers import AutoModel

    model = AutoModel.from_pretrained(checkpoint).eval()
    squares: dict[str, Tensor] = {}
    attentions: list[Tensor] = []

    def attend(_: nn.Module, __: tuple[Any, ...], words: dict[str, Tensor]) -> None:
        attentions.append(words["attention_mask"].bool())

    def add(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            inputs = arguments[0]
            tokens = inputs[attentions[-1]] if inputs.dim() == 3 else inputs
            squares[name] = squares.get(name, torch.zeros(())) + tokens.double().square().sum(dim=0)

        return hook

    model.register_forward_pre_hook(attend, with_kwargs=True)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            module.register_forward_pre_hook(add(f"{name}.weight"))
    bert(checkpoint, use, model)
    return {name: total.sqrt().numpy() for name, total in squares.items()}


def resemblyzer(checkpoint: Path, speech: str) -> dict[str, Any]:
    """Return the embedding of each utterance, of length 1, and the voices."""
    import scipy.ndimage

    sys.modules["scipy.ndimage.morphology"] = scipy.ndimage  # where SciPy had binary_dilation before
    from resemblyzer import VoiceEncoder, preprocess_wav

    encoder = VoiceEncoder("cpu", verbose=False, weights_fpath=checkpoint)
    spoken, voices = utterances(Path(speech))
    heard = [preprocess_wav(samples, source_sr=SPEECH_RATE) for samples in spoken]
    return {"embeddings": np.stack([encoder.embed_utterance(samples) for samples in heard]), "voices": voices}


def silero_vad(checkpoint: Path, path: str) -> dict[str, Any]:
    """Return the probability of speech in each frame, and whether its middle lies in a detected stretch of speech.

    The program is the owner's, in TorchScript, whose 16 kHz network takes the weights of the file; the file's own class
    needs tinygrad and a compiler, and computes the same. Detections are those of the owner's get_speech_timestamps.
    """
    from safetensors.torch import load_file
    from silero_vad import load_silero_vad
    from silero_vad.utils_vad import get_speech_timestamps_from_probs

    model = load_silero_vad()
    own = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    for name, tensor in load_file(checkpoint).items():
        own[own_name(name)].copy_(tensor)

    with np.load(path) as clips:
        audio = torch.from_numpy(clips["audio"])
        spoken = clips["spoken"]
    probabilities = model.audio_forward(audio, RATE).numpy()
    detected = np.zeros(probabilities.shape, dtype=bool)
    middles = np.arange(FRAME // 2, audio.shape[1], FRAME)
    for clip, found in enumerate(probabilities.tolist()):
        for stretch in get_speech_timestamps_from_probs(found, audio_length_samples=audio.shape[1]):
            detected[clip] |= (stretch["start"] <= middles) & (middles < stretch["end"])
    return {"probabilities": probabilities, "detected": detected, "spoken": spoken}


IN_DECODER = {"lstm_cell": "rnn", "final_conv": "decoder.2"}


def own_name(name: str) -> str:
    """Return the name that a tensor of Silero's file has in its TorchScript program."""
    module, _, rest = name.partition(".")
    if module == "stft_conv":
        return "_model.stft.forward_basis_buffer"
    if module.startswith("conv"):
        return f"_model.encoder.{int(module.removeprefix('conv')) - 1}.reparam_conv.{rest}"
    return f"_model.decoder.{IN_DECODER[module]}.{rest}"


OWNERS: dict[str, Callable[[Path, str], dict[str, Any]]] = {
    "MiniLM": minilm, "MiniLM norms": minilm_norms, "Resemblyzer": resemblyzer, "silero-vad": silero_vad,
}  # fmt: skip
"""The functions, by the names of the models."""


def main() -> None:
    """Run a model, and write its outputs."""
    name, checkpoint, inputs, outputs = sys.argv[1:]
    torch.set_num_threads(1)  # sums in one order, so that every run gives the same numbers
    with torch.no_grad():
        found = OWNERS[name](Path(checkpoint), inputs)
    if not all(np.isfinite(array).all() for array in found.values()):
        raise ValueError(f"{name}: an output is not finite")
    np.savez(outputs, **found)


if __name__ == "__main__":
    main()
