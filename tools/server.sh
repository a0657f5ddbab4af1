#!/usr/bin/env bash
# Obtains livekit-server and prints its path.
# Usage: server.sh [TOOLS]   (default: .tools in the repository)
# Takes the one on PATH, else the one built before, else builds it with Go.
# LIVEKIT_SERVER_VERSION=v1.13.11 builds and takes that version, whatever is on PATH.
set -eu

# The newest whose own modules the Go module proxy has: 1.13.6 to 1.13.11 are made of forks and commits
# that it does not.
version=v1.13.5

here=$(cd "$(dirname "$0")" && pwd)
tools=${1:-$here/../.tools}

fail() {
    printf 'livekit-server: %s\n' "$1" >&2
    exit 1
}

if [ -n "${LIVEKIT_SERVER_VERSION:-}" ]; then
    version=$LIVEKIT_SERVER_VERSION
elif command -v livekit-server >/dev/null 2>&1; then
    command -v livekit-server
    exit 0
fi

mkdir -p "$tools/bin"
tools=$(cd "$tools" && pwd)
server=$tools/bin/livekit-server
if [ -x "$server" ] && [ "$("$server" --version)" = "livekit-server version ${version#v}" ]; then
    printf '%s\n' "$server"
    exit 0
fi

command -v go >/dev/null 2>&1 ||
    fail "not on PATH, and there is no Go to build it with; install Go 1.26 or newer (https://go.dev/dl) or livekit-server itself (macOS: brew install livekit)"
printf 'livekit-server: building %s with Go (three minutes of CPU time, once)\n' "$version" >&2
making=$(mktemp -d "$tools/server.XXXXXX")
trap 'chmod -R u+w "$making"; rm -rf "$making"' EXIT
# Built as the main module, in a copy, so that the `replace` lines of its go.mod hold: `go install` refuses them.
module=$(go mod download -json "github.com/livekit/livekit-server@$version" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
[ -n "$module" ] || fail "there is no version $version"
cp -R "$module" "$making/module"
chmod -R u+w "$making/module"
# A build that is broken off must not leave a half-made program under the real name.
(cd "$making/module" && go build -o "$making/server" ./cmd/server) >&2 || fail "go build failed; see above"
mv "$making/server" "$server"
printf '%s\n' "$server"
