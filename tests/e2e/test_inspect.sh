#!/bin/bash
# r1 inspect: exact totals from a bare config.json, every form of checkpoint, errors with their status.   argument: R1
set -uo pipefail
r1=$1
here=$(cd "$(dirname "$0")" && pwd)
config=$here/../fixtures/r1/config.json
golden=$here/../../../shared/golden
dir=$(mktemp -d) || exit 77
trap 'rm -rf "$dir"' EXIT
failed=0
check() { # name, wanted status, wanted text (a part of stdout and stderr), command...
    local name=$1 want=$2 text=$3 said status
    shift 3
    said=$("$@" 2>&1)
    status=$?
    case $said in *"$text"*) ;; *) echo "$name: '$text' is missing in: ${said:0:600}"; failed=1 ;; esac
    [ "$status" = "$want" ] || { echo "$name: status $status, wanted $want"; failed=1; }
}
check total 0 'parameters            671,026,419,200' "$r1" inspect "$config"
check bytes 0 'bytes                 688,574,839,360 (641.29 GiB)' "$r1" inspect "$config"
check ignored 0 'keys read past: attention_dropout aux_loss_alpha' "$r1" inspect "$config"
check tensor 0 'F8_E4M3  model.layers.60.mlp.experts.255.down_proj.weight [7168, 2048]' "$r1" inspect --tensors "$config"
check scale 0 'F32      model.layers.0.self_attn.kv_a_proj_with_mqa.weight_scale_inv [5, 56]' "$r1" inspect --tensors "$config"
check json 0 '"parameters":671026419200,"parameters_active":36625618432,"parameters_mtp":11610068224,"parameters_stored":684489845504' "$r1" inspect --json "$config"
check 'json tensors' 0 '{"name":"model.norm.weight","type":"BF16","shape":[7168],"bytes":14336,"file":null,"offset":null}' "$r1" inspect --json "$config"
if command -v python3 >/dev/null; then
    check 'json parses' 0 '91991 61 163840' python3 -c "import json,subprocess,sys
o=json.loads(subprocess.check_output([sys.argv[1],'inspect','--json',sys.argv[2]]))
print(len(o['tensors']),o['hyper_parameters']['num_hidden_layers'],o['hyper_parameters']['max_position_embeddings'])" "$r1" "$config"
fi
check nothing 3 'No such file' "$r1" inspect "$dir/absent"
check 'empty folder' 3 'neither *.safetensors nor *.gguf' "$r1" inspect "$dir"
echo nothing >"$dir/model.bin"
check 'other file' 3 'neither a GGUF nor a safetensors file' "$r1" inspect "$dir/model.bin"
sed 's/"silu"/"gelu"/' "$config" >"$dir/gelu.json"
check 'other maths' 3 'key hidden_act is "gelu"' "$r1" inspect "$dir/gelu.json"
sed 's/"n_group": 8/"n_group": 7/' "$config" >"$dir/groups.json"
check 'odd groups' 3 'n_routed_experts 256 is no multiple of n_group 7' "$r1" inspect "$dir/groups.json"
sed 's/"hidden_size": 7168,//' "$config" >"$dir/short.json"
check 'missing key' 3 'key hidden_size is missing' "$r1" inspect "$dir/short.json"
printf '{"a":1,}' >"$dir/comma.json"
check 'stray comma' 3 'offset 8' "$r1" inspect "$dir/comma.json"
if [ -d "$golden" ]; then
    for m in tiny-r1 tiny-r1-fp8 tiny-qwen2 tiny-llama tiny-r1-gguf tiny-r1-gguf-old tiny-r1-gguf-old/model.gguf tiny-llama/model.safetensors; do
        check "$m" 0 'parameters' "$r1" inspect --tensors "$golden/$m"
    done
    cp "$golden/tiny-llama/config.json" "$golden/tiny-llama/model.safetensors" "$dir/"
    rm "$dir/model.bin"
    chmod u+w "$dir/config.json"
    sed -i 's/"intermediate_size": 344/"intermediate_size": 343/' "$dir/config.json"
    check 'shape' 3 'tensor model.layers.0.mlp.gate_proj.weight is [344, 128], the configuration asks for [343, 128]' "$r1" inspect "$dir"
    sed -i 's/"intermediate_size": 343/"intermediate_size": 344/; s/"num_hidden_layers": 3/"num_hidden_layers": 2/' "$dir/config.json"
    check 'extra layer' 3 'has no place in a llama model of this configuration' "$r1" inspect "$dir"
    sed -i 's/"num_hidden_layers": 2/"num_hidden_layers": 4/' "$dir/config.json"
    check 'lacking layer' 3 'tensor model.layers.3.input_layernorm.weight is missing' "$r1" inspect "$dir"
fi
exit $failed
