"""One call: the job's entry point, a real AgentSession with scripted models."""

from __future__ import annotations

import asyncio
import logging
import os

from livekit.agents import (
    Agent,
    AgentSession,
    AgentStateChangedEvent,
    JobContext,
    JobProcess,
    StopResponse,
    UserStateChangedEvent,
    function_tool,
    llm,
    room_io,
)
from livekit.plugins import silero

import tracing
from call import Call, Truth
from llm import ScriptedLLM
from script import VAD_MIN_SILENCE_MS, Script, ScriptError, Tool, call_number
from stt import ScriptedSTT
from tts import ScriptedTTS

# how far into the greeting a fault of turn 0 strikes, in seconds
_INTO_GREETING = 0.5

logger = logging.getLogger("demo")


def prewarm(process: JobProcess) -> None:
    """Loads what the first call of a process would otherwise wait for."""
    # a no-op where the fork server did it; under threads it happens here
    import warm  # noqa: F401

    process.userdata["vad"] = silero.VAD.load(min_silence_duration=VAD_MIN_SILENCE_MS / 1000)


async def entrypoint(ctx: JobContext) -> None:
    """Plays one call as its dispatch metadata says."""
    room = ctx.job.room.name
    try:
        script = Script.parse(ctx.job.metadata)
    except ScriptError as error:
        for problem in error.problems:
            logger.error("room %s: %s", room, problem)
        ctx.shutdown("invalid metadata")
        return
    call = Call(script.for_call(call_number(room)), Truth(room))
    call.truth.write("job_started", room=room, metadata=ctx.job.metadata)
    if call.script.fault("no_join"):
        call.truth.write("fault", kind="no_join")
        ctx.shutdown("scripted no_join")
        return
    if late := call.script.fault("late_join"):
        call.truth.write("fault", kind="late_join")
        await asyncio.sleep(late.ms / 1000)
    tracing.start(ctx, call.script.script.traceparent)
    agent = DemoAgent(ctx, call)
    session = _session(ctx, call, agent)

    async def end() -> None:
        call.truth.write("job_ended")
        call.truth.close()

    ctx.add_shutdown_callback(end)
    await session.start(
        agent,
        room=ctx.room,
        room_options=room_io.RoomOptions(
            # The caller's audio is not played back to anyone and is only looked at by the VAD:
            # what levels it or waits for it would be processor time spent on nothing.
            audio_input=room_io.AudioInputOptions(
                sample_rate=16_000, auto_gain_control=False, pre_connect_audio=False
            ),
        ),
        session_host=script.session_host,
        record=False,
    )
    call.truth.write("listening")


def _session(ctx: JobContext, call: Call, agent: DemoAgent) -> AgentSession:
    script = call.script.script
    recognition = ScriptedSTT(call)
    session = AgentSession(
        vad=ctx.proc.userdata["vad"],
        stt=recognition,
        llm=ScriptedLLM(call),
        tts=ScriptedTTS(call),
        turn_handling={
            "turn_detection": "vad",
            "endpointing": {"mode": "fixed", "min_delay": script.stages.end_of_turn_delay_ms / 1000},
            "interruption": {
                "enabled": call.script.fault("ignore_barge_in") is None,
                "mode": "vad",
                "min_duration": 0.3,
                # a caller who barges in is meant: stop at once instead of pausing to find out
                "resume_false_interruption": False,
            },
            "preemptive_generation": {"enabled": script.preemptive_generation},
        },
        # callers here have no loudspeaker, so there is no echo to learn before listening
        aec_warmup_duration=None,
        user_away_timeout=None,
        # a session that ends while the caller speaks has nothing to wait for
        session_close_transcript_timeout=0.0,
        # the transforms hold words back until they can tell markup from text
        tts_text_transforms=None,
    )

    def on_user_state(event: UserStateChangedEvent) -> None:
        recognition.on_user_state(event)
        if event.new_state == "speaking":
            min_delay = call.script.stages(call.caller_spoke()).end_of_turn_delay_ms / 1000
            session.update_options(endpointing_opts={"min_delay": min_delay})

    def on_agent_state(event: AgentStateChangedEvent) -> None:
        call.truth.write("agent_state", state=event.new_state)
        if event.new_state == "speaking" and call.heard_turn == 0:
            asyncio.get_running_loop().call_later(_INTO_GREETING, agent.break_off_if_scripted, 0)

    session.on("user_state_changed", on_user_state)
    session.on("agent_state_changed", on_agent_state)
    session.on("conversation_item_added", lambda event: _record_item(call, event.item))
    return session


def _record_item(call: Call, item: llm.ChatItem) -> None:
    if isinstance(item, llm.ChatMessage):
        metrics = {k: v for k, v in item.metrics.items() if isinstance(v, (int, float))}
        call.truth.write(
            "item", role=item.role, interrupted=item.interrupted, metrics=metrics
        )


class DemoAgent(Agent):
    """Greets, answers, and breaks off where the script says so."""

    def __init__(self, ctx: JobContext, call: Call) -> None:
        tool = call.script.script.tool
        super().__init__(
            instructions="You are the demo agent.",
            tools=[_tool(call, tool)] if tool is not None else [],
        )
        self._ctx = ctx
        self._call = call

    async def on_enter(self) -> None:
        greeting = self._call.script.script.greeting
        if self._call.script.fault("no_greeting"):
            self._call.truth.write("fault", kind="no_greeting")
        elif greeting is not None:
            self.session.say(greeting.text)

    async def on_user_turn_completed(
        self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage
    ) -> None:
        turn = self._call.heard_turn
        self._call.turn_over()
        self._call.truth.write("turn_completed", turn=turn)
        if self.break_off_if_scripted(turn):
            raise StopResponse
        delay_ms = self._call.script.stages(turn).on_user_turn_completed_delay_ms
        if delay_ms:
            await asyncio.sleep(delay_ms / 1000)

    def break_off_if_scripted(self, turn: int) -> bool:
        """Crashes or leaves, if a fault of this turn says so; returns whether it leaves."""
        if self._call.script.fault("crash", turn):
            self._call.truth.write("fault", kind="crash", turn=turn)
            os._exit(1)
        if self._call.script.fault("disconnect", turn):
            self._call.truth.write("fault", kind="disconnect", turn=turn)
            self._ctx.shutdown("scripted disconnect")
            return True
        return False



def _tool(call: Call, tool: Tool) -> llm.RawFunctionTool:
    async def run(raw_arguments: dict[str, object]) -> str:
        call.truth.write("tool", name=tool.name, injected_ms=tool.ms)
        await asyncio.sleep(tool.ms / 1000)
        return "done"

    return function_tool(
        run,
        raw_schema={
            "name": tool.name,
            "description": "A tool that takes as long as the script says.",
            "parameters": {"type": "object", "properties": {}},
        },
    )
