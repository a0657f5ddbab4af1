"""Ctrl-C and SIGTERM, without a moment in which one of them is lost.

The framework ignores SIGINT while it starts a job process, which it does around every call, so a
handler would miss a Ctrl-C now and then. A blocked signal is kept until somebody waits for it,
ignored or not.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable

_SIGNALS = {signal.SIGINT, signal.SIGTERM}


def block() -> None:
    """Keeps the signals for `on_stop`.

    Must run before native libraries are imported: their threads inherit what is blocked, and one
    that blocks nothing would take the signal. Must run after processes are started that a Ctrl-C
    is to reach.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def on_stop(stop: Callable[[], None]) -> None:
    """Calls `stop` in the running event loop at the first signal; a second one ends at once."""
    loop = asyncio.get_running_loop()

    def wait() -> None:
        signal.sigwait(_SIGNALS)
        loop.call_soon_threadsafe(stop)
        signal.sigwait(_SIGNALS)
        os._exit(1)

    threading.Thread(target=wait, name="stop-signal", daemon=True).start()
