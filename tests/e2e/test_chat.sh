#!/bin/bash
# r1 chat over pipes: turns, commands, what is kept and what is not, an answer that is stopped, bad input.   argument: R1
set -uo pipefail
r1=$1
. "$(dirname "$0")/support.sh"
model=$(tiny_chat)
export HOME=$tmp XDG_STATE_HOME=$tmp/state
chat() { "$r1" chat --quiet "$@" "$model" | tr -d '\0'; }

# a first turn says what r1 run says
one=$("$r1" run --quiet -n 40 "$model" "What is it?" | tr -d '\0')
same 'first turn' "$one" "$(echo 'What is it?' | chat -n 40)"
same 'without a last newline' "$one" "$(printf 'What is it?' | chat -n 40)"
same 'threads and chunks' "$one" "$(echo 'What is it?' | chat -n 40 --threads 2 --batch 5)"
same 'two lines in one turn' "$("$r1" run --quiet -n 20 "$model" $'a\nb' | tr -d '\0')" "$(printf 'a\\\nb\n' | chat -n 20)"
same 'a line that begins with /' "$("$r1" run --quiet -n 20 "$model" '/x' | tr -d '\0')" "$(echo '//x' | chat -n 20)"
case $(echo Hi | chat -n 40) in *$'\033'*) echo 'escape sequences without a terminal'; failed=1 ;; esac

# thinking: shown, folded, hidden, cut short, left out, printed again
case $(echo Hi | chat -n 30 --think-budget 5) in '<think>'*'</think>'*) ;; *) echo 'budget: not closed'; failed=1 ;; esac
case $(printf '/think budget 5\nHi\n' | chat -n 30) in '<think>'*'</think>'*) ;; *) echo '/think budget: not closed'; failed=1 ;; esac
case $(echo Hi | chat -n 30 --think-budget 5 --thinking fold) in '[thought for '*' tokens]'*) ;; *) echo 'fold: no folded line'; failed=1 ;; esac
case $(echo Hi | chat -n 30 --think-budget 5 --thinking hide) in '<think>'* | *'thought for'*) echo 'hide: not hidden'; failed=1 ;; esac
same '/think hide' "$(echo Hi | chat -n 30 --think-budget 5 --thinking hide)" "$(printf '/think hide\nHi\n' | chat -n 30 --think-budget 5)"
same 'no-think' "$("$r1" run --quiet --no-think -n 20 "$model" Hi | tr -d '\0')" "$(printf '/think off\nHi\n' | chat -n 20)"

# the conversation: the second turn knows the first, /clear forgets it, /system stays, files go round
printf '%s\n' '/system Be brief.' Hi Ho "/save $tmp/saved.json" /stats | chat -n 20 --no-think > "$tmp/out"
grep -q '^messages  *5$' "$tmp/out" || { echo "stats: $(cat "$tmp/out")"; failed=1; }
for part in '"content": "Be brief."' '"content": "Hi"' '"content": "Ho"' '"role": "assistant"'; do
    grep -qF "$part" "$tmp/saved.json" || { echo "save: $part is missing"; failed=1; }
done
same 'load goes on' "$(printf '%s\n' '/system Be brief.' Hi Ho '/think off' End | chat -n 20 --no-think --temp 0 | tail -n 2)" \
    "$(printf '%s\n' '/system Be brief.' Hi Ho "/save $tmp/t0.json" | chat -n 20 --no-think --temp 0 > /dev/null
       echo End | chat -n 20 --no-think --temp 0 --load "$tmp/t0.json" | tail -n 2)"
same 'clear' "$(echo Hi | chat -n 20 --no-think --temp 0)" "$(printf '%s\n' Hey /clear Hi | chat -n 20 --no-think --temp 0 | tail -n "$(echo Hi | chat -n 20 --no-think --temp 0 | wc -l)")"
[ ! -e "$tmp/state" ] || { echo 'history: written without a terminal'; failed=1; }

# Ctrl-C stops the answer (here while a very long question is being read) and keeps the chat
mkdir "$tmp/long"
cp "$shared"/golden/tiny-llama/model.safetensors "$here"/../fixtures/tiny-tokenizer/*.json "$tmp/long"
sed 's/"max_position_embeddings": *[0-9]*/"max_position_embeddings": 1000000/' "$shared/golden/tiny-llama/config.json" > "$tmp/long/config.json"
mkfifo "$tmp/in"
"$r1" chat --threads 1 -n 20 -c 400000 "$tmp/long" < "$tmp/in" > "$tmp/answer" 2> "$tmp/notes" &
chat=$!
exec 3> "$tmp/in"
echo Hi >&3
for _ in $(seq 300); do [ -s "$tmp/answer" ] && break; sleep 0.1; done
head -c 300000 /dev/zero | tr '\0' 'x' >&3
echo >&3
sleep 1
kill -INT $chat
printf '%s\n' "/save $tmp/stopped.json" /quit >&3
exec 3>&-
wait $chat || { echo "stopped: status $?"; failed=1; }
grep -q 'stopped before an answer; the question is forgotten' "$tmp/notes" || { echo "stopped: $(cat "$tmp/notes")"; failed=1; }
[ "$(grep -c '"role"' "$tmp/stopped.json")" = 2 ] || { echo 'stopped: the chat was not kept'; failed=1; }

# what is refused; over pipes a failure ends the chat with its status
check 'no such command' 2 'did you mean /think?' "$r1" chat "$model" < <(printf '/thnk\nHi\n')
check 'no file to load' 3 'No such file' "$r1" chat "$model" < <(echo "/load $tmp/nothing.json")
echo '[{"role":"user"}]' > "$tmp/bad.json"
check 'no messages' 3 'expected messages' "$r1" chat --load "$tmp/bad.json" "$model" < /dev/null
check 'no place to save' 4 'No such file' "$r1" chat "$model" < <(echo "/save $tmp/no/where.json")
check 'not UTF-8' 3 'not UTF-8' "$r1" chat "$model" < <(printf '\xff\n')
check 'too long' 3 'context' "$r1" chat -c 64 "$model" < <(head -c 500 /dev/zero | tr '\0' x)
check 'no tokenizer' 3 'tokenizer' "$r1" chat "$shared/golden/tiny-r1" < /dev/null
check 'nothing said' 0 '' "$r1" chat "$model" < /dev/null
check 'bad view' 2 'show' "$r1" chat --thinking loud "$model" < /dev/null
exit $failed
