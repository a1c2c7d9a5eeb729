#!/usr/bin/env python3
"""Compare a tokenizer made by `r1 tokenizer train` with the one that the `tokenizers` package learns from the same files.

    python3 tools/check_tokenizer_trainer.py [--merges OUT] DIR FILE...     (the files that DIR was trained on)

--merges writes what the package found, a merge a line: tests/fixtures/tokenizer-train/merges.txt is made so, with --vocab 3000.

The special tokens and the pattern are read from DIR, so that only the learning is compared. Exit status 1 when they differ.
Rows of .jsonl are texts as in `r1 tokenizer train`; special tokens in a text are cut out first.
"""
import gzip
import json
import os
import re
import sys

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers


def texts(path, specials):
    cut = re.compile("|".join(re.escape(s) for s in sorted(specials, key=len, reverse=True)))
    f = gzip.open(path, "rt", encoding="utf-8", newline="\n") if path.endswith(".gz") else open(path, encoding="utf-8", newline="\n")
    with f:
        for line in f:
            if ".jsonl" not in path:
                yield from (t for t in cut.split(line) if t)
                continue
            row = json.loads(line)
            if "messages" in row:
                parts = [m["content"] for m in row["messages"]]
            else:
                parts = [row["prompt"], row["completion"]] if "prompt" in row else [row["text"]]
            for p in parts:
                yield from (t for t in cut.split(p) if t)


def main(folder, files, merges_out=None):
    with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as f:
        ours = json.load(f)
    specials = [t["content"] for t in ours["added_tokens"]]
    steps = [p["pattern"]["Regex"] for p in ours["pre_tokenizer"]["pretokenizers"] if p["type"] == "Split"]
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(s), "isolated") for s in steps]
                                                + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    trainer = trainers.BpeTrainer(vocab_size=len(ours["model"]["vocab"]), special_tokens=specials, show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tok.train_from_iterator((t for f in files for t in texts(f, specials)), trainer)
    theirs = json.loads(tok.to_str())["model"]
    merges = [m if isinstance(m, str) else " ".join(m) for m in theirs["merges"]]
    if merges_out:
        with open(merges_out, "w", encoding="utf-8", newline="\n") as f:
            f.writelines(m + "\n" for m in merges)
    same = ours["model"]["merges"] == merges and ours["model"]["vocab"] == theirs["vocab"]
    print(len(merges), "merges:", "equal" if same else "different")
    for i, (a, b) in enumerate(zip(ours["model"]["merges"], merges)):
        if a != b:
            print("first difference at merge", i, "ours", repr(a), "theirs", repr(b))
            break
    return 0 if same else 1


if __name__ == "__main__":
    args = sys.argv[1:]
    out = args.pop(1) if args[0] == "--merges" else None
    args = args[1:] if out else args
    sys.exit(main(args[0], args[1:], out))
