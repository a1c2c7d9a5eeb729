#!/bin/sh
# evaluate.sh [--limit N] [--data DIR] MODEL CORPUS OUT: examines a model in every family of held-out problems (CORPUS/eval, made by
# tools/corpus/make_corpus.py) and prints one table; the records stay in OUT. A run that was stopped goes on with the same call.
# Countdown is asked at temperature 1, where reinforcement learning draws, 16 answers each; the others at R1's 0.6 and top-p 0.95,
# 4 each. --data DIR: the folder of data sets, whose countdown problems have numbers to 100. R1=path names the program.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
r1=$(realpath "${R1:-$top/build/r1}")
limit=0
data=
while :; do
    case ${1:-} in
    --limit) limit=$2 && shift 2 ;;
    --data) data=$2 && shift 2 ;;
    *) break ;;
    esac
done
[ $# = 3 ] || { echo "usage: evaluate.sh [--limit N] [--data DIR] MODEL CORPUS OUT" >&2; exit 2; }
model=$1
corpus=$2
out=$3
mkdir -p "$out"

ask() { # family data task options...
    family=$1 where=$2 task=$3
    shift 3
    resume=
    [ -f "$out/$family/run.db" ] && resume=--resume
    # shellcheck disable=SC2086
    "$r1" eval "$model" --quiet --task "$task" --data "$where" --limit "$limit" --max-tokens 256 --out "$out/$family" $resume "$@" >/dev/null
    "$r1" report "$out/$family" --csv | awk -F , -v family="$family" '
        NR == 1 { next }
        $5 != "" { next } # by subject
        $4 == "pass@1" { one = $7; lo = $8; hi = $9 }
        $4 == "pass@k" && ($6 == 4 || $6 == 16) { pass[$6] = sprintf("%.1f", 100 * $7) }
        $4 == "samples" { samples = $7 }
        $4 == "truncated" { cut = $7 }
        $4 == "not_extracted" { none = $7 }
        END {
            printf "| %s | %d | %.1f (%.1f to %.1f) | %s | %s | %d | %d |\n", family, samples, 100 * one, 100 * lo, 100 * hi, pass[4], pass[16], none, cut
        }'
}

echo "| family | answers | pass@1, % (95 % interval) | pass@4, % | pass@16, % | without an answer | cut at 256 tokens |"
echo "| --- | --- | --- | --- | --- | --- | --- |"
for f in countdown3 countdown4; do ask $f "$corpus/eval/$f.jsonl" countdown --samples 16 --temperature 1 --top-p 1; done
[ -z "$data" ] || ask countdown-to-100 "$data" countdown --samples 16 --temperature 1 --top-p 1
for f in arithmetic algebra sorting counting dates_units logic programs; do
    ask $f "$corpus/eval/$f.jsonl" "$top/recipes/nano/task.yaml" --samples 4
done

# Talk: ten answers to each prompt; whether the think block closes, the end token comes, and what stands there looks like sentences.
while read -r prompt; do
    "$r1" run "$model" --quiet --json --samples 10 --max-tokens 256 "$prompt" </dev/null
done <"$top/recipes/nano/talk.txt" >"$out/talk.jsonl"
all=$(wc -l <"$out/talk.jsonl")
closed=$(grep -c '"finish_reason":"stop"' "$out/talk.jsonl") || true
sentences=$(grep -cE '"answer":"\\?"?[A-Z][^\\]*(\\"[^\\]*)*[.!?](\\")?","finish_reason":"stop"' "$out/talk.jsonl") || true
echo
echo "Talk: of $all answers to 20 prompts (recipes/nano/talk.txt) $closed end with the end token, and $sentences are sentences from a capital letter to a full stop."
