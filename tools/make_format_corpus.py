#!/usr/bin/env python3
"""Write the seeds of fuzz/corpus/{safetensors,index_json,config_json,gguf}: small valid files and one for each way to be wrong.

usage: make_format_corpus.py [fuzz/corpus]
"""
import json
import os
import struct
import sys


def save(folder, files):
    os.makedirs(folder, exist_ok=True)
    for name, data in files.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))


def safetensors():
    def file(header, data=0):
        raw = header if isinstance(header, bytes) else header.encode()
        return struct.pack("<Q", len(raw)) + raw + bytes(data)

    def t(dtype="U8", shape="1", begin=0, end=1, more=""):
        return '{"dtype":"%s","shape":[%s],"data_offsets":[%d,%d]%s}' % (dtype, shape, begin, end, more)
    good = {
        "empty": file("{}"), "padded": file("{}      "), "metadata": file('{"__metadata__":{"format":"pt","a":"\\u00e9\\n"},"a":' + t() + "}", 1),
        "two": file('{"a":' + t("BF16", "2,3", 4, 16) + ',"b":' + t("F32", "", 0, 4) + "}", 16),
        "zero": file('{"a":' + t("F64", "0,7", 0, 0) + "}"), "spaces": file('{ "a" : { "dtype" : "I8" , "shape" : [ 1 , 2 ] , "data_offsets" : [ 0 , 2 ] } }', 2),
        "more": file('{"a":' + t(more=',"x":{"y":[1,-2.5e3,0.1,null,true,false,"\\ud83d\\ude00",{}]}') + "}", 1),
        "names": file(('{"\u00e9\u20ac\U0001f600":' + t() + ',"\\"\\\\\\/\\b\\f\\r\\t":' + t("BOOL", "1", 1, 2) + "}").encode(), 2),
    }
    for i, d in enumerate(("F16", "F8_E5M2", "F8_E8M0", "U16", "I16", "U32", "I32", "U64", "I64", "F8_E4M3")):
        size = {"F16": 2, "U16": 2, "I16": 2, "U32": 4, "I32": 4, "U64": 8, "I64": 8}.get(d, 1)
        good["dtype_%02d" % i] = file('{"a":' + t(d, "1", 0, size) + "}", size)
    bad = {
        "b_short": b"\x02\0\0", "b_long": struct.pack("<Q", 1 << 40) + b"{}", "b_past": struct.pack("<Q", 99) + b"{}", "b_none": bytes(8),
        "b_space": file(" {}"), "b_tail": file("{}\n"), "b_cut": file('{"a"'), "b_comma": file('{"a":' + t() + ",}", 1),
        "b_dtype": file('{"a":' + t("Q9") + "}", 1), "b_f4": file('{"a":' + t("F4") + "}", 1), "b_dims": file('{"a":' + t("U8", "1,1,1,1,1,1,1,1,1") + "}", 1),
        "b_neg": file('{"a":' + t("U8", "-1") + "}", 1), "b_lead": file('{"a":' + t("U8", "01") + "}", 1), "b_frac": file('{"a":' + t("U8", "1.5") + "}", 1),
        "b_big": file('{"a":' + t("U8", "99999999999999999999") + "}", 1), "b_over": file('{"a":' + t("U8", "4294967296,4294967296") + "}", 1),
        "b_span": file('{"a":' + t("U8", "2") + "}", 1), "b_leave": file('{"a":' + t("U8", "2", 0, 2) + "}", 1), "b_hole": file('{"a":' + t("U8", "1", 1, 2) + "}", 2),
        "b_lap": file('{"a":' + t("U8", "2", 0, 2) + ',"b":' + t("U8", "2", 1, 3) + "}", 3), "b_end": file('{"a":' + t() + "}", 9),
        "b_twice": file('{"a":' + t() + ',"a":' + t("U8", "1", 1, 2) + "}", 2), "b_meta": file('{"__metadata__":{},"__metadata__":{}}'),
        "b_meta2": file('{"__metadata__":{"a":1}}'), "b_lack": file('{"a":{"dtype":"U8","shape":[1]}}', 1), "b_dup": file('{"a":{"dtype":"U8","dtype":"U8"}}'),
        "b_esc": file('{"\\x":1}'), "b_nul": file('{"\\u0000":1}'), "b_lone": file('{"\\ud800":1}'), "b_hex": file('{"\\u00g0":1}'),
        "b_utf8": file(b'{"\xc3":1}'), "b_over8": file(b'{"\xe0\x80\x80":1}'), "b_ctl": file(b'{"\n":1}'), "b_deep": file('{"a":{"x":' + "[" * 80 + "]" * 80 + "}}"),
        "b_word": file('{"a":{"x":nul}}'), "b_num": file('{"a":{"x":-}}'), "b_num2": file('{"a":{"x":1.}}'), "b_num3": file('{"a":{"x":1e}}'), "b_num4": file('{"a":{"x":00}}'),
        "b_str": file('{"a'), "b_sep": file('{"a":' + t() + ' "b":1}', 1), "b_arr": file('{"a":{"shape":[1 2]}}'),
    }
    return {**good, **bad}


