#!/usr/bin/env python3
"""One measurement of llama.cpp through llama-cpp-python: a prompt of --pp tokens in one batch, and apart from it --tg tokens decoded
from an empty cache. Prints one JSON line. Run by vs_llama_cpp.py with the interpreter that has the package.

usage: peer_llama_cpp.py MODEL.gguf --threads 2 --pp 512 --tg 128 [--sequences 16] (--pp 0 --tg 0: the sequences alone)
"""
import argparse, json, time
import llama_cpp as L

ap = argparse.ArgumentParser()
ap.add_argument("model"); ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--pp", type=int, default=512); ap.add_argument("--tg", type=int, default=128)
ap.add_argument("--sequences", type=int, default=0, help="also decode this many sequences together")
a = ap.parse_args()

L.llama_backend_init()
quiet = L.llama_log_callback(lambda level, text, user: None); L.llama_log_set(quiet, None)
t0 = time.perf_counter()
model = L.llama_model_load_from_file(a.model.encode(), L.llama_model_default_params())
load = time.perf_counter() - t0

def context(n_seq, positions):
    """n_ctx is shared out among the sequences."""
    c = L.llama_context_default_params()
    c.n_ctx = n_seq * positions; c.n_batch = max(a.pp, n_seq, 32); c.n_ubatch = 512; c.n_threads = c.n_threads_batch = a.threads; c.n_seq_max = n_seq
    return L.llama_init_from_model(model, c)

ctx = context(1, max(a.pp, a.tg) + 64)
vocab = L.llama_vocab_n_tokens(L.llama_model_get_vocab(model))

def decode(tokens, pos0, seqs=None):
    b = L.llama_batch_init(len(tokens), 0, 1); b.n_tokens = len(tokens)
    for i, t in enumerate(tokens):
        b.token[i] = t; b.pos[i] = pos0 if seqs else pos0 + i; b.n_seq_id[i] = 1; b.seq_id[i][0] = i if seqs else 0
        b.logits[i] = 1 if seqs or i == len(tokens) - 1 else 0
    assert L.llama_decode(ctx, b) == 0
    L.llama_synchronize(ctx); L.llama_batch_free(b)

def clear(): L.llama_memory_clear(L.llama_get_memory(ctx), True)

ids = [(i * 7919 + 11) % (vocab - 300) for i in range(max(a.pp, 512))]
r = {"engine": "llama.cpp", "version": L.__version__, "threads": a.threads, "pp": a.pp, "tg": a.tg, "load_seconds": load}
if a.pp:
    decode(ids[:32], 0); clear()                               # warm-up
    t0 = time.perf_counter(); decode(ids[:a.pp], 0); r["prefill_tokens_per_second"] = a.pp / (time.perf_counter() - t0)
    clear()
if a.tg:
    t0 = time.perf_counter()
    for i in range(a.tg): decode([ids[i % len(ids)]], i)
    r["decode_tokens_per_second"] = a.tg / (time.perf_counter() - t0)
if a.sequences:
    L.llama_free(ctx); ctx = context(a.sequences, 256)
    decode(ids[:a.sequences], 0, seqs=True)                    # warm-up
    t0 = time.perf_counter()
    for i in range(1, 33): decode(ids[:a.sequences], i, seqs=True)
    r["batched_decode_tokens_per_second"] = 32 * a.sequences / (time.perf_counter() - t0); r["sequences"] = a.sequences
print(json.dumps(r))
