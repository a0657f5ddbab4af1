"""When the caller speaks, by loudness alone."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import numpy as np
from livekit import rtc

RATE = 16_000
# −42 dBFS, and two frames in a row, so that no click is a beginning.
LOUD = 250.0


class Ear:
    """Reads a track and says when a speech began, goes on, and has ended."""

    def __init__(self, track: rtc.Track, endpoint_ms: float) -> None:
        self._stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=20)
        self._endpoint = endpoint_ms / 1000

    async def listen(self) -> AsyncIterator[tuple[str, float]]:
        """`("began", when)`, `("loud", for how long)`, `("ended", last loud moment)`."""
        began, last, run = 0.0, 0.0, 0
        speaking = False
        try:
            async for event in self._stream:
                samples = np.frombuffer(event.frame.data, dtype=np.int16).astype(np.float64)
                now = time.time()
                if np.sqrt(np.mean(samples**2)) > LOUD:
                    run, last = run + 1, now
                    if run == 2 and not speaking:
                        speaking, began = True, now
                        yield "began", now
                    elif speaking:
                        yield "loud", now - began
                else:
                    run = 0
                    if speaking and now - last >= self._endpoint:
                        speaking = False
                        yield "ended", last
        finally:
            await self._stream.aclose()
