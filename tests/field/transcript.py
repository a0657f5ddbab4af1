"""The words of a reply as `lk.transcription` streams, which stay open while they are spoken."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import Any

from livekit import rtc

_TOPIC = "lk.transcription"
_FINAL = "lk.transcription_final"
# The stream opens this long after the voice.
_LATE_SECONDS = 0.1


async def write(room: rtc.Room, text: str, options: dict[str, Any], over: asyncio.Event) -> None:
    """Writes `text` until it is spoken (`over`), in `segments` streams `gap` ms apart.

    `final`: "closing" has the last word of livekit-agents 1.2 to 1.8, "never" that of Node.
    """
    words = text.split()
    count = options.get("segments", 1)
    size = -(-len(words) // count)
    await asyncio.sleep(_LATE_SECONDS)
    for index in range(count):
        writer = await room.local_participant.stream_text(
            topic=_TOPIC,
            attributes={_FINAL: "false", "lk.segment_id": f"SG_{uuid.uuid4().hex[:8]}"},
        )
        await writer.write(" ".join(words[index * size : (index + 1) * size]) + " ")
        if index == count - 1:
            await over.wait()
        else:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), options.get("gap", 300) / 1000)
        final = options.get("final", "closing") == "closing"
        await writer.aclose(attributes={_FINAL: "true"} if final else None)
