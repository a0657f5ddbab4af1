"""What the field agent sounds like: 48 kHz mono, as float samples on the scale of 16 bit."""

from __future__ import annotations

import numpy as np

RATE = 48_000
FULL = 32_768.0
# Of each sound this much is there from the beginning, as nothing may be computed while calls are on.
LONGEST_MS = 8_000


def _at_full(samples: np.ndarray) -> np.ndarray:
    """At 0 dBFS of mean power."""
    return samples * (FULL / np.sqrt(np.mean(samples**2)))


def _voice(t: np.ndarray) -> np.ndarray:
    """Vowels of a quarter of a second, loud from the first sample and never silent in between."""
    pitch = 115 + 25 * np.sin(2 * np.pi * 0.7 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    formant = 600 + 250 * np.sign(np.sin(2 * np.pi * 2 * t))
    partials = (
        np.sin(n * phase) * np.exp(-(((n * 115 - formant) / 700) ** 2)) for n in range(1, 14)
    )
    return _at_full(sum(partials) * (0.7 + 0.3 * np.cos(2 * np.pi * 4 * t)))


def _noise(t: np.ndarray) -> np.ndarray:
    """A room with a fan in it: more low than high."""
    white = np.random.default_rng(11).normal(0, 1, len(t))
    return _at_full(white + np.convolve(white, np.full(24, 0.25), mode="same"))


def _typing(t: np.ndarray) -> np.ndarray:
    """Keys of some 15 ms at irregular times; the level is that of a key, not of the whole."""
    random = np.random.default_rng(5)
    samples = np.zeros(len(t))
    at = 0
    while at < len(samples) - 720:
        samples[at : at + 720] = _at_full(random.normal(0, 1, 720) * np.exp(-np.arange(720) / 180))
        at += int(random.uniform(0.08, 0.25) * RATE)
    return samples


def _music(t: np.ndarray) -> np.ndarray:
    """A chord that swells slowly."""
    chord = sum(np.sin(2 * np.pi * hertz * t) for hertz in (220, 277, 330))
    return _at_full(chord * (0.85 + 0.15 * np.sin(2 * np.pi * 0.375 * t)))


_TIME = np.arange(RATE * LONGEST_MS // 1000) / RATE
_MADE = {
    "voice": _voice(_TIME),
    "noise": _noise(_TIME),
    "typing": _typing(_TIME),
    "music": _music(_TIME),
    "silence": np.zeros(len(_TIME)),
}


def make(kind: str, ms: float, dbfs: float) -> np.ndarray:
    """`ms` of a sound at a level. Raises KeyError for a kind that does not exist."""
    return _MADE[kind][: int(RATE * ms / 1000)] * 10 ** (dbfs / 20)


def loop(kind: str, dbfs: float) -> np.ndarray:
    """All there is of a sound, a whole number of frames, to be repeated."""
    return make(kind, LONGEST_MS, dbfs)
