#!/bin/bash
# r1 tokenize and r1 detokenize: text, pieces, JSON, JSON lines, what is refused.   argument: R1
set -uo pipefail
r1=$1
tiny=$(cd "$(dirname "$0")/../fixtures/tiny-tokenizer" && pwd)
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
    grep -qF "$2" "$dir/err" || { echo "$1: '$2' is missing in: $(cat "$dir/err")"; failed=1; }
}
nl=$'\n'
check ids 0 "313 263 223 19 20 223 13 223 21 18 33 316$nl" "$r1" tokenize "$tiny" 'What is 12 + 30?<think>'
check empty 0 "$nl" "$r1" tokenize "$tiny" ''
check bos 0 "0 67$nl" "$r1" tokenize --bos "$tiny" a
check plain 0 "30	<${nl}86	t${nl}74	h${nl}279	ink${nl}32	>$nl" "$r1" tokenize --plain --pieces "$tiny" '<think>'
check pieces 0 "130	\\xc3${nl}105	\\xa9${nl}201	\\n${nl}62	\\\\$nl" "$r1" tokenize -p "$tiny" $'é\n\\'
check json 0 "{\"ids\":[67,316],\"pieces\":[\"a\",\"<think>\"]}$nl" "$r1" tokenize --json --pieces "$tiny" 'a<think>'
check 'one file' 0 "67$nl" "$r1" tokenize "$tiny/tokenizer_pairs.json" a
printf 'a\n\xff' >"$dir/text"
check file 0 "67 201 174 126 124$nl" "$r1" tokenize --file "$dir/text" "$tiny"
check stdin 0 "67 201 174 126 124$nl" "$r1" tokenize "$tiny" <"$dir/text"
printf '{"text":"a b"}\n\n{"text":"\\u0000","id":7}\n' >"$dir/in.jsonl"
check jsonl 0 "{\"ids\":[67,223,68]}$nl{\"ids\":[191]}$nl" "$r1" tokenize --jsonl -f "$dir/in.jsonl" "$tiny"
printf '{"text":"a"}\n{"text":3}\n' >"$dir/bad.jsonl"
check 'bad line' 3 "{\"ids\":[67]}$nl" "$r1" tokenize --jsonl -f "$dir/bad.jsonl" "$tiny"
complains 'bad line' 'line 2: an object with a string "text"'
printf '{"text":"a"\n' >"$dir/bad.jsonl"
check 'broken line' 3 '' "$r1" tokenize --jsonl "$tiny" <"$dir/bad.jsonl"
complains 'broken line' 'line 1, column'
check 'two sources' 2 '' "$r1" tokenize --file "$dir/text" "$tiny" a
check 'two forms' 2 '' "$r1" tokenize --jsonl --json "$tiny"
check 'no model' 3 '' "$r1" tokenize "$dir" a
complains 'no model' 'no tokenizer.json, tokenizer.model or .gguf file'

check text 0 'a<think>' "$r1" detokenize "$tiny" 67,316
check arguments 0 'ab' "$r1" detokenize --skip-special "$tiny" 0 67 68 1
check half 0 $'\xef\xbf\xbd' "$r1" detokenize "$tiny" 130
check 'json text' 0 "{\"text\":\"a\"}$nl" "$r1" detokenize -j "$tiny" 67
check 'json lines' 0 "{\"text\":\"ab\"}$nl{\"text\":\"\"}$nl" "$r1" detokenize --jsonl "$tiny" <<<$'{"ids":[67,68]}\n{"ids":[]}'
check 'no number' 2 '' "$r1" detokenize "$tiny" 67 x7
complains 'no number' "'x7' is not a token id"
check 'no number in a file' 3 '' "$r1" detokenize "$tiny" <<<'67 7x'
check 'no text' 3 '' "$r1" detokenize "$tiny" 999
complains 'no text' 'token id 999 (number 0) has no text; ids 0 to 319 are defined'
check 'bad ids line' 3 '' "$r1" detokenize --jsonl "$tiny" <<<'{"ids":[1.5]}'
complains 'bad ids line' 'line 1: ids[0] is not a token id'
check 'large id line' 3 '' "$r1" detokenize --jsonl "$tiny" <<<'{"ids":[5000]}'
complains 'large id line' 'line 1: token id 5000'
printf 'The answer\r\n\tis \xe7\xad\x94\xe3\x81\x88 and \xf0\x9f\x98\x80.' >"$dir/text"
"$r1" tokenize -f "$dir/text" "$tiny" | "$r1" detokenize "$tiny" | cmp - "$dir/text" || failed=1
exit $failed
