"""Speech recognition by script: the right words, a chosen time after the caller stopped."""

from __future__ import annotations

import asyncio
import time

from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    APIError,
    NotGivenOr,
    UserStateChangedEvent,
    stt,
)

from call import Call

_INTERIM_EVERY = 0.3
_LANGUAGE = "en"
# the turn ends once its delay has passed; a late wake-up is not yet another turn
_TURN_MARGIN = 0.1


class ScriptedSTT(stt.STT):
    """Transcribes each turn of the caller as the script says.

    The delay runs from the end of speech as the session's VAD dates it, back before the silence
    it waited for. That is the instant the framework measures `transcription_delay` from: a second
    ear in here would differ from it by tens of milliseconds.
    """

    def __init__(self, call: Call) -> None:
        super().__init__(
            capabilities=stt.STTCapabilities(
                streaming=True, interim_results=True, offline_recognize=False
            )
        )
        self._call = call
        self._streams: list[_Stream] = []

    @property
    def model(self) -> str:
        return "demo-stt"

    @property
    def provider(self) -> str:
        return "demo"

    def on_user_state(self, event: UserStateChangedEvent) -> None:
        """Takes note of the VAD's verdict; to be subscribed to `user_state_changed`."""
        for stream in self._streams:
            if event.new_state == "speaking":
                stream.marks.put_nowait(("speaking", event.created_at))
            elif event.old_state == "speaking":
                stream.marks.put_nowait(("silent", event.created_at))

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        stream = _Stream(self, self._call, conn_options)
        # The session opens a new stream when it drops the old one.
        self._streams = [stream]
        return stream

    async def _recognize_impl(self, buffer, *, language=NOT_GIVEN, conn_options) -> stt.SpeechEvent:
        raise NotImplementedError("the scripted recognition streams")


class _Stream(stt.RecognizeStream):
    def __init__(self, owner: ScriptedSTT, call: Call, conn_options: APIConnectOptions) -> None:
        # before the base class, which starts the task that reads it
        self.marks: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
        self._call = call
        self._audio_seconds = 0.0
        super().__init__(stt=owner, conn_options=conn_options)

    async def _run(self) -> None:
        tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._transcribe())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self) -> None:
        # The audio is only counted, as usage; it ends when the session closes the stream.
        async for frame in self._input_ch:
            if isinstance(frame, rtc.AudioFrame):
                self._audio_seconds += frame.duration

    async def _transcribe(self) -> None:
        while True:
            turn, stopped_at, delay_ms = await self._hear_turn()
            script = self._call.script
            if script.fault("stt_error", turn):
                self._call.truth.write("fault", kind="stt_error", turn=turn)
                self._call.turn_over()
                raise APIError("scripted stt_error", retryable=False)
            if script.fault("stt_silent", turn):
                self._call.truth.write("fault", kind="stt_silent", turn=turn)
                self._call.turn_over()
                continue
            self._call.heard_turn = turn
            stages = script.stages(turn)
            ends_ms = max(stages.transcription_delay_ms, stages.end_of_turn_delay_ms)
            self._call.turn_ends_at(stopped_at + ends_ms / 1000 + _TURN_MARGIN)
            self._send(stt.SpeechEventType.FINAL_TRANSCRIPT, script.heard(turn))
            self._send_usage()
            self._call.truth.write(
                "final_transcript",
                turn=turn,
                injected_ms=delay_ms,
                real_ms=(time.time() - stopped_at) * 1000,
                speech_ended_at=stopped_at,
            )

    async def _hear_turn(self) -> tuple[int, float, float]:
        """Waits until the caller has spoken and the delay has passed without another word."""
        while (await self.marks.get())[0] != "speaking":
            pass
        turn = self._call.caller_spoke()
        delay_ms = self._call.script.stages(turn).transcription_delay_ms
        while True:
            stopped_at = await self._speak_along(turn)
            if not await self._resumed_by(stopped_at + delay_ms / 1000):
                return turn, stopped_at, delay_ms

    async def _speak_along(self, turn: int) -> float:
        """Sends interim transcripts while the caller speaks; returns when speech ended."""
        script = self._call.script
        muted = script.fault("stt_silent", turn) or script.fault("stt_error", turn)
        spoken = script.heard(turn).split()
        shown = 0
        while True:
            try:
                state, at = await asyncio.wait_for(self.marks.get(), _INTERIM_EVERY)
            except asyncio.TimeoutError:
                shown += 1
                if shown < len(spoken) and not muted:
                    interim = " ".join(spoken[:shown])
                    self._send(stt.SpeechEventType.INTERIM_TRANSCRIPT, interim)
                continue
            if state == "silent":
                return at

    async def _resumed_by(self, deadline: float) -> bool:
        while (left := deadline - time.time()) > 0:
            try:
                state, _ = await asyncio.wait_for(self.marks.get(), left)
            except asyncio.TimeoutError:
                break
            if state == "speaking":
                return True
        return False

    def _send(self, kind: stt.SpeechEventType, text: str) -> None:
        self._event_ch.send_nowait(
            stt.SpeechEvent(
                type=kind,
                alternatives=[stt.SpeechData(language=_LANGUAGE, text=text, confidence=0.97)],
            )
        )

    def _send_usage(self) -> None:
        usage = stt.RecognitionUsage(audio_duration=self._audio_seconds)
        self._audio_seconds = 0.0
        self._event_ch.send_nowait(
            stt.SpeechEvent(type=stt.SpeechEventType.RECOGNITION_USAGE, recognition_usage=usage)
        )
