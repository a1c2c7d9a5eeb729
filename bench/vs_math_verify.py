#!/usr/bin/env python3
"""r1's math grader beside math-verify in one run, on the pairs (gold, boxed gold) of aime24, math500 and 1,000 integers. The two take
turns set by set. Prints one JSON line a set: rates, their ratio, agreement, and our percentiles of single calls.

usage: vs_math_verify.py --r1 build/r1 --bench build/bench_grade --data ../shared/data [--repeat 3]
math-verify is whatever this interpreter imports; it is no part of this project.
"""
import argparse, gzip, json, os, subprocess, sys, tempfile, time

ap = argparse.ArgumentParser()
ap.add_argument("--r1", default="build/r1"); ap.add_argument("--bench", default="build/bench_grade")
ap.add_argument("--data", default="../shared/data"); ap.add_argument("--repeat", type=int, default=3)
a = ap.parse_args()
from math_verify import parse, verify

def golds(name):
    plain = os.path.join(a.data, name, "test.jsonl")
    with (open(plain, encoding="utf-8") if os.path.exists(plain) else gzip.open(plain + ".gz", "rt", encoding="utf-8")) as f:
        return [json.loads(line)["answer"] for line in f]

sets = {"aime24": golds("aime24"), "math500": golds("math500"), "integers": [str(7919 * k - 300000) for k in range(1000)]}

def theirs(pairs):
    start, right = time.perf_counter(), 0
    for gold, answer in pairs:
        try: right += bool(verify(parse("$" + gold + "$"), parse(answer)))
        except Exception: pass
    return time.perf_counter() - start, right

def ours(path):
    start = time.perf_counter()
    p = subprocess.run([a.r1, "grade", "-q", "--threads", "1", "--task", "math", "--file", path], stdout=subprocess.PIPE, text=True, check=True)
    took = time.perf_counter() - start
    return took, sum(json.loads(l)["correct"] for l in p.stdout.splitlines())

ok = True
with tempfile.TemporaryDirectory() as folder:
    for name, answers in sets.items():
        pairs = [(g, "The answer is $\\boxed{" + g + "}$.") for g in answers]
        path = os.path.join(folder, name + ".jsonl")
        with open(path, "w", encoding="utf-8") as f:
            for i, (g, ans) in enumerate(pairs): f.write(json.dumps({"id": i, "gold": g, "answer": ans}) + "\n")
        mine, peer = [], []
        for _ in range(a.repeat):
            t, right = ours(path); mine.append(t)
            t, peer_right = theirs(pairs); peer.append(t)
        calls = json.loads(subprocess.run([a.bench, "math", path, "20"], stdout=subprocess.PIPE, text=True, check=True).stdout)
        line = {"set": name, "pairs": len(pairs), "r1_right": right, "math_verify_right": peer_right,
                "math_verify_per_second": round(len(pairs) / min(peer)), "r1_process_per_second": round(len(pairs) / min(mine)),
                "r1_call_per_second": calls["per_second"], "ratio_process": round(min(peer) / min(mine), 1),
                "ratio_call": round(calls["per_second"] * min(peer) / len(pairs), 1), **{k: calls[k] for k in ("p50_us", "p99_us", "p999_us", "max_us")}}
        ok &= line["ratio_call"] >= 50 and calls["p999_us"] < 20000 and calls["max_us"] < 1e6
        print(json.dumps(line), flush=True)
sys.exit(0 if ok else 1)
