"""What the agent does in one call: the dispatch metadata, checked, and the delays drawn from it.

Everything here is a pure function of the metadata text and the call number, so the same seed
injects the same values again.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from faults import AT_GREETING, KINDS, WHOLE_CALL, Fault

# Silero closes a speech segment after 8 windows of 32 ms, so nothing that waits for the end of
# speech can come earlier; the rest is room for one inference.
VAD_MIN_SILENCE_MS = 250
EARLIEST_AFTER_SPEECH_MS = 270.0

_SPEECH_MS_PER_CHARACTER = 55.0
_SHORTEST_SPEECH_MS = 400.0
_LONGEST_MS = 600_000.0


class ScriptError(ValueError):
    """The metadata is not a script; `problems` names every reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Stages:
    """The delay of each stage of a reply, under the name the framework reports it by.

    `end_of_turn_delay_ms` is the endpointing delay; it runs from the end of the caller's speech,
    as does `transcription_delay_ms`, so the later of the two decides when the turn ends.
    `llm_tps` is in words per second.
    """

    transcription_delay_ms: float = 300.0
    end_of_turn_delay_ms: float = 400.0
    on_user_turn_completed_delay_ms: float = 0.0
    llm_ttft_ms: float = 250.0
    llm_tps: float = 60.0
    tts_ttfb_ms: float = 150.0


STAGES = tuple(f.name for f in fields(Stages))
JITTERED = tuple(name for name in STAGES if name.endswith("_ms"))
_AFTER_SPEECH = ("transcription_delay_ms", "end_of_turn_delay_ms")


@dataclass(frozen=True)
class Greeting:
    """What the agent says first. None takes the delay and the length of an ordinary reply."""

    text: str = "Hello, this is the demo agent. How can I help you?"
    tts_ttfb_ms: float | None = None
    audio_ms: float | None = None


@dataclass(frozen=True)
class Tool:
    """A tool the model calls in one turn before it answers; the call takes `ms`."""

    turn: int
    name: str = "look_up"
    ms: float = 400.0


@dataclass(frozen=True)
class Script:
    """The whole metadata. A field left out keeps its default; `{}` is a complete script."""

    seed: int = 0
    greeting: Greeting | None = Greeting()
    stages: Stages = Stages()
    jitter_ms: dict[str, float] = field(default_factory=dict)
    turns: dict[int, dict[str, float]] = field(default_factory=dict)
    replies: tuple[str, ...] = (
        "We are open from nine to six on weekdays.",
        "Certainly, I have noted that down for you.",
        "One moment please, the answer takes a little longer. It has several parts, and each of"
        " them matters. You can interrupt me at any time.",
    )
    hears: tuple[str, ...] = ()
    reply_audio_ms: float | None = None
    tool: Tool | None = None
    faults: tuple[Fault, ...] = ()
    preemptive_generation: bool = False
    session_host: bool = True
    traceparent: str | None = None

    @staticmethod
    def parse(metadata: str) -> Script:
        """Reads the dispatch metadata. Raises `ScriptError` with every problem found."""
        return _parse(metadata)

    def for_call(self, call: int | None) -> CallScript:
        """The script of the call with this number."""
        return CallScript(self, call)


@dataclass(frozen=True)
class CallScript:
    """A script with the call it is played in, which decides the faults and the draws."""

    script: Script
    call: int | None

    def fault(self, kind: str, turn: int = 0) -> Fault | None:
        """The fault of this kind that strikes at this turn, if any."""
        for fault in self.script.faults:
            if fault.kind == kind and fault.strikes_call(self.call) and fault.strikes_turn(turn):
                return fault
        return None

    def stages(self, turn: int) -> Stages:
        """The delays injected in a turn: defaults, then the turn's own values, then jitter."""
        own = {k: v for k, v in self.script.turns.get(turn, {}).items() if k in STAGES}
        greeting = self.script.greeting
        if turn == 0 and greeting is not None and greeting.tts_ttfb_ms is not None:
            own["tts_ttfb_ms"] = greeting.tts_ttfb_ms
        values = asdict(replace(self.script.stages, **own))
        for name, spread in self.script.jitter_ms.items():
            # One generator per value: adding a stage or a turn leaves the other draws alone.
            draw = random.Random(f"{self.script.seed}/{self.call}/{turn}/{name}")
            floor = EARLIEST_AFTER_SPEECH_MS if name in _AFTER_SPEECH else 0.0
            values[name] = max(floor, values[name] + draw.uniform(-spread, spread))
        return Stages(**values)

    def heard(self, turn: int) -> str:
        """The transcript of the caller's turn."""
        hears = self.script.hears
        return hears[(turn - 1) % len(hears)] if hears else f"user turn {turn}"

    def reply(self, turn: int) -> str:
        """The text of the reply to a turn."""
        return self.script.replies[(turn - 1) % len(self.script.replies)]

    def fixed_audio_ms(self, turn: int) -> float | None:
        """The length of the spoken reply if the script fixes it, else it follows from the text."""
        if turn == 0:
            return self.script.greeting.audio_ms if self.script.greeting else None
        return self.script.turns.get(turn, {}).get("reply_audio_ms", self.script.reply_audio_ms)

    def calls_tool(self, turn: int) -> Tool | None:
        """The tool that the model calls in a turn, if any."""
        tool = self.script.tool
        return tool if tool is not None and tool.turn == turn else None


