"""Speech-like signals of which everything is known: voiced and unvoiced parts, F0, formants and lengths."""

import numpy as np

RATE = 16000


def vowel(seconds, f0, formant, rate=RATE):
    """Harmonics of an F0 below 4 kHz, the loudest at a formant."""
    time = np.arange(round(seconds * rate)) / rate
    harmonics = f0 * np.arange(1, int(4000 / f0))
    levels = np.exp(-np.square((harmonics - formant) / 700)) + 0.05
    return 0.05 * (levels[:, None] * np.sin(2 * np.pi * harmonics[:, None] * time)).sum(axis=0)


def hiss(seconds, rate=RATE, seed=0):
    """White noise, which is not voiced."""
    return 0.05 * np.random.default_rng(seed).normal(size=round(seconds * rate))


def sentence(f0=120.0, stretch=1.0, rate=RATE, formants=(500, 1500, 900, 2300), seed=0):
    """Four vowels with a hiss between them; `stretch` is how much longer everything lasts."""
    parts = []
    for i, formant in enumerate(formants):
        parts += [vowel(0.2 * stretch, f0 * (1 + 0.05 * i), formant, rate), hiss(0.1 * stretch, rate, seed + i)]
    return np.concatenate(parts[:-1]).astype(np.float32)


def silence(seconds, rate=RATE):
    return np.zeros(round(seconds * rate), np.float32)
