"""What can go wrong on purpose: the kinds of fault and when each one strikes."""

from __future__ import annotations

from dataclasses import dataclass

# kind -> what happens; also the list of kinds that the metadata may name
KINDS = {
    "crash": "the agent's process ends at once, without a goodbye",
    "disconnect": "the agent leaves the room in an orderly way",
    "stt_silent": "the caller is heard but never transcribed",
    "stt_error": "speech recognition fails for good",
    "llm_error": "the model answers with an error that is not retried",
    "llm_error_retry": "the model's first attempt fails, the second one answers",
    "llm_hang": "the model never answers",
    "tts_error": "speech synthesis fails for good",
    "tts_hang": "speech synthesis never delivers audio",
    "no_reply": "the model answers with nothing",
    "no_join": "the job is accepted but the agent never enters the room",
    "late_join": "the agent enters the room `ms` late",
    "no_greeting": "the greeting is not spoken",
    "ignore_barge_in": "the agent speaks on when the caller interrupts",
}

# These belong to the call as a whole; a turn number would promise what they cannot do.
WHOLE_CALL = frozenset({"no_join", "late_join", "no_greeting", "ignore_barge_in"})
# These can strike while the greeting is spoken, which is turn 0.
AT_GREETING = frozenset({"crash", "disconnect", "tts_error", "tts_hang"})


@dataclass(frozen=True)
class Fault:
    """One fault of a script.

    `turn` is the caller's turn it strikes at (1 is the first, 0 the greeting), None for every
    turn of the caller. `calls` limits it to calls with these numbers, None for every call.
    `ms` is used by `late_join` alone.
    """

    kind: str
    turn: int | None = None
    calls: frozenset[int] | None = None
    ms: float = 0.0

    def strikes_call(self, call: int | None) -> bool:
        """Whether the fault concerns the call with this number (None: a room without one)."""
        return self.calls is None or call in self.calls

    def strikes_turn(self, turn: int) -> bool:
        """Whether the fault strikes at this turn."""
        if self.kind in WHOLE_CALL:
            return True
        if self.turn is None:
            return turn > 0
        return self.turn == turn
