#!/usr/bin/env python3
"""r1 beside llama.cpp in one run: the two take turns, so that a machine that wanders moves both. Prints one JSON line per pair and a
closing line with the medians and the ratios pair by pair.

usage: vs_llama_cpp.py --r1 build/r1 --peer-python VENV/bin/python MODEL.gguf [--pairs 9] [--threads 2] [--pp 512] [--tg 128]
                       [--sequences 16] [--pp 0 --tg 0: the sequences alone]
The peer is whatever llama-cpp-python that interpreter imports; it is no part of this project.
"""
import argparse, json, os, platform, statistics, subprocess, sys

ap = argparse.ArgumentParser()
ap.add_argument("model"); ap.add_argument("--r1", default="build/r1"); ap.add_argument("--peer-python", required=True)
ap.add_argument("--pairs", type=int, default=9); ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--pp", type=int, default=512); ap.add_argument("--tg", type=int, default=128)
ap.add_argument("--sequences", type=int, default=0, help="also so many sequences that decode 32 tokens together")
a = ap.parse_args()
here = os.path.dirname(os.path.abspath(__file__))
common = ["--threads", str(a.threads), "--pp", str(a.pp), "--tg", str(a.tg)]

def json_lines(cmd):
    p = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return [json.loads(l) for l in p.stdout.splitlines() if l.startswith("{")]

def measure_r1():
    run = [a.r1, "bench", a.model, "--repeat", "1", "--no-roof", "-o", "jsonl"]
    lines = json_lines(run + common) if a.pp or a.tg else []
    r = {"prefill_tokens_per_second": l["tokens_per_second"] for l in lines if l["prompt"]}
    r |= {"decode_tokens_per_second": l["tokens_per_second"] for l in lines if l["decode"]}
    if a.sequences:
        l = json_lines(run + ["--threads", str(a.threads), "--pp", "0", "--tg", "32", "--parallel", str(a.sequences)])[-1]
        r["batched_decode_tokens_per_second"] = l["tokens_per_second"]
    return r

def cpu():
    try: return next(l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name"))
    except (OSError, StopIteration): return platform.processor()

commit = subprocess.run(["git", "-C", here, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, text=True).stdout.strip()
peer_run = [a.peer_python, os.path.join(here, "peer_llama_cpp.py"), a.model, *common]
if a.sequences: peer_run += ["--sequences", str(a.sequences)]
pairs = []
for i in range(a.pairs):
    ours, peer = measure_r1(), json_lines(peer_run)[-1]
    pairs.append((ours, peer))
    print(json.dumps({"pair": i, **{k: [round(ours[k], 2), round(peer[k], 2)] for k in ours}}), flush=True)
out = {"bench": "vs_llama_cpp", "commit": commit, "model": os.path.basename(a.model), "device": cpu(), "threads": a.threads, "pp": a.pp, "tg": a.tg,
       "sequences": a.sequences, "pairs": a.pairs, "peer_version": pairs[0][1]["version"]}
for k in pairs[0][0]:
    o, p, r = [x[k] for x, _ in pairs], [y[k] for _, y in pairs], [x[k] / y[k] for x, y in pairs]
    out[k] = {"r1": round(statistics.median(o), 2), "peer": round(statistics.median(p), 2), "ratio": round(statistics.median(r), 3), "ratio_min": round(min(r), 3), "ratio_max": round(max(r), 3)}
print(json.dumps(out))
