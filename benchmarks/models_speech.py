"""Speech of many voices, by eSpeak NG: each voice says sentences of its own from benchmarks/models/sentences.tsv.

``python benchmarks/models_speech.py FOLDER SPEECH.npz`` writes the utterances one after another in ``samples``, the
first sample of each in ``starts``, and the index of its voice in ``voices``. FOLDER has the package espeakng-loader,
whose library is called by its C interface (speak_lib.h). Breath and whisper are random, and the library seeds them by
the clock; a seed before each utterance makes them the same in every run.
"""

import ctypes
import sys
from pathlib import Path

import numpy as np
from models_sentences import sentences

RATE = 22050
"""Samples a second of eSpeak NG."""

N_UTTERANCES = 6
"""Utterances of each voice."""

VOICES = (
    *("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5", "Alex", "Alicia", "Andrea"),
    *("Andy", "Annie", "Denis", "Diogo", "Gene", "Henrique", "Hugo", "Jacky", "Lee", "Marco", "Mario", "Michael"),
    *("Mike", "Reed", "adam", "anika", "antonio", "aunty", "belinda", "benjamin", "boris", "caleb", "david", "ed"),
    *("edward", "grandma", "grandpa", "gustave", "ian", "john", "linda", "zac"),
)
"""Variants of eSpeak NG that sound like people, each with the American accent. Robots and whispers are left out."""

SYNCHRONOUS = 2
UTF_8 = 1
ON_SAMPLES = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Speaker:
    """The library of eSpeak NG, loaded once."""

    def __init__(self, folder: Path) -> None:
        self.library = ctypes.CDLL(str(folder / "libespeak-ng.so"))
        data = str(folder / "espeak-ng-data").encode()
        rate = self.library.espeak_Initialize(SYNCHRONOUS, 0, data, 0)
        if rate != RATE:
            raise RuntimeError(f"eSpeak NG speaks at {rate} samples a second; {RATE} are needed")

        self.parts: list[np.ndarray] = []
        self.callback = ON_SAMPLES(self.take)
        self.library.espeak_SetSynthCallback(self.callback)

    def take(self, samples: "ctypes._Pointer[ctypes.c_short]", n_samples: int, _: object) -> int:
        """Keep the samples that the library hands over, and let it go on."""
        if n_samples > 0:
            self.parts.append(np.ctypeslib.as_array(samples, (n_samples,)).copy())
        return 0

    def utterance(self, variant: str, sentence: str, seed: int) -> np.ndarray:
        """Return the samples of a sentence, as 16-bit integers."""
        self.parts.clear()
        text = sentence.encode() + b"\0"
        failed = self.library.espeak_SetVoiceByName(f"en-us+{variant}".encode())
        self.library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        failed |= self.library.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, 0, 0, UTF_8, None, None)
        if failed or not self.parts:
            raise RuntimeError(f"eSpeak NG does not speak with the variant {variant}")
        return np.concatenate(self.parts)


def speech(folder: Path) -> dict[str, np.ndarray]:
    """Return the utterances of all voices, those of a voice together."""
    speaker = Speaker(folder)
    texts = sentences("evaluation") + sentences("calibration")
    spoken = [
        speaker.utterance(variant, texts[(N_UTTERANCES * voice + number) % len(texts)], N_UTTERANCES * voice + number)
        for voice, variant in enumerate(VOICES)
        for number in range(N_UTTERANCES)
    ]
    lengths = [len(samples) for samples in spoken]
    return {
        "samples": np.concatenate(spoken),
        "starts": np.cumsum([0, *lengths]),
        "voices": np.repeat(np.arange(len(VOICES)), N_UTTERANCES),
    }


def utterances(path: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the utterances of a file as floating-point numbers within 1, and their voices."""
    with np.load(path) as stored:
        samples = stored["samples"].astype(np.float32) / 2**15
        starts = stored["starts"]
        voices = stored["voices"]
    return np.split(samples, starts[1:-1]), voices


def main() -> None:
    """Write the speech."""
    np.savez(sys.argv[2], **speech(Path(sys.argv[1]) / "espeakng_loader"))


if __name__ == "__main__":
    main()
