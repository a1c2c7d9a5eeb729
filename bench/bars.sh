#!/usr/bin/env bash
# The bars of the first milestone, measured in one go and printed as text for docs/measurements/.
#   bench/bars.sh [--models DIR] [--peer-python PYTHON] [--pairs N]
# DIR holds smollm2-135m-q4_1.gguf and qwen2.5-coder-0.5b-q4_k_m.gguf (or folders that do); PYTHON imports llama_cpp and tokenizers.
# Without them the parts that need them are named and left out. Run on an otherwise idle machine, after `make test`.
set -u
cd "$(dirname "$0")/.."
models= peer= pairs=9
while [ $# -gt 0 ]; do
  case $1 in
    --models) models=$2; shift 2 ;;
    --peer-python) peer=$2; shift 2 ;;
    --pairs) pairs=$2; shift 2 ;;
    *) sed -n '2,6p' "$0"; exit 2 ;;
  esac
done
b=build failed=0
say() { printf '\n## %s\n\n' "$1"; }
check() { # NAME COMMAND...: its output's telling lines, then ok or FAILED
  local name=$1; shift
  if "$@" > /tmp/bars.$$ 2>&1; then grep -Ev '^\[|^ *$' /tmp/bars.$$ | tail -40; echo "$name: ok"
  else tail -40 /tmp/bars.$$; echo "$name: FAILED"; failed=1; fi
  rm -f /tmp/bars.$$
}
find_model() { find "$models" -name "$1" 2>/dev/null | head -1; }

echo "commit $(git rev-parse --short HEAD), $(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)"
say "1. Golden checkpoints, f32 compute, exact activations"
check "logits, hidden states, experts, MTP" $b/test_golden_forward
check "the same through r1 score --logits" $b/test_golden_score
say "2. Real models, teacher-forced"
if [ -n "$models" ]; then check "log-probs, top-1, perplexity" env R1_MODELS_DIR="$models" $b/test_real; else echo "left out: no --models"; fi
say "3. Bits"
for t in test_bits_forward test_bits_engine test_linear_quant test_op_linear test_op_attention test_op_rows test_op_elementary; do check $t $b/$t; done
say "4. Memory"
check "decode allocates nothing" $b/test_engine_alloc
if [ -n "$models" ]; then
  for m in smollm2-135m-q4_1.gguf qwen2.5-coder-0.5b-q4_k_m.gguf; do $b/r1 bench "$(find_model $m)" --threads 2 --repeat 3 --no-roof --json -q; done
fi
say "5. Speed beside the peers, 2 threads, paired runs"
if [ -n "$models" ] && [ -n "$peer" ]; then
  for m in smollm2-135m-q4_1.gguf qwen2.5-coder-0.5b-q4_k_m.gguf; do
    "$peer" bench/vs_llama_cpp.py --r1 $b/r1 --peer-python "$peer" --pairs "$pairs" --sequences 16 "$(find_model $m)" | tail -1
  done
  tok=$(mktemp -d)
  zcat ../shared/data/tokenizer/deepseek_v3/tokenizer.json.gz > "$tok/tokenizer.json"
  "$peer" bench/make_mixed_text.py ../shared "$tok/mixed.txt"
  for i in 1 2 3; do $b/bench_tokenizer "$tok" "$tok/mixed.txt"; "$peer" bench/peer_tokenizers.py "$tok" "$tok/mixed.txt"; done
  rm -rf "$tok"
else echo "left out: needs --models and --peer-python"; fi
exit $failed
