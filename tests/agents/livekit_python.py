"""An agent on livekit-agents for Python, any version from 1.4 to 1.8: the framework as it is, with silero's voice activity
detection, and the demo agent's scripted models (demo/), whose script is the metadata of the dispatch."""

from __future__ import annotations

import asyncio
import logging
import math
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "demo")]

import taps  # noqa: E402

taps.install()

from livekit.agents import (  # noqa: E402
    Agent,
    AgentServer,
    AgentSession,
    JobContext,
    JobProcess,
    function_tool,
)
from livekit.plugins import silero  # noqa: E402

from call import Call, Truth  # noqa: E402
from llm import ScriptedLLM  # noqa: E402
from script import Script, call_number  # noqa: E402
from stt import ScriptedSTT  # noqa: E402
from tts import ScriptedTTS  # noqa: E402


class Librarian(Agent):
    """Greets, and looks a book up when its model says so."""

    def __init__(self, call: Call) -> None:
        super().__init__(instructions="You work in a library.")
        self._call = call

    async def on_enter(self) -> None:
        self.session.say(self._call.script.script.greeting.text)

    async def on_user_turn_completed(self, turn_ctx, new_message) -> None:
        self._call.turn_over()

    @function_tool
    async def find_book(self) -> str:
        """Finds a book on the shelves."""
        await asyncio.sleep(self._call.script.script.tool.ms / 1000)
        return "third floor"


async def entrypoint(ctx: JobContext) -> None:
    script = Script.parse(ctx.job.metadata)
    call = Call(script.for_call(call_number(ctx.job.room.name)), Truth(ctx.job.room.name))
    ears = ScriptedSTT(call)
    session = AgentSession(
        vad=ctx.proc.userdata["vad"],
        stt=ears,
        llm=ScriptedLLM(call),
        tts=ScriptedTTS(call),
        turn_detection="vad",
        min_endpointing_delay=script.stages.end_of_turn_delay_ms / 1000,
        preemptive_generation=False,
    )
    session.on("user_state_changed", ears.on_user_state)
    await session.start(Librarian(call), room=ctx.room, record=False)


def prewarm(process: JobProcess) -> None:
    process.userdata["vad"] = silero.VAD.load()


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    server = AgentServer(
        load_threshold=math.inf,
        load_fnc=lambda: 0.0,
        num_idle_processes=1,
        host="127.0.0.1",
        port=0,
        setup_fnc=prewarm,
    )
    server.rtc_session(entrypoint, agent_name="field")
    asyncio.run(server.run())


if __name__ == "__main__":
    main()
