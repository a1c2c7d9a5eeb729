#!/usr/bin/env python3
"""Write DeepSeek-R1's 163 shards as sparse files: true names, shapes, types and offsets, no weights, no disk.

usage: make_sparse_r1.py OUT            OUT/ gets config.json, the index and 689 GB of files that occupy about 12 MB

The tensor list is written down here a second time, from the published layout, so that it also checks the program's own.
Exits with 77 where the file system has no sparse files of that size.
"""
import json
import os
import shutil
import struct
import sys

SHARDS = 163
D, V, L, DENSE, EXPERTS, FD, FE, HEADS = 7168, 129280, 61, 3, 256, 18432, 2048, 128
SIZE = {"BF16": 2, "F8_E4M3": 1, "F32": 4}


def tensors():
    """(name, dtype, shape) in layer order."""
    def fp8(name, out, cols):
        yield name, "F8_E4M3", [out, cols]
        yield name + "_scale_inv", "F32", [(out + 127) // 128, (cols + 127) // 128]

    def ffn(prefix, width):
        yield from fp8(prefix + ".gate_proj.weight", width, D)
        yield from fp8(prefix + ".up_proj.weight", width, D)
        yield from fp8(prefix + ".down_proj.weight", D, width)

    yield "model.embed_tokens.weight", "BF16", [V, D]
    for i in range(L + 1):
        p = f"model.layers.{i}."
        if i == L:  # the multi-token-prediction layer
            yield p + "embed_tokens.weight", "BF16", [V, D]
            yield p + "enorm.weight", "BF16", [D]
            yield p + "hnorm.weight", "BF16", [D]
            yield p + "eh_proj.weight", "BF16", [D, 2 * D]
        yield p + "input_layernorm.weight", "BF16", [D]
        yield from fp8(p + "self_attn.q_a_proj.weight", 1536, D)
        yield p + "self_attn.q_a_layernorm.weight", "BF16", [1536]
        yield from fp8(p + "self_attn.q_b_proj.weight", HEADS * 192, 1536)
        yield from fp8(p + "self_attn.kv_a_proj_with_mqa.weight", 576, D)
        yield p + "self_attn.kv_a_layernorm.weight", "BF16", [512]
        yield from fp8(p + "self_attn.kv_b_proj.weight", HEADS * 256, 512)
        yield from fp8(p + "self_attn.o_proj.weight", D, HEADS * 128)
        yield p + "post_attention_layernorm.weight", "BF16", [D]
        if i < DENSE:
            yield from ffn(p + "mlp", FD)
        else:
            yield p + "mlp.gate.weight", "BF16", [EXPERTS, D]
            yield p + "mlp.gate.e_score_correction_bias", "F32", [EXPERTS]
            for e in range(EXPERTS):
                yield from ffn(f"{p}mlp.experts.{e}", FE)
            yield from ffn(p + "mlp.shared_experts", FE)
        if i == L:
            yield p + "shared_head.norm.weight", "BF16", [D]
            yield p + "shared_head.head.weight", "BF16", [V, D]
    yield "model.norm.weight", "BF16", [D]
    yield "lm_head.weight", "BF16", [V, D]


def nbytes(dtype, shape):
    n = SIZE[dtype]
    for d in shape:
        n *= d
    return n


def write_shard(path, members):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, dtype, shape in members:
        end = at + nbytes(dtype, shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
    os.truncate(path, 8 + len(text) + at)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    fixture = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "fixtures", "r1", "config.json")
    shutil.copy(fixture, os.path.join(out, "config.json"))
    everything = list(tensors())
    total = sum(nbytes(t, s) for _, t, s in everything)
    shards, done = [[] for _ in range(SHARDS)], 0
    for name, dtype, shape in everything:  # the shard in which the tensor's first byte falls
        shards[done * SHARDS // total].append((name, dtype, shape))
        done += nbytes(dtype, shape)
    weight_map = {}
    try:
        for i, members in enumerate(shards):
            file = f"model-{i + 1:05d}-of-{SHARDS:06d}.safetensors"
            write_shard(os.path.join(out, file), members)
            weight_map.update((name, file) for name, _, _ in members)
    except OSError as e:
        print(f"no sparse files of this size here: {e}")
        sys.exit(77)
    with open(os.path.join(out, "model.safetensors.index.json"), "w") as f:
        json.dump({"metadata": {"total_size": total}, "weight_map": weight_map}, f, indent=2)
    print(f"{len(everything)} tensors, {total} bytes, {SHARDS} shards")


if __name__ == "__main__":
    main()
