"""What the parts of one call share: its script, which turn it is, and the agent's own record."""

from __future__ import annotations

import json
import math
import os
import re
import time
from pathlib import Path
from typing import IO, Any

from script import CallScript


class Call:
    """The state of one call. Turns are counted by the caller's speech: 1 is the first."""

    def __init__(self, script: CallScript, truth: Truth) -> None:
        self.script = script
        self.truth = truth
        # the turn the caller last began
        self.turn = 0
        # the turn last transcribed: the one the model answers
        self.heard_turn = 0
        # the turn whose reply the model last began: the one the voice speaks; 0 is the greeting
        self.reply_turn = 0
        self._open = False
        self._ends_at = math.inf

    def caller_spoke(self) -> int:
        """The turn that speech beginning now belongs to."""
        if not self._open or time.time() > self._ends_at:
            self._open = True
            self._ends_at = math.inf
            self.turn += 1
        return self.turn

    def turn_ends_at(self, at: float) -> None:
        """The transcript is out and the turn ends then unless the caller speaks on.

        The framework says so by completing the turn, but not where it drops it, as it does with
        words spoken over an agent that cannot be interrupted.
        """
        self._ends_at = at

    def turn_over(self) -> None:
        """The turn was answered or given up: the caller's next words are a new turn."""
        self._open = False


class Truth:
    """What was injected and when it happened, one JSON object a line, for comparison.

    Written to `<DEMO_TRUTH_DIR>/<room>.jsonl`; without that variable nothing is written. `at` is
    the wall clock in seconds, the clock the framework stamps its own metrics with.
    """

    def __init__(self, room: str) -> None:
        self._file: IO[str] | None = None
        if folder := os.environ.get("DEMO_TRUTH_DIR"):
            path = Path(folder)
            path.mkdir(parents=True, exist_ok=True)
            name = re.sub(r"[^\w.-]", "_", room)
            # line buffered: a crash that is played on purpose must not lose what led to it
            self._file = (path / f"{name}.jsonl").open("a", buffering=1, encoding="utf-8")

    def write(self, event: str, **values: Any) -> None:
        """Appends one line."""
        if self._file is not None:
            self._file.write(json.dumps({"at": time.time(), "event": event, **values}) + "\n")

    def close(self) -> None:
        """Ends the record; later lines are dropped."""
        if self._file is not None:
            self._file.close()
            self._file = None
