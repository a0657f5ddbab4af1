#!/usr/bin/env bash
# Runs the livekit crate's own end-to-end tests on the media engine, against a real livekit-server.
# Usage: conformance.sh build              makes the test program (crates/conformance)
#        conformance.sh run [SUITE…]       runs all suites, or those named
#                                          (CONFORMANCE_JOBS tests at a time, 4 unless told)
#        conformance.sh check-official     type-checks the same code on the official engine
# The tests come from the crate in cargo's registry, none is kept in the repository. What has to pass and
# what cannot, with the reason, is listed in crates/libwebrtc/conformance.txt; any difference from it is an error.
set -eu -o pipefail

# The longest that one test may take, in seconds. Some wait for timeouts of their own.
limit=90
# Suites that run in one process, as upstream runs them: their tests share nothing with a server.
together=" platform_audio_test "
# Suites with tests of ten seconds and more.
longest=" audio_test reconnection_test "

here=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$here/target}
work=$target/conformance
list=$here/crates/libwebrtc/conformance.txt

fail() {
    printf 'conformance: %s\n' "$1" >&2
    exit 2
}

# With the features of the whole workspace, so that everything else is built once.
build() {
    mkdir -p "$work"
    (cd "$here" && cargo test --workspace --test conformance --no-run --message-format json-render-diagnostics) \
        >"$work/messages" || fail "the tests do not build; see above"
    sed -n 's/.*"name":"conformance".*"executable":"\([^"]*\)".*/\1/p' "$work/messages" | tail -n 1 >"$work/program"
    [ -s "$work/program" ] || fail "cargo made no test program"
}

# The official engine's build script downloads a prebuilt library, except for documentation. The crate is copied and made
# a workspace of its own, with the versions that everything else here is built with.
check_official() {
    local manifest
    manifest=$(cd "$here" && cargo metadata --format-version 1 --locked |
        grep -o '"manifest_path":"[^"]*/livekit-[0-9.]*/Cargo.toml"' | cut -d '"' -f 4) ||
        fail "the livekit crate is not among the dependencies"
    rm -rf "$work/official"
    mkdir -p "$work"
    cp -R "$(dirname "$manifest")" "$work/official"
    cp "$here/Cargo.lock" "$work/official/Cargo.lock"
    chmod -R u+w "$work/official"
    printf '\n[workspace]\n' >>"$work/official/Cargo.toml"
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

# Prints a line on the test $1 that was seen to $2 (pass or fail) and whose output is in the file $3; what is not as
# listed begins with a capital letter.
judge() {
    local name=$1 seen=$2 log=$3 wanted text
    wanted=$(expected "$name")
    text=${wanted#* }
    case $seen,${wanted%% *} in
    pass,pass | pass,either) printf 'ok          %s\n' "$name" ;;
    fail,fail | fail,either)
        if grep -qF -- "$text" "$log"; then
            printf 'cannot      %s: %s\n' "$name" "$text"
        else
            printf 'WRONG FAIL  %s: its output does not say "%s"; see %s\n' "$name" "$text" "$log"
        fi
        ;;
    fail,pass) printf 'FAILED      %s; see %s\n' "$name" "$log" ;;
    pass,fail) printf 'PASSED      %s, which is listed as one that cannot\n' "$name" ;;
    *) printf 'NOT LISTED  %s: %s\n' "$name" "$seen" ;;
    esac
}

# Runs a test in a process of its own.
run_alone() {
    local name=$1 log=$work/logs/${1//:/_} begun=$SECONDS seen
    if timeout --kill-after 5 $limit "$program" --exact "$name" --test-threads 1 >"$log" 2>&1; then seen=pass; else seen=fail; fi
    printf '%s (%s s)\n' "$(judge "$name" $seen "$log")" $((SECONDS - begun))
}

# Runs all tests of a suite in one process, and takes its output apart: a test's own follows `---- NAME stdout ----`.
run_together() {
    local suite=$1 log=$work/logs/$1 test seen
    timeout --kill-after 5 $limit "$program" "$suite::" --test-threads 1 >"$log" 2>&1 || true
    for test in $(grep "^$suite::" "$work/tests"); do
        seen=fail
        grep -qE "^test $test( - .*)? [.]{3} ok$" "$log" && seen=pass
        awk -v start="---- $test stdout ----" '/^---- / { on = $0 == start } on' "$log" >"$log.${test//:/_}"
        judge "$test" $seen "$log.${test//:/_}"
    done
}

# Runs what a line of the list of work names: a suite, or a test.
run_one() {
    case $1 in *::*) run_alone "$1" ;; *) run_together "$1" ;; esac
}

# Whether the suite $1 is among those named behind it; all are where none is named.
is_chosen() {
    local suite=$1
    shift
    case " ${*:-$suite} " in *" $suite "*) ;; *) return 1 ;; esac
}

# Runs the suites named, or all. A test has a process and rooms of its own, so that one that hangs or
# breaks takes no other along and is named. They mostly wait, so a few run at a time.
run() {
    local suite test outcomes=$work/outcomes
    program=$(cat "$work/program" 2>/dev/null) || fail "nothing is built: run '$0 build' first"
    "$program" --list 2>/dev/null | sed -n 's/: test$//p' >"$work/all"
    for suite in "$@"; do
        grep -q "^$suite::" "$work/all" || fail "there is no suite $suite; there are: $(cut -d : -f 1 "$work/all" | uniq | tr '\n' ' ')"
    done
    command -v timeout >/dev/null || fail "there is no timeout command: install GNU coreutils"
    rm -rf "$work/logs"
    mkdir -p "$work/logs"
    while read -r test; do
        if is_chosen "${test%%::*}" "$@"; then printf '%s\n' "$test"; fi
    done <"$work/all" >"$work/tests"
    # The longest first, so that none runs alone at the end.
    awk -F :: -v together="$together" -v longest="$longest" '
        index(together, " " $1 " ") { if (seen[$1]++) next; $0 = $1 }
        { print !index(longest, " " $1 " "), $0 }' "$work/tests" | sort -s -n -k 1,1 | cut -d " " -f 2 >"$work/queue"
    start_server
    export RUST_BACKTRACE=0 LIVEKIT_URL=ws://127.0.0.1:$port LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=secret
    export -f run_one run_alone run_together judge expected
    export work limit list program
    xargs --max-args 1 --max-procs "${CONFORMANCE_JOBS:-4}" bash -c 'run_one "$1"' run_one <"$work/queue" | tee "$outcomes"
    # What is listed and was not run is a test that is gone.
    sed -n 's/^\([a-z0-9_]*::[^ |]*\).*/\1/p' "$list" | while read -r test; do
        is_chosen "${test%%::*}" "$@" || continue
        grep -qx "$test" "$work/tests" || printf 'MISSING     %s is listed and does not exist\n' "$test"
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
