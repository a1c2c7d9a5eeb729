#!/bin/bash
# Adapters as a user meets them: trained from a recipe, resumed to the same bytes, used unmerged and merged, looked at, refused by name.   argument: R1
set -uo pipefail
r1=$1
. "$(dirname "$0")/support.sh"
[ "$("$r1" --version --verbose 2>/dev/null | grep -cE 'without.*libyaml')" = 0 ] || { echo 'skipped: built without libyaml'; exit 77; }
model=$(tiny_chat)
cd "$tmp" || exit 1
for i in $(seq 1 12); do
    echo "{\"messages\": [{\"role\": \"user\", \"content\": \"What is $i + 1?\"}, {\"role\": \"assistant\", \"content\": \"<think>count</think>$((i + 1))\"}]}"
done >rows.jsonl
recipe() { # more lines
    cat <<Y
model: $model
data: {files: [rows.jsonl]}
sequence_length: 96
batch_size: 4
steps: 6
optimizer: {lr: 1e-2}
checkpoint: {every: 3, keep: 0}
$1
Y
}
recipe 'lora: {r: 4, lora_alpha: 8}' >r.yaml
ids='3,1,4,1,5,9,2,6,5,3,5'
numbers() { "$r1" score --ids $ids --json "$@" 2>/dev/null; }

check 'a run' 0 'adapter      rank 4' "$r1" train r.yaml --out whole
c=whole/ckpt/step-6
same 'what is saved' 'adapter_config.json adapter_model.safetensors optimizer.safetensors state.json' "$(echo $(ls $c))"
check 'stopped' 0 '' "$r1" train r.yaml --out parts --max-steps 2 --threads 3
check 'resumed' 0 '' "$r1" train r.yaml --out parts --resume --threads 1
for f in adapter_config.json adapter_model.safetensors optimizer.safetensors; do cmp $c/$f parts/ckpt/step-6/$f || failed=1; done
recipe 'lora: {r: 4, lora_alpha: 8}' | sed 's/^model:.*/model: moved/' >moved.yaml
cp -r "$model" moved
check 'the base elsewhere' 0 "the recipe's 'model' has changed" "$r1" train moved.yaml --out parts --resume --set steps=7
printf '\x01' | dd of=moved/model.safetensors bs=1 seek=100000 conv=notrunc 2>/dev/null
check 'another base' 0 'moved is not what it was at the checkpoint' "$r1" train moved.yaml --out parts --resume --set steps=8
check 'inspect' 0 'rank             4, alpha 8: terms are scaled by 2' "$r1" inspect $c
check 'inspect json' 0 '"kind":"lora"' "$r1" inspect --json $c
check 'step 3 is another' 1 '' cmp -s $c/adapter_model.safetensors whole/ckpt/step-3/adapter_model.safetensors

# ---- used
base=$(numbers "$model")
with=$(numbers --lora $c "$model")
[ "$base" != "$with" ] || { echo 'the adapter changes nothing'; failed=1; }
check 'run' 0 '' "$r1" run --lora $c --raw -n 4 "$model" 'What is'
check 'merge' 0 'projections merged' "$r1" convert --lora $c --out rounded "$model"
check 'merged already' 2 'exists already' "$r1" convert --lora $c --out rounded "$model"
# of f32 weights: merged and unmerged differ by roundings of f32 alone (a step of rate 0 saves the golden weights in f32)
recipe 'steps: 1' | sed 's/steps: 6//; s/lr: 1e-2/lr: 0/; s/every: 3, keep: 0/dtype: f32/' >still.yaml
check 'in f32' 0 '' "$r1" train still.yaml --out still
same 'the same model' "$base" "$(numbers still/ckpt/step-1)"
check 'merge f32' 0 'projections merged' "$r1" convert --lora $c --out merged still/ckpt/step-1
paste <(echo "$with" | tr ',[]{}:' '\n' | grep '^-[0-9]*\.[0-9]') <(numbers merged | tr ',[]{}:' '\n' | grep '^-[0-9]*\.[0-9]') |
    awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > 2e-4) bad++; n++ } END { exit !(n >= 5 && !bad) }' || { echo "merged and unmerged: $with against $(numbers merged)"; failed=1; }

# ---- refused
check 'half a merge' 2 'both --lora DIR and --out DIR' "$r1" convert --lora $c "$model"
check 'no adapter' 3 'adapter_config.json' "$r1" score --lora "$model" --ids 1,2 "$model"
check 'another base' 3 'is missing, though its module is among the target_modules; the adapter was made for' "$r1" score --lora $c --ids 1,2 "$shared/golden/tiny-qwen2"
cp -r $c cut; truncate -s 3000 cut/adapter_model.safetensors
check 'a cut file' 3 'cut/adapter_model.safetensors: ' "$r1" score --lora cut --ids 1,2 "$model"
check 'a cut file, inspect' 3 'cut/adapter_model.safetensors: ' "$r1" inspect cut
cp -r $c lacks; sed -i 's/layers\.1\.self_attn\.o_proj\.lora_B/layers.1.self_attn.o_proj.lora_C/' lacks/adapter_model.safetensors
check 'a missing tensor' 3 'layers.1.self_attn.o_proj.lora_B.weight is missing' "$r1" score --lora lacks --ids 1,2 "$model"
cp -r $c dora; sed -i 's/"use_dora": false/"use_dora": true /' dora/adapter_config.json
check 'DoRA' 3 'use_dora: ' "$r1" score --lora dora --ids 1,2 "$model"
refused() { # name, lines of the recipe, text
    recipe "$2" >bad.yaml
    check "$1" 3 "$3" "$r1" train bad.yaml --out bad
    rm -rf bad
}
refused 'an unknown key' 'lora: {r: 4, alpha: 8}' 'line 8 column '
refused 'dropout' 'lora: {r: 4, lora_dropout: 0.1}' 'line 8 column 14: lora_dropout: 0 expected'
refused 'rank' 'lora: {r: 0}' 'line 8 column '
refused 'a target' 'lora: {target_modules: [q_b_proj, wq]}' "'wq': it names no projection of this model; there are q_a_proj"
refused 'an expert' 'lora: {target_modules: [experts.0.gate_proj]}' 'routed experts have no adapters'
refused 'the head' 'lora: {target_modules: [lm_head]}' 'the embedding and the head have no adapters'
recipe 'lora: {r: 4, lora_alpha: 8, target_modules: [kv_b_proj, o_proj]}' >some.yaml
mkdir narrow && sed 's/"v_head_dim": *[0-9]*/"v_head_dim": 8/' "$model/config.json" >narrow/config.json
printf 'init: {config: narrow/config.json}\n' | cat - <(recipe 'checkpoint: {dtype: f32}' | grep -v '^model:\|every') | sed 's/steps: 6/steps: 1/' >narrow.yaml
cp "$model"/tokenizer*.json narrow
sed -i 's|{config: narrow/config.json}|{config: narrow/config.json, tokenizer: narrow}|' narrow.yaml
check 'a narrower model' 0 '' "$r1" train narrow.yaml --out narrow-run && rm -r narrow && mv narrow-run/ckpt/step-1 narrow
check 'some projections' 0 'trained' "$r1" train some.yaml --out some --max-steps 1
check 'another shape' 3 'expected for this base and r 4; the adapter was made for' "$r1" score --lora some/ckpt/step-1 --ids 1,2 narrow
check 'and no others' 0 '(kv_b_proj, o_proj)' "$r1" inspect some/ckpt/step-1
exit $failed
