#!/usr/bin/env bash
# The CPU engine's bars in one go, as JSON lines: beside llama.cpp (prompt, decode, 16 sequences), as fractions of the machine's own roof, random
# R1s of a billion weights, decode at depth. For docs/measurements/.
#   bench/bars_cpu.sh --models DIR [--peer-python PYTHON] [--pairs N] [--repeat N] [--work DIR]
# DIR holds smollm2-135m-q4_1.gguf, qwen2.5-coder-0.5b-q4_k_m.gguf, qwen2.5-coder-1.5b-q4_k_m.gguf (or folders that do; those that are missing are left
# out); PYTHON imports llama_cpp; --work keeps the random models (1.8 GB). Run on an otherwise idle machine.
set -eu
cd "$(dirname "$0")/.."
models= peer= pairs=9 repeat=9 work=
while [ $# -gt 0 ]; do
  case $1 in
    --models) models=$2; shift 2 ;;
    --peer-python) peer=$2; shift 2 ;;
    --pairs) pairs=$2; shift 2 ;;
    --repeat) repeat=$2; shift 2 ;;
    --work) work=$2; shift 2 ;;
    *) sed -n '2,7p' "$0"; exit 2 ;;
  esac
done
[ -n "$work" ] || { work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; }
# Peak resident memory beside what is allowed: file + cache + max(3 %, 16 MiB), and 5 % on top.
memory() {
  build/r1 bench -t 2 -p 512 -n 8 -r 1 --no-roof -o jsonl -q "$1" | python3 -c '
import json, os, sys
r = json.loads(sys.stdin.readline())
held = os.path.getsize(sys.argv[1]) + r["cache_bytes"]
allowed = 1.05 * (held + max(0.03 * held, 16 << 20))
print(json.dumps({"bench": "memory", "model": r["model"], "peak_bytes": r["peak_resident_bytes"], "allowed_bytes": int(allowed), "met": r["peak_resident_bytes"] <= allowed}))' "$1"
}
bench() { build/r1 bench -t 2 -r "$repeat" -o jsonl -q "$@"; }
for name in smollm2-135m-q4_1 qwen2.5-coder-0.5b-q4_k_m qwen2.5-coder-1.5b-q4_k_m; do
  model=$([ -z "$models" ] || find "$models" -name "$name.gguf" | head -1)
  [ -n "$model" ] || { echo "left out: $name" >&2; continue; }
  [ -z "$peer" ] || "$peer" bench/vs_llama_cpp.py --r1 build/r1 --peer-python "$peer" --pairs "$pairs" --sequences 16 "$model" | tail -1
  bench -p 512 -n 128 -b 1,16 "$model"
  memory "$model"
  case $name in *0.5b*) for type in f32 bf16 q8; do bench -p 0 -n 32 -d 0,4096,16384,32704 --cache-type $type "$model"; done ;; esac
done
# Attention alone, a layer of it: the shapes of the 0.5B, SmolLM2, the 1.5B and MLA.
build/bench_attention at=4096,16384,32768 repeat="$repeat"
build/bench_attention heads=9 kv=3 at=16384 repeat="$repeat"
build/bench_attention heads=12 dim=128 layers=8 at=16384 repeat="$repeat"
build/bench_attention heads=16 kv=1 dim=576 value=512 layers=4 at=8192 repeat="$repeat"
[ -d "$work/r1-fp8" ] || build/make_random_r1 "$work/r1-fp8" >/dev/null
[ -d "$work/r1-q4" ] || build/make_random_r1 "$work/r1-q4" Q4_K >/dev/null
bench -p 512 -n 64 -b 1,16 "$work/r1-fp8"
bench -p 512 -n 64 -b 1,16 "$work/r1-q4/model.gguf"
