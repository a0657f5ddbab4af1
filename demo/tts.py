"""The voice by script: audible from its first sample, after a chosen delay."""

from __future__ import annotations

import asyncio
import functools
import time

import numpy as np
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, APIError, tts

from call import Call
from script import ends_sentence, speech_ms

SAMPLE_RATE = 24_000
_PITCH_HZ = 140
_SYLLABLES_HZ = 4
_LEVEL = 0.22
_QUIETEST = 0.35
_PIECE_MS = 200


class ScriptedTTS(tts.TTS):
    """Speaks a voiced tone whose length follows from the text, or is fixed by the script."""

    def __init__(self, call: Call) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True),
            sample_rate=SAMPLE_RATE,
            num_channels=1,
        )
        self._call = call

    @property
    def model(self) -> str:
        return "demo-tts"

    @property
    def provider(self) -> str:
        return "demo"

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return self._synthesize_with_stream(text, conn_options=conn_options)

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.SynthesizeStream:
        return _Stream(self, self._call, conn_options)


class _Stream(tts.SynthesizeStream):
    def __init__(self, owner: ScriptedTTS, call: Call, conn_options: APIConnectOptions) -> None:
        self._call = call
        self._position = 0
        super().__init__(tts=owner, conn_options=conn_options)

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        turn: int | None = None
        fixed_ms: float | None = None
        output_emitter.initialize(
            request_id=f"demo-{id(self):x}",
            sample_rate=SAMPLE_RATE,
            num_channels=1,
            mime_type="audio/pcm",
            stream=True,
        )
        async for sentence in self._sentences():
            if turn is None:
                turn = self._call.reply_turn
                fixed_ms = self._call.script.fixed_audio_ms(turn)
                output_emitter.start_segment(segment_id=f"demo-turn-{turn}")
                await self._begin(turn)
                self._speak(output_emitter, fixed_ms or speech_ms(sentence))
            elif fixed_ms is None:
                self._speak(output_emitter, speech_ms(sentence))
        if turn is not None:
            output_emitter.end_segment()
            audio_ms = self._position * 1000 / SAMPLE_RATE
            self._call.truth.write("tts_done", turn=turn, audio_ms=audio_ms)

    async def _sentences(self):
        sentence = ""
        async for piece in self._input_ch:
            if not isinstance(piece, str):
                continue
            sentence += piece
            if ends_sentence(sentence):
                yield sentence
                sentence = ""
        if sentence.strip():
            yield sentence

    async def _begin(self, turn: int) -> None:
        """Plays the delay to the first audio, from the moment the first sentence is there."""
        self._mark_started()
        began = time.perf_counter()
        script = self._call.script
        if script.fault("tts_hang", turn):
            self._call.truth.write("fault", kind="tts_hang", turn=turn)
            await asyncio.Event().wait()
        delay_ms = script.stages(turn).tts_ttfb_ms
        await asyncio.sleep(delay_ms / 1000)
        if script.fault("tts_error", turn):
            self._call.truth.write("fault", kind="tts_error", turn=turn)
            raise APIError("scripted tts_error", retryable=False)
        real_ms = (time.perf_counter() - began) * 1000
        self._call.truth.write("tts_first_audio", turn=turn, injected_ms=delay_ms, real_ms=real_ms)

    def _speak(self, output_emitter: tts.AudioEmitter, duration_ms: float) -> None:
        # All at once, faster than it is played, as a fast provider would. The tone runs on from
        # the sentence before, so a reply has no gap inside.
        left = round(duration_ms * SAMPLE_RATE / 1000)
        while left > 0:
            count = min(left, _PIECE_MS * SAMPLE_RATE // 1000)
            output_emitter.push(voice(self._position, count))
            self._position += count
            left -= count


def voice(start: int, count: int) -> bytes:
    """Samples `start` to `start + count` of the demo voice: 16 bit mono at `SAMPLE_RATE`.

    A buzz of eight harmonics with a syllable's swell, about -21 dBFS on average and never below
    -28 dBFS. It begins at full swell, so that the first frame is as audible as any.
    """
    second = _one_second()
    indices = np.arange(start, start + count) % SAMPLE_RATE
    return second[indices].tobytes()


@functools.cache
def _one_second() -> np.ndarray:
    # pitch and syllables are whole numbers of cycles a second, so a second repeats without a seam
    at = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = sum(np.cos(2 * np.pi * _PITCH_HZ * k * at + k * k) / k for k in range(1, 9))
    swell = _QUIETEST + (1 - _QUIETEST) * (0.5 + 0.5 * np.cos(2 * np.pi * _SYLLABLES_HZ * at))
    sound = tone * swell
    return (sound / np.abs(sound).max() * _LEVEL * 32767).astype(np.int16)
