#!/usr/bin/env bash
# Makes the Python environment of the demo agent and prints the path of its interpreter.
# Usage: setup.sh [VENV]   (default: .tools/venv in the repository)
# Does nothing when the environment is there and the requirements have not changed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
venv=${1:-$here/../.tools/venv}
requirements=$here/requirements.txt
stamp=$venv/.requirements.cksum

fail() {
    printf 'demo agent: %s\n' "$1" >&2
    exit 1
}

# The livekit-agents of the requirements runs on 3.10 to 3.14, its numpy and onnxruntime from 3.11 on.
find_python() {
    for candidate in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "needs Python 3.11 to 3.14; install it (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python)"
}

wanted=$(cksum <"$requirements")
if [ -x "$venv/bin/python" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    printf '%s\n' "$venv/bin/python"
    exit 0
fi

python=$(find_python)
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    fail "$python has no venv module; install it (Debian, Ubuntu: apt install python3-venv)"

if [ ! -x "$venv/bin/python" ]; then
    printf 'demo agent: making %s\n' "$venv" >&2
    "$python" -m venv "$venv"
fi
printf 'demo agent: installing livekit-agents (about 350 MB, once)\n' >&2
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --requirement "$requirements" >&2 ||
    fail "pip could not install $requirements; see above"
printf '%s\n' "$wanted" >"$stamp"
printf '%s\n' "$venv/bin/python"
