#!/bin/sh
# check_first_steps.sh [--steps N] [--corpus DIR] DATA: repeats the first N (200) steps that made models/r1-nano-base and compares
# their losses and gradient norms, and at 200 the weights, to the last bit. DATA: the folder of data sets that the corpus is made
# with; --corpus DIR: one that is made already. R1=path names the program, R1_NANO another model folder to compare with.
# Exit status 0: the same; 5: they differ.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
r1=$(realpath "${R1:-$top/build/r1}")
steps=200
corpus=
while :; do
    case ${1:-} in
    --steps) steps=$2 && shift 2 ;;
    --corpus) corpus=$(realpath "$2") && shift 2 ;;
    *) break ;;
    esac
done
[ $# = 1 ] || [ -n "$corpus" ] || { echo "usage: check_first_steps.sh [--steps N] [--corpus DIR] DATA" >&2; exit 2; }
if [ "$steps" -lt 1 ] || [ "$steps" -gt 200 ]; then
    echo "check_first_steps.sh: 1 to 200 steps" >&2
    exit 2
fi
record=$(realpath "${R1_NANO:-$top/models/r1-nano-base}")/training
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT INT TERM
mkdir "$dir/recipes"
ln -s "$top/recipes/nano" "$dir/recipes/nano"
if [ -n "$corpus" ]; then ln -s "$corpus" "$dir/corpus"
else python3 "$top/tools/corpus/make_corpus.py" --out "$dir/corpus" --data "$1" >/dev/null; fi
cmp "$dir/corpus/manifest.json" "$top/recipes/nano/manifest.json" || { echo "check_first_steps.sh: the corpus is another one" >&2; exit 5; }

cd "$dir"
"$r1" train --quiet recipes/nano/base.yaml --out run --max-steps "$steps" >/dev/null
"$r1" report run --json | awk -f recipes/nano/first_steps.awk >steps.txt
head -n "$steps" "$record/first-steps.txt" >wanted.txt
[ "$(wc -l <wanted.txt)" -eq "$steps" ] || { echo "check_first_steps.sh: $record/first-steps.txt has not $steps steps" >&2; exit 3; }
if ! cmp -s steps.txt wanted.txt; then
    echo "check_first_steps.sh: other numbers (step, loss, loss of the MTP layer, gradient norm), first of them:" >&2
    diff wanted.txt steps.txt | head -n 4 >&2
    exit 5
fi
said=
if [ "$steps" = 200 ]; then
    [ "$(sha256sum run/ckpt/step-200/model.safetensors | cut -d ' ' -f 1)" = "$(cat "$top/recipes/nano/step-200.sha256")" ] ||
        { echo "check_first_steps.sh: the losses are the same, the weights after step 200 are not" >&2; exit 5; }
    said=', and the weights behind them'
fi
echo "check_first_steps.sh: losses and gradient norms of the first $steps steps are the same bits$said"
