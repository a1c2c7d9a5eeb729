#!/bin/bash
# An evaluation killed with -9 half way and resumed must report the same bytes as one that was not: gsm8k, 50 questions, 4 samples.
# By hand, because it wants a real model:   MODEL=smollm2-135m.gguf bench/eval_resume.sh [R1 [DATA]]
# MAX_TOKENS (512), LIMIT (50), SAMPLES (4) can be set. Prints one JSON object; exit status 0 where all forms of the report agree.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
r1=${1:-$here/build/r1}
data=${2:-$here/../shared/data}
model=${MODEL:?set MODEL to a checkpoint}
limit=${LIMIT:-50} samples=${SAMPLES:-4} tokens=${MAX_TOKENS:-512}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
total=$((limit * samples))

examine() { exec "$r1" eval "$model" --task gsm8k --data "$data" --limit "$limit" --samples "$samples" --max-tokens "$tokens" --seed 1 --quiet "$@"; }
taken() { "$r1" report "$1" --csv 2>/dev/null | sed -n 's/^.*,gsm8k,samples,,0,\([0-9]*\),.*/\1/p'; }

begin=$SECONDS
(examine --out "$tmp/whole") >"$tmp/whole.txt"
whole=$((SECONDS - begin))
examine --out "$tmp/cut" >/dev/null 2>&1 &
job=$!
while n=$(taken "$tmp/cut"); [ "${n:-0}" -lt $((total / 2)) ] && kill -0 $job 2>/dev/null; do sleep 0.5; done
kill -9 $job 2>/dev/null || true
wait $job 2>/dev/null || true
kept=$(taken "$tmp/cut")
[ "$kept" -lt "$total" ] || { echo "the run ended before it could be killed" >&2; exit 1; }
(examine --out "$tmp/cut" --resume) >"$tmp/cut.txt"

same=true
cmp "$tmp/whole.txt" "$tmp/cut.txt" || same=false
cmp "$tmp/whole/report.html" "$tmp/cut/report.html" || same=false
for form in --json --csv; do
    cmp <("$r1" report "$tmp/whole" $form) <("$r1" report "$tmp/cut" $form) || same=false
done
cat "$tmp/whole.txt" >&2
printf '{"bench": "eval_resume", "model": "%s", "prompts": %d, "samples": %d, "kept_at_kill": %d, "seconds_whole": %d, "same_bytes": %s}\n' \
    "$(basename "$model")" "$limit" "$total" "$kept" "$whole" "$same"
$same
