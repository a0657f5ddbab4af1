"""Calls agents of every kind, and compares what loadcall heard with what each of them knows of itself.

    check.py [KIND…]        all kinds unless told; installs what is missing, prints a table, ends with 1 when a kind is wrong

The caller's last word reaches the agent's ear, and the agent's first sample the caller, over a path of PATH_MS: the
native SDK's receiving side above all, which all kinds share. What is heard of a reply has to be the agent's own latency
and the path: the median of all replies of a kind within MEDIAN_MS, each of them within WORST_MS.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATH_MS = 70.0
MEDIAN_MS = 30.0
WORST_MS = 80.0
# The calls of a kind and the questions of a call (scenario.yaml).
CALLS = 3
QUESTIONS = ["hours", "book", "again"]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
INSTALLED = ROOT / ".tools/agents"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))

SCRIPT = {
    "greeting": {"text": "Good day, this is the library."},
    "replies": ["The reading room is open until eight."],
    "reply_audio_ms": 2500,
    "stages": {"transcription_delay_ms": 600, "end_of_turn_delay_ms": 600},
    "tool": {"turn": 2, "name": "find_book", "ms": 400},
}
FIELD = {
    "greeting": [{"at": 600, "ms": 1500}],
    "replies": [[{"after": 900, "ms": 2500}]],
    "reports": ["attribute"],
    "endpoint": 500,
    "yields": 300,
}


@dataclass(frozen=True)
class Kind:
    """How agents of a kind are started and called."""

    name: str
    program: str
    agent: dict[str, Any]
    tells_tools: bool = True
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def command(self) -> str:
        home = INSTALLED / self.name
        if self.program.endswith(".mjs"):
            return f"AGENTS_HOME='{home}' exec node '{HERE / self.program}' start"
        return f"exec '{home}/bin/python' -W ignore '{HERE / self.program}'"


def by_name(script: dict[str, Any] | None) -> dict[str, Any]:
    return {"name": "field"} if script is None else {"name": "field", "metadata": script}


KINDS = [
    Kind("python-1.8", "livekit_python.py", by_name(SCRIPT)),
    Kind("python-1.5", "livekit_python.py", by_name(SCRIPT)),
    Kind("python-1.4", "livekit_python.py", by_name(SCRIPT)),
    Kind("node-1.9", "livekit_node.mjs", by_name(None)),
    # It names tools only when it is told to.
    Kind("pipecat-1.14", "pipecat_bot.py", {}, False, {"ROOMS": "loadcall-agents"}),
    Kind("bare", "bare.py", by_name(FIELD), False),
]


@dataclass
class Row:
    """What the calls to a kind came to: milliseconds."""

    kind: str
    wrong: list[str] = field(default_factory=list)
    # Heard minus the agent's own latency, a reply.
    paths: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    greetings: list[float] = field(default_factory=list)
    yields: list[float] = field(default_factory=list)
    stages: set[str] = field(default_factory=set)
    # Whether its state told when it had decided that the turn was over.
    decided: bool = False
    tools: str = "no"
    texts: bool = False

    def judge(self) -> None:
        if len(self.paths) < CALLS * len(QUESTIONS):
            self.wrong.append(f"{len(self.paths)} replies of {CALLS * len(QUESTIONS)} were heard")
        errors = [abs(path - PATH_MS) for path in self.paths]
        if errors and statistics.median(errors) > MEDIAN_MS:
            self.wrong.append(f"the median error is {statistics.median(errors):.0f} ms")
        if errors and max(errors) > WORST_MS:
            self.wrong.append(f"the largest error is {max(errors):.0f} ms")


def call(kind: Kind, folder: Path) -> Row:
    """Places the calls to a kind and compares."""
    row = Row(kind.name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "scenarios/clips", folder / "clips")
    scenario = folder / "scenario.yaml"
    text = (HERE / "scenario.yaml").read_text().replace("agent: AGENT_HEAD", f"agent: {json.dumps(kind.agent)}")
    scenario.write_text(text)
    truth = folder / "truth.jsonl"
    out = folder / "run"
    command = [TARGET / "debug/loadcall", "run", scenario, "--dev", "--out", out]
    environment = {**os.environ, **kind.environment, "TRUTH": str(truth)}
    with open(folder / "said", "w", encoding="utf-8") as said:
        ran = subprocess.run(
            [*command, "--agent-command", kind.command],
            env=environment, stdout=said, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    if ran.returncode != 0:
        row.wrong.append(f"exit code {ran.returncode} (see {folder.relative_to(ROOT)}/said)")
    if (out / "report.json").exists() and truth.exists():
        compare(row, json.loads((out / "report.json").read_text()), read(truth))
    if kind.tells_tools and row.tools != "yes":
        row.wrong.append("the tool was not seen")
    row.judge()
    return row


def read(truth: Path) -> dict[str, list[float]]:
    """The moments of each edge, in their order."""
    edges: dict[str, list[float]] = {}
    for line in truth.read_text().splitlines():
        edge = json.loads(line)
        edges.setdefault(edge["what"], []).append(edge["at"])
    return {what: sorted(at) for what, at in edges.items()}


def compare(row: Row, report: dict[str, Any], truth: dict[str, list[float]]) -> None:
    started = datetime.datetime.fromisoformat(report["started_at"].replace("Z", "+00:00"))
    zero = started.timestamp()

    def first(what: str, after: float, within: float) -> float | None:
        found = (at for at in truth.get(what, []) if after <= at <= after + within)
        return next(found, None)

    for turn in report["turns"]:
        row.stages |= turn["stages_ms"].keys()
        row.decided = row.decided or turn["turn_decided_ms"] is not None
        row.texts = row.texts or bool(turn["reply_text"])
        if turn["turn"] == "book":
            untold = any(fact["result"] == "cannot_tell" for fact in turn["content"])
            row.tools = "yes" if turn["tools"] == ["find_book"] else "not told" if untold else "no"
        if turn["turn"] == "stop" and turn["yield_ms"] is not None:
            row.yields.append(turn["yield_ms"])
        if turn["turn"] == "greeting" and turn["voice"] is not None:
            heard = zero + turn["voice"]["from_ms"] / 1000
            if sent := first("mouth began", heard - 0.2, 0.2):
                row.greetings.append((heard - sent) * 1000)
        if turn["turn"] not in QUESTIONS or turn["heard_ms"] is None:
            continue
        end = zero + turn["said"]["until_ms"] / 1000
        heard_by_agent = first("ear ended", end - 0.1, 0.4)
        if heard_by_agent is None:
            row.wrong.append(f"call {turn['call']}, `{turn['turn']}`: the agent heard no end")
            continue
        answered = first("mouth began", heard_by_agent, 8.0)
        if answered is None:
            row.wrong.append(f"call {turn['call']}, `{turn['turn']}`: the agent sent no answer")
            continue
        own = (answered - heard_by_agent) * 1000
        row.own.append(own)
        row.paths.append(turn["heard_ms"] - own)


def shown(values: list[float]) -> str:
    if not values:
        return "–"
    low, high = f"{min(values):.0f}", f"{max(values):.0f}"
    return low if low == high else f"{low} to {high}"


def table(rows: list[Row]) -> str:
    lines = [
        "| agent | own, ms | heard − own, ms (median) | error, ms (median, largest) | greeting, ms | yields, ms | stages | tools | text | |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        errors = [abs(path - PATH_MS) for path in row.paths]
        median = f"{statistics.median(row.paths):.0f}" if row.paths else "–"
        error = f"{statistics.median(errors):.0f}, {max(errors):.0f}" if errors else "–"
        cells = [
            row.kind,
            shown(row.own),
            f"{shown(row.paths)} ({median})",
            error,
            shown(row.greetings),
            shown(row.yields),
            str(len(row.stages)) if row.stages else "by its state" if row.decided else "none",
            row.tools,
            "yes" if row.texts else "no",
            "✗ " + "; ".join(row.wrong) if row.wrong else "✓",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    chosen = sys.argv[1:] or [kind.name for kind in KINDS]
    if unknown := set(chosen) - {kind.name for kind in KINDS}:
        print(f"there is no kind {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    subprocess.run([HERE / "setup.sh", *chosen], check=True)
    rows = []
    for kind in KINDS:
        if kind.name in chosen:
            print(f"calling {kind.name}", file=sys.stderr, flush=True)
            rows.append(call(kind, TARGET / "agents" / kind.name))
    print(table(rows))
    return 1 if any(row.wrong for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
