"""A Pipecat bot on its LiveKit transport: pipeline, voice activity detection, turn taking and reports (RTVI) as they are,
with scripted services. Pipecat has no dispatch of its own: it joins each new room whose name begins with ROOMS."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "field")]

import taps  # noqa: E402

taps.install()

import numpy as np  # noqa: E402
from livekit import api  # noqa: E402
from loguru import logger  # noqa: E402
from pipecat.adapters.schemas.function_schema import FunctionSchema  # noqa: E402
from pipecat.adapters.schemas.tools_schema import ToolsSchema  # noqa: E402
from pipecat.audio.vad.silero import SileroVADAnalyzer  # noqa: E402
from pipecat.frames.frames import (  # noqa: E402
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
)
from pipecat.pipeline.pipeline import Pipeline  # noqa: E402
from pipecat.pipeline.worker import PipelineParams, PipelineWorker  # noqa: E402
from pipecat.processors.aggregators.llm_context import LLMContext  # noqa: E402
from pipecat.processors.aggregators.llm_response_universal import (  # noqa: E402
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.services.llm_service import FunctionCallFromLLM, LLMService  # noqa: E402
from pipecat.services.settings import LLMSettings, STTSettings, TTSSettings  # noqa: E402
from pipecat.services.stt_service import SegmentedSTTService  # noqa: E402
from pipecat.services.tts_service import TTSService  # noqa: E402
from pipecat.transports.livekit.transport import LiveKitParams, LiveKitTransport  # noqa: E402
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy  # noqa: E402
from pipecat.turns.user_turn_strategies import UserTurnStrategies  # noqa: E402
from pipecat.utils.time import time_now_iso8601  # noqa: E402
from pipecat.workers.runner import WorkerRunner  # noqa: E402

import sounds  # noqa: E402

RATE = 24_000
GREETING = "Good day, this is the library."
REPLY = "The reading room is open until eight."
# The turn of the caller in which the model asks for a book first.
TOOL_TURN = 2
# Seconds: silence that ends a turn, transcript, first token, first audio, tool.
TURN_END, TRANSCRIPT, FIRST_TOKEN, FIRST_BYTE, TOOL = 0.5, 0.1, 0.25, 0.15, 0.4
SPEECH_MS = 2_500


class ScriptSTTService(SegmentedSTTService):
    turn = 0

    def can_generate_metrics(self) -> bool:
        return True

    async def run_stt(self, audio: bytes):
        await asyncio.sleep(TRANSCRIPT)
        self.turn += 1
        yield TranscriptionFrame(f"turn {self.turn}", self._user_id, time_now_iso8601())


class ScriptLLMService(LLMService):
    def can_generate_metrics(self) -> bool:
        return True

    async def process_frame(self, frame, direction) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMContextFrame):
            await self._answer(frame.context)
        else:
            await self.push_frame(frame, direction)

    async def _answer(self, context: LLMContext) -> None:
        roles = [m.get("role") for m in context.get_messages() if isinstance(m, dict)]
        await self.push_frame(LLMFullResponseStartFrame())
        await self.start_ttfb_metrics()
        await asyncio.sleep(FIRST_TOKEN)
        await self.stop_ttfb_metrics()
        if roles.count("user") == TOOL_TURN and roles[-1] != "tool":
            call = FunctionCallFromLLM(
                context=context, tool_call_id="call_1", function_name="find_book", arguments={}
            )
            await self.run_function_calls([call])
        else:
            for word in REPLY.split():
                await self.push_frame(LLMTextFrame(f"{word} "))
        await self.push_frame(LLMFullResponseEndFrame())


class ScriptTTSService(TTSService):
    def can_generate_metrics(self) -> bool:
        return True

    async def run_tts(self, text: str, context_id: str):
        await asyncio.sleep(FIRST_BYTE)
        await self.stop_ttfb_metrics()
        # Every second sample: the voice has nothing above 4 kHz.
        samples = sounds.make("voice", SPEECH_MS, -20.0)[:: sounds.RATE // RATE]
        data = np.clip(samples, -32_767, 32_767).astype(np.int16).tobytes()
        size = RATE // 50 * 2
        for at in range(0, len(data), size):
            yield TTSAudioRawFrame(data[at : at + size], RATE, 1, context_id=context_id)


def services() -> tuple[ScriptSTTService, ScriptLLMService, ScriptTTSService]:
    stt = ScriptSTTService(settings=STTSettings(model="script", language=None))
    unset = dict.fromkeys(
        ["system_instruction", "temperature", "max_tokens", "top_p", "top_k", "frequency_penalty",
         "presence_penalty", "seed", "user_turn_completion_config"]
    )  # fmt: skip
    settings = LLMSettings(model="script", filter_incomplete_user_turns=False, **unset)
    llm = ScriptLLMService(settings=settings)

    async def find_book(call) -> None:
        await asyncio.sleep(TOOL)
        await call.result_callback({"place": "third floor"})

    llm.register_function("find_book", find_book)
    tts = ScriptTTSService(
        push_start_frame=True,
        push_stop_frames=True,
        settings=TTSSettings(model="script", voice="script", language=None),
        sample_rate=RATE,
    )
    return stt, llm, tts


async def bot(room: str) -> None:
    """One call."""
    grants = api.VideoGrants(room_join=True, room=room)
    token = api.AccessToken().with_identity(f"bot-{os.urandom(3).hex()}").with_grants(grants)
    transport = LiveKitTransport(
        url=os.environ["LIVEKIT_URL"],
        token=token.to_jwt(),
        room_name=room,
        params=LiveKitParams(audio_in_enabled=True, audio_out_enabled=True),
    )
    find_book = FunctionSchema(
        name="find_book", description="finds a book", properties={}, required=[]
    )
    context = LLMContext(tools=ToolsSchema(standard_tools=[find_book]))
    stop = SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=TURN_END)
    turns = LLMUserAggregatorParams(
        vad_analyzer=SileroVADAnalyzer(), user_turn_strategies=UserTurnStrategies(stop=[stop])
    )
    both = LLMContextAggregatorPair(context, user_params=turns)
    stt, llm, tts = services()
    stages = [transport.input(), stt, both.user(), llm, tts, transport.output(), both.assistant()]
    params = PipelineParams(enable_metrics=True, enable_usage_metrics=True)
    worker = PipelineWorker(Pipeline(stages), params=params)

    @transport.event_handler("on_first_participant_joined")
    async def joined(_transport, _who) -> None:
        await asyncio.sleep(0.5)
        await worker.queue_frames([TTSSpeakFrame(GREETING)])

    @transport.event_handler("on_participant_left")
    async def left(_transport, _who, *_more) -> None:
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


async def main() -> None:
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    service, seen, calls = api.LiveKitAPI(), set(), set()

    def over(call: asyncio.Task) -> None:
        calls.discard(call)
        if not call.cancelled() and (error := call.exception()):
            traceback.print_exception(error)

    print("registered worker: none, a Pipecat bot looks for rooms", flush=True)
    while True:
        rooms = (await service.room.list_rooms(api.ListRoomsRequest())).rooms
        for room in rooms:
            if room.sid not in seen and room.name.startswith(os.environ.get("ROOMS", "")):
                seen.add(room.sid)
                call = asyncio.create_task(bot(room.name))
                calls.add(call)
                call.add_done_callback(over)
        await asyncio.sleep(0.15)


if __name__ == "__main__":
    asyncio.run(main())
