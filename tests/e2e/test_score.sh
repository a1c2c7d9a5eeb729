#!/bin/bash
# r1 score: the same numbers in any chunk, from ids or text; files; bad input with its status.   argument: R1
set -uo pipefail
r1=$1
. "$(dirname "$0")/support.sh"
model=$(tiny_chat)
golden=$shared/golden/tiny-qwen2
score() { "$r1" score --quiet "$@"; }

want=$(score "$golden" --ids 1,2,3,4,5,6,7,8,9,10)
[ "$(printf '%s\n' "$want" | wc -l)" = 11 ] || { echo "score: 10 tokens and a total expected: $want"; failed=1; }
case $want in *'perplexity'*) ;; *) echo 'score: no perplexity'; failed=1 ;; esac
printf '1 2\n3\t4 5 6,7\n\n8 9 10\n' >"$tmp/ids"
same 'ids from a file' "$want" "$(score "$golden" --ids-file "$tmp/ids")"
same 'ids from standard input' "$want" "$(score "$golden" --ids-file - <"$tmp/ids")"
for n in 1 3 64; do same "chunk $n" "$want" "$(score "$golden" --ids-file "$tmp/ids" --chunk $n)"; done
same 'instruction set' "$want" "$(score "$golden" --ids-file "$tmp/ids" --isa c)"
json=$(score "$golden" --ids 1,2,3 --json)
for key in ids logprobs tokens scored sum_logprob mean_logprob perplexity; do
    case $json in *"\"$key\":"*) ;; *) echo "json: $key is missing in $json"; failed=1 ;; esac
done
case $(score "$golden" --ids 7 --json) in *'"logprobs":[]'*'"scored":0'*'"perplexity":null'*) ;; *) echo 'json: one token'; failed=1 ;; esac
printf 'A little text.' >"$tmp/text"
same 'text from a file' "$(score "$model" --text 'A little text.')" "$(score "$model" --file "$tmp/text")"

score "$golden" --ids-file "$tmp/ids" --logits "$tmp/a" >/dev/null && score "$golden" --ids-file "$tmp/ids" --logits "$tmp/b" --chunk 3 >/dev/null
cmp -s "$tmp/a" "$tmp/b" || { echo 'logits: chunks differ'; failed=1; }
[ "$(stat -c %s "$tmp/a")" -gt 12800 ] || { echo 'logits: file too small'; failed=1; }
[ -e "$tmp/a.tmp" ] && { echo 'logits: a temporary file was left'; failed=1; }

check 'nothing given' 2 'give one of --text, --file, --ids and --ids-file' "$r1" score "$golden"
check 'two things given' 2 'give one of' "$r1" score "$golden" --ids 1 --text x
check 'no token' 3 'no token to score' "$r1" score "$golden" --ids ''
check 'id out of range' 3 'ids[1] is token id 100000' "$r1" score "$golden" --ids 1,100000
check 'text without a tokenizer' 3 'tokenizer' "$r1" score "$golden" --text x
check 'no such file' 3 'No such file' "$r1" score "$model" --file "$tmp/nothing"
check 'longer than the context' 3 '3 tokens in a context of 2' "$r1" score "$golden" -c 2 --ids 1,2,3
check 'no MTP layer' 3 'no multi-token prediction layer' "$r1" score "$golden" --ids 1,2,3 --mtp-logits "$tmp/m"
[ -e "$tmp/m" ] && { echo 'mtp: a file was left behind'; failed=1; }
check 'folder that is not there' 3 'No such file' "$r1" score "$golden" --ids 1,2 --logits "$tmp/no/such/folder"
if [ -c /dev/full ]; then
    check 'full disk' 4 'No space left' "$r1" score "$golden" --ids 1,2 --logits /dev/full
    score "$golden" --ids 1,2,3 >/dev/full 2>/dev/null
    [ $? = 4 ] || { echo 'full disk, standard output: wrong status'; failed=1; }
fi
exit $failed
