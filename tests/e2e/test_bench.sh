#!/bin/bash
# r1 bench: both measurements, the keys that scripts read, memory as predicted.   argument: R1
set -uo pipefail
r1=$1
. "$(dirname "$0")/support.sh"
model=$shared/golden/tiny-llama
json=$("$r1" bench "$model" --pp 40 --tg 10 --repeat 2 --threads 2 --json) || { echo "bench: status $?"; failed=1; }
for key in prefill_tokens_per_second decode_tokens_per_second commit flags device isa threads repeat load_seconds resident_bytes predicted_bytes; do
    case $json in *"\"$key\":"*) ;; *) echo "json: $key is missing in $json"; failed=1 ;; esac
done
[ "$(printf '%s\n' "$json" | wc -l)" = 1 ] || { echo 'json: one line expected'; failed=1; }
number() { printf '%s' "$json" | sed "s/.*\"$1\":\([0-9]*\).*/\1/"; }
resident=$(number resident_bytes) predicted=$(number predicted_bytes)
off=$((resident - predicted))
# the bar is 3 % or 16 MiB, whichever is more; a sanitizer's own memory is no room's
case $(ldd "$r1" 2>/dev/null) in *lib[at]san*) off=0 ;; esac
[ "${off#-}" -le $((16 << 20)) ] || { echo "memory: $resident resident, $predicted predicted"; failed=1; }
check text 0 'tokens/s' "$r1" bench "$model" --pp 8 --tg 4 --repeat 1
check 'decode alone' 0 '3 together' "$r1" bench "$model" --pp 0 --tg 4 --repeat 1 --sequences 3
check 'longer than the model' 3 "the model's positions end at" "$r1" bench "$model" --pp 100000 --repeat 1
check 'no such model' 3 'No such file' "$r1" bench "$tmp/nothing"
exit $failed
