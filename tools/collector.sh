#!/usr/bin/env bash
# Obtains an OpenTelemetry Collector for the conformance tests, and prints its path.
# Usage: collector.sh [TOOLS]   (default: .tools in the repository)
# Takes the one built before, else builds the components of tools/collector.yaml with Go.
set -eu

version=v0.165.0

here=$(cd "$(dirname "$0")" && pwd)
tools=${1:-$here/../.tools}

fail() {
    printf 'collector: %s\n' "$1" >&2
    exit 1
}

mkdir -p "$tools/bin"
tools=$(cd "$tools" && pwd)
collector=$tools/bin/otelcol-$version
if [ -x "$collector" ]; then
    printf '%s\n' "$collector"
    exit 0
fi

command -v go >/dev/null 2>&1 || fail "there is no Go to build it with; install Go 1.26 or newer (https://go.dev/dl)"
printf 'collector: building %s with Go (five minutes of CPU time, once)\n' "$version" >&2
making=$(mktemp -d "$tools/collector.XXXXXX")
trap 'rm -rf "$making"' EXIT
sed "s/VERSION/$version/" "$here/collector.yaml" >"$making/manifest.yaml"
# The builder writes the program's source and its go.mod; compiling is left to Go itself, without debug symbols.
(cd "$making" && go run "go.opentelemetry.io/collector/cmd/builder@$version" --config manifest.yaml --skip-compilation) >&2 ||
    fail "the builder failed; see above"
# A build that is broken off must not leave a half-made program under the real name.
(cd "$making/build" && go build -trimpath -ldflags=-s -o "$making/otelcol" .) >&2 || fail "go build failed; see above"
mv "$making/otelcol" "$collector"
printf '%s\n' "$collector"
