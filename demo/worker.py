"""The worker process: registers with the server and hands each call to a job process."""

from __future__ import annotations

import asyncio
import logging
import math
import os

from livekit.agents import AgentServer, JobExecutorType

import stopping
from session import entrypoint, prewarm

_EXECUTORS = {"process": JobExecutorType.PROCESS, "thread": JobExecutorType.THREAD}

logger = logging.getLogger("demo")


# The text of every error that a fault of the script raises.
_SCRIPTED = "scripted "


def run() -> int:
    """Serves calls until SIGINT or SIGTERM. Returns the exit code."""
    level = os.environ.get("DEMO_LOG_LEVEL", "WARNING").upper()
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if level == "WARNING":
        # the native library warns about every stream that is closed
        logging.getLogger("livekit").setLevel(logging.ERROR)
        logging.getLogger("livekit.agents").setLevel(level)
    if level != "DEBUG":
        for handler in logging.getLogger().handlers:
            handler.addFilter(_not_scripted)
    return asyncio.run(_serve())


def _not_scripted(record: logging.LogRecord) -> bool:
    # What a fault does is what was asked for; its stack traces would bury a real error.
    return _SCRIPTED not in f"{record.getMessage()}{record.exc_text or ''}"


def _executor() -> JobExecutorType:
    # Measured on two cores, server and a Python caller beside it, three turns a call: how far the
    # reported stages lay above the injected ones.
    #              5 calls               10 calls (5 runs)                     memory at 5 / 10
    #   processes  p50 +1, max +10 ms    p50 +1.5, p90 +3..7, p99 +20..50 ms   420 / 670 MB
    #   threads    p50 +1, max +16 ms    p50 +1.5, p90 +6..13, p99 +21..31 ms  510 / 590 MB
    # Processor time is the same, some 8 % of a core a call. Processes it is: nine values in ten
    # are closer, and a call that crashes takes no other call with it.
    name = os.environ.get("DEMO_EXECUTOR", "process")
    if name not in _EXECUTORS:
        raise SystemExit(f"demo agent: DEMO_EXECUTOR must be process or thread, not {name}")
    return _EXECUTORS[name]


def _server() -> AgentServer:
    server = AgentServer(
        job_executor_type=_executor(),
        # a process is forked in 30 ms, so more in store gained nothing (tried 1, 2, 5 and 10)
        num_idle_processes=int(os.environ.get("DEMO_IDLE_PROCESSES", "2")),
        # never refuse a call for load: how the agent bears load is what is being looked at
        load_threshold=math.inf,
        load_fnc=lambda: 0.0,
        # the port of the health check is of no interest here; a fixed one would forbid a second
        # agent on the same machine
        host="127.0.0.1",
        port=0,
        # a server that is just starting is worth some seconds, a wrong secret no more
        max_retry=3,
        shutdown_process_timeout=2.0,
        setup_fnc=prewarm,
    )
    server.rtc_session(entrypoint, agent_name=os.environ.get("DEMO_AGENT_NAME", "demo-agent"))
    return server


async def _serve() -> int:
    server = _server()
    stop = asyncio.Event()
    stopping.on_stop(stop.set)

    def on_registered(worker_id: str, _info: object) -> None:
        # what waits for the agent reads this line
        print(f"demo agent: registered worker {server._agent_name}, worker {worker_id}", flush=True)

    server.on("worker_registered", on_registered)
    serving = asyncio.create_task(server.run(devmode=True))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([serving, stopped], return_when=asyncio.FIRST_COMPLETED)
    failed = serving.done()
    if failed:
        # it never ends by itself, so this is an error
        logger.error(
            "%s: %s; does the server run there, and are LIVEKIT_API_KEY and LIVEKIT_API_SECRET its"
            " own?",
            os.environ["LIVEKIT_URL"],
            serving.exception(),
        )
    # also after a failure, or the idle job processes would outlive it
    await server.aclose()
    return 1 if failed else 0
