#!/bin/bash
# r1 train as a user meets it: evaluation in the midst of a run, which moves no bit of it and survives a kill -9; faults of the machine and
# files that are not what they were.   argument: R1
set -uo pipefail
r1=$1
. "$(dirname "$0")/support.sh"
[ "$("$r1" --version --verbose 2>/dev/null | grep -cE 'without.*(sqlite|libyaml)')" = 0 ] || { echo 'skipped: built without SQLite or libyaml'; exit 77; }
model=$(tiny_chat)
small=$tmp/small # dense, with the same tokenizer: its checkpoints are a fifth as large
mkdir "$small" && cp "$shared"/golden/tiny-qwen2/config.json "$shared"/golden/tiny-qwen2/model.safetensors "$here"/../fixtures/tiny-tokenizer/*.json "$small"
cd "$tmp" || exit 1
for i in $(seq 1 12); do
    echo "{\"messages\": [{\"role\": \"user\", \"content\": \"What is $i + 1?\"}, {\"role\": \"assistant\", \"content\": \"<think>count</think>$((i + 1))\"}]}"
done >rows.jsonl
for i in $(seq 1 5); do echo "{\"id\": \"q$i\", \"question\": \"What is $i + 1?\", \"answer\": \"$((i + 1))\"}"; done >asked.jsonl
cat >short.yaml <<'Y'
name: short
about: a task of this test
data: asked.jsonl
fields: [question, answer]
prompt: "{{ question }}"
grader: exact
samples: 4
Y
recipe() { # compute, [model]
    cat <<Y
model: ${2:-$small}
data: {files: [rows.jsonl]}
sequence_length: 96
batch_size: 4
steps: 6
compute: $1
optimizer: {lr: 1e-3}
checkpoint: {every: 2, keep: 0}
Y
}
eval_part='eval:
  every: 3
  at_start: true
  tasks:
    - {task: ./short.yaml, data: ., samples: 3, max_tokens: 24, temperature: 1.0}
    - {task: ./short.yaml, name: greedy, data: asked.jsonl, limit: 2, max_tokens: 16}'

# ---- the same bytes with evaluation and without, whatever the threads
for compute in f32 bf16; do
    of=$([ $compute = f32 ] && echo "$model" || echo "$small")
    recipe $compute "$of" >plain.yaml
    { recipe $compute "$of" && echo "$eval_part"; } >$compute.yaml
    "$r1" train plain.yaml --out plain-$compute --quiet >/dev/null || { echo "plain $compute: status $?"; failed=1; }
    "$r1" train $compute.yaml --out with-$compute --threads 3 >said-$compute.txt 2>&1 || { echo "with eval, $compute:"; cat said-$compute.txt; failed=1; }
    for file in model optimizer; do cmp plain-$compute/ckpt/step-6/$file.safetensors with-$compute/ckpt/step-6/$file.safetensors || failed=1; done
    for step in 0 3 6; do
        for task in short greedy; do grep -q "^eval  *$step  $task: pass@1 " said-$compute.txt || { echo "no line for $task after step $step:"; cat said-$compute.txt; failed=1; }; done
    done
done
check 'memory is planned for' 0 'evaluation 0.' cat said-f32.txt
check 'report' 0 '  greedy' "$r1" report with-f32
check 'report, last loss' 0 "to $(sed -n 's/^step  *6\/6  loss \([0-9.]*\) .*/\1/p' said-f32.txt), smoothed " "$r1" report with-f32
check 'two at a time' 2 'plain-f32 is a run of r1 train: those are shown one at a time' "$r1" report plain-f32 with-f32
check 'nothing to do' 0 'none: 6 are done, the recipe asks for 6' "$r1" train plain.yaml --out plain-bf16 --resume
check 'report json' 0 '"pass_at_1"' "$r1" report with-f32 --json
"$r1" report with-f32 --html page.html >/dev/null && grep -q 'evaluation: pass@1' page.html || { echo 'page: no curve of the evaluation'; failed=1; }
check 'samples are a record of their own' 0 'short: 5 prompts, 15 of 15 samples' "$r1" report with-f32/eval/step-3/short
grep -aq 'eval/short/pass@1' with-f32/events.out.tfevents.* || { echo 'events: no pass@1'; failed=1; }

