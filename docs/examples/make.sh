#!/usr/bin/env bash
# Records the runs that README and the book show again. Takes about six minutes and needs `make tools`.
# Usage: docs/examples/make.sh [LOADCALL] [nights|slower|failing|ab|example]...   (default: the debug build, all)
set -euo pipefail
cd "$(dirname "$0")/../.."
loadcall=$(realpath "${1:-target/debug/loadcall}")
shift || true
[ $# -gt 0 ] || set -- nights slower failing ab example
export loadcall
folder=docs/examples
scripts=$(mktemp -d)
trap 'rm -rf "$scripts"' EXIT
# Without the calibration of whoever records.
export XDG_STATE_HOME=$scripts/state

# The script of an agent: seed, median and 95th percentile of the LLM's time to first token in ms, and faults.
agent() {
    printf '{"seed": %d, "stages": {"llm_ttft_ms": {"p50": %d, "p95": %d}}, "faults": [%s]}' \
        "$1" "$2" "$3" "${4:-}"
}

# A run of ten calls to such an agent; only the recording is kept.
record() {
    agent "$2" "$3" "$4" "${5:-}" >"$scripts/$2.json"
    rm -rf "$1"
    "$loadcall" run scenarios/greeting.yaml --out "$1" --quiet --dev \
        --agent-command "$loadcall agent --script $scripts/$2.json" >/dev/null || [ $? -eq 4 ]
    find "$1" -type f ! -name run.jsonl -delete
    "$loadcall" report "$1" | head -1
}

for part in "$@"; do
    case $part in
    nights) for night in 1 2 3 4 5; do record $folder/nights/$night $night 350 600; done ;;
    slower) record $folder/slower 6 650 1100 ;;
    failing)
        record $folder/failing 8 350 600 '{"kind": "llm_error", "turn": 1, "calls": [3, 7]},
            {"kind": "no_reply", "turn": 1, "calls": [5]}'
        ;;
    ab)
        rm -rf $folder/ab
        "$loadcall" ab scenarios/greeting.yaml --out $folder/ab --quiet --dev \
            --agent-command "$loadcall agent" --a "metadata=$(agent 7 350 600)" \
            --b "metadata=$(agent 7 500 860)" >/dev/null || [ $? -eq 4 ]
        find $folder/ab -type f ! -name run.jsonl ! -name ab.json -delete
        "$loadcall" report $folder/ab | head -1
        ;;
    # As `make demo`, with all files that a run leaves but the logs.
    example)
        rm -rf reports/example
        "$loadcall" run scenarios/greeting.yaml --out reports/example --quiet --dev \
            --keep-audio worst:2 --agent-command ".tools/venv/bin/python demo/agent.py" >/dev/null
        rm reports/example/*.log reports/example/spans.jsonl
        # As it is printed from then on: with the moment at which the verdict was given.
        "$loadcall" report reports/example --format json >"$scripts/report.json"
        mv "$scripts/report.json" reports/example/report.json
        "$loadcall" report reports/example | head -1
        ;;
    esac
done
