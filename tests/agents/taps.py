"""What an agent on LiveKit's Python SDK really heard and sent, whatever framework is above it.

install() wraps the two ends of the SDK's audio. Each edge of something loud becomes a line of JSON in the file that
TRUTH names: {"at": unix time, "what": "ear began|ear ended|mouth began|mouth ended"}. Loud is a block of 10 ms at or above
-50 dBFS; a sound has ended when none follows for 250 ms.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

import numpy as np

BLOCKS_A_SECOND = 100
LOUD = 32_768 * 10 ** (-50 / 20)
PAUSE_SECONDS = 0.25


def write(what: str, at: float, **more: Any) -> None:
    if path := os.environ.get("TRUTH"):
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"at": at, "what": what, **more}) + "\n")


class Edges:
    """Finds the beginnings and ends of what is loud in a stream."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last: float | None = None

    def feed(self, data: Any, rate: int, channels: int, at: float) -> None:
        """`at` is the moment of the first sample."""
        samples = np.frombuffer(data, dtype=np.int16).reshape(-1, channels)[:, 0].astype(float)
        size = rate // BLOCKS_A_SECOND
        for start in range(0, len(samples), size):
            block = samples[start : start + size]
            began = at + start / rate
            if self._last is not None and began - self._last > PAUSE_SECONDS:
                write(f"{self._name} ended", self._last)
                self._last = None
            if np.sqrt(np.mean(block**2)) < LOUD:
                continue
            if self._last is None:
                write(f"{self._name} began", began)
            self._last = began + len(block) / rate


def _edges_of(owner: Any, name: str) -> Edges:
    return owner.__dict__.setdefault("_tapped", Edges(name))


def install() -> None:
    from livekit import rtc

    capture = rtc.AudioSource.capture_frame
    receive = rtc.AudioStream.__anext__

    async def capture_frame(self: rtc.AudioSource, frame: rtc.AudioFrame) -> None:
        edges = _edges_of(self, "mouth")
        # What is queued is played before it.
        at = time.time() + self.queued_duration
        edges.feed(frame.data, frame.sample_rate, frame.num_channels, at)
        await capture(self, frame)

    async def receive_frame(self: rtc.AudioStream) -> rtc.AudioFrameEvent:
        event = await receive(self)
        frame = event.frame
        began = time.time() - frame.samples_per_channel / frame.sample_rate
        edges = _edges_of(self, "ear")
        edges.feed(frame.data, frame.sample_rate, frame.num_channels, began)
        return event

    rtc.AudioSource.capture_frame = capture_frame
    rtc.AudioStream.__anext__ = receive_frame
