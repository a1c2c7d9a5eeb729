#!/bin/bash
# r1 run: the same answer whatever the threads, chunks and instruction set; JSON; bad input with its status.   argument: R1
set -uo pipefail
r1=$1
. "$(dirname "$0")/support.sh"
model=$(tiny_chat)
run() { "$r1" run --quiet "$@" | tr -d '\0'; } # a random model says anything, and bash keeps no zero byte

# one answer in every way it can be computed
want=$(run "$model" -n 40 "What is it?") || { echo "run: status $?"; failed=1; }
[ -n "$want" ] || { echo 'run: nothing was printed'; failed=1; }
case $want in '<think>'*) ;; *) echo "run: the thinking is not shown: $want"; failed=1 ;; esac
same again "$want" "$(run "$model" -n 40 "What is it?")"
same 'from standard input' "$want" "$(echo "What is it?" | run "$model" -n 40)"
same 'from -' "$want" "$(echo "What is it?" | run "$model" -n 40 -)"
same threads "$want" "$(run "$model" -n 40 --threads 3 "What is it?")"
same 'threads, short' "$want" "$(run "$model" -n 40 -t 3 "What is it?")"
same chunks "$want" "$(run "$model" -n 40 --batch 3 "What is it?")"
same 'instruction set' "$want" "$(run "$model" -n 40 --isa c "What is it?")"
[ "$want" != "$(run "$model" -n 40 --seed 1 "What is it?")" ] || { echo 'seed: changes nothing'; failed=1; }
[ "$want" != "$(run "$model" -n 40 --system "Be brief." "What is it?")" ] || { echo 'system: changes nothing'; failed=1; }

check 'what it is computed with' 0 'compute bf16, q8 cache of 64 tokens (' "$r1" run --verbose "$model" -n 2 -c 64 --compute bf16 --cache-type q8_0 "Hi"

# JSON: ids in, ids out; the first of several samples is the single answer
json=$(run "$model" -n 12 --json --logprobs 2 --temperature 0 "Hi")
for key in prompt_ids output_ids text thinking answer finish_reason logprobs usage timings; do
    case $json in *"\"$key\":"*) ;; *) echo "json: $key is missing in $json"; failed=1 ;; esac
done
case $json in *'"finish_reason":"length"'*'"completion_tokens":12'*) ;; *) echo "json: not 12 tokens: $json"; failed=1 ;; esac
ids=$(printf '%s' "$json" | sed 's/.*"prompt_ids":\[\([^]]*\)\].*/\1/')
out=$(printf '%s' "$json" | sed 's/.*"output_ids":\[\([^]]*\)\].*/\1/')
same 'ids instead of text' "$out" "$(run "$model" -n 12 --json --temperature 0 --ids "$ids" | sed 's/.*"output_ids":\[\([^]]*\)\].*/\1/')"
same 'without a tokenizer' "${out//,/ }" "$(run "$shared/golden/tiny-r1" -n 12 --temperature 0 --ids "$ids")"
first=$(run "$model" -n 30 "Hi")
same samples "$first" "$(run "$model" -n 30 --samples 3 "Hi" | sed -n '2,/^--- 2 of 3/p' | sed '$d' | sed '$d')"

# the think block
bare=$(run "$model" -n 30 --no-think "Hi")
case $bare in *'<think>'*) echo "no-think: thinking was shown: $bare"; failed=1 ;; esac
budget=$(run "$model" -n 30 --think-budget 5 --ignore-eos "Hi")
case $budget in *'</think>'*) ;; *) echo "think-budget: not closed: $budget"; failed=1 ;; esac
same 'hidden thinking' '' "$(run "$model" -n 3 --hide-thinking "Hi")"
case $(run "$model" -n 20 --no-think --prefix "Sure" "Hi") in Sure*) ;; *) echo 'prefix: not at the beginning'; failed=1 ;; esac
case $(run "$model" -n 20 --no-think --json --prefix "Sure thing" --stop "re th" "Hi") in
    *'"text":"Su"'*'"finish_reason":"stop"'*'"stop_string":"re th"'*) ;;
    *) echo 'stop: text before the stop string expected'; failed=1 ;;
esac
check 'forbidden id' 0 '' run "$model" -n 5 --logit-bias 5=-inf "Hi"

# what is refused
check 'no such model' 3 'No such file' "$r1" run "$tmp/nothing" Hi
check 'no tokenizer' 3 'tokenizer' "$r1" run "$shared/golden/tiny-r1" Hi
check 'id out of range' 3 'prompt[2] is token id 320, expected 0 to 319' "$r1" run "$model" --ids 1,2,320
check 'negative id' 3 'prompt[0] is token id -1' "$r1" run "$model" --ids=-1
check 'not an id' 3 "id 1 is '2x'" "$r1" run "$model" --ids 1,2x
check 'prompt longer than context' 3 'leave no room for an answer in a context of 8 tokens' "$r1" run "$model" -c 8 --ids 1,2,3,4,5,6,7,8
check 'context beyond the model' 3 "the model's positions end at" "$r1" run "$model" -c 2000000000 Hi
check 'empty prompt' 2 'the prompt is empty' "$r1" run "$shared/golden/tiny-r1" --ids ""
check 'no temperature' 2 '--threads' "$r1" run "$model" -t 0.6 Hi
check 'bad bias' 2 'is not ID=BIAS' "$r1" run "$model" --logit-bias 5 Hi
check 'bias of no id' 3 'logit bias of id 400' "$r1" run "$model" --logit-bias 400=1 Hi
check temperature 2 'is not a number from 0' "$r1" run "$model" --temperature -1 Hi
cp -r "$shared/golden/tiny-r1-fp8" "$tmp/shards"
rm -f "$tmp/shards/model-00002-of-00003.safetensors"
check 'missing shard' 3 'model-00002-of-00003.safetensors' "$r1" run "$tmp/shards" --ids 1,2
if [ -c /dev/full ]; then
    "$r1" run --quiet "$model" -n 20 Hi >/dev/full 2>"$tmp/err"
    [ $? = 4 ] || { echo 'full disk: wrong status'; failed=1; }
    grep -q 'No space left' "$tmp/err" || { echo 'full disk: no message'; failed=1; }
fi
# a reader that goes away ends the answer long before its million tokens
for trapped in '' 'trap "" PIPE;'; do
    status=$(bash -c "$trapped (\"$r1\" run --quiet --ignore-eos \"$model\" Hi; echo \$? >&3) 3>&2 | head -c1 >/dev/null" 2>&1)
    case $status in 0 | 141) ;; *) echo "closed pipe: $status"; failed=1 ;; esac
done
exit $failed
