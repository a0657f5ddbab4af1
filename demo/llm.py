"""The model by script: a reply word by word on a timetable, a tool call, or a failure."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    APIError,
    llm,
)

from call import Call
from script import Tool, ends_sentence, words


class ScriptedLLM(llm.LLM):
    """Answers the turn that was last transcribed."""

    def __init__(self, call: Call) -> None:
        super().__init__()
        self._call = call

    @property
    def model(self) -> str:
        return "demo-llm"

    @property
    def provider(self) -> str:
        return "demo"

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: Any = NOT_GIVEN,
        tool_choice: Any = NOT_GIVEN,
        extra_kwargs: Any = NOT_GIVEN,
    ) -> llm.LLMStream:
        return _Stream(self._call, self, chat_ctx, tools or [], conn_options)


class _Stream(llm.LLMStream):
    def __init__(
        self,
        call: Call,
        owner: ScriptedLLM,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool],
        conn_options: APIConnectOptions,
    ) -> None:
        self._call = call
        self._turn = call.heard_turn
        self._began = time.perf_counter()
        self._attempts = 0
        super().__init__(owner, chat_ctx=chat_ctx, tools=tools, conn_options=conn_options)

    async def _run(self) -> None:
        self._attempts += 1
        script = self._call.script
        await self._fail_if_scripted()
        if script.fault("no_reply", self._turn):
            self._write("fault", kind="no_reply")
            self._send_usage(0)
            return
        stages = script.stages(self._turn)
        ttft = stages.llm_ttft_ms / 1000
        tool = script.calls_tool(self._turn)
        if tool is not None and not self._tool_answered():
            await self._sleep_until(ttft)
            self._call_tool(tool)
            return
        self._call.reply_turn = self._turn
        text = script.reply(self._turn)
        sentence_after: float | None = None
        pieces = words(text)
        for index, piece in enumerate(pieces):
            await self._sleep_until(ttft + index / stages.llm_tps)
            self._send(llm.ChoiceDelta(role="assistant", content=piece))
            if index == 0:
                self._write("llm_first_token", injected_ms=stages.llm_ttft_ms)
            if sentence_after is None and (ends_sentence(piece) or index == len(pieces) - 1):
                sentence_after = stages.llm_ttft_ms + index / stages.llm_tps * 1000
                self._write("llm_first_sentence", injected_ms=sentence_after)
        self._send_usage(len(pieces))

    async def _fail_if_scripted(self) -> None:
        fault = self._call.script.fault
        if fault("llm_hang", self._turn):
            self._write("fault", kind="llm_hang")
            await asyncio.Event().wait()
        if fault("llm_error", self._turn):
            self._write("fault", kind="llm_error")
            raise APIError("scripted llm_error", retryable=False)
        if fault("llm_error_retry", self._turn) and self._attempts == 1:
            self._write("fault", kind="llm_error_retry")
            raise APIError("scripted llm_error_retry", retryable=True)
        if self._attempts > 1:
            # a second attempt takes its own time to the first token
            self._began = time.perf_counter()

    def _tool_answered(self) -> bool:
        return bool(self._chat_ctx.items) and (
            self._chat_ctx.items[-1].type == "function_call_output"
        )

    def _call_tool(self, tool: Tool) -> None:
        call = llm.FunctionToolCall(
            name=tool.name, arguments="{}", call_id=f"demo-call-{self._turn}"
        )
        self._send(llm.ChoiceDelta(role="assistant", tool_calls=[call]))
        self._write("llm_tool_call", name=tool.name)
        self._send_usage(1)

    async def _sleep_until(self, offset: float) -> None:
        # on the timetable of the whole reply, so that late wake-ups do not add up
        await asyncio.sleep(max(0.0, self._began + offset - time.perf_counter()))

    def _send(self, delta: llm.ChoiceDelta) -> None:
        self._event_ch.send_nowait(llm.ChatChunk(id=f"demo-{self._turn}", delta=delta))

    def _send_usage(self, completion_tokens: int) -> None:
        # a word is a token here
        prompt_tokens = sum(
            len(words(item.text_content or ""))
            for item in self._chat_ctx.items
            if item.type == "message"
        )
        usage = llm.CompletionUsage(
            completion_tokens=completion_tokens,
            prompt_tokens=prompt_tokens,
            total_tokens=prompt_tokens + completion_tokens,
        )
        self._event_ch.send_nowait(llm.ChatChunk(id=f"demo-{self._turn}", usage=usage))

    def _write(self, event: str, **values: Any) -> None:
        real_ms = (time.perf_counter() - self._began) * 1000
        self._call.truth.write(event, turn=self._turn, real_ms=real_ms, **values)
