#!/usr/bin/env bash
# Time and memory of accepting seven runs of 10,000 calls with ten questions each, one after the other, and of comparing
# and reporting an eighth against them: `make size`. The recordings are those of the test `large_recordings`.
#   size.sh LOADCALL
# Fails when a command takes more than 10 seconds or 200 MiB.
set -euo pipefail

loadcall=$(realpath "$1")
from=${TMPDIR:-/tmp}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

failed=0
measure() {
    local what=$1
    shift
    python3 - "$what" "$@" <<'MEASURE' || failed=1
import resource, subprocess, sys, time

what, *command = sys.argv[1:]
begun = time.monotonic()
done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
seconds = time.monotonic() - begun
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"{what:<22} {seconds:6.1f} s  {usage.ru_utime + usage.ru_stime:6.1f} s of CPU  {usage.ru_maxrss / 1024:6.0f} MiB", flush=True)
if done.returncode not in (0, 4, 5):
    sys.exit(done.stderr.decode())
sys.exit(seconds > 10 or usage.ru_maxrss > 200 * 1024)
MEASURE
}

for seed in 1 2 3 4 5 6 7; do
    measure "accept, run $seed" "$loadcall" accept --baseline b.json "$from/loadcall-large-$seed"
done
measure "compare with seven" "$loadcall" compare "$from/loadcall-large-8" b.json
measure "report with seven" "$loadcall" report "$from/loadcall-large-8" --baseline b.json
ls -l b.json | awk '{ printf "the baseline            %6.1f MiB\n", $5 / 1048576 }'
exit $failed
