#!/bin/bash
# r1 eval, report, grade RUN: a run killed with -9 and resumed ends in the same bytes; changes are refused by name; bad input with
# file, line and column.   argument: R1
set -uo pipefail
r1=$1
. "$(dirname "$0")/support.sh"
[ "$("$r1" --version --verbose 2>/dev/null | grep -cE 'without.*(sqlite|libyaml)')" = 0 ] || { echo 'skipped: built without SQLite or libyaml'; exit 77; }
model=$(tiny_chat)
tasks=$here/../../tasks
data=$tmp/rows.jsonl
for i in $(seq 1 12); do echo "{\"id\": \"q$i\", \"question\": \"What is $i + 1?\", \"answer\": \"$((i + 1))\", \"subject\": \"s$((i % 3))\"}"; done >"$data"
cat >"$tmp/short.yaml" <<'Y'
name: short
about: a task of this test
data: rows.jsonl
subject: subject
fields: [question, answer]
prompt: "{{ question }}"
grader: exact
samples: 4
Y
# the program itself, so that a signal reaches it and no shell around it
ev_alone() { exec "$r1" eval --quiet --task-dir "$tasks" --data "$tmp" --task "$tmp/short.yaml" --max-tokens 24 --samples 4 --seed 7 "$@"; }
ev() { (ev_alone "$@"); }
samples() { "$r1" report "$1" --json 2>/dev/null | sed 's/.*"samples": \([0-9]*\), "missing".*/\1/;s/.*"samples":\([0-9]*\),"missing".*/\1/'; }

# whole, and the same on one thread with another batch and instruction set
ev "$model" --out "$tmp/whole" >"$tmp/whole.txt" || { echo "eval: status $?"; failed=1; }
grep -q 'short: 12 prompts, 48 of 48 samples' "$tmp/whole.txt" || { echo 'eval: not all samples:'; cat "$tmp/whole.txt"; failed=1; }
ev "$model" --out "$tmp/other" --threads 1 --sequences 3 --batch 16 >"$tmp/other.txt"
for form in --json --csv ''; do
    same "report $form" "$("$r1" report "$tmp/whole" $form)" "$("$r1" report "$tmp/other" $form)"
done
cmp "$tmp/whole/report.html" "$tmp/other/report.html" || failed=1
grep -q '<svg' "$tmp/whole/report.html" && ! grep -q 'src=\|href=' "$tmp/whole/report.html" || { echo 'html: no drawing, or it needs other files'; failed=1; }

# killed, twice, then resumed
killed=0
for part in 9 26; do
    resume=--resume
    [ "$part" = 9 ] && resume=
    ev_alone "$model" --out "$tmp/cut" --threads 1 --sequences 2 --isa c $resume >/dev/null 2>&1 &
    job=$!
    for _ in $(seq 1 400); do
        n=$(samples "$tmp/cut")
        [ "${n:-0}" -ge "$part" ] 2>/dev/null && break
        kill -0 $job 2>/dev/null || break
    done
    kill -9 $job 2>/dev/null
    wait $job 2>/dev/null
    n=$(samples "$tmp/cut")
    [ "${n:-48}" -lt 48 ] && killed=$((killed + 1))
done
[ "$killed" -ge 1 ] || { echo 'killed: the run ended before it could be killed'; failed=1; }
check 'unfinished report' 0 'MISSING' "$r1" report "$tmp/cut"
ev "$model" --out "$tmp/cut" --resume >"$tmp/cut.txt" || { echo "resume: status $?"; failed=1; }
cmp "$tmp/whole.txt" "$tmp/cut.txt" || failed=1
cmp "$tmp/whole/report.html" "$tmp/cut/report.html" || failed=1
same 'resumed json' "$("$r1" report "$tmp/whole" --json)" "$("$r1" report "$tmp/cut" --json)"

# a disk that fills up, and a polite stop: named, and resumed all the same
for room in 60 200; do # KiB a file: too little to begin, too little to end
    (trap '' XFSZ; ulimit -f $room; ev_alone "$model" --out "$tmp/full" --threads 1 $([ $room = 60 ] || echo --resume)) >"$tmp/full.txt" 2>&1
    status=$?
    [ $status = 4 ] || { echo "full disk: status $status: $(cat "$tmp/full.txt")"; failed=1; }
    grep -q 'run.db' "$tmp/full.txt" || { echo "full disk: no file is named: $(cat "$tmp/full.txt")"; failed=1; }
