#!/usr/bin/env bash
# Runs the livekit crate's own end-to-end tests on the media engine, against a real livekit-server.
# Usage: conformance.sh build              makes the test programs
#        conformance.sh run [SUITE…]       runs all suites, or those named
#                                          (CONFORMANCE_JOBS tests at a time, 3 unless told)
#        conformance.sh check-official     type-checks the same code on the official engine
# The tests come from the crate in cargo's registry: a copy is made under the target folder, none is
# kept in the repository. What has to pass and what cannot, with the reason, is listed in
# crates/libwebrtc/conformance.txt; any difference from it is an error.
set -eu -o pipefail

# The longest that one test may take, in seconds. Some wait for timeouts of their own.
limit=90

here=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$here/target}
work=$target/conformance
list=$here/crates/libwebrtc/conformance.txt
programs=$work/programs

fail() {
    printf 'conformance: %s\n' "$1" >&2
    exit 2
}

# Copies the livekit crate to $1 and makes it a workspace of its own.
copy_crate() {
    local manifest
    # The version that the lock file names, already unpacked by cargo.
    manifest=$(cd "$here" && cargo metadata --format-version 1 --locked |
        grep -o '"manifest_path":"[^"]*/livekit-[0-9.]*/Cargo.toml"' | cut -d '"' -f 4) ||
        fail "the livekit crate is not among the dependencies"
    rm -rf "$1"
    mkdir -p "$work"
    cp -R "$(dirname "$manifest")" "$1"
    # The versions everything else here is built with.
    cp "$here/Cargo.lock" "$1/Cargo.lock"
    chmod -R u+w "$1"
    {
        printf '\n[workspace]\n'
        # A debug build has to keep the pace of audio; the settings of the workspace.
        sed -n '/^\[profile/,/^$/p' "$here/Cargo.toml"
    } >>"$1/Cargo.toml"
}

build() {
    copy_crate "$work/livekit"
    printf '\n[patch.crates-io]\nlibwebrtc = { path = "%s" }\n' "$here/crates/libwebrtc" >>"$work/livekit/Cargo.toml"
    # One line of JSON for each program made; the folder of a suite's source tells its name.
    (cd "$work/livekit" && cargo test --features __lk-e2e-test --tests --no-run --target-dir "$target" \
        --message-format json-render-diagnostics) >"$work/messages" || fail "the tests do not build; see above"
    sed -n 's/.*"src_path":"[^"]*\/tests\/\([a-z0-9_]*\)\.rs".*"executable":"\([^"]*\)".*/\1 \2/p' "$work/messages" >"$programs"
    [ -s "$programs" ] || fail "cargo made no test program"
    printf 'conformance: %s suites built\n' "$(wc -l <"$programs" | tr -d ' ')"
}

# The official engine's build script downloads a prebuilt library, except for documentation.
check_official() {
    copy_crate "$work/official"
    (cd "$work/official" && DOCS_RS=1 cargo check --features __lk-e2e-test --tests --target-dir "$target/official")
}

is_free() {
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

answers() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && grep -q '^OK' <&3) 2>/dev/null
}

start_server() {
    local program config waited
    program=$("$here/tools/server.sh")
    port=17880
    while ! { is_free $port && is_free $((port + 1)); }; do
        port=$((port + 10))
        [ $port -lt 18880 ] || fail "no free port between 17880 and 18880"
    done
    # The loopback alone: a server that names its loopback address for another interface takes no TCP there.
    config="port: $port
rtc:
  tcp_port: $((port + 1))
  udp_port: $((port + 2))
  enable_loopback_candidate: true
  ips: {includes: [127.0.0.1/32]}
enable_participant_data_blob: true
logging: {level: info}"
    "$program" --dev --bind 127.0.0.1 --node-ip 127.0.0.1 --config-body "$config" >"$work/server.log" 2>&1 &
    server=$!
    trap 'kill $server 2>/dev/null || true' EXIT
    for waited in $(seq 100); do
        if answers "$port"; then return; fi
        kill -0 $server 2>/dev/null || fail "livekit-server ended at once; see $work/server.log"
        sleep 0.1
    done
    fail "livekit-server did not answer within $((waited / 10)) s; see $work/server.log"
}

