#!/bin/bash
# R1's 163 shards as sparse files are inspected in under 2 s, with the published totals.   argument: R1
set -uo pipefail
r1=$1
here=$(cd "$(dirname "$0")" && pwd)
command -v python3 >/dev/null || exit 77
dir=$(mktemp -d) || exit 77
trap 'rm -rf "$dir"' EXIT
python3 "$here/../../tools/make_sparse_r1.py" "$dir/r1" || exit $?
failed=0
limit=2000 # ms; the instrumented builds of the sanitizers are slower, but not that much
began=$(date +%s%N)
text=$("$r1" inspect "$dir/r1") || failed=1
ended=$(date +%s%N)
ms=$(((ended - began) / 1000000))
echo "inspect: $ms ms"
[ "$ms" -lt "$limit" ] || { echo "took $ms ms, under $limit expected"; failed=1; }
for want in 'parameters            671,026,419,200' 'active per token    36,625,618,432' 'MTP layers, beside  11,610,068,224' \
            'stored in all       684,489,845,504' 'tensors               91,991' 'bytes                 688,574,839,360' \
            'format                safetensors, 163 files' 'num_nextn_predict_layers   1'; do
    case $text in *"$want"*) ;; *) echo "missing: $want"; failed=1 ;; esac
done
# the same tensors as the bare configuration prescribes
"$r1" inspect --tensors "$dir/r1" | grep '^[A-Z].*\]$' | sort >"$dir/files"
"$r1" inspect --tensors "$here/../fixtures/r1/config.json" | grep '^[A-Z].*\]$' | sort >"$dir/config"
[ "$(wc -l <"$dir/files")" = 91991 ] || { echo "not 91,991 lines of tensors"; failed=1; }
cmp -s "$dir/files" "$dir/config" || { echo "config.json prescribes other tensors"; failed=1; }
# a shard that is gone, cut short, or grown is named
mv "$dir/r1/model-00100-of-000163.safetensors" "$dir/kept"
said=$("$r1" inspect "$dir/r1" 2>&1); [ $? = 3 ] || { echo "missing shard: wrong status"; failed=1; }
case $said in *model-00100-of-000163.safetensors*missing*) ;; *) echo "missing shard: $said"; failed=1 ;; esac
mv "$dir/kept" "$dir/r1/model-00100-of-000163.safetensors"
truncate -s -1 "$dir/r1/model-00100-of-000163.safetensors"
said=$("$r1" inspect "$dir/r1" 2>&1); [ $? = 3 ] || { echo "short shard: wrong status"; failed=1; }
case $said in *model-00100-of-000163.safetensors*"offset "*) ;; *) echo "short shard: $said"; failed=1 ;; esac
exit $failed