done
n=$(samples "$tmp/full")
[ "${n:-0}" -gt 0 ] && [ "$n" -lt 48 ] || { echo "full disk: '$n' samples, some were expected"; failed=1; }
ev "$model" --out "$tmp/full" --resume >"$tmp/full.txt" || { echo "full disk, resumed: status $?"; failed=1; }
cmp "$tmp/whole.txt" "$tmp/full.txt" || failed=1
ev_alone "$model" --out "$tmp/stop" --threads 1 --sequences 2 --isa c >"$tmp/stop.txt" 2>&1 &
job=$!
for _ in $(seq 1 200); do
    n=$(samples "$tmp/stop")
    [ "${n:-0}" -ge 4 ] 2>/dev/null && break
    kill -0 $job 2>/dev/null || break
done
kill -TERM $job 2>/dev/null
wait $job
status=$?
[ $status = 5 ] && grep -q 'stopped after .* of 48 samples; --resume takes the rest' "$tmp/stop.txt" || { echo "stopped: status $status: $(cat "$tmp/stop.txt")"; failed=1; }
check 'stopped, resumed' 0 '48 of 48' ev "$model" --out "$tmp/stop" --resume
cmp "$tmp/whole/report.html" "$tmp/stop/report.html" || failed=1

# what a resumption refuses, each by name
check 'no resume' 2 'already holds a run; --resume continues it' ev "$model" --out "$tmp/whole"
check 'other seed' 2 'seed was "7" when this run began and is "8" now' ev "$model" --out "$tmp/whole" --resume --seed 8
check 'other temperature' 2 'temperature was "0.6" when this run began and is "0.7" now' ev "$model" --out "$tmp/whole" --resume --temperature 0.7
check 'other top-p' 2 'top-p was "0.95" when this run began and is "0.9" now' ev "$model" --out "$tmp/whole" --resume --top-p 0.9
check 'other length' 2 'max-tokens was 24 when this run began and is 25 now' ev "$model" --out "$tmp/whole" --resume --max-tokens 25
check 'other k' 2 'samples was {"short":4}' ev "$model" --out "$tmp/whole" --resume --samples 3
check 'other limit' 2 'cannot resume: the number of prompts was 12' ev "$model" --out "$tmp/whole" --resume --limit 5
check 'other think' 2 'the prompt of row q1 (0) differs' ev "$model" --out "$tmp/whole" --resume --no-think
cp "$tmp/short.yaml" "$tmp/kept.yaml"
echo '# a change' >>"$tmp/short.yaml"
check 'other task' 2 'the file of task short was' ev "$model" --out "$tmp/whole" --resume
mv "$tmp/kept.yaml" "$tmp/short.yaml"
cp "$data" "$tmp/kept"
echo '{"question": "new", "answer": "1"}' >>"$data"
check 'other data' 2 'the data of task short was' ev "$model" --out "$tmp/whole" --resume
mv "$tmp/kept" "$data"
cp -r "$model" "$tmp/touched"
printf 'x' | dd of="$tmp/touched/model.safetensors" bs=1 seek=$(($(stat -c %s "$model/model.safetensors") - 2)) conv=notrunc 2>/dev/null
check 'other model' 2 'model was' ev "$tmp/touched" --out "$tmp/whole" --resume
check 'nothing left' 0 '48 of 48' ev "$model" --out "$tmp/whole" --resume
gzip -c "$data" >"$data.gz" && mv "$data" "$tmp/away"
check 'packed data' 0 '48 of 48' ev "$model" --out "$tmp/whole" --resume
mv "$tmp/away" "$data"

# greedy: one sample, equal twice; two runs compared
check 'greedy k' 2 'at temperature 0 the 4 samples' ev "$model" --temperature 0 --out "$tmp/no"
ev "$model" --temperature 0 --samples 0 --out "$tmp/greedy" | grep -q '12 of 12' || { echo 'greedy: not 12 samples'; failed=1; }
check differences 0 'greedy - whole = ' "$r1" report "$tmp/whole" "$tmp/greedy"
check 'differences csv' 0 'greedy,whole,short,difference,,1,' "$r1" report --csv "$tmp/whole" "$tmp/greedy"
check regrade 0 '48 samples graded anew: 0 became right, 0 became wrong, 0 changed' "$r1" grade "$tmp/whole"
same 'after regrading' "$(tail -n +2 "$tmp/whole.txt")" "$("$r1" report "$tmp/whole" | tail -n +2)"

