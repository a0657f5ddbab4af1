"""One participant of the agent's side that listens to the caller and speaks, by script."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Coroutine
from typing import Any

from livekit import rtc

import reports
import sounds
import transcript
import truth
from ear import Ear
from mouth import Mouth, Said

# The silence after which the caller has ended, unless the script says otherwise.
ENDPOINT_MS = 400
# A track that comes with a speech is there this much earlier, so that others hear its first word.
PUBLISH_AHEAD = 0.25
# The first audio of a reply is there this much before it is heard.
READY_AHEAD = 0.15


class Figure:
    """`script` is the metadata (see agent.py), `body` the participant that listens and reports, `voice` the one that
    publishes, `answered` how many turns of the caller somebody else has answered."""

    def __init__(
        self, script: dict[str, Any], name: str, who: str, body: rtc.Room, voice: rtc.Room,
        answered: int = 0,
    ) -> None:  # fmt: skip
        self._script = script
        self._name = name
        self._who = who
        self._body = body
        self._voice = voice
        self.turn = answered
        self._state = "initializing"
        self._track: dict[str, Any] = script.get("track", {})
        self._mouth: Mouth | None = None
        self._mouths: list[Mouth] = []
        self._spoken = 0
        self._replying: asyncio.Task[None] | None = None
        self._pushed: float | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        chosen = script.get("reports", [])
        self._reports = reports.dialects(body, chosen, script.get("tools", "told"))
        # Called with the turn that was answered.
        self.after_reply: Any = None
        self.silenced = False

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            traceback.print_exception(error)

    def end(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        for mouth in self._mouths:
            mouth.end()

    def truth(self, what: str, at: float | None = None, **more: Any) -> None:
        truth.write(self._name, self._who, what, at, **more)

    # -- what it publishes ---------------------------------------------------------------------

    async def publish(self) -> None:
        """Its tracks, as far as they are there from the beginning."""
        for other in self._script.get("tracks", []):
            if other.get("before"):
                await self._other(other)
        await asyncio.sleep(self._track.get("after", 0) / 1000)
        when = self._track.get("publish", "at_once")
        if when != "each_word":
            self._mouth = self._new_mouth(self._track.get("name", "roomio_audio"), self._track)
            if bed := self._script.get("bed"):
                self._mouth.lie_under(bed)
        if when == "at_once" and self._mouth is not None:
            await self._mouth.publish()
        for other in self._script.get("tracks", []):
            if not other.get("before"):
                await asyncio.sleep(0.3)
                await self._other(other)
        if self._script.get("push_to_talk"):
            for method in ("start_turn", "end_turn"):
                self._body.local_participant.register_rpc_method(method, self._pressed)
        await self._be("listening")

    def _new_mouth(self, name: str, options: dict[str, Any]) -> Mouth:
        mouth = Mouth(self._voice, name, options)
        self._mouths.append(mouth)
        return mouth

    async def _other(self, other: dict[str, Any]) -> None:
        mouth = self._new_mouth(other["name"], {"source": "unknown", **other})
        mouth.lie_under({"sound": other.get("sound", "silence"), "dbfs": other.get("dbfs", -30)})
        await mouth.publish()
        self.truth("track", name=other["name"])

    # -- what it hears -------------------------------------------------------------------------

    async def attend(self, track: rtc.Track) -> None:
        """The caller's track is there: greets, and answers what is said until the track ends."""
        begun = time.time()
        for speech in self._script.get("greeting", []):
            self.spawn(self._greet(begun + speech["at"] / 1000, speech))
        async for what, at in Ear(track, self._script.get("endpoint", ENDPOINT_MS)).listen():
            if self.silenced:
                return
            if what == "began":
                self.truth("caller_began", at)
            elif what == "loud":
                self._heed_interruption(at)
            elif not self._script.get("push_to_talk"):
                self._answer(at)
            else:
                self._pushed = at

    async def _greet(self, due: float, speech: dict[str, Any]) -> None:
        await self._speak(due, speech, "greeting")
        if self._state == "speaking":
            await self._be("listening")

    def _heed_interruption(self, spoken_for: float) -> None:
        yields = self._script.get("yields")
        if yields is not None and spoken_for * 1000 >= yields and self._replying:
            self._replying.cancel()
            self._replying = None

    async def _pressed(self, call: rtc.RpcInvocationData) -> str:
        self.truth("rpc", method=call.method, payload=call.payload)
        if call.method == "end_turn":
            self._answer(self._pushed or time.time())
        return "ok"

    def _answer(self, ended: float) -> None:
        self.turn += 1
        self.truth("caller_ended", ended, turn=self.turn)
        self._replying = self.spawn(self._reply(self.turn, ended))

    # -- what it says --------------------------------------------------------------------------

    async def _reply(self, turn: int, ended: float) -> None:
        parts = self._of_turn("replies", turn, [{"after": 900, "ms": 800}])
        speeches = [part for part in parts if "tool" not in part]
        text = self._of_turn("texts", turn, "we are open from nine to six")
        endpoint = self._script.get("endpoint", ENDPOINT_MS) / 1000
        metrics = {"transcription_delay": endpoint / 2, "end_of_turn_delay": endpoint}
        metrics |= self._script.get("user_metrics", {}).get(str(turn), {})
        await self._be("thinking")
        for dialect in self._reports:
            await dialect.user_said(reports.Message(f"turn {turn}", metrics))
        for part in parts:
            if "tool" in part:
                self.spawn(self._use(part, ended))
        began: list[float] = []
        try:
            for index, part in enumerate(speeches):
                is_last = index == len(speeches) - 1
                words = text if is_last else part.get("text")
                own = part["after"] / 1000
                self.spawn(self._tell_ready(ended + own, self._metrics(turn, own), words))
                at = await self._speak(ended + part["after"] / 1000, part, f"reply {turn}", words)
                began.append(at)
                await self._be("listening" if is_last else "thinking")
        except asyncio.CancelledError:
            if self._mouth is not None:
                self._mouth.stop()
            self.truth("interrupted", turn=turn)
            self.spawn(self._over(turn, ended, text, began, interrupted=True))
            raise
        await self._over(turn, ended, text, began, interrupted=False)

    async def _over(
        self, turn: int, ended: float, text: str, began: list[float], *, interrupted: bool
    ) -> None:
        if interrupted:
            await self._be("listening")
        metrics = self._metrics(turn, (began[0] if began else time.time()) - ended)
        spoken = reports.Message(
            text, metrics, interrupted, began[0] if began else None, time.time()
        )
        for dialect in self._reports:
            await dialect.agent_said(spoken)
        if self.after_reply is not None:
            await self.after_reply(turn)

    def _metrics(self, turn: int, own: float) -> dict[str, float]:
        """What it reports of a reply that took it so many seconds: first token, first sentence, first audio."""
        work = max(0.0, own - self._script.get("endpoint", ENDPOINT_MS) / 1000)
        stages = {"llm_node_ttft": 0.4, "llm_node_ttfs": 0.6, "tts_node_ttfb": 0.4}
        metrics = {name: share * work for name, share in stages.items()}
        return metrics | {"e2e_latency": own} | self._script.get("metrics", {}).get(str(turn), {})

    async def _tell_ready(self, due: float, metrics: dict[str, float], text: str | None) -> None:
        await asyncio.sleep(max(0.0, due - time.time() - READY_AHEAD))
        for dialect in self._reports:
            await dialect.answer_ready(reports.Message(text or "", metrics))

    def _of_turn(self, key: str, turn: int, default: Any) -> Any:
        values = self._script.get(key) or [default]
        return values[(turn - 1) % len(values)]

    async def _use(self, part: dict[str, Any], ended: float) -> None:
        tool = reports.Tool(part["tool"])
        await asyncio.sleep(max(0.0, ended + part["after"] / 1000 - time.time()))
        for dialect in self._reports:
            await dialect.tool_began(tool)
        await asyncio.sleep(part["ms"] / 1000)
        self.truth("tool", name=tool.name)
        for dialect in self._reports:
            await dialect.tool_ended(tool)

    async def _speak(
        self, due: float, speech: dict[str, Any], what: str, words: str | None = None
    ) -> float:
        """Says something at `due` and waits for its end. Returns when it began."""
        sound, dbfs = speech.get("sound", "voice"), speech.get("dbfs", -20.0)
        samples = sounds.make(sound, speech["ms"], dbfs)
        alone = self._track.get("publish") == "each_word"
        mouth = await self._mouth_for(due)
        at = due

        def began(moment: float) -> None:
            nonlocal at
            at = moment
            self.truth("voice", moment, of=what, sound=sound, ms=speech["ms"])
            # Typing and music are no speech of which an agent would say that it speaks.
            if sound == "voice":
                self.spawn(self._be("speaking"))

        said: Said = mouth.say(due, samples, began)
        if words and self._script.get("text") is not None:
            self.spawn(self._write(words, said, due))
        await said.over.wait()
        if alone:
            await asyncio.sleep(0.3)
            await mouth.take_back()
        return at

    async def _mouth_for(self, due: float) -> Mouth:
        if self._mouth is None:
            self._spoken += 1
            await asyncio.sleep(max(0.0, due - time.time() - PUBLISH_AHEAD))
            mouth = self._new_mouth(f"speech-{self._spoken}", self._track)
            await mouth.publish()
            return mouth
        if not self._mouth.is_published:
            await asyncio.sleep(max(0.0, due - time.time() - PUBLISH_AHEAD))
            await self._mouth.publish()
        return self._mouth

    async def _write(self, words: str, said: Said, due: float) -> None:
        await asyncio.sleep(max(0.0, due - time.time()))
        await transcript.write(self._body, words, self._script["text"], said.over)

    async def _be(self, state: str) -> None:
        old, self._state = self._state, state
        if old != state:
            for dialect in self._reports:
                await dialect.state(old, state)
