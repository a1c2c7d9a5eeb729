#!/bin/sh
# publish.sh [--any] RUN [OUT]: makes models/r1-nano-base (or OUT) from the last checkpoint of a run that was stopped after step 2400
# (r1 train --max-steps 2400); --any takes it at any step. At 2400 one countdown answer in two or three is right, which leaves
# reinforcement learning something to do; at the end of the epoch two in three are (docs/measurements/nano.md). What a person wrote
# there (README.md) stays. R1=path names the program (build/r1 without it).
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
r1=$(realpath "${R1:-$top/build/r1}")
wanted=2400
[ "${1:-}" = --any ] && { wanted=; shift; }
[ $# -ge 1 ] || { echo "usage: publish.sh [--any] RUN [OUT]" >&2; exit 2; }
run=$(realpath "$1")
mkdir -p "${2:-$top/models/r1-nano-base}/training"
out=$(realpath "${2:-$top/models/r1-nano-base}")
fail() { echo "publish.sh: $1" >&2; exit 3; }
number() { sed -n "s/^ *\"$2\": \([0-9]*\),*\$/\1/p" "$1" | head -n 1; } # FILE KEY
string() { sed -n "s/^ *\"$2\": \"\(.*\)\",*\$/\1/p" "$1" | head -n 1; }
hash_of() { sha256sum "$1" | cut -d ' ' -f 1; }

step=$(find "$run/ckpt" -name 'step-*' | sed -n 's|.*/step-\([0-9]*\)$|\1|p' | sort -n | tail -n 1)
[ -n "$step" ] || fail "$run: no checkpoint"
last=$(number "$run/manifest.json" steps)
[ "$step" = "${wanted:-$step}" ] || fail "$run is at step $step, $wanted is what is published"
from=$run/ckpt/step-$step
# The checkpoint is whole: each file has the checksum that it was written with.
for f in config.json model.safetensors tokenizer.json tokenizer_config.json; do
    grep -q "\"sha256\": \"$(hash_of "$from/$f")\"" "$from/state.json" || fail "$from/$f is not what was written there"
done

for f in config.json model.safetensors tokenizer.json tokenizer_config.json; do
    cp "$from/$f" "$out/$f"
    chmod 644 "$out/$f"
done
cat >"$out/generation_config.json" <<END
{
 "bos_token_id": 0,
 "eos_token_id": 1,
 "do_sample": true,
 "temperature": 0.6,
 "top_p": 0.95
}
END

# The record: the recipe as resolved, the curves, and the losses that a repetition must give again to the last bit.
cp "$run/recipe.yaml" "$out/training/recipe.yaml"
(cd "$run/.." && "$r1" report "$(basename "$run")" --json --html "$out/training/curves.html") >"$out/training/steps.json"
awk -f "$top/recipes/nano/first_steps.awk" "$out/training/steps.json" >"$out/training/first-steps.txt"
rm "$out/training/steps.json"
"$r1" report "$run" --csv | awk -F , '
    BEGIN { print "step,tokens,loss,mtp_loss,learning_rate,gradient_norm,load_spread" }
    NR == 1 { next }
    { tokens += $3; loss += $5; mtp += $6; norm += $9; load += $10; n++; step = $1; rate = $8 }
    n == 10 { put() }
    END { if (n) put() }
    function put() {
        printf "%d,%d,%.4f,%.4f,%.4g,%.3f,%.3f\n", step, tokens, loss / n, mtp / n, rate, norm / n, load / n
        loss = mtp = norm = load = n = 0
    }' >"$out/training/curve.csv"

# What it was made from and what it is, by hash.
{
    printf '{\n "model": "r1-nano-base",\n "licence": "MIT",\n "step": %s,\n' "$step"
    for key in program architecture instruction_set compute data_sha256; do printf ' "%s": "%s",\n' "$key" "$(string "$run/manifest.json" "$key")"; done
    for key in rows documents skipped tokens targets chunks steps; do printf ' "%s": %s,\n' "$key" "$(number "$run/manifest.json" "$key")"; done
    printf ' "parameters": %s,\n' "$("$r1" inspect --json "$out" | sed -n 's/.*"parameters_stored":\([0-9]*\).*/\1/p')"
    printf ' "sources": {\n'
    comma=
    for f in base.yaml config.json manifest.json; do
        printf '%s  "recipes/nano/%s": "%s"' "$comma" "$f" "$(hash_of "$top/recipes/nano/$f")"
        comma=',
'
    done
    printf '\n },\n "files": {\n'
    comma=
    (cd "$out" && find . -type f ! -name manifest.json ! -name README.md | sed 's|^\./||' | LC_ALL=C sort) | while read -r f; do
        printf '%s  "%s": {"bytes": %s, "sha256": "%s"}' "$comma" "$f" "$(wc -c <"$out/$f" | tr -d ' ')" "$(hash_of "$out/$f")"
        comma=',
'
    done
    printf '\n }\n}\n'
} >"$out/training/manifest.json"
echo "publish.sh: $out: step $step of $last, $(wc -c <"$out/model.safetensors" | tr -d ' ') bytes of weights"