# ---- killed while it is examined, after step 3 (the newest checkpoint is step 2) and after step 6 (the checkpoint is there)
for step in 3 6; do
    (exec "$r1" train f32.yaml --out killed --resume --threads 1 --quiet >/dev/null 2>&1) &
    job=$!
    for _ in $(seq 1 2000); do [ -f killed/eval/step-$step/short/run.db ] && break; kill -0 $job 2>/dev/null || break; sleep 0.005; done
    kill -9 $job 2>/dev/null
    wait $job 2>/dev/null
    [ -d killed/ckpt/step-$((step / 2 * 2)) ] || { echo "killed after step $step: no checkpoint"; failed=1; }
done
"$r1" train f32.yaml --out killed --resume --quiet >/dev/null || { echo "resumed: status $?"; failed=1; }
for file in model optimizer; do cmp with-f32/ckpt/step-6/$file.safetensors killed/ckpt/step-6/$file.safetensors || failed=1; done
results() { "$r1" report "$1" --json | sed "s/\"run\": \"$1\"//"; }
same 'results after kills' "$(results with-f32)" "$(results killed)"
for step in 0 3 6; do same "samples after kills, step $step" "$("$r1" report with-f32/eval/step-$step/short)" "$("$r1" report killed/eval/step-$step/short | sed s/killed/with-f32/g)"; done

# ---- asked to stop: the step is finished, a checkpoint kept, and the way on is the whole run's
(exec "$r1" train plain.yaml --set steps=100000 --set checkpoint.every=0 --out asked --threads 1 >asked.txt 2>asked-err.txt) &
job=$!
for _ in $(seq 1 2000); do grep -q '^step  *2/' asked.txt && break; kill -0 $job 2>/dev/null || break; sleep 0.005; done
kill -TERM $job
wait $job
same 'status when asked to stop' 5 $?
grep -q 'interrupted: a checkpoint is kept' asked-err.txt || { echo 'asked to stop: nothing said'; cat asked-err.txt; failed=1; }
same 'checkpoint of the last step' "$(tail -n 1 asked.txt | sed 's/^step  *//; s,/.*,,')" "$(ls asked/ckpt | sed 's/step-//')"

# ---- refused before the first step
wrong() { # name, status, text, eval section
    { recipe f32 && printf '%s\n' "$4"; } >wrong.yaml
    check "$1" "$2" "$3" "$r1" train wrong.yaml --out never
}
wrong 'no tasks' 3 'line 9' 'eval: {every: 2, tasks: []}'
wrong 'an unknown key' 3 "'sample'" 'eval: {every: 2, tasks: [{task: ./short.yaml, data: ., sample: 3}]}'
wrong 'no such task' 3 'nosuch' 'eval: {every: 2, tasks: [{task: ./nosuch.yaml, data: .}]}'
wrong 'no such data' 3 'eval: short: ' 'eval: {every: 2, tasks: [{task: ./short.yaml, data: nowhere}]}'
wrong 'one name twice' 3 "called 'short' already" 'eval: {every: 2, tasks: [{task: ./short.yaml, data: .}, {task: short.yaml, data: .}]}'
wrong 'one answer repeated' 3 'temperature 0' 'eval: {every: 2, tasks: [{task: ./short.yaml, data: ., samples: 2, temperature: 0}]}'
wrong 'a name that leaves the folder' 3 'cannot name results' 'eval: {every: 2, tasks: [{task: ./short.yaml, name: ../x, data: .}]}'
[ -e never ] && { echo 'refused: something is left'; ls -A never; failed=1; }

# ---- Muon: the same bytes on other threads and after a stop
recipe f32 "$model" >muon.yaml
muon() { "$r1" train muon.yaml --quiet --set optimizer.name=muon --set steps=3 --set checkpoint.every=0 "$@" >/dev/null || { echo "muon: status $?"; failed=1; }; }
muon --out muon-one --threads 1
muon --out muon-two --threads 3 --max-steps 1
muon --out muon-two --threads 2 --resume
for file in model optimizer; do cmp muon-one/ckpt/step-3/$file.safetensors muon-two/ckpt/step-3/$file.safetensors || failed=1; done

