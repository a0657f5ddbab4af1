"""The field agent: a LiveKit agent that plays what the metadata of its dispatch says, and writes down what it did.

Nothing but LiveKit's SDK and the worker protocol, so that everything a caller hears is known. Tests of what people's
agents do are written as such metadata (tests/field/*.rs). Times are in milliseconds, levels in dBFS; everything has a
default.

  greeting      [SPEECH with `at`]     counted from when the caller's track is there
  replies       [[PART]]               one list a turn of the caller, from the first again after the last
  texts         [TEXT]                 the words of each reply, likewise
  SPEECH        {ms, sound: voice|noise|typing|music, dbfs: -20, text}
  PART          SPEECH with `after`, or {tool: NAME, after, ms}; `after` counts from the caller's last loud moment
  endpoint      400                    the silence after which the caller has ended
  yields        none                   it falls silent when the caller has been speaking this long
  track         {name, source: microphone|unknown, publish: at_once|first_word|each_word, after, channels: 1|2}
  bed           {sound, dbfs}          under its voice, never silent
  tracks        [{name, sound: silence, dbfs, source: unknown, before}]   beside its voice
  kind          agent|standard         what it joins as
  avatar        {after, first}         another participant publishes the voice for it
  monitor       true                   an agent without audio joins first
  twin          {greeting, replies}    another agent that answers too
  handoff       {turn, stays, greeting}   another agent goes on after that turn
  reports       [attribute, session, events, rtvi]     the dialects in which it says what it does
  tools         told|named|nameless    how `session` tells of tools
  metrics, user_metrics   {TURN: {NAME: seconds}}      reported instead of what was
  text          {final: closing|never, segments: 1, gap: 300}   transcriptions; none without it
  push_to_talk  true                   a turn ends with the RPC `end_turn`

Beside dispatches it takes `POST /calls` at FIELD_HTTP_PORT, with the metadata as body: it chooses the room and answers
`{"call": {"room": …, "token": …}}`. FIELD_TRUTH names the file of what really happened.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import traceback
import uuid
from typing import Any

from aiohttp import web
from livekit import api, rtc

import truth
from dispatch import Assigned, Worker, token
from figure import Figure

OURS = ("agent-", "avatar-", "bot-", "monitor-", "next-", "twin-")


async def join(call: Assigned, by: str) -> rtc.Room:
    room = rtc.Room()
    await room.connect(call.url, by)
    return room


def new_token(call: Assigned, who: str, kind: str = "agent", behalf: str | None = None) -> str:
    attributes = {} if behalf is None else {"lk.publish_on_behalf": behalf}
    return token(call.room, f"{who}-{uuid.uuid4().hex[:6]}", kind, attributes)


def identity_in(by: str) -> str:
    """Whom a token names."""
    payload = by.split(".")[1]
    named = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return named["sub"]


class Call:
    """Everybody of the agent's side in one room."""

    def __init__(self, call: Assigned) -> None:
        self._call = call
        self._script: dict[str, Any] = json.loads(call.metadata or "{}")
        self._rooms: list[rtc.Room] = []
        self._figures: list[Figure] = []
        self._caller_gone = asyncio.Event()

    async def run(self) -> None:
        script, call = self._script, self._call
        truth.write(call.room, "agent", "job", metadata_bytes=len(call.metadata.encode()))
        by = call.token
        if script.get("kind") == "standard":
            by = new_token(call, "bot", "standard")
        if script.get("monitor"):
            await self._join(new_token(call, "monitor"))
            await asyncio.sleep(0.5)
        avatar = script.get("avatar")
        on_behalf = new_token(call, "avatar", behalf=identity_in(by)) if avatar else None
        voice = None
        if on_behalf and avatar.get("first"):
            voice = await self._join(on_behalf)
            await asyncio.sleep(0.5)
        truth.write(call.room, "agent", "joins")
        body = await self._join(by)
        truth.write(call.room, "agent", "joined")
        if on_behalf and voice is None:
            await asyncio.sleep(avatar.get("after", 0) / 1000)
            voice = await self._join(on_behalf)
        body.on("participant_disconnected", self._left)
        body.on("disconnected", self._disconnected)
        try:
            first = await self._enter(Figure(script, call.room, "agent", body, voice or body), body)
            if twin := script.get("twin"):
                other = await self._join(new_token(call, "twin"))
                await self._enter(
                    Figure({**twin, "reports": []}, call.room, "twin", other, other), other
                )
            if handoff := script.get("handoff"):
                first.after_reply = lambda turn: self._hand_over(turn, handoff, first, body)
            await self._caller_gone.wait()
        finally:
            for figure in self._figures:
                figure.end()
            for room in self._rooms:
                await room.disconnect()

    async def _join(self, by: str) -> rtc.Room:
        room = await join(self._call, by)
        self._rooms.append(room)
        return room

    async def _enter(self, figure: Figure, body: rtc.Room) -> Figure:
        self._figures.append(figure)
        await figure.publish()
        listening = False

        def subscribed(track: rtc.Track, _: Any, who: rtc.RemoteParticipant) -> None:
            nonlocal listening
            if track.kind == rtc.TrackKind.KIND_AUDIO and not who.identity.startswith(OURS):
                if not listening:
                    listening = True
                    figure.truth(
                        "caller",
                        identity=who.identity,
                        name=who.name,
                        metadata=who.metadata,
                        attributes=dict(who.attributes),
                        kind=int(who.kind),
                    )
                    figure.spawn(figure.attend(track))

        body.on("track_subscribed", subscribed)
        for who in body.remote_participants.values():
            for publication in who.track_publications.values():
                if publication.track is not None:
                    subscribed(publication.track, publication, who)
        return figure

    def _left(self, who: rtc.RemoteParticipant) -> None:
        if not who.identity.startswith(OURS):
            self._caller_gone.set()

    def _disconnected(self, *_: Any) -> None:
        self._caller_gone.set()

    async def _hand_over(
        self, turn: int, handoff: dict[str, Any], first: Figure, body: rtc.Room
    ) -> None:
        if turn != handoff["turn"]:
            return
        first.silenced = True
        successor = await self._join(new_token(self._call, "next"))
        script = {**self._script, "greeting": handoff.get("greeting", []), "tracks": []}
        figure = Figure(script, self._call.room, "next", successor, successor, turn)
        # The successor hears the caller's leaving, as the first is gone by then.
        successor.on("participant_disconnected", self._left)
        await self._enter(figure, successor)
        truth.write(self._call.room, "next", "took over")
        if not handoff.get("stays"):
            # Who leaves is told that everybody else has left.
            body.off("participant_disconnected", self._left)
            body.off("disconnected", self._disconnected)
            await body.disconnect()


async def take(call: Assigned) -> None:
    await Call(call).run()


async def serve(port: int, tasks: set[asyncio.Task[None]]) -> None:
    """A product's endpoint that starts calls."""

    async def start(request: web.Request) -> web.Response:
        metadata = await request.text()
        room = f"product-{uuid.uuid4().hex[:8]}"
        grants = api.VideoGrants(room_join=True, room=room)
        made = api.AccessToken().with_identity(f"guest-{uuid.uuid4().hex[:4]}").with_grants(grants)
        url = os.environ["LIVEKIT_URL"]
        call = Assigned(room, token(room, f"agent-{uuid.uuid4().hex[:6]}", "agent"), url, metadata)
        task = asyncio.create_task(take(call))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        truth.write(room, "http", "asked", header=request.headers.get("x-field", ""))
        return web.json_response({"call": {"room": room, "token": made.to_jwt()}})

    app = web.Application()
    app.router.add_post("/calls", start)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()


async def main() -> int:
    tasks: set[asyncio.Task[None]] = set()
    if port := os.environ.get("FIELD_HTTP_PORT"):
        await serve(int(port), tasks)
    try:
        await Worker("field", take).run()
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
