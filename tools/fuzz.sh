#!/bin/sh
# fuzz.sh BUILD_DIR SECONDS [TARGET...]: runs each libFuzzer target for SECONDS, as many at once as there are processors, each
# beginning with its committed corpus. New inputs are kept in BUILD_DIR/corpus, findings in BUILD_DIR/findings.
set -eu
build=$1
seconds=$2
shift 2
cd "$(dirname "$0")/.."
mkdir -p "$build/findings"
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(for f in fuzz/fuzz_*.c; do basename "$f" .c; done)
for target; do
    mkdir -p "$build/corpus/${target#fuzz_}"
    rm -f "$build/$target.failed"
done
# An input that asks for more than 2 GB, or runs longer than 20 s, is a finding as much as a bad access.
export ASAN_OPTIONS=allocator_may_return_null=1
# shellcheck disable=SC2016
printf '%s\n' "$@" | xargs -P "$(nproc)" -I TARGET sh -c '
    target=$1 short=${1#fuzz_} build=$2
    "$build/$target" -max_total_time="$3" -timeout=20 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="$build/findings/$short-" "$build/corpus/$short" "fuzz/corpus/$short" >"$build/$target.log" 2>&1 ||
        touch "$build/$target.failed"' sh TARGET "$build" "$seconds"
failed=0
for target; do
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$target.log")
    if [ -e "$build/$target.failed" ]; then
        failed=$((failed + 1))
        echo "$target: FINDING after ${runs:-?} runs"
        grep -E '^(SUMMARY|==[0-9]+==ERROR)|Test unit written|runtime error' "$build/$target.log" || tail -20 "$build/$target.log"
    else
        echo "$target: $runs runs, none found"
    fi
done
echo "$# targets, $seconds s each, $failed with findings"
exit "$((failed > 0))"
