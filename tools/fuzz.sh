#!/bin/sh
# fuzz.sh BUILD_DIR SECONDS [TARGET...]: runs each libFuzzer target for SECONDS, beginning with its committed corpus.
# New inputs are kept in BUILD_DIR/corpus, findings in BUILD_DIR/findings.
set -eu
build=$1
seconds=$2
shift 2
cd "$(dirname "$0")/.."
mkdir -p "$build/findings"
[ $# -gt 0 ] || set -- $(find "$build" -maxdepth 1 -type f -name 'fuzz_*' -perm -u+x | sort | sed 's|.*/||')
failed=0
for target; do
    short=${target#fuzz_}
    mkdir -p "$build/corpus/$short"
    echo "== $target, $seconds s"
    if ! "$build/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="$build/findings/$short-" "$build/corpus/$short" "fuzz/corpus/$short" >"$build/$target.log" 2>&1; then
        failed=$((failed + 1))
        echo "FINDING:"
        tail -40 "$build/$target.log"
    fi
    grep -E 'stat::(number_of_executed_units|average_exec_per_sec|peak_rss_mb)|^#[0-9]+.*DONE' "$build/$target.log" || true
done
echo "$# targets, $failed with findings"
exit "$((failed > 0))"