# ---- too little memory: the plan's arithmetic, before the first step
check 'memory limit' 4 'MiB: weights ' "$r1" train f32.yaml --out never --memory-limit 0.001
recipe f32 >plain.yaml
check 'memory limit' 4 '; 1.0 are available' "$r1" train plain.yaml --out never --memory-limit 0.001
[ -e never ] && { echo 'memory limit: something is left'; ls -A never; failed=1; }

# ---- short documents take more pages of keys and values than long ones: they are planned for
for i in $(seq 200); do echo '{"input_ids": [1, 2]}'; done >two.jsonl
echo "{\"input_ids\": [$(seq -s, 1 200)]}" >long.jsonl
planned() { "$r1" train plain.yaml --out "plan-$1" --json --set steps=1 --set sequence_length=200 --set "data.files=[$1.jsonl]" 2>/dev/null | sed -n 's/.*"total_bytes":\([0-9]*\).*/\1/p'; }
two=$(planned two) long=$(planned long)
[ $((two - long)) -gt $((90 * 64 * 1000)) ] || { echo "pages: the plan of short documents is $two bytes, of a long one $long"; failed=1; }

# ---- the plan holds what a large vocabulary takes: the process, 10 MiB without a model, stays within it
mkdir wide && sed 's/"vocab_size": *[0-9]*/"vocab_size": 100000/' "$small/config.json" >wide/config.json
sed 's|^model:.*|init: {config: wide/config.json, std: 0.02}|' plain.yaml >wide.yaml
"$r1" train wide.yaml --out wide-run --json --threads 1  --set steps=1 --set sequence_length=16 --set batch_size=1 \
    --set 'data.files=[two.jsonl]' >wide.txt 2>/dev/null
number() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" wide.txt; }
[ $(($(number peak_bytes) - $(number total_bytes))) -lt $((24 << 20)) ] || { echo "plan: $(number total_bytes) bytes, at most held $(number peak_bytes)"; failed=1; }

# ---- going on: another program and another recipe are told, other data is refused by the file's name
"$r1" train plain.yaml --out changed --max-steps 2 --quiet >/dev/null || { echo "changed: status $?"; failed=1; }
cp "$r1" ./other-r1 && printf x >>other-r1
check 'another program' 0 'written by a program with SHA-256' ./other-r1 train plain.yaml --out changed --resume --max-steps 1
check 'another recipe' 0 "the recipe's 'optimizer' has changed" ./other-r1 train plain.yaml --out changed --resume --max-steps 1 --set optimizer.lr=2e-3
[ "$("$r1" train plain.yaml --out changed --resume --max-steps 1 --set optimizer.lr=2e-3 2>&1 | grep -c 'other-r1\|recipe.s')" = 0 ] || { echo 'told what did not change'; failed=1; }
cp rows.jsonl kept.jsonl
sed -i 's/count/coumt/' rows.jsonl
check 'other data' 3 'rows.jsonl has other bytes' "$r1" train plain.yaml --out changed --resume
mv kept.jsonl rows.jsonl
check 'a second process' 2 'another process is training here' flock changed/lock "$r1" train plain.yaml --out changed --resume
for file in model.safetensors optimizer.safetensors state.json tokenizer.json; do
    cp changed/ckpt/step-5/$file kept
    printf '\x5a' | dd of=changed/ckpt/step-5/$file bs=1 seek=200 conv=notrunc 2>/dev/null
    check "a damaged $file" 3 "changed/ckpt/step-5/$file is not what was saved" "$r1" train plain.yaml --out changed --resume
    cp kept changed/ckpt/step-5/$file
done

# ---- a new model whose data cannot be used: nothing is left; a folder that was there stays, with what is in it
cat >new.yaml <<Y
init: {config: $small/config.json, tokenizer: $small, std: 0.02}
data: {files: [rows.jsonl, bad.jsonl]}
sequence_length: 96
batch_size: 4
steps: 4
optimizer: {lr: 1e-3}
Y
echo '{"txt": "x"}' >bad.jsonl
mkdir there && echo mine >there/notes
check 'a bad row' 3 'bad.jsonl line 1' "$r1" train new.yaml --out new
check 'a bad row, once more' 3 'bad.jsonl line 1' "$r1" train new.yaml --out there
[ -e new ] && { echo 'a bad row: something is left'; ls -A new; failed=1; }
same 'a folder of mine' notes "$(ls -A there)"