# What is listed: prints the outcome and the text that the output of a failure must have, or nothing.
expected() {
    awk -F ' *[|] *' -v test="$1" '$1 == test { print $2, $4 }' "$list"
}

# Runs one test and prints a line on it; what is not as listed begins with a capital letter.
run_test() {
    local suite=$1 program=$2 test=$3
    local name=$suite::$test log=$work/logs/$suite.${test//:/_} wanted seen text
    local begun=$SECONDS
    if timeout --kill-after 5 $limit "$program" --exact "$test" --test-threads 1 >"$log" 2>&1; then seen=pass; else seen=fail; fi
    wanted=$(expected "$name")
    text=${wanted#* }
    case $seen,${wanted%% *} in
    pass,pass | pass,either) printf 'ok          %s (%s s)\n' "$name" $((SECONDS - begun)) ;;
    fail,fail | fail,either)
        if grep -qF -- "$text" "$log"; then
            printf 'cannot      %s: %s\n' "$name" "$text"
        else
            printf 'WRONG FAIL  %s: its output does not say "%s"; see %s\n' "$name" "$text" "$log"
        fi
        ;;
    fail,pass) printf 'FAILED      %s (%s s); see %s\n' "$name" $((SECONDS - begun)) "$log" ;;
    pass,fail) printf 'PASSED      %s, which is listed as one that cannot\n' "$name" ;;
    *) printf 'NOT LISTED  %s: %s\n' "$name" "$seen" ;;
    esac
}

# Whether the suite $1 is among those named behind it; all are where none is named.
is_chosen() {
    local suite=$1
    shift
    case " ${*:-$suite} " in *" $suite "*) ;; *) return 1 ;; esac
}

# Prints the suite, the program and the name of each test of the suites named, or of all.
tests_of() {
    local suite program test
    while read -r suite program; do
        is_chosen "$suite" "$@" || continue
        for test in $("$program" --list 2>/dev/null | sed -n 's/: test$//p'); do
            printf '%s %s %s\n' "$suite" "$program" "$test"
        done
    done <"$programs"
}

# Runs the suites named, or all. Every test has a process and rooms of its own, so that one that hangs or
# breaks takes no other along and is named. They mostly wait, so a few run at a time.
run() {
    local suite name outcomes=$work/outcomes
    [ -s "$programs" ] || fail "nothing is built: run '$0 build' first"
    for suite in "$@"; do
        grep -q "^$suite " "$programs" || fail "there is no suite $suite; there are: $(cut -d ' ' -f 1 "$programs" | tr '\n' ' ')"
    done
    command -v timeout >/dev/null || fail "there is no timeout command: install GNU coreutils"
    rm -rf "$work/logs"
    mkdir -p "$work/logs"
    start_server
    export RUST_BACKTRACE=0 LIVEKIT_URL=ws://127.0.0.1:$port LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=secret
    export -f run_test expected
    export work limit list
    tests_of "$@" >"$work/tests"
    xargs --max-args 3 --max-procs "${CONFORMANCE_JOBS:-3}" bash -c 'run_test "$@"' run_test <"$work/tests" | tee "$outcomes"
    # What is listed and was not run is a test that is gone.
    sed -n 's/^\([a-z0-9_]*\)::\([^ |]*\).*/\1 \2/p' "$list" | while read -r suite name; do
        is_chosen "$suite" "$@" || continue
        grep -q "^$suite [^ ]* $name\$" "$work/tests" ||
            printf 'MISSING     %s::%s is listed and does not exist\n' "$suite" "$name"
    done | tee -a "$outcomes"
    printf 'conformance: %s tests, %s passed, %s cannot pass (see %s), %s not as listed\n' \
        "$(wc -l <"$work/tests" | tr -d ' ')" "$(grep -c '^ok' "$outcomes" || true)" \
        "$(grep -c '^cannot' "$outcomes" || true)" "${list#"$here"/}" "$(grep -c '^[A-Z]' "$outcomes" || true)"
    ! grep -q '^[A-Z]' "$outcomes"
}

case ${1:-} in
build) build ;;
check-official) check_official ;;
run)
    shift
    run "$@"
    ;;
*) fail "say build, run or check-official; see the head of $0" ;;
esac