def index_json():
    w = lambda m, **k: json.dumps({**k, "weight_map": m})
    return {
        "one": w({"a": "m.safetensors"}), "two": w({"a": "m-1.safetensors", "b": "m-2.safetensors", "c": "m-1.safetensors"}, metadata={"total_size": 5, "x": [None, True, {"y": -1.5}]}),
        "escape": '{"weight_map":{"\\u00e9\\n":"m\\u002dx.safetensors","z":"m-x.safetensors"}}\n', "after": '{"weight_map":{"a":"m.safetensors"},"metadata":{}}  ',
        "b_empty": "", "b_none": "{}", "b_void": w({}), "b_list": '{"weight_map":[]}', "b_num": '{"weight_map":{"a":1}}',
        "b_twice": '{"weight_map":{"a":"m.safetensors","a":"m.safetensors"}}', "b_maps": '{"weight_map":{"a":"m.safetensors"},"weight_map":{}}',
        "b_up": w({"a": "../m.safetensors"}), "b_dot": w({"a": ".m.safetensors"}), "b_bin": w({"a": "m.bin"}), "b_name": w({"a": ".safetensors"}),
        "b_tail": w({"a": "m.safetensors"}) + "x", "b_cut": w({"a": "m.safetensors"})[:-3], "b_skip": '{"metadata":[1,],"weight_map":{}}', "b_root": "[]",
    }


BASE = dict(vocab_size=320, hidden_size=128, intermediate_size=304, num_hidden_layers=3, num_attention_heads=4, max_position_embeddings=512, rms_norm_eps=1e-6)
R1 = dict(BASE, model_type="deepseek_v3", architectures=["DeepseekV3ForCausalLM"], q_lora_rank=96, kv_lora_rank=64, qk_nope_head_dim=32, qk_rope_head_dim=16, v_head_dim=24,
          n_routed_experts=12, n_shared_experts=1, num_experts_per_tok=3, moe_intermediate_size=40, first_k_dense_replace=1, n_group=4, topk_group=2,
          routed_scaling_factor=2.5, num_nextn_predict_layers=1, scoring_func="sigmoid", topk_method="noaux_tc", norm_topk_prob=True)
YARN = dict(type="yarn", factor=4, original_max_position_embeddings=64, beta_fast=32, beta_slow=1, mscale=1.0, mscale_all_dim=1.0)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
FP8 = dict(quant_method="fp8", fmt="e4m3", weight_block_size=[128, 128], activation_scheme="dynamic")


