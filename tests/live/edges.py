"""Where each side of a stereo file is audible, by another method than loadcall's ear and other decoders: FFmpeg reads the
file, and what has an RMS of more than -45 dBFS in windows of 5 ms is audible. Pauses of less than 100 ms are bridged.
Prints {"length_ms": ..., "sides": [[[begin_ms, end_ms], ...], [...]]}."""

import json
import sys

import av
import numpy as np

WINDOW_MS = 5
PAUSE = 20
AUDIBLE = 10 ** (-45 / 20)


def edges(side: np.ndarray, rate: int) -> list[list[int]]:
    window = rate * WINDOW_MS // 1000
    count = len(side) // window
    rms = np.sqrt((side[: count * window].reshape(count, window) ** 2).mean(axis=1))
    found: list[list[int]] = []
    for place in np.flatnonzero(rms > AUDIBLE).tolist():
        if found and place - found[-1][1] <= PAUSE:
            found[-1][1] = place
        else:
            found.append([place, place])
    return [[begin * WINDOW_MS, (end + 1) * WINDOW_MS] for begin, end in found]


with av.open(sys.argv[1]) as file:
    rate = file.streams.audio[0].rate
    to_float = av.AudioResampler(format="fltp", layout="stereo", rate=rate)
    pieces = [out.to_ndarray() for frame in file.decode(audio=0) for out in to_float.resample(frame)]
sides = np.concatenate(pieces, axis=1)
length = sides.shape[1] * 1000 / rate
print(json.dumps({"length_ms": length, "sides": [edges(side, rate) for side in sides]}))
