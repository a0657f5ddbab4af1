"""Sends the spans of a call to whoever OTEL_EXPORTER_OTLP_ENDPOINT names; without it, nothing is traced.

What an agent of one's own needs is `start` and no more. The standard variables say where to, with which
headers and how packed.
"""

from __future__ import annotations

import asyncio
import os

from livekit.agents import JobContext

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

# Threads share one provider, which stamps the name of one room on all spans.
WANTED = any(os.environ.get(name) for name in _ENDPOINTS) and (
    os.environ.get("DEMO_EXECUTOR", "process") == "process"
)

if WANTED:
    # imported in the fork server, so that no call waits for it
    from livekit.agents.telemetry import set_tracer_provider
    from opentelemetry import context
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


def start(ctx: JobContext, traceparent: str | None) -> None:
    """Traces this call, in the caller's trace if the dispatch metadata names one."""
    if not WANTED:
        return
    provider = TracerProvider(resource=Resource.create({"service.name": "demo-agent"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    # the name of the room is what a caller can know of a session, too
    set_tracer_provider(provider, metadata={"session.id": ctx.job.room.name})

    async def flush() -> None:
        # the process ends with the call, and what was not sent until then is lost
        await asyncio.to_thread(provider.shutdown)

    ctx.add_shutdown_callback(flush)
    if traceparent is not None:
        context.attach(TraceContextTextMapPropagator().extract({"traceparent": traceparent}))
