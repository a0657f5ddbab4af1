#!/usr/bin/env bash
# One call of ten minutes against the demo agent: it has to end as it should, and loadcall's memory
# has to stop growing. Prints the resident memory each half minute.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Ten minutes of questions and answers, 15 s or so each.
{
  cat <<YAML
version: 1
name: soak
agent: {name: demo-agent}
turns:
  - {id: greeting, expect: {agent: speaks, within: 5s}}
YAML
  for n in $(seq 1 56); do
    cat <<YAML
  - id: question-$n
    say: {file: hours.wav}
    start: {after: agent_speech_end, delay: 5s}
    expect: {agent: responds, within: 8s}
  - {id: pause-$n, silence: 4s}
YAML
  done
  echo "hangup: {max_call: 15m}"
} > "$work/soak.yaml"
cp scenarios/clips/hours.wav "$work/"

target=${CARGO_TARGET_DIR:-target}
"$target/release/loadcall" run "$work/soak.yaml" --dev --out "$work/run" --keep-audio none \
  --agent-command ".tools/venv/bin/python demo/agent.py" &
pid=$!
memory=()
while kill -0 "$pid" 2>/dev/null; do
  rss=$(awk '/VmRSS/ {print $2}' "/proc/$pid/status" 2>/dev/null || true)
  [ -n "$rss" ] && memory+=("$rss") && echo "$((${#memory[@]} * 30 - 30)) s: $rss kB" >&2
  sleep 30 &
  wait -n "$pid" $! || true
done
code=0
wait "$pid" || code=$?
count=${#memory[@]}
[ "$code" -eq 0 ] || { echo "error: loadcall ended with $code" >&2; exit 1; }
[ "$count" -ge 20 ] || { echo "error: the call ended after $((count * 30)) s" >&2; exit 1; }
# After two minutes everything that is ever needed is there: what comes later may grow by 2 MB.
growth=$((memory[count - 1] - memory[4]))
echo "memory grew by $growth kB from minute 2 to the end" >&2
[ "$growth" -le 2048 ] || { echo "error: memory does not stop growing" >&2; exit 1; }
