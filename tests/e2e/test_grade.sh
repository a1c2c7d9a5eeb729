#!/bin/bash
# r1 grade: pairs by lines, one pair, a composed reward, bad lines by number, order under threads.   argument: R1
set -uo pipefail
r1=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0
check() { # name, wanted status, wanted stdout, command...
    local name=$1 want=$2 text=$3 said status
    shift 3
    said=$("$@" 2>"$dir/err"; echo "status $?")
    status=${said##*status }
    said=${said%status *}
    [ "$said" = "$text" ] || { echo "$name: printed '$said', wanted '$text'"; failed=1; }
    [ "$status" = "$want" ] || { echo "$name: status $status, wanted $want: $(cat "$dir/err")"; failed=1; }
}
complains() { # name, wanted part of stderr, after check
    grep -qF -- "$2" "$dir/err" || { echo "$1: '$2' is missing in: $(cat "$dir/err")"; failed=1; }
}
nl=$'\n'
verdicts() { sed -E 's/^\{("id":([^,]*),)?"correct":(true|false|null).*/\2 \3/'; }
graded() { "$r1" grade "$@" | verdicts; return "${PIPESTATUS[0]}"; }

cat >"$dir/pairs.jsonl" <<'END'
{"id":1,"gold":"5","answer":"So it is $\\boxed{5}$."}
{"id":"two","gold":5,"answer":"<think>\\boxed{5}</think>"}
{"id":null,"gold":"72","answer":"48 + 24 = 72 clips.\n#### 72"}

{"id":[4],"gold":"5","answer":"\\boxed{5","thinking_open":false}
{"id":5,"gold":"5","answer":"5</think> The answer is 5.","thinking_open":true}
{"id":6,"gold":"5","answer":"The answer is 5.","thinking_open":true}
{"id":7,"gold":"5","answer":null}
{"id":8,"gold":"5","answer":5}
{"id":9,"gold":"5","answer":"\ud800 \u0000 so 5"}
END
check math 0 "1 true$nl\"two\" false${nl}null true$nl[4] false${nl}5 true${nl}6 false${nl}7 false${nl}8 true${nl}9 true$nl" graded --task math --file "$dir/pairs.jsonl"
complains math '9 graded: 5 correct'
check 'thinking open' 0 "1 false$nl" graded --task math --thinking-open <<<'{"id":1,"gold":"5","answer":"5"}'
check choice 0 "1 true${nl}2 false$nl" graded --task choice <<<'{"id":1,"gold":"B","answer":"The answer is (B)."}
{"id":2,"gold":"A","answer":"A cat sat there."}'
check exact 0 "7 true$nl" graded --task exact <<<'{"id":7,"gold":"yes","answer":"yes"}'
printf '{"id":1,"gold":"5","answer":"\xff 5"}\n' >"$dir/bytes.jsonl"
check 'broken UTF-8' 0 "1 true$nl" graded --task math --file "$dir/bytes.jsonl"

check 'one right' 0 "correct: the same integer (the whole text)$nl" "$r1" grade --task math --gold 5 --answer 5
"$r1" grade --task math --gold 5 --answer 6 >/dev/null
[ $? = 5 ] || { echo 'one wrong: the status is not 5'; failed=1; }
check list 1 '' sh -c "'$r1' grade --list | grep -vE '^[a-z-]+ +[^ ]'"

# what cannot be read or graded stops with its line; the lines before it are printed
check 'bad line' 3 "1 true$nl" graded --task math <<<'{"id":1,"gold":"5","answer":"5"}
{"id":2,"gold":"5","answer"
{"id":3,"gold":"5","answer":"5"}'
complains 'bad line' 'line 2: not JSON'
check 'no answer' 3 '' graded --task math <<<'{"gold":"5"}'
complains 'no answer' 'line 1: there is no "answer"'
check 'no object' 3 '' graded --task math <<<'[1]'
check 'bad gold' 3 "1 true$nl" graded --task math <<<'{"id":1,"gold":"5","answer":"5"}
{"id":2,"gold":" ","answer":"5"}'
complains 'bad gold' "line 2: the gold ' ': the gold is empty"
check 'keep going' 3 "1 null${nl}2 true$nl" graded --keep-going --task math <<<'{"id":1,"gold":"","answer":"5"}
{"id":2,"gold":"5","answer":"5"}'
complains 'keep going' '1 ungradable'
check 'no task' 2 '' "$r1" grade
check 'no such task' 2 '' "$r1" grade --task maths
complains 'no such task' "no grader is called 'maths'"
check 'options that are no JSON' 2 '' "$r1" grade --task math --options '{"percent'
check 'bad option' 2 '' "$r1" grade --task math --options '{"percents": 1}'
complains 'bad option' "unknown option 'percents'"
check 'bad pattern' 2 '' "$r1" grade --task math --options '{"patterns": ["("]}'
check 'no file' 3 '' "$r1" grade --task math --file "$dir/none"

# a task's own pattern; percent; a box demanded
check pattern 0 "1 true$nl" graded --task math --options '{"patterns": ["RESULT<(.*?)>"]}' <<<'{"id":1,"gold":"5","answer":"RESULT<4> RESULT<5> and 6"}'
check 'require box' 0 "1 false${nl}2 true$nl" graded --task math --options '{"require_box": true}' <<<'{"id":1,"gold":"5","answer":"5"}
{"id":2,"gold":"5","answer":"\\boxed{5}"}'

# a composed reward: the weighted sum, every part with its reason
cat >"$dir/reward.json" <<'END'
[{"grader": "math"}, {"grader": "format", "weight": 0.5, "options": {"style": "r1"}}]
END
got=$("$r1" grade -q --reward "$dir/reward.json" <<<'{"id":1,"gold":"5","answer":"<think>\n2+3\n</think>\n\n\\boxed{5}"}')
case $got in *'"score":1.5'*'"parts":[{"grader":"math","weight":1.0,"score":1.0,'*'"grader":"format","weight":0.5,'*) ;; *) echo "reward: $got"; failed=1 ;; esac
echo '[{"grader": "math", "wieght": 1}]' >"$dir/bad.json"
check 'bad reward' 3 '' "$r1" grade --reward "$dir/bad.json"

# order and bytes do not depend on threads; a reader gets its answer while the input is still open
for i in $(seq 1 3000); do echo "{\"id\":$i,\"gold\":\"$((i % 7))\",\"answer\":\"The answer is $((i % 5)).\"}"; done >"$dir/many.jsonl"
"$r1" grade -q --threads 1 --task math --file "$dir/many.jsonl" >"$dir/one"
"$r1" grade -q --threads 7 --task math --file "$dir/many.jsonl" >"$dir/seven"
cmp "$dir/one" "$dir/seven" || failed=1
[ "$(wc -l <"$dir/one")" = 3000 ] || { echo "threads: not 3000 lines"; failed=1; }
coproc GRADE { "$r1" grade -q --task math; }
echo '{"id":1,"gold":"5","answer":"5"}' >&"${GRADE[1]}"
read -r -t 20 line <&"${GRADE[0]}" || { echo 'stream: no line while the input is open'; failed=1; }
eval "exec ${GRADE[1]}>&-"
wait "$GRADE_PID" 2>/dev/null

# a megabyte of braces in one line
{ printf '{"id":1,"gold":"5","answer":"'; head -c 1000000 /dev/zero | tr '\0' '{'; printf '"}\n'; } >"$dir/braces.jsonl"
check braces 0 "1 false$nl" graded --task math --file "$dir/braces.jsonl"
exit $failed
