#!/bin/sh
# Lines per room, and the change against main (or the branch named as the first argument).
set -eu
cd "$(dirname "$0")/.."
base=${1:-main}
git rev-parse -q --verify "$base" >/dev/null || base=HEAD
now=$(mktemp)
then=$(mktemp)
trap 'rm -f "$now" "$then"' EXIT
room='{ n = split($2, p, "/"); r = p[1]; if (p[1] == "src" && n > 2) r = p[1] "/" p[2]; if (p[2] == "backend") r = r "/" p[3]; print $1, r }'
pattern='\.(c|h|cu|sh|cmake|md|jinja)$|(^|/)(CMakeLists.txt|Makefile)$'
git ls-files -co --exclude-standard | grep -E "$pattern" | while read -r f; do
    [ -f "$f" ] && echo "$(wc -l <"$f") $f"
done | awk "$room" >"$now"
git ls-tree -r --name-only "$base" | grep -E "$pattern" | while read -r f; do
    echo "$(git show "$base:$f" | wc -l) $f"
done | awk "$room" >"$then"
awk -v base="$base" '
    FNR == NR { before[$2] += $1; seen[$2]; next }
    { now[$2] += $1; seen[$2] }
    END {
        printf "%-22s %8s %8s\n", "room", "lines", "+/- " base
        for (r in seen) { printf "%-22s %8d %+8d\n", r, now[r], now[r] - before[r] | "sort"; a += now[r]; b += before[r] }
        close("sort")
        printf "%-22s %8d %+8d\n", "total", a, a - b
    }' "$then" "$now"
