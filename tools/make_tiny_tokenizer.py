#!/usr/bin/env python3
"""Train the tiny byte-level BPE tokenizer of tests/fixtures/tiny-tokenizer (needs the `tokenizers` package).

Its 320 ids fit the tiny golden checkpoints. Pattern and special tokens are those of DeepSeek-R1. Writes tokenizer.json
(merges as "a b" strings), tokenizer_pairs.json (the same, merges as [a, b] lists) and tokenizer_config.json.

    python3 tools/make_tiny_tokenizer.py tests/fixtures/tiny-tokenizer tests/fixtures/tiny-tokenizer/corpus.txt
"""
import json
import os
import sys

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

BOS, EOS, PAD = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"
ADDED = ["<think>", "</think>", "<｜User｜>", "<｜Assistant｜>"]
STEPS = [
    r"\p{N}{1,3}",
    "[一-龥\u3040-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
]
TEMPLATE = (
    "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}"
    "{{bos_token}}{%- for message in messages %}{%- if message['role'] == 'system' %}{{message['content']}}{%- endif %}"
    "{%- endfor %}{%- for message in messages %}{%- if message['role'] == 'user' %}{{'<｜User｜>' + message['content']}}"
    "{%- endif %}{%- if message['role'] == 'assistant' %}{% set content = message['content'] %}"
    "{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}"
    "{{'<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>'}}{%- endif %}{%- endfor -%}"
    "{% if add_generation_prompt %}{{'<｜Assistant｜><think>\\n'}}{% endif %}"
)


def entry(i, text, special):
    return {"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": special}


def main(out, corpus):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(s), "isolated") for s in STEPS]
        + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=320 - len(ADDED), special_tokens=[BOS, EOS, PAD], show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tok.train([corpus], trainer)
    doc = json.loads(tok.to_str())
    first = len(doc["model"]["vocab"])
    doc["added_tokens"] = [entry(0, BOS, True), entry(1, EOS, True), entry(2, PAD, True)]
    doc["added_tokens"] += [entry(first + i, t, False) for i, t in enumerate(ADDED)]
    pairs = [m if isinstance(m, list) else m.split(" ") for m in doc["model"]["merges"]]
    for name, merges in (("tokenizer.json", [" ".join(p) for p in pairs]), ("tokenizer_pairs.json", pairs)):
        doc["model"]["merges"] = merges
        with open(os.path.join(out, name), "w", encoding="utf-8", newline="\n") as f:
            json.dump(doc, f, ensure_ascii=False, indent=0 if name == "tokenizer.json" else None)
            f.write("\n")
    config = {"add_bos_token": True, "add_eos_token": False, "bos_token": BOS, "eos_token": EOS, "pad_token": EOS,
              "clean_up_tokenization_spaces": False, "model_max_length": 16384, "unk_token": None,
              "tokenizer_class": "LlamaTokenizerFast", "chat_template": TEMPLATE}
    with open(os.path.join(out, "tokenizer_config.json"), "w", encoding="utf-8", newline="\n") as f:
        json.dump(config, f, ensure_ascii=False, indent=1)
        f.write("\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
