"""What the field agent says of itself, in the dialects that agents speak."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Protocol

from livekit import rtc
from livekit.protocol.agent_pb import agent_session as pb

STATES = {
    "initializing": pb.AS_INITIALIZING,
    "listening": pb.AS_LISTENING,
    "thinking": pb.AS_THINKING,
    "speaking": pb.AS_SPEAKING,
}


@dataclass(frozen=True)
class Tool:
    """One call of a tool."""

    name: str
    call: str = field(default_factory=lambda: f"call_{uuid.uuid4().hex[:10]}")


@dataclass(frozen=True)
class Message:
    """Something that was said: metrics in seconds, `began` and `ended` in unix time."""

    text: str
    metrics: dict[str, float]
    interrupted: bool = False
    began: float | None = None
    ended: float | None = None


class Reports(Protocol):
    """A dialect. Each method is called when what it names has just happened."""

    async def state(self, old: str, new: str) -> None: ...
    async def user_said(self, message: Message) -> None: ...
    async def answer_ready(self, message: Message) -> None: ...
    async def agent_said(self, message: Message) -> None: ...
    async def tool_began(self, tool: Tool) -> None: ...
    async def tool_ended(self, tool: Tool) -> None: ...


class Attribute:
    """`lk.agent.state` alone, as livekit-agents 1.2 and whoever copies it."""

    def __init__(self, room: rtc.Room) -> None:
        self._me = room.local_participant

    async def state(self, old: str, new: str) -> None:
        await self._me.set_attributes({"lk.agent.state": new})

    async def user_said(self, message: Message) -> None: ...
    async def answer_ready(self, message: Message) -> None: ...
    async def agent_said(self, message: Message) -> None: ...
    async def tool_began(self, tool: Tool) -> None: ...
    async def tool_ended(self, tool: Tool) -> None: ...


class Session:
    """Byte streams of protobuf on `lk.agent.session`: livekit-agents 1.5 and newer, Node.

    `tools`: "told" from 1.6.5 on, "named" (afterwards, with names), "nameless" (before 1.6.7).
    """

    def __init__(self, room: rtc.Room, tools: str) -> None:
        self._me = room.local_participant
        self._tools = tools

    async def state(self, old: str, new: str) -> None:
        changed = pb.AgentSessionEvent.AgentStateChanged(
            old_state=STATES[old], new_state=STATES[new]
        )
        await self._send(agent_state_changed=changed)

    async def user_said(self, message: Message) -> None:
        await self._add(pb.USER, message)

    async def answer_ready(self, message: Message) -> None: ...

    async def agent_said(self, message: Message) -> None:
        await self._add(pb.ASSISTANT, message)

    async def tool_began(self, tool: Tool) -> None:
        if self._tools == "told":
            update = pb.AgentSessionEvent.ToolExecutionUpdated()
            update.started.function_call.CopyFrom(_call(tool))
            await self._send(tool_execution_updated=update)

    async def tool_ended(self, tool: Tool) -> None:
        if self._tools == "told":
            update = pb.AgentSessionEvent.ToolExecutionUpdated()
            update.ended.call_id = tool.call
            await self._send(tool_execution_updated=update)
        name = "" if self._tools == "nameless" else tool.name
        output = pb.FunctionCallOutput(call_id=tool.call, name=name, output="done")
        executed = pb.AgentSessionEvent.FunctionToolsExecuted(
            function_calls=[_call(tool)], function_call_outputs=[output]
        )
        await self._send(function_tools_executed=executed)

    async def _add(self, role: pb.ChatRole, said: Message) -> None:
        metrics = pb.MetricsReport(**said.metrics)
        for name, at in [("started_speaking_at", said.began), ("stopped_speaking_at", said.ended)]:
            if at is not None:
                getattr(metrics, name).FromNanoseconds(int(at * 1e9))
        message = pb.ChatMessage(
            id=f"item_{uuid.uuid4().hex[:12]}",
            role=role,
            content=[pb.ChatMessage.ChatContent(text=said.text)],
            interrupted=said.interrupted,
            metrics=metrics,
        )
        item = pb.ChatContext.ChatItem(message=message)
        added = pb.AgentSessionEvent.ConversationItemAdded(item=item)
        await self._send(conversation_item_added=added)

    async def _send(self, **event: Any) -> None:
        made = pb.AgentSessionEvent(**event)
        made.created_at.GetCurrentTime()
        data = pb.AgentSessionMessage(event=made).SerializeToString()
        await self._me.send_bytes(data, name=uuid.uuid4().hex, topic="lk.agent.session")


def _call(tool: Tool) -> pb.FunctionCall:
    return pb.FunctionCall(call_id=tool.call, name=tool.name, arguments="{}")


class Events:
    """Text streams of JSON on `lk.agent.events`: livekit-agents 1.4."""

    def __init__(self, room: rtc.Room) -> None:
        self._me = room.local_participant
        self._began: dict[str, float] = {}

    async def state(self, old: str, new: str) -> None:
        await self._send("agent_state_changed", old_state=old, new_state=new)

    async def user_said(self, message: Message) -> None:
        await self._add("user", message)

    async def answer_ready(self, message: Message) -> None: ...

    async def agent_said(self, message: Message) -> None:
        await self._add("assistant", message)

    async def tool_began(self, tool: Tool) -> None:
        self._began[tool.call] = time.time()

    async def tool_ended(self, tool: Tool) -> None:
        call = {"call_id": tool.call, "name": tool.name, "created_at": self._began[tool.call]}
        output = {"call_id": tool.call, "name": tool.name, "created_at": time.time()}
        await self._send(
            "function_tools_executed",
            function_calls=[{**call, "type": "function_call", "arguments": "{}"}],
            function_call_outputs=[
                {**output, "type": "function_call_output", "output": "done", "is_error": False}
            ],
        )

    async def _add(self, role: str, said: Message) -> None:
        metrics = {k: v for k, v in said.metrics.items() if k != "llm_node_ttfs"}
        if said.began is not None:
            metrics["started_speaking_at"] = said.began
        if said.ended is not None:
            metrics["stopped_speaking_at"] = said.ended
        item = {
            "id": f"item_{uuid.uuid4().hex[:12]}",
            "type": "message",
            "role": role,
            "content": [said.text],
            "interrupted": said.interrupted,
            "metrics": metrics,
        }
        await self._send("conversation_item_added", item=item)

    async def _send(self, kind: str, **more: Any) -> None:
        event = {"type": kind, **more, "created_at": time.time()}
        await self._me.send_text(json.dumps(event), topic="lk.agent.events")


class Rtvi:
    """Data packets of Pipecat, without topic and without times."""

    def __init__(self, room: rtc.Room) -> None:
        self._me = room.local_participant
        self._in_answer = False
        # Of what is being said.
        self._text = ""

    async def state(self, old: str, new: str) -> None:
        if new == "speaking":
            await self._send("bot-started-speaking")
        if old == "speaking":
            if self._text:
                await self._send("bot-tts-text", {"text": self._text})
            self._text = ""
            await self._send("bot-stopped-speaking")

    async def user_said(self, message: Message) -> None:
        await self._send("user-stopped-speaking")
        text = {"text": message.text, "final": True, "user_id": "caller"}
        await self._send("user-transcription", text)
        await self._send("bot-llm-started")
        self._in_answer = True

    async def answer_ready(self, message: Message) -> None:
        if not self._in_answer:
            await self._send("bot-llm-started")
        self._in_answer = False
        services = [("ScriptLLMService#0", "llm_node_ttft"), ("ScriptTTSService#0", "tts_node_ttfb")]
        for processor, metric in services:
            value = {"processor": processor, "model": "script", "value": message.metrics[metric]}
            await self._send("metrics", {"ttfb": [value]})
        await self._send("bot-transcription", {"text": message.text})
        await self._send("bot-llm-stopped")
        self._text = message.text

    async def agent_said(self, message: Message) -> None: ...

    async def tool_began(self, tool: Tool) -> None:
        await self._send("llm-function-call-started", {})
        call = {"tool_call_id": tool.call, "function_name": tool.name}
        await self._send("llm-function-call-in-progress", call)

    async def tool_ended(self, tool: Tool) -> None:
        call = {"tool_call_id": tool.call, "function_name": tool.name, "cancelled": False}
        await self._send("llm-function-call-stopped", call)

    async def _send(self, kind: str, data: dict[str, Any] | None = None) -> None:
        message = {"label": "rtvi-ai", "type": kind, "id": uuid.uuid4().hex[:8]}
        if data is not None:
            message["data"] = data
        await self._me.publish_data(json.dumps(message), reliable=True)


def dialects(room: rtc.Room, chosen: list[str], tools: str) -> list[Reports]:
    """The dialects of these names; KeyError for one that does not exist."""
    made = {
        "attribute": lambda: Attribute(room),
        "session": lambda: Session(room, tools),
        "events": lambda: Events(room),
        "rtvi": lambda: Rtvi(room),
    }
    return [made[name]() for name in chosen]
