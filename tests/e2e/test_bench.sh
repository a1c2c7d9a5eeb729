#!/bin/bash
# r1 bench: both measurements, the keys that scripts read, memory as predicted, every form, the comparison, the ops.   argument: R1
set -uo pipefail
r1=$1
. "$(dirname "$0")/support.sh"
model=$shared/golden/tiny-llama
sanitized=
case $(ldd "$r1" 2>/dev/null) in *lib[at]san*) sanitized=1 ;; esac
run="$r1 bench $model --threads 2 --repeat 2"

json=$($run --pp 40 --tg 10 --json) || { echo "bench: status $?"; failed=1; }
for key in test tokens_per_second commit flags device isa threads repeat load_seconds resident_bytes peak_resident_bytes predicted_bytes bytes_per_token \
           weight_bytes_per_token cache_bytes_per_token ops_per_token bound fraction roof_read roof_f32; do
    case $json in *"\"$key\":"*) ;; *) echo "json: $key is missing in $json"; failed=1 ;; esac
done
[ "$(printf '%s\n' "$json" | wc -l)" = 3 ] || { echo 'json: the roof, a prompt and an answer expected'; failed=1; }
number() { printf '%s\n' "$json" | tail -1 | sed "s/.*\"$1\":\([0-9]*\).*/\1/"; }
resident=$(number resident_bytes) predicted=$(number predicted_bytes)
off=$((resident - predicted))
# the bar is 3 % or 16 MiB, whichever is more; a sanitizer's own memory is no room's
[ -n "$sanitized" ] && off=0
[ "${off#-}" -le $((16 << 20)) ] || { echo "memory: $resident resident, $predicted predicted"; failed=1; }

check markdown 0 '| tg4 x3 |' $run --pp 0 --tg 4 --parallel 1,3
check 'threads as a list' 0 '| 2 | pp8 |' $run -t 1,2 --pp 8 --tg 0 --no-roof
check depth 0 '| pp8 @ d64 |' $run --pp 8 --tg 4 -d 0,64 --no-roof
check 'processor time' 0 '"clock":"cpu"' $run -t 1 --cpu-time --pp 8 --tg 0 -j
check 'processor time of many' 2 'of one thread' $run --cpu-time --pp 8 --tg 0 --no-roof
check csv 0 'model,version,commit,' $run --pp 8 --tg 0 -o csv
check 'bf16 cache' 0 '"cache_type":"bf16"' $run --pp 8 --tg 4 --cache-type bf16 --no-roof -j
check 'q8 cache' 0 '"cache_type":"q8"' $run --pp 8 --tg 4 --cache-type q8_0 --no-roof -j
check ops 0 '| linear | head |' $run --ops --rows 1,5 --isa c
check 'ops as json' 0 '"op":"attention"' $run --ops --rows 2 --isa c -o jsonl

$run --pp 8 --tg 4 -j > "$tmp/before.jsonl"
check compare 0 '"ratio":' $run --pp 8 --tg 4 -j --compare "$tmp/before.jsonl"
check 'compare, not there' 0 '| new |' $run --pp 9 --tg 0 --compare "$tmp/before.jsonl"
sed 's/"tokens_per_second":[0-9.]*/"tokens_per_second":0.002/; s/"tokens_per_second_min":[0-9.]*/"tokens_per_second_min":0.001/
     s/"tokens_per_second_max":[0-9.]*/"tokens_per_second_max":0.003/' "$tmp/before.jsonl" > "$tmp/slow.jsonl"
check 'compare, faster' 0 '| + |' $run --pp 8 --tg 4 --compare "$tmp/slow.jsonl"
head -c 700 "$tmp/before.jsonl" > "$tmp/cut.jsonl"
check 'compare, cut off' 3 'cut.jsonl:2: ' $run --pp 8 --compare "$tmp/cut.jsonl"
echo '{"roof_read":1}' > "$tmp/none.jsonl"
check 'compare, nothing measured' 3 'no measurement in it' $run --pp 8 --compare "$tmp/none.jsonl"
check 'compare, no file' 3 'No such file' $run --pp 8 --compare "$tmp/nothing"

check 'longer than the model' 3 "the model's positions end at" $run --pp 100000
check 'no such model' 3 'No such file' "$r1" bench "$tmp/nothing"
check 'bad list' 2 "--pp: '5,,7', expected whole numbers" $run --pp 5,,7
check 'bad depth' 2 'multiples of 64' $run -d 100
check 'bad threads' 2 '--threads' $run -t 1,x
check 'bad form' 2 "md" $run -o xml
exit $failed
