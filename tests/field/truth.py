"""What really happened, one JSON object a line, for the tests to compare with."""

from __future__ import annotations

import json
import os
import time
from typing import Any


def write(room: str, who: str, what: str, at: float | None = None, **more: Any) -> None:
    """Appends a line to the file that FIELD_TRUTH names. `at` is unix time in seconds."""
    if path := os.environ.get("FIELD_TRUTH"):
        line = {"at": at or time.time(), "room": room, "who": who, "what": what, **more}
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
