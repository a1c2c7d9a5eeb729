#!/usr/bin/env python3
"""The corpus of recipes/nano: rows to train on, held-out problems of eight families, and a manifest of both.

    python3 tools/corpus/make_corpus.py --out corpus [--rows 200000] [--seed 1] [--held-out 200] [--data DATA]

Writes train.jsonl.gz ({"messages": [...]} with R1's think block, and {"text": ...}), eval/FAMILY.jsonl ({"id", "family", "prompt",
"answer"}; countdown as that task has it) and manifest.json. The same arguments give the same bytes (gzip apart: the manifest names
the unpacked bytes). Whether a problem is held out depends on its canonical form alone, so no problem that is trained on is asked
again in another order or wording. DATA is the folder of data sets: of gsm8k the train split is added, and the forms of
countdown/cd3_test.jsonl are never trained on; without --data both are left out, and the manifest says so.
"""
import argparse
import gzip
import hashlib
import json
import os
import random
import re

from english import dialogue, text_row, turn
from families import COUNTDOWN, COUNTDOWN_RULES, FAMILIES, countdown

BOXED = "\n\nPlease reason step by step, and put your final answer within \\boxed{}."
# Share of the rows. Countdown rows are the longest, so their share of the tokens is larger.
SHARES = {"countdown": 27, "countdown4": 4, "arithmetic": 13, "algebra": 7, "sorting": 7, "counting": 7, "dates_units": 7, "logic": 7, "programs": 7, "dialogue": 9, "text": 5}


def held_out(family, key):
    """About one form in 32, whatever the seed."""
    return hashlib.sha256(repr((family, key)).encode()).digest()[0] < 8


def compact(text):
    """Sums without blanks: before a digit a blank is a token of its own, so "6 * 9 = 54" is nine tokens and "6*9=54" six."""
    return re.sub(r" ([-+*/=]) ", r"\1", text)


def countdown_problem(r, count):
    key, numbers, target, lines, expression = countdown(r, count)
    question = COUNTDOWN.format(numbers=", ".join(map(str, numbers)), target=target)
    return key, numbers, target, question, compact("\n".join(lines)), compact(expression)


def countdown_row(r, question, lines, expression):
    """Mostly the public task's words; some rows say it shorter, so that the model reads the numbers and not the text."""
    form = r.random()
    if form < 0.2:
        numbers, target = re.search(r"\[(.*)\].* equals (\d+)\.", question).groups()
        question = f"Countdown: use {numbers.replace(', ', ' and ') if r.random() < 0.5 else numbers} to make {target}. Answer in <answer> and </answer> tags."
    else:
        question += COUNTDOWN_RULES
    return {"messages": turn(question, lines, f"<answer>{expression}</answer>")}


def problem_row(r, question, steps, answer):
    think = compact("\n".join(str(s) for s in steps))
    if r.random() < 0.85:
        return {"messages": turn(question + BOXED, think, f"The answer is \\boxed{{{answer}}}.")}
    return {"messages": turn(question, think, f"The answer is {answer}.")}


def train_row(r, kind, banned):
    while True:
        if kind == "dialogue":
            return dialogue(r)
        if kind == "text":
            return text_row(r)
        if kind in ("countdown", "countdown4"):
            key, _, _, question, lines, expression = countdown_problem(r, 4 if kind == "countdown4" else 3)
            if held_out("countdown", key) or key in banned:
                continue
            return countdown_row(r, question, lines, expression)
        key, question, steps, answer = FAMILIES[kind](r)
        if not held_out(kind, key):
            return problem_row(r, question, steps, answer)


def eval_rows(seed, family, count, wanted):
    r = random.Random(f"{seed}/eval/{family}/{count}")
    rows, seen, tries = [], set(), 0
    while len(rows) < wanted and tries < 400000:
        tries += 1
        if family == "countdown":
            key, numbers, target, question, _, expression = countdown_problem(r, count)
            if max(numbers) > 20:
                continue
            row = {"question": question, "answer": str(target), "nums": numbers, "target": target, "solution": expression}
        else:
            key, question, _, answer = FAMILIES[family](r)
            row = {"prompt": question, "answer": str(answer)}
        if key in seen or not held_out(family, key):
            continue
        seen.add(key)
        name = family + (str(count) if family == "countdown" else "")
        rows.append({"id": f"{name}-{len(rows)}", "family": name, **row})
    return rows


def gsm8k_rows(data):
    """Worked solutions of the train split, with the calculator's marks taken out."""
    with gzip.open(os.path.join(data, "gsm8k", "train.jsonl.gz"), "rt", encoding="utf-8") as f:
        for line in f:
            row = json.loads(line)
            steps = re.sub(r"<<.*?>>", "", row["solution"]).split("\n####")[0].strip()
            yield {"messages": turn(row["question"] + BOXED, steps, f"The answer is \\boxed{{{row['answer']}}}.")}


def banned_forms(data):
    with open(os.path.join(data, "countdown", "cd3_test.jsonl"), encoding="utf-8") as f:
        return {(tuple(sorted(row["nums"])), row["target"]) for row in map(json.loads, f)}


def all_rows(seed, rows, data):
    banned = banned_forms(data) if data else set()
    counts = {k: rows * share // 100 for k, share in SHARES.items()}
    out = []
    for kind, n in counts.items():
        r = random.Random(f"{seed}/train/{kind}")
        out += [train_row(r, kind, banned) for _ in range(n)]
    if data:
        extra = list(gsm8k_rows(data))
        counts["gsm8k"] = len(extra)
        out += extra
    random.Random(f"{seed}/order").shuffle(out)
    return out, counts


def write(path, rows):
    """Write JSON lines, packed where the name says so; how many, and what the unpacked bytes are called."""
    raw = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    with open(path, "wb") as f:
        f.write(gzip.compress(raw, 9, mtime=0) if path.endswith(".gz") else raw)
    return {"rows": len(rows), "bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", required=True)
    p.add_argument("--rows", type=int, default=200000, help="rows to generate, gsm8k apart")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--held-out", type=int, default=200, help="problems to ask, a family")
    p.add_argument("--data", help="folder of data sets (gsm8k/train.jsonl.gz, countdown/cd3_test.jsonl)")
    a = p.parse_args()
    os.makedirs(os.path.join(a.out, "eval"), exist_ok=True)
    rows, counts = all_rows(a.seed, a.rows, a.data)
    files = {"train.jsonl.gz": write(os.path.join(a.out, "train.jsonl.gz"), rows)}
    for family in FAMILIES:
        for count in (3, 4) if family == "countdown" else (0,):
            name = f"eval/{family}{count or ''}.jsonl"
            files[name] = write(os.path.join(a.out, name), eval_rows(a.seed, family, count, a.held_out))
    manifest = {"seed": a.seed, "generated_rows": a.rows, "gsm8k": bool(a.data), "train_rows": counts, "files": files}
    with open(os.path.join(a.out, "manifest.json"), "w", encoding="utf-8") as f:
        json.dump(manifest, f, indent=1)
        f.write("\n")
    print(json.dumps({name: v["rows"] for name, v in files.items()}))


if __name__ == "__main__":
    main()
