#!/bin/bash
# r1 convert --panels: found and used by later commands with the same output, refused or passed over when it is not this
# checkpoint's, nothing left behind by a failure, and a model twice as large as its memory group.   argument: R1
set -uo pipefail
r1=$1
. "$(dirname "$0")/support.sh"
m=$tmp/m
mkdir "$m"
cp "$shared"/golden/tiny-r1/config.json "$shared"/golden/tiny-r1/model.safetensors "$m"
chmod u+w "$m"/*
p=$m/model.safetensors.r1panels
ids() { "$r1" score --ids 3,1,4,1,5,9,2,6 --json "$@" "$m" 2>&1; }
plain=$(ids)
check 'no option' 2 'what to make is missing: --panels' "$r1" convert "$m"
check 'none yet' 5 'there is no file of panels' "$r1" convert --check "$m"
check 'inspect none' 0 '"panels":null' "$r1" inspect --json "$m"
check write 0 "$p: " "$r1" convert --panels "$m"
check whole 0 'all checksums fit' "$r1" convert --check "$m"
check inspect 0 "bytes in $p" "$r1" inspect "$m"
same 'the same bits' "$plain" "$(ids)"
same 'from elsewhere' "$plain" "$(mv "$p" "$tmp/elsewhere"; ids --panels "$tmp/elsewhere")"
same 'by a bare name' model.safetensors.r1panels: "$(cd "$m" && "$r1" convert --panels model.safetensors 2>&1 | sed 's/ .*//')"; rm "$p"
check 'json' 0 '"valid":true' "$r1" convert --check --json -o "$tmp/elsewhere" "$m"
check 'json absent' 5 '"present":false' "$r1" convert --check --json "$m"
check 'named but absent' 3 'No such file' "$r1" score --panels "$p" --ids 1,2 "$m"
same 'packed anyway' "$plain" "$(ids --panels none)"
mv "$tmp/elsewhere" "$p"
touch "$m/model.safetensors"
check 'stale' 0 'time stamps); it is not used (r1 convert --panels writes it anew)' "$r1" score --ids 3,1,4 "$m"
check 'stale, inspect' 0 'time stamps); not used' "$r1" inspect "$m"
check 'stale, named' 3 'time stamps' "$r1" score --panels "$p" --ids 3,1,4 "$m"
check 'anew' 0 "$p: " "$r1" convert --panels "$m"
size=$(stat -c %s "$p")
truncate -s $((size - 4096)) "$p"
check 'cut' 0 'the file was cut or has grown; it is not used' "$r1" score --ids 3,1,4 "$m"
check 'cut, check' 3 'the file was cut' "$r1" convert --check "$m"
"$r1" convert --panels -q "$m" >/dev/null
printf '\377' | dd of="$p" bs=1 seek=$((size - 5000)) conv=notrunc status=none
check 'flipped' 3 'do not fit their checksum' "$r1" convert --check "$m"
rm "$p"
# places that cannot be written to, a disk that is too small
check 'no folder' 3 "$tmp/absent/x: No such file" "$r1" convert --panels -o "$tmp/absent/x" "$m"
check 'a folder' 3 'Is a directory' "$r1" convert --panels -o "$tmp" "$m"
check 'a device' 3 'a regular file is wanted' "$r1" convert --panels -o /dev/null "$m"
[ -c /dev/null ] || { echo '/dev/null was replaced'; failed=1; }
check 'too small' 4 "$p: " bash -c "ulimit -f 100; trap '' XFSZ; exec \"\$0\" convert --panels \"\$1\"" "$r1" "$m"
mkdir "$tmp/disk" "$tmp/ro"
unshare -rm bash -c "mount -t tmpfs -o size=512k tmpfs '$tmp/disk' && mount --bind '$tmp/ro' '$tmp/ro' && mount -o remount,bind,ro '$tmp/ro'" 2>/dev/null
if [ $? = 0 ]; then
    check 'full disk' 4 'No space left on device' unshare -rm bash -c "mount -t tmpfs -o size=512k tmpfs '$tmp/disk'; '$r1' convert --panels -o '$tmp/disk/p' '$m'; s=\$?; [ -z \"\$(ls '$tmp/disk')\" ] || exit 99; exit \$s"
    check 'read-only folder' 4 'Read-only file system' unshare -rm bash -c "mount --bind '$tmp/ro' '$tmp/ro'; mount -o remount,bind,ro '$tmp/ro'; exec '$r1' convert --panels -o '$tmp/ro/p' '$m'"
