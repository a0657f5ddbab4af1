#!/usr/bin/env bash
# Makes the environments of the agents in this folder, each from requirements/KIND in .tools/agents/KIND.
# Usage: setup.sh KIND…
# What is there and has the same requirements is kept.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
agents=$here/../../.tools/agents
mkdir -p "$agents"
agents=$(cd "$agents" && pwd)

fail() {
    printf 'agents: %s\n' "$1" >&2
    exit 1
}

make_python() {
    local venv=$1 requirements=$2
    [ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements" >&2
}

make_node() {
    local folder=$1 requirements=$2
    command -v npm >/dev/null || fail "there is no npm: install Node 20 or newer"
    cp "$requirements" "$folder/package.json"
    # Without the variable, the install would fetch a GPU library that nobody uses here.
    (cd "$folder" && ONNXRUNTIME_NODE_INSTALL=skip npm install --silent --no-fund --no-audit >&2)
}

for kind in "$@"; do
    case $kind in node-*) requirements=$here/requirements/$kind.json maker=make_node ;;
    *) requirements=$here/requirements/$kind.txt maker=make_python ;; esac
    [ -f "$requirements" ] || fail "there is no kind $kind"
    folder=$agents/$kind
    wanted=$(cksum <"$requirements")
    stamp=$folder/.requirements.cksum
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then continue; fi
    printf 'agents: installing %s\n' "$kind" >&2
    mkdir -p "$folder"
    "$maker" "$folder" "$requirements" || fail "cannot install $kind; see above"
    printf '%s\n' "$wanted" >"$stamp"
done
