"""The place of a worker with a LiveKit server, without livekit-agents: it takes every job it is offered."""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
from livekit import api
from livekit.protocol import agent as pb
from livekit.protocol import models

_STATUS_SECONDS = 2.5

Job = Callable[["Assigned"], Awaitable[None]]


@dataclass(frozen=True)
class Assigned:
    """What a job is to be done with."""

    room: str
    token: str
    url: str
    metadata: str


def token(room: str, identity: str, kind: str, attributes: dict[str, str] | None = None) -> str:
    """A token with which a participant of that kind may do whatever an agent does."""
    grants = api.VideoGrants(
        room_join=True,
        room=room,
        can_publish=True,
        can_subscribe=True,
        can_publish_data=True,
        can_update_own_metadata=True,
        agent=kind == "agent",
    )
    made = api.AccessToken().with_identity(identity).with_kind(kind)
    return made.with_attributes(attributes or {}).with_grants(grants).to_jwt()


class Worker:
    """Serves jobs of one name until its connection ends."""

    def __init__(self, name: str, job: Job) -> None:
        self._name = name
        self._job = job
        self._running: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        url = os.environ["LIVEKIT_URL"]
        bearer = api.AccessToken().with_grants(api.VideoGrants(agent=True)).to_jwt()
        headers = {"Authorization": f"Bearer {bearer}"}
        address = url.replace("http", "ws", 1).rstrip("/") + "/agent"
        async with aiohttp.ClientSession() as http:
            async with http.ws_connect(address, headers=headers, heartbeat=30) as socket:
                self._socket = socket
                await self._send(pb.WorkerMessage(register=self._registration()))
                beating = asyncio.create_task(self._report_status())
                try:
                    async for message in socket:
                        if message.type == aiohttp.WSMsgType.BINARY:
                            await self._take(pb.ServerMessage.FromString(message.data), url)
                finally:
                    beating.cancel()

    def _registration(self) -> pb.RegisterWorkerRequest:
        allowed = models.ParticipantPermission(
            can_publish=True,
            can_subscribe=True,
            can_publish_data=True,
            can_update_metadata=True,
            agent=True,
        )
        return pb.RegisterWorkerRequest(
            type=pb.JobType.JT_ROOM,
            agent_name=self._name,
            version="field/1",
            allowed_permissions=allowed,
        )

    async def _send(self, message: pb.WorkerMessage) -> None:
        await self._socket.send_bytes(message.SerializeToString())

    async def _report_status(self) -> None:
        while True:
            status = pb.UpdateWorkerStatus(
                load=0.0, status=pb.WorkerStatus.WS_AVAILABLE, job_count=len(self._running)
            )
            await self._send(pb.WorkerMessage(update_worker=status))
            await asyncio.sleep(_STATUS_SECONDS)

    async def _take(self, message: pb.ServerMessage, url: str) -> None:
        match message.WhichOneof("message"):
            case "register":
                print(f"registered worker {message.register.worker_id}", flush=True)
            case "availability":
                job = message.availability.job
                accepted = pb.AvailabilityResponse(
                    job_id=job.id,
                    available=True,
                    participant_identity=f"agent-{job.id}",
                    participant_attributes={"lk.agent.name": self._name},
                )
                await self._send(pb.WorkerMessage(availability=accepted))
            case "assignment":
                given = message.assignment
                job = given.job
                assigned = Assigned(job.room.name, given.token, given.url or url, job.metadata)
                self._running[job.id] = asyncio.create_task(self._do(job.id, assigned))
            # A job is told to end when the participant that it began with has left. Another one may go on:
            # the call ends with its caller.

    async def _do(self, job_id: str, assigned: Assigned) -> None:
        await self._say(job_id, pb.JobStatus.JS_RUNNING)
        status = pb.JobStatus.JS_SUCCESS
        try:
            await self._job(assigned)
        except Exception:
            traceback.print_exc()
            status = pb.JobStatus.JS_FAILED
        finally:
            self._running.pop(job_id, None)
        await self._say(job_id, status)

    async def _say(self, job_id: str, status: pb.JobStatus) -> None:
        update = pb.UpdateJobStatus(job_id=job_id, status=status)
        await self._send(pb.WorkerMessage(update_job=update))
