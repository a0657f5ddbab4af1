#!/usr/bin/env bash
# Makes the environment that validates what loadcall prints, and prints the path of its interpreter.
# Usage: setup.sh [PYTHON]   (default: that of the demo agent, .tools/venv)
# Does nothing when the environment is there and the requirements have not changed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
tools=$here/../../.tools
python=${1:-$tools/venv/bin/python}
venv=$tools/formats
stamp=$venv/.requirements.cksum
# Jenkins' schema of JUnit files, MIT licence: pytest has it among its tests.
schema_of=pytest==8.4.2

fail() {
    printf 'formats: %s\n' "$1" >&2
    exit 1
}

wanted=$(cat "$here/requirements.txt" "$0" | cksum)
if [ -x "$venv/bin/python" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    printf '%s\n' "$venv/bin/python"
    exit 0
fi

printf 'formats: installing validators (30 MB, once)\n' >&2
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv" || fail "$python makes no environment"
pip() {
    "$venv/bin/python" -m pip "$@" --quiet --disable-pip-version-check >&2
}
pip install --requirement "$here/requirements.txt" || fail "pip could not install the requirements; see above"
sources=$(mktemp -d)
trap 'rm -rf "$sources"' EXIT
pip download --no-deps --no-binary :all: --dest "$sources" "$schema_of" || fail "pip could not fetch $schema_of"
tar --extract --gzip --file "$sources"/*.tar.gz --directory "$sources"
mv "$sources"/*/testing/example_scripts/junit-10.xsd "$venv/junit-10.xsd" || fail "$schema_of has no schema"
printf '%s\n' "$wanted" >"$stamp"
printf '%s\n' "$venv/bin/python"