# bad input
check 'no task' 2 "there is no task 'nothing'; there are: aime24, aime25" "$r1" eval --task-dir "$tasks" "$model" --task nothing
check 'no folder of tasks' 2 'no task file in /nowhere' "$r1" eval --task-dir /nowhere "$model" --task gsm8k
check 'no file' 3 'task custom: --data must name its file: there is no /nowhere.jsonl' "$r1" eval --task-dir "$tasks" "$model" --task custom --data /nowhere.jsonl --out "$tmp/no"
check 'no data' 3 'the data folder is missing: there is no /nowhere/gsm8k/test.jsonl, nor with .gz or .zst' "$r1" eval --task-dir "$tasks" "$model" --task gsm8k --data /nowhere --out "$tmp/no"
check 'no model' 2 'give a MODEL or an --endpoint' "$r1" eval --task gsm8k
check 'twice' 2 'task short is named twice' "$r1" eval "$model" --task "$tmp/short.yaml,$tmp/short.yaml" --data "$tmp" --out "$tmp/no"
bad() { # name, text, yaml
    printf '%s' "$3" >"$tmp/bad.yaml"
    check "$1" 3 "$2" "$r1" eval "$model" --task "$tmp/bad.yaml" --data "$tmp" --out "$tmp/no"
}
bad 'yaml' "bad.yaml: line 2 column 6: did not find expected" $'name: [x\nabout: y\n'
bad 'unknown key' "bad.yaml: line 3 column 1: unknown key 'promt'; expected one of name, about" $'name: x\nabout: y\npromt: z\n'
bad 'missing key' "bad.yaml: line 1 column 1: the key 'prompt' is missing" $'name: x\nabout: y\ngrader: exact\nsamples: 1\n'
bad 'template' "bad.yaml: line 3 column 1: prompt, line 1 of the template" $'name: x\nabout: y\nprompt: "{{ question"\ngrader: exact\nsamples: 1\n'
bad 'k' 'samples: 0 is not from 1' $'name: x\nabout: y\nprompt: q\ngrader: exact\nsamples: 0\n'
sed 's/exact/guess/' "$tmp/short.yaml" >"$tmp/guess.yaml"
check 'unknown grader' 2 "no grader is called 'guess'" "$r1" eval "$model" --data "$tmp" --out "$tmp/no" --task "$tmp/guess.yaml"
sed 's/exact/choice/' "$tmp/short.yaml" >"$tmp/choice.yaml"
check 'bad gold' 3 "rows.jsonl line 1 (q1): the gold '2' is not a letter" "$r1" eval "$model" --data "$tmp" --out "$tmp/no" --task "$tmp/choice.yaml"
cp "$data" "$tmp/kept"
echo '{"question": "no answer"}' >>"$data"
check 'missing field' 3 "rows.jsonl line 13: the field 'answer' is missing" ev "$model" --out "$tmp/no"
echo '{"question": ' >>"$tmp/kept" && mv "$tmp/kept" "$data"
check 'bad row' 3 'rows.jsonl line 13: JSON' ev "$model" --out "$tmp/no"
sed -i '$d' "$data"
[ ! -e "$tmp/no/run.db" ] || { echo 'bad input: a record was begun'; failed=1; }
check 'no run' 3 'holds no run' "$r1" report "$tmp/nothing"
mkdir -p "$tmp/broken" && head -c 5000 /dev/zero >"$tmp/broken/run.db"
check 'no database' 3 'not a database' "$r1" report "$tmp/broken"
cp -r "$tmp/greedy" "$tmp/damaged"
"$r1" report "$tmp/damaged" >/dev/null
printf 'garbage garbage garbage' | dd of="$tmp/damaged/run.db" bs=1 seek=4096 conv=notrunc 2>/dev/null
check 'damaged' 3 'malformed' "$r1" report "$tmp/damaged"
if [ "$(id -u)" != 0 ]; then
    chmod a-w "$tmp/greedy"
    check 'read-only folder' 0 '12 of 12' "$r1" report "$tmp/greedy"
    check 'read-only record' 4 'Permission denied' ev "$model" --out "$tmp/greedy/sub"
    chmod u+w "$tmp/greedy"
fi
check 'no folder can be made' 3 'Not a directory' ev "$model" --out "$data/sub"

# contamination
echo '{"text": "Now, what IS 7 + 1? and the answer is eight of course"}' >"$tmp/train.jsonl"
echo '{"messages": [{"role": "user", "content": "one two three four five six seven eight nine ten eleven"}]}' >>"$tmp/train.jsonl"
echo '{"id": "long", "question": "ZERO one, two; three four five six seven eight nine ten", "answer": "1"}' >>"$data"
check overlap 5 'train.jsonl line 2 shares 1 with short long: one two three four five six seven eight nine ten' "$r1" eval --task "$tmp/short.yaml" --data "$tmp" --decontaminate "$tmp/train.jsonl"
sed -i '$d' "$tmp/train.jsonl"
check 'no overlap' 0 '0 of 13 prompts' "$r1" eval --task "$tmp/short.yaml" --data "$tmp" --decontaminate "$tmp/train.jsonl"
exit $failed