fi
same 'nothing left' '' "$(ls "$m" | grep -v '^config.json$\|^model.safetensors$')"

# ---- a model twice as large as the memory there is -----------------------------------------------------------------------------
group= limit_file= peak_file=
if mkdir "/sys/fs/cgroup/memory/r1-test-$$" 2>/dev/null; then # version 1
    group=/sys/fs/cgroup/memory/r1-test-$$ limit_file=memory.limit_in_bytes peak_file=memory.max_usage_in_bytes
elif grep -qw memory /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null && mkdir "/sys/fs/cgroup/r1-test-$$" 2>/dev/null; then # version 2
    group=/sys/fs/cgroup/r1-test-$$ limit_file=memory.max peak_file=memory.peak
fi
in_group() ( echo $BASHPID >"$group/cgroup.procs" && exec "$@" )
if [ -n "$group" ] && ! in_group true 2>/dev/null; then rmdir "$group"; group=; fi
[ -n "$group" ] || { echo 'no memory groups can be made here: the larger model was not tried'; [ $failed = 0 ] && exit 77; exit 1; }
trap 'rmdir "$group"; rm -rf "$tmp"' EXIT

# Two layers of zeros, 256 MiB in bf16: a sparse file with a header.
big=$tmp/big
mkdir "$big"
cat >"$big/config.json" <<'J'
{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 64, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 2,
 "num_attention_heads": 16, "hidden_act": "silu", "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "rope_theta": 10000, "tie_word_embeddings": true}
J
at=0 header=
add() { # name, rows, cols (1: a vector)
    local end=$((at + 2 * $2 * $3)) shape=$2
    [ "$3" = 1 ] || shape=$2,$3
    header+="${header:+,}\"$1\":{\"dtype\":\"BF16\",\"shape\":[$shape],\"data_offsets\":[$at,$end]}"
    at=$end
}
add model.embed_tokens.weight 64 2048
add model.norm.weight 2048 1
for l in 0 1; do
    for n in input_layernorm post_attention_layernorm; do add model.layers.$l.$n.weight 2048 1; done
    for n in q k v o; do add model.layers.$l.self_attn.${n}_proj.weight 2048 2048; done
    for n in gate up; do add model.layers.$l.mlp.${n}_proj.weight 8192 2048; done
    add model.layers.$l.mlp.down_proj.weight 2048 8192
done
header="{$header}"
n=${#header}
printf "\\x$(printf %02x $((n % 256)))\\x$(printf %02x $((n / 256)))\\0\\0\\0\\0\\0\\0%s" "$header" >"$big/model.safetensors"
truncate -s $((8 + n + at)) "$big/model.safetensors"
q=$big/model.safetensors.r1panels
limit=$((at / 2))
big_run() { "$r1" run --temp 0 -n 3 --ids 1,2,3 --ignore-eos --json -c 64 -b 64 "$@" "$big"; }
want=$(big_run -q | grep -o '"output_ids":[^"]*')
echo $limit >"$group/$limit_file" || failed=1
check 'larger, packed' 4 'r1 convert --panels writes a file' in_group "$r1" run --ids 1,2,3 "$big"
check 'larger, converted' 0 "$q: " in_group "$r1" convert --panels "$big"
for f in "$q" "$big/model.safetensors"; do dd of="$f" oflag=nocache conv=notrunc,fdatasync count=0 status=none; done # out of memory
said=$(in_group "$r1" run --temp 0 -n 3 --ids 1,2,3 --ignore-eos --json -c 64 -b 64 "$big" 2>"$tmp/warned")
status=$?
[ $status = 0 ] || { echo "larger: status $status"; failed=1; }
same 'larger: output' "$want" "$(grep -o '"output_ids":[^"]*' <<<"$said")"
grep -q 'what does not stay is read from disk again for each token' "$tmp/warned" || { echo "larger: no warning: $(cat "$tmp/warned")"; failed=1; }
[ "$(wc -l <"$tmp/warned")" = 1 ] || { echo 'larger: more than one line'; failed=1; }
if [ -f "$group/$peak_file" ] && [ "$(cat "$group/$peak_file")" -gt "$limit" ]; then echo 'the group has had more than its limit'; failed=1; fi
exit $failed