def config_json():
    q, l, r = dict(BASE, model_type="qwen2"), dict(BASE, model_type="llama"), R1
    def no(d, k):
        return {a: b for a, b in d.items() if a != k}
    c = {
        "r1": dict(r, rope_scaling=YARN, quantization_config=FP8, bos_token_id=0, eos_token_id=[1, 2], rope_theta=10000, torch_dtype="bfloat16", head_dim=16),
        "qwen2": dict(q, num_key_value_heads=2, tie_word_embeddings=True, use_sliding_window=False, sliding_window=5, layer_types=["full_attention"]),
        "llama": dict(l, head_dim=16, rope_scaling=LLAMA3, rope_theta=5e5, attention_bias=False, mlp_bias=False), "new": dict(l, rope_parameters=dict(LLAMA3, rope_theta=5e5), dtype="float32"),
        "linear": dict(q, rope_scaling=dict(type="linear", factor=2)), "plain": dict(q, rope_parameters=dict(rope_type="default", rope_theta=7.0)), "qyarn": dict(q, rope_scaling=no(no(YARN, "mscale_all_dim"), "mscale")),
        "nulls": dict(q, rope_scaling=None, head_dim=None, quantization_config=None, bos_token_id=None, eos_token_id=[]), "dense_mla": dict(no(no(r, "n_routed_experts"), "q_lora_rank"), n_routed_experts=None, q_lora_rank=None),
        "classes": dict(BASE, architectures=["LlamaForCausalLM"]), "softmax": dict(r, scoring_func="softmax"), "fp8_more": dict(r, quantization_config=dict(FP8, modules_to_not_convert=["lm_head"])),
        "b_list": [], "b_void": {}, "b_type": dict(BASE, model_type=7), "b_arch": dict(BASE, model_type="gpt2"), "b_class": dict(q, architectures=[]), "b_miss": no(q, "hidden_size"), "b_null": dict(q, hidden_size=None),
        "b_real": dict(q, hidden_size=1.5), "b_neg": dict(q, num_key_value_heads=-1), "b_kv": dict(q, num_key_value_heads=3), "b_tie": dict(q, tie_word_embeddings=1), "b_act": dict(q, hidden_act="gelu"),
        "b_slide": dict(q, use_sliding_window=True), "b_types": dict(q, layer_types=["sliding_attention"]), "b_types2": dict(q, layer_types=1), "b_theta": dict(q, rope_theta="x"), "b_theta0": dict(q, rope_theta=0),
        "b_rope": dict(q, rope_scaling=[]), "b_rope0": dict(q, rope_scaling={}), "b_dyn": dict(q, rope_scaling=dict(type="dynamic")), "b_two": dict(q, rope_scaling=dict(type="yarn", rope_type="linear")),
        "b_member": dict(q, rope_scaling=dict(YARN, mrope_section=[1])), "b_trunc": dict(q, rope_scaling=dict(YARN, truncate=False)), "b_factor": dict(q, rope_scaling=dict(type="linear")), "b_both": dict(q, rope_scaling=YARN, rope_parameters=LLAMA3),
        "b_thetas": dict(q, rope_theta=5, rope_parameters=dict(rope_type="default", rope_theta=6)), "b_all_dim": dict(q, rope_scaling=YARN), "b_freq": dict(l, rope_scaling=dict(LLAMA3, high_freq_factor=0.5)),
        "b_beta": dict(r, rope_scaling=dict(YARN, beta_slow=64)), "b_yarn1": dict(r, rope_theta=1, rope_scaling=YARN), "b_number": dict(r, rope_scaling=dict(YARN, factor="4")), "b_quant": dict(q, quantization_config=dict(quant_method="awq")),
        "b_quant2": dict(q, quantization_config={}), "b_quant3": dict(q, quantization_config=3), "b_quant4": dict(q, quantization_config=dict(quant_method="fp8")), "b_bos": dict(q, bos_token_id="x"), "b_eos": dict(q, eos_token_id=320),
        "b_score": dict(r, scoring_func="tanh"), "b_freq2": dict(r, moe_layer_freq=2), "b_group": dict(r, n_group=5), "b_group2": dict(r, n_group=12), "b_top": dict(r, topk_group=5), "b_k": dict(r, num_experts_per_tok=7),
        "b_moe": no(r, "num_experts_per_tok"), "b_head": dict(r, head_dim=7), "b_width": dict(q, hidden_size=130), "b_huge": dict(q, vocab_size=1 << 40), "b_product": dict(l, hidden_size=1 << 20, intermediate_size=1 << 22, num_hidden_layers=4096, head_dim=128),
        "b_pair": dict(q, head_dim=15), "b_eps": dict(q, rms_norm_eps=0),
    }
    files = {k: json.dumps(v) for k, v in c.items()}
    files["b_json"] = '{"a":1,}'
    return files


class Gguf:
    def __init__(self, version=3):
        self.version, self.kv, self.t, self.n_kv, self.n_t, self.at = version, b"", b"", 0, 0, 0

    @staticmethod
    def s(x):
        x = x if isinstance(x, bytes) else x.encode()
        return struct.pack("<Q", len(x)) + x

    def put(self, key, kind, raw):
        self.kv += self.s(key) + struct.pack("<I", kind) + raw
        self.n_kv += 1
        return self

    def u32(self, key, v): return self.put(key, 4, struct.pack("<I", v))
    def f32(self, key, v): return self.put(key, 6, struct.pack("<f", v))
    def text(self, key, v): return self.put(key, 8, self.s(v))
    def flag(self, key, v): return self.put(key, 7, bytes([v]))

    def tensor(self, name, dims, kind=0, size=None, offset=None):
        n = 4
        for d in dims:
            n *= d
        size = n if size is None else size
        self.t += self.s(name) + struct.pack("<I", len(dims)) + b"".join(struct.pack("<Q", d) for d in dims) + struct.pack("<IQ", kind, self.at if offset is None else offset)
        self.at += (size + 31) // 32 * 32
        self.n_t += 1
        return self

    def file(self, tail=None):
        head = b"GGUF" + struct.pack("<IQQ", self.version, self.n_t, self.n_kv) + self.kv + self.t
        return head + bytes(-len(head) % 32) + bytes(self.at if tail is None else tail)


