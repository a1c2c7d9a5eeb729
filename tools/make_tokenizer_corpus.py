#!/usr/bin/env python3
"""Make the seeds of the tokenizer's fuzz targets: python3 tools/make_tokenizer_corpus.py fuzz/corpus"""
import base64
import copy
import json
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.join(HERE, "..", "tests")


def write(folder, name, data):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def small_tokenizer():
    """The tiny tokenizer with ten of its merges: a seed should be small."""
    doc = json.load(open(TESTS + "/fixtures/tiny-tokenizer/tokenizer.json", encoding="utf-8"))
    merges = doc["model"]["merges"][:10]
    keep = {m.replace(" ", "") for m in merges}
    doc["model"]["merges"] = merges
    doc["model"]["vocab"] = {t: i for t, i in doc["model"]["vocab"].items() if len(t) == 1 or t in keep or i < 3}
    return doc


def tokenizer_json(out):
    base = small_tokenizer()
    dump = lambda d: json.dumps(d, ensure_ascii=False, separators=(",", ":")).encode()
    for i, line in enumerate(open(TESTS + "/golden/tokenizer/cases.jsonl", encoding="utf-8")):
        case, doc = json.loads(line), copy.deepcopy(base)
        if i % 2 == 0 or i > 36:
            doc.update(case["change"])
            doc["model"]["ignore_merges"] = case["ignore_merges"]
            write(out, "variation-%02d" % i, dump(doc))
    pairs = copy.deepcopy(base)
    pairs["model"]["merges"] = [m.split(" ") for m in pairs["model"]["merges"]]
    pairs["post_processor"] = {"type": "Sequence", "processors": [{"type": "TemplateProcessing", "single": [
        {"SpecialToken": {"id": "<think>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]}]}
    write(out, "pairs", dump(pairs))
    few = copy.deepcopy(base)
    few["model"]["unk_token"] = "!"
    few["model"]["vocab"] = {t: i for t, i in few["model"]["vocab"].items() if len(t) > 1 or t in "!theaisnĠ"}
    few["model"]["merges"] = few["model"]["merges"][:2]
    write(out, "unknown", dump(few))
    broken = {
        "type": ("model", "type", "WordPiece"), "dropout": ("model", "dropout", 0.5), "fallback": ("model", "byte_fallback", True),
        "affix": ("model", "end_of_word_suffix", "</w>"), "vocab": ("model", "vocab", []), "merges": ("model", "merges", {}),
        "merge": ("model", "merges", ["ab"]), "merge2": ("model", "merges", [["a"]]), "merge3": ("model", "merges", ["q qq"]),
        "merge4": ("model", "merges", ["▁ a"]), "id": ("model", "vocab", {"a": "b"}), "id2": ("model", "vocab", {"a": -1}),
        "added": (None, "added_tokens", 1), "added2": (None, "added_tokens", [{"id": 1}]),
        "added3": (None, "added_tokens", [{"id": 5, "content": "xyz"}]), "added4": (None, "added_tokens", [{"id": 9, "content": ""}]),
        "normalizer": (None, "normalizer", {"type": "Lowercase"}), "pre": (None, "pre_tokenizer", {"type": "Metaspace"}),
        "replace": (None, "normalizer", {"type": "Replace", "pattern": {"Regex": "("}, "content": ""}),
        "replace2": (None, "normalizer", {"type": "Replace", "pattern": {}, "content": ""}),
        "pre2": (None, "pre_tokenizer", {"type": "Sequence", "pretokenizers": []}), "model": (None, "model", 3),
        "behavior": (None, "pre_tokenizer", {"type": "Split", "pattern": {"String": "a"}, "behavior": "x"}),
        "set": (None, "pre_tokenizer", {"type": "Split", "pattern": {"Regex": "[a[b]]"}, "behavior": "Isolated"}),
        "property": (None, "pre_tokenizer", {"type": "Split", "pattern": {"Regex": "\\p{Foo}"}, "behavior": "Isolated"}),
    }
    for name, (where, key, value) in broken.items():
        doc = copy.deepcopy(base)
        (doc[where] if where else doc)[key] = value
        if key == "vocab" or key == "model":
            doc["model"] = doc["model"] if key == "model" else {"vocab": value, "merges": []}
        write(out, "broken-" + name, dump(doc))
    write(out, "cut", dump(base)[:700])
    write(out, "empty", b"")
    write(out, "array", b"[]")
    write(out, "object", b"{}")


def tokenizer_model(out):
    line = lambda token, rank: base64.b64encode(token) + b" %d\n" % rank
    alphabet = b"".join(line(bytes([b]), b) for b in range(256))
    write(out, "bytes", alphabet)
    write(out, "merges", alphabet + b"".join(line(t, 256 + i) for i, t in enumerate([b"th", b"the", b"\xe4\xbd", b"aa", b"aaaa", b"QQ"])))
    write(out, "crlf", alphabet.replace(b"\n", b"\r\n")[:-2])
    write(out, "blank", b"\n\n" + alphabet)
    for i, bad in enumerate([b"", b"YQ== 0\n", b"YQ= 0\n", b"YQ==0\n", b"YQ== x\n", b"YQ==\n", b"?Q== 0\n", b"YQ== 0\nYg== 0\n", b"YQ== 0\nYQ== 1\n",
                             b"YQ== 9999999\n", b"YQ== 123456789\n", b"\x0a\x0b", b"====  0\n", b"YWI= 1\nYWJj 2\n", b"Y" * 6000 + b" 0\n"]):
        write(out, "bad-%02d" % i, bad)


def gguf_file(keys):
    text = lambda s: len(s.encode()).to_bytes(8, "little") + s.encode()
    out = b"GGUF" + (3).to_bytes(4, "little") + bytes(8) + len(keys).to_bytes(8, "little")
    for name, value in keys.items():
        out += text(name)
        if isinstance(value, bool):
            out += b"\7\0\0\0" + bytes([value])
        elif isinstance(value, int):
            out += b"\4\0\0\0" + value.to_bytes(4, "little")
        elif isinstance(value, str):
            out += b"\x08\0\0\0" + text(value)
        elif value and isinstance(value[0], str):
            out += b"\x09\0\0\0\x08\0\0\0" + len(value).to_bytes(8, "little") + b"".join(text(v) for v in value)
        else:
            out += b"\x09\0\0\0\5\0\0\0" + len(value).to_bytes(8, "little") + b"".join(v.to_bytes(4, "little") for v in value)
    return out


def tokenizer_gguf(out):
    doc = small_tokenizer()
    tokens = sorted(doc["model"]["vocab"], key=doc["model"]["vocab"].get) + ["<think>", "<|end|>", "[PAD]"]
    types = [3, 3, 3] + [1] * (len(tokens) - 6) + [4, 3, 5]
    p = "tokenizer.ggml."
    base = {p + "model": "gpt2", p + "pre": "deepseek-v3", p + "tokens": tokens, p + "token_type": types, p + "merges": doc["model"]["merges"],
            p + "bos_token_id": 0, p + "eos_token_id": 1, p + "add_bos_token": True, "tokenizer.chat_template": "{{x}}",
            "tokenizer.chat_template.tool_use": "{{y}}", "general.name": "x"}
    for pre in ("deepseek-v3", "qwen2", "llama-bpe", "smollm", "default", "deepseek-llm", "deepseek-coder", "tekken", "gpt-4o", "kimi-k2",
                "bloom", "superbpe", "chameleon", "nonesuch"):
        write(out, "pre-" + pre, gguf_file({**base, p + "pre": pre}))
    change = {"no-pre": (p + "pre", None), "no-model": (p + "model", None), "no-tokens": (p + "tokens", None), "no-merges": (p + "merges", None),
              "no-types": (p + "token_type", None), "spm": (p + "model", "llama"), "types": (p + "token_type", [1]), "types2": (p + "token_type", "x"),
              "types3": (p + "token_type", tokens), "merge": (p + "merges", ["ab"]), "merge2": (p + "merges", ["\u2581 a", "q qq", "t h"]),
              "tokens": (p + "tokens", 3), "stop": (p + "eot_token_id", 5), "bos": (p + "bos_token_id", 4000), "unknown": (p + "unknown_token_id", 3),
              "unknown2": (p + "unknown_token_id", 3000), "same": (p + "tokens", ["a", "a"]), "few": (p + "tokens", ["a", "b"])}
    for name, (key, value) in change.items():
        keys = {k: v for k, v in {**base, key: value}.items() if v is not None}
        if name in ("same", "few"):
            del keys[p + "token_type"]
        write(out, name, gguf_file(keys))
    whole = gguf_file(base)
    for i, n in enumerate((0, 3, 24, 60, 200, len(whole) // 2, len(whole) - 1)):
        write(out, "cut-%d" % i, whole[:n])


def utf8(out):
    rows = ["31", "c2a9", "e28090", "f09f9880", "c0af", "e0809f", "eda080", "f0808080", "f4908080", "f8888080", "80", "bfbf", "e4bd", "f09f98",
            "41e4bda0", "e4e4bda0", "f09f9841", "c3", "c3c3a9", "edbfbf", "efbfbe", "efbbbf61", "fffe", "616263646566676869c3a96a6b6c6d6e6f",
            "00c280", "ee8080f48fbfbf", "e2e28090", "f0f09f9880", "0180808080", "03e4bda0e5a5bd"]
    for i, row in enumerate(rows):
        write(out, "%02d" % i, bytes.fromhex(row))


def detokenizer(out):
    rng = random.Random(3)
    texts = ["the<think>the</think>", "<|end|>", " <|end|>| ", "b<|end|>|the <think", "<|end|> \t\n<|end|>", "價錢 100 你好・ア", "👩‍👩‍👧 caf\u00e9",
             "  12345 th the", "<think><think><|end|>|", "x<|en", "", "a", "\u3000<|end|>\u3000\u00a0", "the" * 40,
             "=" * 100 + "<think>" + "\n" * 70]
    for i, text in enumerate(texts):
        write(out, "text-%02d" % i, text.encode())
        write(out, "thrice-%02d" % i, (text * 3).encode())
    for i in range(10):
        write(out, "ids-%02d" % i, bytes(rng.choice([rng.randrange(256), rng.randrange(0x80, 0xC0), rng.randrange(0xF0, 0x100), 0xE4, 0xBD])
                                         for _ in range(rng.randrange(1, 60))))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tokenizer_json(sys.argv[1] + "/tokenizer_json")
    tokenizer_model(sys.argv[1] + "/tokenizer_model")
    tokenizer_gguf(sys.argv[1] + "/tokenizer_gguf")
    utf8(sys.argv[1] + "/utf8")
    detokenizer(sys.argv[1] + "/detokenizer")
