#!/usr/bin/env bash
# Builds what is released for one target, tries it, and leaves it in target/package: an archive with program, completions
# and man pages, the same program as a wheel, and their SHA-256.
#   deploy/release/package.sh TARGET [COMPATIBILITY]
# COMPATIBILITY is maturin's, such as manylinux_2_28. PROFILE=dev builds in minutes, to try this script.
# Needs Rust, cmake, a C compiler, python3 and maturin.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${1:?TARGET is missing, such as x86_64-unknown-linux-gnu}
compatibility=${2:-}
profile=${PROFILE:-dist}
[ "$profile" = dev ] && folder=debug || folder=$profile
# What is built for this very machine shares its libraries with every other build.
host=$(rustc -vV | sed -n 's/^host: //p')
[ "$target" = "$host" ] && elsewhere= || elsewhere=$target
built=${CARGO_TARGET_DIR:-target}/${elsewhere:+$elsewhere/}$folder/loadcall
out=target/package

mkdir -p "$out"
maturin build --locked --profile "$profile" --out "$out" ${elsewhere:+--target "$elsewhere"} \
    ${compatibility:+--compatibility "$compatibility"}

version=$("$built" -V | cut -d' ' -f2)
name=loadcall-$version-$target
rm -rf "${out:?}/$name"
mkdir -p "$out/$name/completions" "$out/$name/man"
cp "$built" README.md CHANGELOG.md LICENSE "$out/$name"
python3 deploy/release/notices.py "$target" > "$out/$name/THIRD-PARTY.txt"
"$built" completions bash > "$out/$name/completions/loadcall.bash"
"$built" completions zsh > "$out/$name/completions/_loadcall"
"$built" completions fish > "$out/$name/completions/loadcall.fish"
"$built" man "$out/$name/man"
tar -czf "$out/$name.tar.gz" -C "$out" "$name"
rm -rf "${out:?}/$name"

# What was packed works away from the source.
trial=$(mktemp -d)
trap 'rm -rf "$trial"' EXIT
tar -xzf "$out/$name.tar.gz" -C "$trial"
(cd "$trial" && "./$name/loadcall" --version && "./$name/loadcall" init --yes && "./$name/loadcall" check scenarios/greeting.yaml)

sum() { if command -v sha256sum > /dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }
(cd "$out" && for file in "$name.tar.gz" loadcall-"$version"-*.whl; do sum "$file" > "$file.sha256"; done)
ls -l "$out"
