"""The demo agent: a livekit-agents worker whose delays and faults the caller chooses.

Needs LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET; see README.md for the rest.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.forkserver
import os
import sys
from pathlib import Path

import stopping

_HERE = str(Path(__file__).resolve().parent)
# Job processes are forked from a server process that has imported all this. It starts here,
# before this process's own imports, so that the two import at the same time.
_PRELOAD = ["session", "warm", "livekit.agents.ipc._preload", "livekit.agents.ipc._preload_freeze"]


def _start_fork_server() -> None:
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [_HERE] + [p for p in [os.environ.get("PYTHONPATH")] if p]
    )
    multiprocessing.get_context("forkserver").set_forkserver_preload(_PRELOAD)
    multiprocessing.forkserver.ensure_running()


def main() -> int:
    """Runs the worker until SIGINT or SIGTERM. Returns the exit code."""
    missing = [
        name
        for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET")
        if not os.environ.get(name)
    ]
    if missing:
        print(f"demo agent: set {', '.join(missing)}", file=sys.stderr)
        return 2
    # the end-of-turn model is not used here and costs 250 MB
    os.environ.setdefault("LIVEKIT_AGENTS_PRELOAD_LOCAL_INFERENCE", "0")
    # watching the event loop wakes every job process a hundred times a second: at ten calls about
    # 5 % of a core spent on something nobody reads here
    os.environ.setdefault("LIVEKIT_AGENTS_LOOP_BLOCK_WARN_MS", "0")
    if os.environ.get("DEMO_EXECUTOR", "process") == "process":
        _start_fork_server()
    stopping.block()
    import worker

    return worker.run()


if __name__ == "__main__":
    sys.exit(main())
