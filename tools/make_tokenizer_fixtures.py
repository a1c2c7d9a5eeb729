#!/usr/bin/env python3
"""Make tests/golden/tokenizer/*.jsonl: expected token ids by the `tokenizers` library (needed here only).

    python3 tools/make_tokenizer_fixtures.py SHARED tests/golden/tokenizer

SHARED is the folder with data/tokenizer, data/utf8, data/language and data/humaneval. Writes
  mixed.jsonl  text in many languages, code, emoji, white space, generated noise; per vocabulary the number of ids and
               the FNV-1a hash of their little-endian int32 bytes
  cases.jsonl  variations of the tiny tokenizer (added-token flags, normalisers, pre-tokenisers), with ids in full
"""
import copy
import gzip
import json
import os
import random
import sys
import base64

from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
TINY = os.path.join(HERE, "..", "tests", "fixtures", "tiny-tokenizer", "tokenizer.json")
BOS, EOS = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
USER, ASSISTANT = "<｜User｜>", "<｜Assistant｜>"


def text_of(path):
    if os.path.exists(path + ".gz"):
        return gzip.open(path + ".gz", "rt", encoding="utf-8", newline="").read()
    return open(path, encoding="utf-8", newline="").read()


def rows(path):
    return [json.loads(line) for line in text_of(path).split("\n") if line]


def added(i, text, special=False, **flags):
    return {"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": special, **flags}


def overlay(doc, change, drop=()):
    doc = copy.deepcopy(doc)
    doc["added_tokens"] = [t for t in doc["added_tokens"] if t["id"] not in drop]
    for t in doc["added_tokens"]:
        if t["id"] in change:
            t["content"], t["special"] = change[t["id"]]
    return doc


def llama_doc(ranks):
    """Llama 3's ranks as a tokenizer.json: every cut of a token into two tokens is a merge of its rank."""
    alphabet = byte_alphabet()
    vocab = {}
    for line in ranks.split("\n"):
        if line:
            token, rank = line.split()
            vocab[base64.b64decode(token)] = int(rank)
    merges = []
    for token, rank in vocab.items():
        cuts = [(token[:i], token[i:]) for i in range(1, len(token)) if token[:i] in vocab and token[i:] in vocab]
        merges += [(rank, vocab[a], vocab[b], a, b) for a, b in cuts]
    merges.sort(key=lambda m: m[:3])
    name = lambda token: "".join(alphabet[b] for b in token)
    tokens = [(BOS, True), (EOS, True)] + [("<|reserved_%d|>" % i, True) for i in range(2, 256)]
    tokens[11], tokens[12], tokens[13], tokens[14] = (USER, False), (ASSISTANT, False), ("<think>", False), ("</think>", False)
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
               r"|\s*[\r\n]+|\s+(?!\S)|\s+")
    return {"version": "1.0", "truncation": None, "padding": None, "normalizer": None, "post_processor": None,
            "added_tokens": [added(128000 + i, t, s) for i, (t, s) in enumerate(tokens)],
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split({"Regex": pattern}), byte_level()]},
            "decoder": byte_level(),
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": True,
                      "vocab": {name(t): r for t, r in vocab.items()}, "merges": [[name(m[3]), name(m[4])] for m in merges]}}


def byte_alphabet():
    kept = list(range(0x21, 0x7F)) + list(range(0xA1, 0xAD)) + list(range(0xAE, 0x100))
    table, extra = {b: chr(b) for b in kept}, 0
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + extra)
            extra += 1
    return table


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def byte_level(prefix=False, regex=False):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def open_doc(doc):
    return Tokenizer.from_str(json.dumps(doc, ensure_ascii=False))


