"""Clips of speech, noise and silence for a voice detector, made of the speech of benchmarks/models_speech.py.

Four of five clips have two or three utterances at random places, one has none. The background is silence, or noise of
one of four sorts, from 25 decibels below the speech to as loud as it. All choices come from one seed.
"""

from pathlib import Path

import numpy as np
from models_speech import utterances
from scipy.signal import resample_poly

RATE = 16000
"""Samples a second that the detector takes."""

FRAME = 512
"""Samples of one frame of the detector."""

N_CLIPS = 60
N_FRAMES = 500
"""Frames of each clip: 16 seconds."""

BACKGROUNDS = ("silence", "white", "pink", "hum", "clicks")
UP, DOWN = 320, 441
"""Ratio of the detector's rate to that of the speech."""


def noise(background: str, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return noise of deviation 1; silence is zeros."""
    if background == "silence":
        return np.zeros(n_samples)
    if background == "hum":
        times = np.arange(n_samples) / RATE
        sound = sum(np.sin(2 * np.pi * 50 * k * times + rng.uniform(0, 2 * np.pi)) / k for k in (1, 2, 3, 5, 7))
    elif background == "clicks":
        sound = rng.normal(size=n_samples) * (rng.random(n_samples) < 2e-3)
    else:
        sound = rng.normal(size=n_samples)
    if background == "pink":
        spectrum = np.fft.rfft(sound)
        sound = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), n_samples)
    return np.asarray(sound / np.std(sound))


def clips(path: Path, seed: int = 0) -> dict[str, np.ndarray]:
    """Return the clips in ``audio``, and in ``spoken`` which frames have their middle in an utterance."""
    rng = np.random.default_rng(seed)
    spoken, _ = utterances(path)
    order = iter(rng.permutation(len(spoken)))
    n_samples = N_FRAMES * FRAME
    audio = np.zeros((N_CLIPS, n_samples))
    covered = np.zeros((N_CLIPS, n_samples), dtype=bool)

    for clip in range(N_CLIPS):
        # Utterances, each in a part of the clip of its own.
        n_utterances = 0 if clip % 5 == 4 else int(rng.integers(2, 4))
        part = n_samples // max(n_utterances, 1)
        for number in range(n_utterances):
            voice = resample_poly(spoken[next(order)], UP, DOWN)[:part]
            start = number * part + int(rng.integers(part - len(voice) + 1))
            audio[clip, start : start + len(voice)] = rng.uniform(0.1, 0.9) * voice / np.abs(voice).max()
            covered[clip, start : start + len(voice)] = True

        # The background, beside the speech or at a level of its own.
        level = np.std(audio[clip, covered[clip]]) if n_utterances else rng.uniform(0.01, 0.1)
        background = noise(BACKGROUNDS[clip // 5 % len(BACKGROUNDS)], n_samples, rng)
        audio[clip] += level * 10 ** (-rng.uniform(0, 25) / 20) * background

    audio /= np.maximum(1, np.abs(audio).max(axis=1, keepdims=True))
    return {"audio": audio.astype(np.float32), "spoken": covered[:, FRAME // 2 :: FRAME]}
