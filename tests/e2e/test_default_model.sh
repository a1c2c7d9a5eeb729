#!/bin/bash
# run and chat without a model: which one they use, and that they say what it is on standard error alone.   argument: R1
set -uo pipefail
r1=$1
. "$(dirname "$0")/support.sh"
model=$(tiny_chat)
source=$(cd "$here/../.." && pwd)
unset R1_MODEL
aside='it is not DeepSeek-R1'
run() { "$@" 2>"$tmp/err" | tr -d '\0'; }
notes() { # name, lines wanted, text wanted
    [ "$(wc -l <"$tmp/err")" = "$2" ] || { echo "$1: $2 lines on standard error expected: $(cat "$tmp/err")"; failed=1; }
    [ "$2" = 0 ] || grep -qF -- "$3" "$tmp/err" || { echo "$1: '$3' is missing in: $(cat "$tmp/err")"; failed=1; }
}

# a program with nothing beside it
mkdir -p "$tmp/usr/bin"
cp "$r1" "$tmp/usr/bin/r1"
alone=$tmp/usr/bin/r1
check 'nothing there' 2 'MODEL is missing: name the folder of a checkpoint or a .gguf file' "$alone" run "What is it?"
check 'nothing there, chat' 2 'MODEL is missing' "$alone" chat </dev/null
check 'the path of nothing' 3 'No such file' "$alone" run "$tmp/nothing.gguf"
check 'an empty name' 3 '' "$alone" run ""

# R1_MODEL; a name goes before it; a lone argument is a question unless it is a file or looks like one's path
want=$(run "$r1" run --quiet "$model" -n 20 "What is it?")
[ -n "$want" ] || { echo 'run: nothing was printed'; failed=1; }
same R1_MODEL "$want" "$(R1_MODEL=$model run "$alone" run -n 20 "What is it?")"
notes R1_MODEL 1 'which R1_MODEL says'
same 'a name before R1_MODEL' "$want" "$(R1_MODEL=$tmp/nothing run "$alone" run -n 20 "$model" "What is it?")"
notes 'a name before R1_MODEL' 0 ''
same 'the question from standard input' "$want" "$(echo "What is it?" | R1_MODEL=$model run "$alone" run -n 20)"
same 'a lone model' "$want" "$(echo "What is it?" | R1_MODEL=$tmp/nothing run "$alone" run -n 20 "$model")"
same 'a lone word' "$(run "$r1" run --quiet "$model" -n 20 Hi)" "$(R1_MODEL=$model run "$alone" run -n 20 Hi)"
notes 'a lone word' 2 "there is no file 'Hi': it is taken as the question"
check 'R1_MODEL of nothing' 3 'No such file' env R1_MODEL="$tmp/nothing" "$alone" run "What is it?"

# what an installed program finds beside it
mkdir -p "$tmp/usr/share/r1/models"
cp -r "$model" "$tmp/usr/share/r1/models/r1-nano-base"
same installed "$want" "$(run "$alone" run -n 20 "What is it?")"
notes installed 1 "$aside"
same 'installed, quiet' "$want" "$(run "$alone" run --quiet -n 20 "What is it?")"
notes 'installed, quiet' 0 ''
run "$alone" run --ids 1,2,3 --json -n 3 >"$tmp/out"
[ "$(wc -l <"$tmp/out")" = 1 ] && grep -q '^{.*}$' "$tmp/out" || { echo "json: one object expected: $(cat "$tmp/out")"; failed=1; }
notes json 1 "$aside"
echo Hi | run "$alone" chat -n 10 >"$tmp/out"
[ -s "$tmp/out" ] || { echo 'chat: no answer'; failed=1; }
notes chat 2 "$aside"

# the model of this tree
mkdir -p "$tmp/tree/build"
cp "$r1" "$tmp/tree/build/r1"
ln -s "$source/models" "$tmp/tree/models"
said=$(run "$tmp/tree/build/r1" run --temperature 0 "What is 3 * 4?")
same 'three times four' $'<think>\n3*4=12\n</think>\n\nThe answer is 12.' "$said"
notes 'three times four' 1 "$aside"
json=$(run "$tmp/tree/build/r1" run --temperature 0 --json "What is 3 * 4?")
case $json in *'"answer":"The answer is 12."'*'"finish_reason":"stop"'*) ;; *) echo "the end token is missing: $json"; failed=1 ;; esac
said=$(echo 'Hello!' | run "$tmp/tree/build/r1" chat --temperature 0 --thinking hide)
case $said in [A-Z]*[.!?]) ;; *) echo "chat: a sentence expected: $said"; failed=1 ;; esac
exit $failed
