"""A track of the agent's side: whatever is due is mixed into it, exact to the sample."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from livekit import rtc

import sounds

FRAME = 960
# How far ahead of its playout a sound is handed over.
QUEUE_MS = 40

SOURCES = {
    "microphone": rtc.TrackSource.SOURCE_MICROPHONE,
    "unknown": rtc.TrackSource.SOURCE_UNKNOWN,
}


@dataclass
class Said:
    """A sound on its way out."""

    due: float
    samples: np.ndarray
    began: Callable[[float], None]
    at: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Mouth:
    """Publishes one track and feeds it."""

    def __init__(self, room: rtc.Room, name: str, options: dict[str, Any]) -> None:
        self._room = room
        self._name = name
        self._source_kind = SOURCES[options.get("source", "microphone")]
        self._channels = options.get("channels", 1)
        self._source = rtc.AudioSource(sounds.RATE, self._channels, queue_size_ms=QUEUE_MS)
        self._bed: np.ndarray | None = None
        self._bed_at = 0
        self._said: list[Said] = []
        self._feeding: asyncio.Task[None] | None = None
        self._sid: str | None = None

    @property
    def is_published(self) -> bool:
        return self._sid is not None

    @property
    def is_speaking(self) -> bool:
        return any(said.at > 0 for said in self._said)

    def lie_under(self, bed: dict[str, Any]) -> None:
        """From now on the track is never silent."""
        self._bed = sounds.loop(bed["sound"], bed["dbfs"])

    async def publish(self) -> None:
        track = rtc.LocalAudioTrack.create_audio_track(self._name, self._source)
        options = rtc.TrackPublishOptions(source=self._source_kind)
        publication = await self._room.local_participant.publish_track(track, options)
        self._sid = publication.sid
        self._feeding = asyncio.create_task(self._feed())

    def end(self) -> None:
        if self._feeding is not None:
            self._feeding.cancel()

    async def take_back(self) -> None:
        self.end()
        if self._sid is not None:
            await self._room.local_participant.unpublish_track(self._sid)

    def say(self, due: float, samples: np.ndarray, began: Callable[[float], None]) -> Said:
        """Plays a sound from `due` (unix time) on; `began` gets the moment of its first sample."""
        said = Said(due, samples, began)
        self._said.append(said)
        return said

    def stop(self) -> None:
        """Everything that is being said ends at once."""
        for said in self._said:
            said.over.set()
        self._said.clear()

    async def _feed(self) -> None:
        while True:
            frame = self._next(time.time() + self._source.queued_duration)
            samples = np.clip(frame, -32_767, 32_767).astype(np.int16)
            if self._channels == 2:
                samples = np.repeat(samples, 2)
            data = samples.tobytes()
            await self._source.capture_frame(
                rtc.AudioFrame(data, sounds.RATE, self._channels, FRAME)
            )

    def _next(self, now: float) -> np.ndarray:
        """The frame that is played at `now`."""
        frame = np.zeros(FRAME)
        if self._bed is not None:
            frame += self._bed[self._bed_at : self._bed_at + FRAME]
            self._bed_at = (self._bed_at + FRAME) % len(self._bed)
        for said in list(self._said):
            skip = max(0, round((said.due - now) * sounds.RATE)) if said.at == 0 else 0
            if skip >= FRAME:
                continue
            if said.at == 0:
                said.began(now + skip / sounds.RATE)
            piece = said.samples[said.at : said.at + FRAME - skip]
            frame[skip : skip + len(piece)] += piece
            said.at += len(piece)
            if said.at >= len(said.samples):
                self._said.remove(said)
                said.over.set()
        return frame