# ---- rows that cannot be used, by file and line
row() { # text, row
    { sed -n 1p rows.jsonl; echo "$2"; } >bad.jsonl
    check "row $2" 3 "bad.jsonl line 2: $1" "$r1" train new.yaml --out new
}
row 'text: empty' '{"text": ""}'
row 'completion: empty' '{"prompt": "x", "completion": ""}'
row "messages[1]: the assistant's content is empty" '{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": ""}]}'
row "messages[0]: role 'human'; one of system, user, assistant, tool expected" '{"messages": [{"role": "human", "content": "x"}, {"role": "assistant", "content": "y"}]}'
row 'messages[0]: content as text expected' '{"messages": [{"role": "user"}, {"role": "assistant", "content": "y"}]}'
row 'messages[1]: content as text expected' '{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": null}]}'
row 'messages[0]: a role expected' '{"messages": ["x"]}'
: >bad.jsonl
check 'an empty file beside others' 0 'bad.jsonl has no rows' "$r1" train new.yaml --out new-empty --set steps=1
check 'an empty file' 3 'no document in the data (bad.jsonl)' "$r1" train new.yaml --out new --set 'data.files=[bad.jsonl]'
check 'no tokenizer' 3 'init.tokenizer: there/tokenizer.json: No such file' "$r1" train new.yaml --out new --set init.tokenizer=there
check 'a folder' 3 'there: Is a directory' "$r1" train new.yaml --out new --set 'data.files=[there]'

# ---- masters are where they were saved, whatever the recipe says of the next checkpoint
sed -i 's/, bad.jsonl//' new.yaml
for type in f32 bf16; do
    other=$([ $type = f32 ] && echo bf16 || echo f32)
    "$r1" train new.yaml --quiet --out all-$type --set checkpoint.dtype=$type >/dev/null || failed=1
    "$r1" train new.yaml --quiet --out two-$type --set checkpoint.dtype=$other --max-steps 2 >/dev/null || failed=1
    "$r1" train new.yaml --quiet --out two-$type --set checkpoint.dtype=$type --resume >/dev/null || failed=1
    for file in model optimizer; do cmp all-$type/ckpt/step-4/$file.safetensors two-$type/ckpt/step-4/$file.safetensors || failed=1; done
done

# ---- a disk that is really full, and a folder that cannot be written: as root of a namespace of our own, where the system allows it
mkdir disk
if unshare -rm mount -t tmpfs none disk 2>/dev/null; then
    "$r1" train plain.yaml --out small-whole --quiet >/dev/null || failed=1
    cat >full.sh <<'S'
mount -t tmpfs -o size=16m none disk
"$1" train plain.yaml --out disk/run >said.txt 2>&1
echo $? >status
ls -A disk/run/ckpt >left.txt
for c in disk/run/ckpt/step-*; do cmp "$c/optimizer.safetensors" "small-whole/ckpt/${c##*/}/optimizer.safetensors" || echo differs >>left.txt; done
mount -o remount,size=200m disk
"$1" train plain.yaml --out disk/run --resume --quiet >/dev/null && cp -r disk/run/ckpt/step-6 from-disk
S
    unshare -rm bash full.sh "$r1"
    grep -q '^step-2$' left.txt || { echo 'full disk: the first checkpoint should have fitted'; failed=1; }
    same 'full disk: status' 4 "$(cat status)"
    check 'full disk' 0 'No space left on device' cat said.txt
    grep -v '^step-[0-9]*$' left.txt && { echo 'full disk: something half-written is left'; failed=1; }
    for file in model optimizer; do cmp small-whole/ckpt/step-6/$file.safetensors from-disk/$file.safetensors || failed=1; done
    unshare -rm bash -c "mount -t tmpfs none disk && mount -o remount,ro disk && '$r1' train plain.yaml --out disk/run >said.txt 2>&1; echo \$? >status"
    same 'read-only: status' 4 "$(cat status)"
    check 'read-only' 0 'disk/run' cat said.txt
fi
exit $failed