def call_number(room: str) -> int | None:
    """The number at the end of a room name, as in `greeting-4f1c-007`; None without one."""
    found = re.search(r"-(\d{3,})$", room)
    return int(found.group(1)) if found else None


def words(text: str) -> list[str]:
    """The text cut into the pieces the model streams; joined they are the text again."""
    return re.findall(r"\s*\S+\s*", text)


def ends_sentence(piece: str) -> bool:
    """Whether synthesis can begin once this piece has arrived."""
    return piece.rstrip().endswith((".", "!", "?"))


def speech_ms(text: str) -> float:
    """How long the demo voice takes to say a text."""
    return max(_SHORTEST_SPEECH_MS, _SPEECH_MS_PER_CHARACTER * len(text.strip()))


class _Reader:
    """One JSON object: takes known keys out, records what is wrong, complains about the rest."""

    def __init__(self, value: Any, where: str, problems: list[str]) -> None:
        self._where = where
        self._problems = problems
        self._rest: dict[str, Any] = {}
        if isinstance(value, dict):
            self._rest = dict(value)
        else:
            self.wrong("", f"must be an object, not {_show(value)}")

    def path(self, key: str) -> str:
        return ".".join(part for part in (self._where, key) if part) or "metadata"

    def wrong(self, key: str, what: str) -> None:
        self._problems.append(f"{self.path(key)} {what}")

    def has(self, key: str) -> bool:
        return key in self._rest

    def take(self, key: str, default: Any, check: Callable[[Any], str | None]) -> Any:
        if key not in self._rest:
            return default
        value = self._rest.pop(key)
        if (what := check(value)) is not None:
            self.wrong(key, f"{what}, not {_show(value)}")
            return default
        return value

    def number(self, key: str, default: Any, low: float = 0.0, high: float = _LONGEST_MS) -> Any:
        def check(value: Any) -> str | None:
            good = isinstance(value, (int, float)) and not isinstance(value, bool)
            return None if good and low <= value <= high else f"must be {low:g} to {high:g}"

        value = self.take(key, default, check)
        return float(value) if value is not None else None

    def whole(self, key: str, default: Any, low: int) -> Any:
        def check(value: Any) -> str | None:
            good = isinstance(value, int) and not isinstance(value, bool) and value >= low
            return None if good else f"must be a whole number from {low} on"

        return self.take(key, default, check)

    def text(self, key: str, default: Any) -> Any:
        def check(value: Any) -> str | None:
            return None if isinstance(value, str) and value.strip() else "must be a text"

        return self.take(key, default, check)

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        def check(value: Any) -> str | None:
            good = isinstance(value, list) and value
            good = good and all(isinstance(v, str) and v.strip() for v in value)
            return None if good else "must be a list of texts, at least one"

        return tuple(self.take(key, default, check))

    def flag(self, key: str, default: bool) -> bool:
        return self.take(
            key, default, lambda v: None if isinstance(v, bool) else "must be true or false"
        )

    def take_null(self, key: str) -> bool:
        null = self._rest.get(key, ...) is None
        if null:
            del self._rest[key]
        return null

    def sub(self, key: str) -> _Reader:
        return _Reader(self._rest.pop(key), self.path(key), self._problems)

    def item(self, key: str, index: int, value: Any) -> _Reader:
        return _Reader(value, f"{self.path(key)}[{index}]", self._problems)

    def keys(self) -> list[str]:
        return list(self._rest)

    def finish(self, known: tuple[str, ...]) -> None:
        for key in self._rest:
            self.wrong(key, f"is unknown; known here: {', '.join(known)}")


