#!/usr/bin/env python3
"""Training beside PyTorch: a step of ours and a step of the peer's in turns, their ratio pair by pair. A JSON line in the end.

usage: vs_torch_train.py --bench build/bench_train --peer PYTHON CONFIG.json SEQUENCES LENGTH [--pairs 9] [--threads 2] [--compute f32|bf16] [--experts grouped_mm|eager]
--peer: a Python that has torch and transformers; it runs bench/peer_torch_train.py. --experts is the peer's too.
The first step of each warms up and is not counted.
ratio: tokens a second, ours over theirs. cpu_ratio: processor seconds a step, theirs over ours; of use where others share the machine (--threads 1).
"""
import argparse
import json
import os
import statistics
import subprocess


def start(command):
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def step(process):
    process.stdin.write("\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise SystemExit("a program ended before its steps were done")
    return json.loads(line)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--bench", required=True)
    p.add_argument("--peer", required=True)
    p.add_argument("--pairs", type=int, default=9)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--compute", choices=("f32", "bf16"), default="f32")
    p.add_argument("--experts", choices=("grouped_mm", "eager"), default="grouped_mm")
    p.add_argument("config")
    p.add_argument("sequences")
    p.add_argument("length")
    a = p.parse_args()
    steps = str(a.pairs + 1)
    shape = [a.config, a.sequences, a.length, steps]
    ours = start([a.bench, *shape, str(a.threads), a.sequences, a.compute, "stdin"])
    peer_script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer_torch_train.py")
    theirs = start([a.peer, peer_script, *shape, "--threads", str(a.threads), "--compute", a.compute, "--experts", a.experts, "--stdin"])
    pairs = [(step(ours), step(theirs)) for _ in range(a.pairs + 1)][1:]
    ratios = sorted(o["tokens_per_second"] / t["tokens_per_second"] for o, t in pairs)
    print(json.dumps({
        "bench": "vs_torch_train", "config": os.path.basename(a.config), "sequences": int(a.sequences), "length": int(a.length),
        "compute": a.compute, "torch_experts": a.experts, "threads": a.threads, "pairs": a.pairs,
        "tokens_per_second": round(statistics.median(o["tokens_per_second"] for o, _ in pairs), 1),
        "torch_tokens_per_second": round(statistics.median(t["tokens_per_second"] for _, t in pairs), 1),
        "ratio": round(statistics.median(ratios), 3), "ratio_least": round(ratios[0], 3), "ratio_most": round(ratios[-1], 3),
        "cpu_ratio": round(statistics.median(t["cpu_seconds"] / o["cpu_seconds"] for o, t in pairs), 3),
        "peak_mib": pairs[-1][0]["peak_mib"], "torch_peak_mib": pairs[-1][1]["peak_mib"]}))
    for process in (ours, theirs):
        process.stdin.close()
        process.wait()


if __name__ == "__main__":
    main()
