"""An agent without any framework: the field agent on the newest SDK, with taps at both of its ends."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "field")]

import taps  # noqa: E402

taps.install()

import agent  # noqa: E402

sys.exit(asyncio.run(agent.main()))