def fnv(ids):
    h = 0xCBF29CE484222325
    for i in ids:
        for b in int(i).to_bytes(4, "little"):
            h = ((h ^ b) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return "%016x" % h


def own_texts():
    return [
        "The quick brown fox jumps over 12 lazy dogs; it's 3.14159 and won't stop, they'LL say 'S or 'ſ.",
        "  indented\n\tcode = { 'a': 1 }\r\n\r\n    return x**2  # done   \n\n\n",
        "价格 100 元，约合 ¥1,234.56（含税）。你好，世界！繁體中文與日本語カタカナ・ひらがな 한국어 띄어쓰기",
        "Ünïcödé ﬁne ａｂｃ Ångström Å é vs é, ﬀ ﬆ ẛ̣ ΌΣΟΣ ǅ ŉ",
        "हिन्दी में क़ख़ग़ और ज़मीन; বাংলা ড় ঢ় য়; ไทยทดสอบ; עִבְרִית; العربيّة؛ فارسی",
        "👩‍👩‍👧‍👦 🇩🇪🇫🇷 👍🏽 ☕️ 1️⃣ ⚠︎ ��",
        "a\u00a0b\u2003c\u3000d\u200be\ufefff\u2028g\u2029h\u0085i\u180ej",
        "x\u0000y\u0001\u0002 \u001c\u001f z\u007f \u0080\u009f ~",
        "١٢٣٤٥٦ ४५६ Ⅷ ½ ² ㊿ 𝟘𝟙𝟚𝟛 1234567890123 0x1F 1e-9 12,345,678",
        "$x^2 + \\frac{1}{2} = \\boxed{42}$ \\[ \\int_0^1 f(t)\\,dt \\] <=> != === :: -> /* c */ // d",
        USER + "What is 84 * 3 / 2?" + ASSISTANT + "<think>\nok\n</think>\n\n126" + EOS,
        "<｜User｜ ><|User|><|im_start|>user\n<|im_end|>\n<|endoftext|></think ><think >" + BOS,
        "\n\n\n   \n \t\t x \r\r\n\n  ", " ", "   ", "\t", "\r\n", "'", "''s", "'re're", " 's", "don't DON'T I'Ve y'all'd've",
        "가각ᄀ각ᄀ\u1161\u11a8 \u1100\u1161 a\u0323\u0307 a\u0307\u0323 \u0344 \u212b \u2126 \uf900 \ufb1d",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "ThisIsCamelCase and_snake_case and kebab-case http://example.org/a?b=c&d=%20#e user@example.com",
        "=" * 100 + " " * 100 + "-" * 63 + "\n" * 40 + "_" * 7,
    ]


def noise(rng):
    pools = [
        lambda: chr(rng.randrange(0x20, 0x7F)), lambda: rng.choice(" \t\n\r\u00a0\u3000\u2009"),
        lambda: chr(rng.randrange(0xA1, 0x250)), lambda: chr(rng.randrange(0x300, 0x36F)),
        lambda: chr(rng.randrange(0x370, 0x600)), lambda: chr(rng.randrange(0x900, 0xDFF)),
        lambda: chr(rng.randrange(0x1100, 0x1200)), lambda: chr(rng.randrange(0x1E00, 0x2100)),
        lambda: chr(rng.randrange(0x3000, 0x3100)), lambda: chr(rng.randrange(0x4E00, 0x9FFF)),
        lambda: chr(rng.randrange(0xAC00, 0xD7A4)), lambda: chr(rng.randrange(0x1F300, 0x1F650)),
        lambda: rng.choice(["'s", "'LL", "the ", " and", "123", "\r\n", "  ", "<think>", USER, "1", "ſ"]),
    ]
    return "".join(rng.choice(pools)() for _ in range(rng.randrange(1, 120)))


def mixed(shared):
    rng = random.Random(20)
    out = own_texts() + [r["text"] for r in rows(shared + "/data/utf8/blns.jsonl")]
    by_lang = {}
    for r in rows(shared + "/data/language/udhr.jsonl"):
        by_lang.setdefault(r["lang"], []).append(r["text"])
    for lang in sorted(by_lang):
        out += by_lang[lang][2:8]
    for r in rows(shared + "/data/humaneval/test.jsonl")[::8]:
        out.append(r["question"])
    return out + [noise(rng) for _ in range(400)]


def write_mixed(shared, out):
    base = shared + "/data/tokenizer/"
    v3, qwen = (json.loads(text_of(base + n + "/tokenizer.json")) for n in ("deepseek_v3", "qwen3"))
    think = {128798: ("<think>", False), 128799: ("</think>", False)}
    distill = {151643: (EOS, True), 151644: (USER, False), 151645: (ASSISTANT, False), 151646: (BOS, True),
               151647: ("<|EOT|>", False), 151648: ("<think>", False), 151649: ("</think>", False)}
    docs = {"deepseek_v3": v3, "qwen3": qwen, "r1": overlay(v3, think),
            "r1_qwen": overlay(qwen, distill, range(151665, 151669)), "r1_llama": llama_doc(text_of(base + "llama3/tokenizer.model"))}
    toks = {name: open_doc(doc) for name, doc in docs.items()}
    with open(out + "/mixed.jsonl", "w", encoding="utf-8", newline="\n") as f:
        for text in mixed(shared):
            row = {"text": text}
            for name, tok in toks.items():
                ids = tok.encode(text, add_special_tokens=False).ids
                row[name] = [len(ids), fnv(ids)]
            f.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


def variations():
    """name, changes to the tiny tokenizer.json"""
    tiny = json.load(open(TINY, encoding="utf-8"))
    own = tiny["pre_tokenizer"]["pretokenizers"][:-1]
    gpt2 = [byte_level(False, True)]
    yield "as it is", {}
    yield "prefix space", {"pre": [byte_level(True, True)]}
    yield "prefix space each piece", {"pre": own + [byte_level(True, False)]}
    yield "digits one by one", {"pre": [{"type": "Digits", "individual_digits": True}] + gpt2}
    yield "digits together", {"pre": [{"type": "Digits", "individual_digits": False}] + gpt2}
    for behavior in ("Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        yield "punctuation " + behavior, {"pre": [{"type": "Punctuation", "behavior": behavior}, byte_level()]}
        for invert in (False, True):
            yield "split %s %s" % (behavior, invert), {"pre": [split({"Regex": r"\s|[aeiou]"}, behavior, invert), byte_level()]}
        yield "string " + behavior, {"pre": [split({"String": ". "}, behavior), split({"String": "th"}, behavior), byte_level()]}
    for pattern in (r"\w+|[^\w\s]+", r"[\s\p{P}]+", r"[^\s\p{L}]++", r"\p{Han}+|\P{Latin}+", r"(?=(\d{3})+(?!\d))", r"[\S]+",
                    r"^\s*\S+|$", r"\d{1,3}(?=(?:\d{3})*\b)", r"(?i:the|and)", r"[^\S\n]+", r"\x61|\u0074",
                    r"[[:alpha:]]+", r"[\p{Lu}\p{Lt}]?[\p{Ll}\p{M}]+", r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}"):
        yield "pattern " + pattern, {"pre": [split({"Regex": pattern}), byte_level()]}
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        yield form, {"normalizer": {"type": form}}
    yield "replace", {"normalizer": {"type": "Sequence", "normalizers": [
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}, {"type": "Replace", "pattern": {"String": "."}, "content": ""},
        {"type": "Prepend", "prepend": "x"}]}}
    for flag in ("lstrip", "rstrip", "single_word", "normalized"):
        yield flag, {"added": [added(320, "the", **{flag: True}), added(321, "the answer"), added(322, "éß", **{flag: True})]}
    yield "all flags", {"added": [added(320, "the", lstrip=True, rstrip=True, single_word=True), added(321, "  ", normalized=True)]}
    yield "normalized NFC", {"normalizer": {"type": "NFC"}, "added": [added(320, "éß", normalized=True), added(321, "e\u0301")]}
    yield "ignore merges", {"ignore": True}


def case_texts():
    rng = random.Random(5)
    texts = ["the answer is in the  house, the\tothers  the", "theatre athe the1 _the the_ (the) the", "é e\u0301 é\u0301 cafe\u0301s", "éß xéßx e\u0301ß éß  e\u0301\u0301ß ße\u0301",
             "Die Antwort...  ist 42. 1234567 x123,456.78y", "the the\u00a0the\u3000 the", "答案是四十二。第一個 the ア ー 12", "", " ", "a", ". . th. th",
             "ﬁ Å ½ ㍿ \u1100\u1161\u11a8 ẛ̣", "<think>the</think> the<｜User｜>  the answer", "xx-- x\n\n$ \n^x", "THE and And's 'LL don't",
             "\r\n\t  mixed\u2003 \u200b white\u0085space\u180e\u001c.", "  ", "   the", "tab\tthat 1 22 333 4444"]
    alphabet = list("the and.,'\"\n\t 123éßÅ") + ["\u0301", "\u3000", "答", "ア", "the", "  ", "e\u0301", "'s", "x", "A"]
    return texts + ["".join(rng.choice(alphabet) for _ in range(rng.randrange(1, 40))) for _ in range(24)]


def write_cases(out):
    tiny = json.load(open(TINY, encoding="utf-8"))
    with open(out + "/cases.jsonl", "w", encoding="utf-8", newline="\n") as f:
        for name, change in variations():
            doc = copy.deepcopy(tiny)
            if "pre" in change:
                doc["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": change["pre"]}
            doc["normalizer"] = change.get("normalizer")
            doc["added_tokens"] += change.get("added", [])
            doc["model"]["ignore_merges"] = change.get("ignore", False)
            tok = open_doc(doc)
            cases = [[t, tok.encode(t, add_special_tokens=False).ids] for t in case_texts()]
            row = {"name": name, "change": {k: doc[k] for k in ("pre_tokenizer", "normalizer", "added_tokens")},
                   "ignore_merges": change.get("ignore", False), "cases": cases}
            f.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    write_cases(sys.argv[2])
    write_mixed(sys.argv[1], sys.argv[2])
