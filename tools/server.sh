#!/usr/bin/env bash
# Obtains livekit-server and prints its path.
# Usage: server.sh [TOOLS]   (default: .tools in the repository)
# Takes the one on PATH, else the one fetched before, else builds it with Go.
set -eu

# The last version that `go install` accepts: later tags carry `replace` lines.
version=v1.13.5

here=$(cd "$(dirname "$0")" && pwd)
tools=${1:-$here/../.tools}

fail() {
    printf 'livekit-server: %s\n' "$1" >&2
    exit 1
}

if command -v livekit-server >/dev/null 2>&1; then
    command -v livekit-server
    exit 0
fi

mkdir -p "$tools/bin"
tools=$(cd "$tools" && pwd)
server=$tools/bin/livekit-server
if [ -x "$server" ]; then
    printf '%s\n' "$server"
    exit 0
fi

command -v go >/dev/null 2>&1 ||
    fail "not on PATH, and there is no Go to build it with; install Go 1.26 or newer (https://go.dev/dl) or livekit-server itself (macOS: brew install livekit)"
printf 'livekit-server: building %s with Go (some minutes, once)\n' "$version" >&2
# In a folder of its own: `go install` names the program `server`, after its folder, and a run
# that is broken off must not leave a half-made program under the real name.
making=$(mktemp -d "$tools/server.XXXXXX")
trap 'rm -rf "$making"' EXIT
GOBIN=$making go install "github.com/livekit/livekit-server/cmd/server@$version" >&2 ||
    fail "go install failed; see above"
mv "$making/server" "$server"
printf '%s\n' "$server"