def gguf():
    def base(a):
        return Gguf().text("general.architecture", a).u32(a + ".block_count", 2).u32(a + ".context_length", 64).u32(a + ".embedding_length", 8).u32(a + ".feed_forward_length", 8).u32(
            a + ".attention.head_count", 2).f32(a + ".attention.layer_norm_rms_epsilon", 1e-5)

    def r1(newer=True, gating=2, experts=4):
        a = "deepseek2"
        g = base(a).u32(a + ".attention.kv_lora_rank", 4).u32(a + ".attention.q_lora_rank", 4).u32(a + ".attention.key_length", 6).u32(a + ".attention.value_length", 2).u32(a + ".rope.dimension_count", 2)
        if newer:
            g.u32(a + ".attention.key_length_mla", 4).u32(a + ".attention.value_length_mla", 2).u32(a + ".expert_group_count", 2).u32(a + ".expert_group_used_count", 1)
        return g.u32(a + ".expert_count", experts).u32(a + ".expert_used_count", 2).u32(a + ".expert_feed_forward_length", 4).u32(a + ".leading_dense_block_count", 1).u32(
            a + ".expert_gating_func", gating).flag(a + ".expert_weights_norm", 1).f32(a + ".expert_weights_scale", 2.5)

    def yarn(g, a="deepseek2"):
        return g.text(a + ".rope.scaling.type", "yarn").f32(a + ".rope.scaling.factor", 4).u32(a + ".rope.scaling.original_context_length", 64).f32(a + ".rope.scaling.yarn_log_multiplier", 0.1)

    def emb(g): return g.tensor("token_embd.weight", [8, 4])
    u64 = lambda v: struct.pack("<Q", v)
    arr = lambda kind, n, raw: struct.pack("<IQ", kind, n) + raw
    f = {
        "none": Gguf().file(), "v2": Gguf(2).text("a", "b").file(),
        "llama": emb(base("llama")).tensor("rope_freqs.weight", [2]).tensor("output.weight", [8, 4]).file(), "qwen2": emb(base("qwen2").text("qwen2.rope.scaling.type", "linear").f32("qwen2.rope.scaling.factor", 2)).file(),
        "old": emb(yarn(r1(False))).file(), "new": emb(yarn(r1())).file(), "r1_256": emb(r1(False, 2, 256)).file(), "softmax": emb(r1(False, 1)).file(),
        "mtp": emb(r1().u32("deepseek2.nextn_predict_layers", 1)).tensor("blk.1.nextn.eh_proj.weight", [16, 8]).file(), "scale_linear": emb(base("llama").f32("llama.rope.scale_linear", 2)).file(),
        "scalars": Gguf().put("a", 0, b"\1").put("b", 1, b"\xff").put("c", 2, b"\1\2").put("d", 3, b"\xff\xff").put("e", 5, b"\xff" * 4).put("f", 10, b"\xff" * 8).put("g", 11, b"\xfe" + b"\xff" * 7).put("h", 12, bytes(8)).flag("i", 0).file(),
        "arrays": Gguf().put("a", 9, arr(8, 2, Gguf.s("x") + Gguf.s(""))).put("b", 9, arr(3, 2, b"\xff\xff\1\0")).put("c", 9, arr(7, 2, b"\1\0")).put("d", 9, arr(10, 1, b"\xff" * 8)).put("e", 9, arr(9, 2, arr(4, 0, b"") + arr(8, 1, Gguf.s("y")))).put("f", 9, arr(6, 1, bytes(4))).file(),
        "types": Gguf().tensor("q", [256, 2], 12, 288).tensor("r", [32], 8, 34).tensor("s", [], 0, 4).tensor("t", [2, 1, 1, 1], 30, 4).file(),
        "align": Gguf().u32("general.alignment", 64).tensor("a", [4], 0, 16).file(64), "bias": emb(base("llama")).tensor("blk.0.attn_q.bias", [8]).file(),
        "ids": emb(base("llama").u32("tokenizer.ggml.bos_token_id", 1).u32("tokenizer.ggml.eos_token_id", 2).text("general.name", "x").u32("llama.vocab_size", 4).u32("llama.new_key", 1).u32("llama.expert_count", 0)).file(),
        "b_magic": b"GGUX" + bytes(20), "b_short": b"GGUF\3\0\0", "b_v1": Gguf(1).file(), "b_v0": Gguf(0).file(), "b_v9": Gguf(9).file(), "b_big": Gguf(0x03000000).file(), "b_head": b"GGUF\3\0\0\0" + bytes(5),
        "b_tensors": b"GGUF\3\0\0\0" + u64(1 << 40) + u64(0), "b_values": b"GGUF\3\0\0\0" + u64(0) + u64(1 << 40), "b_type": Gguf().put("a", 13, bytes(8)).file(), "b_bool": Gguf().put("a", 7, b"\2").file(),
        "b_text": Gguf().put("a", 8, u64(1 << 40)).file(), "b_text2": Gguf().put("a", 8, u64(500)).file(), "b_array": Gguf().put("a", 9, arr(4, 1 << 40, b"")).file(), "b_array2": Gguf().put("a", 9, arr(4, 500, b"")).file(),
        "b_array3": Gguf().put("a", 9, arr(99, 1, bytes(8))).file(), "b_array4": Gguf().put("a", 9, arr(9, 1, arr(4, 1 << 40, b""))).file(), "b_array5": Gguf().put("a", 9, arr(7, 1, b"\5")).file(), "b_array6": Gguf().put("a", 9, arr(9, 9, arr(77, 1, b""))).file(),
        "b_deep": Gguf().put("a", 9, arr(9, 1, b"") * 20 + bytes(12)).file(), "b_key": Gguf().u32("", 1).file(), "b_key2": Gguf().u32(b"\xff", 1).file(), "b_twice": Gguf().u32("a", 1).u32("a", 1).file(),
        "b_align": Gguf().u32("general.alignment", 3).file(), "b_dims": Gguf().tensor("a", [1] * 5).file(), "b_over": Gguf().tensor("a", [1 << 40, 1 << 40], 0, 0).file(), "b_rows": Gguf().tensor("a", [100], 12, 0).file(),
        "b_kind": Gguf().tensor("a", [1], 4).file(), "b_same": Gguf().tensor("a", [1]).tensor("a", [1]).file(), "b_off": Gguf().tensor("a", [1], 0, None, 64).file(), "b_end": Gguf().tensor("a", [99]).file(8), "b_name": Gguf().tensor("n" * 70, [1]).file(),
        "b_arch": emb(Gguf().text("general.architecture", "gemma")).file(), "b_noarch": emb(Gguf()).file(), "b_miss": emb(Gguf().text("general.architecture", "llama")).file(), "b_noemb": base("llama").file(),
        "b_rule": emb(base("llama").f32("llama.attention.scale", 2)).file(), "b_rule2": emb(base("llama").text("llama.tensor_data_layout", "Meta AI original pth")).file(), "b_rule3": emb(base("llama").flag("llama.attention.causal", 0)).file(),
        "b_kv": emb(base("llama").text("llama.attention.head_count_kv", "x")).file(), "b_dim": emb(base("llama").u32("llama.rope.dimension_count", 2)).file(), "b_scal": emb(base("llama").text("llama.rope.scaling.type", "longrope")).file(),
        "b_scal2": emb(base("llama").u32("llama.rope.scaling.type", 1)).file(), "b_base": emb(base("llama").f32("llama.rope.freq_base", float("nan"))).file(), "b_freqs": emb(base("llama")).tensor("rope_freqs.weight", [3]).file(),
        "b_freqs2": emb(base("qwen2")).tensor("rope_freqs.weight", [2]).file(), "b_len": emb(base("llama").u32("llama.attention.key_length", 16)).file(), "b_obias": emb(base("llama")).tensor("blk.0.attn_output.bias", [8]).file(),
        "b_gate": emb(r1(False, 7)).file(), "b_next": emb(r1().u32("deepseek2.nextn_predict_layers", 2)).file(), "b_yarn": emb(r1().text("deepseek2.rope.scaling.type", "yarn")).file(), "b_bos": emb(base("llama").text("tokenizer.ggml.bos_token_id", "x")).file(),
        "b_norm": emb(r1(False).f32("deepseek2.expert_shared_count", 1)).file(), "b_split": emb(base("llama").put("split.no", 2, b"\1\0")).file(), "b_split2": emb(base("llama").put("split.count", 2, b"\2\0")).file(),
        "b_split3": emb(base("llama").put("split.tensors.count", 5, b"\7\0\0\0")).file(), "b_split4": emb(base("llama").text("split.no", "x")).file(),
    }
    return f


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fuzz", "corpus")
    for name, make in (("safetensors", safetensors), ("index_json", index_json), ("config_json", config_json), ("gguf", gguf)):
        save(os.path.join(out, name), make())


if __name__ == "__main__":
    main()