def _show(value: Any) -> str:
    shown = json.dumps(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _parse(metadata: str) -> Script:
    problems: list[str] = []
    try:
        value = json.loads(metadata) if metadata.strip() else {}
    except json.JSONDecodeError as error:
        raise ScriptError([f"metadata is not JSON: {error}"]) from None
    top = _Reader(value, "", problems)
    default = Script()
    script = Script(
        seed=top.whole("seed", default.seed, 0),
        greeting=_greeting(top, default),
        stages=_stages(top, default.stages),
        jitter_ms=_jitter(top),
        turns=_turns(top),
        replies=top.texts("replies", default.replies),
        hears=top.texts("hears", default.hears),
        reply_audio_ms=top.number("reply_audio_ms", None, low=20.0),
        tool=_tool(top),
        faults=_faults(top),
        preemptive_generation=top.flag("preemptive_generation", default.preemptive_generation),
        session_host=top.flag("session_host", default.session_host),
        traceparent=top.text("traceparent", default.traceparent),
    )
    top.finish(tuple(f.name for f in fields(Script)))
    if problems:
        raise ScriptError(problems)
    return script


def _greeting(top: _Reader, default: Script) -> Greeting | None:
    if not top.has("greeting"):
        return default.greeting
    if top.take_null("greeting"):
        return None
    reader = top.sub("greeting")
    greeting = Greeting(
        text=reader.text("text", Greeting.text),
        tts_ttfb_ms=reader.number("tts_ttfb_ms", None),
        audio_ms=reader.number("audio_ms", None, low=20.0),
    )
    reader.finish(tuple(f.name for f in fields(Greeting)))
    return greeting


def _stage(reader: _Reader, name: str, default: float | None) -> float | None:
    if name == "llm_tps":
        return reader.number(name, default, low=0.1, high=10_000.0)
    low = EARLIEST_AFTER_SPEECH_MS if name in _AFTER_SPEECH else 0.0
    return reader.number(name, default, low=low)


def _stages(top: _Reader, default: Stages) -> Stages:
    if not top.has("stages"):
        return default
    reader = top.sub("stages")
    stages = Stages(**{name: _stage(reader, name, getattr(default, name)) for name in STAGES})
    reader.finish(STAGES)
    return stages


def _jitter(top: _Reader) -> dict[str, float]:
    if not top.has("jitter_ms"):
        return {}
    reader = top.sub("jitter_ms")
    jitter = {name: reader.number(name, 0.0) for name in JITTERED if reader.has(name)}
    reader.finish(JITTERED)
    return jitter


def _turns(top: _Reader) -> dict[int, dict[str, float]]:
    if not top.has("turns"):
        return {}
    reader = top.sub("turns")
    turns: dict[int, dict[str, float]] = {}
    for key in reader.keys():
        if not re.fullmatch(r"[1-9]\d*", key):
            continue
        own = reader.sub(key)
        values = {name: _stage(own, name, None) for name in STAGES}
        values["reply_audio_ms"] = own.number("reply_audio_ms", None, low=20.0)
        own.finish(tuple(values))
        turns[int(key)] = {name: v for name, v in values.items() if v is not None}
    reader.finish(('turn numbers from "1" on',))
    return turns


def _tool(top: _Reader) -> Tool | None:
    if not top.has("tool"):
        return None
    reader = top.sub("tool")
    if not reader.has("turn"):
        reader.wrong("turn", "is missing: the caller's turn in which the tool is called")
    tool = Tool(
        turn=reader.whole("turn", 1, 1),
        name=reader.take("name", Tool.name, _tool_name),
        ms=reader.number("ms", Tool.ms),
    )
    reader.finish(tuple(f.name for f in fields(Tool)))
    return tool


def _tool_name(value: Any) -> str | None:
    good = isinstance(value, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", value)
    return None if good else "must be a name of letters, digits and underscores"


def _faults(top: _Reader) -> tuple[Fault, ...]:
    values = top.take(
        "faults", [], lambda v: None if isinstance(v, list) else "must be a list of objects"
    )
    return tuple(_fault(top.item("faults", i, value)) for i, value in enumerate(values))


def _fault(reader: _Reader) -> Fault:
    if not reader.has("kind"):
        reader.wrong("kind", f"is missing; one of {', '.join(KINDS)}")
    kind = reader.take("kind", "", _fault_kind)
    turn = None
    if reader.has("turn"):
        turn = reader.whole("turn", None, 0 if kind in AT_GREETING else 1)
        if kind in WHOLE_CALL:
            reader.wrong("turn", f"cannot be given for {kind}, which concerns the whole call")
    calls = reader.take("calls", None, _call_numbers)
    ms = 0.0
    if kind == "late_join":
        if not reader.has("ms"):
            reader.wrong("ms", "is missing: how late the agent joins")
        ms = reader.number("ms", 0.0)
    reader.finish(("kind", "turn", "calls") + (("ms",) if kind == "late_join" else ()))
    return Fault(kind, turn, frozenset(calls) if calls is not None else None, ms)


def _fault_kind(value: Any) -> str | None:
    good = isinstance(value, str) and value in KINDS
    return None if good else f"must be one of {', '.join(KINDS)}"


def _call_numbers(value: Any) -> str | None:
    good = isinstance(value, list) and value
    good = good and all(isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in value)
    return None if good else "must be a list of call numbers"
