#!/usr/bin/env python3
"""Time to the first token of a fresh process, whole: r1 packing its panels, r1 with a file of panels, and llama.cpp, in turn, so that a
machine that wanders moves all three. Also the peak of resident memory. One JSON line per round, then medians and ratios round by round.

usage: load_time.py --r1 build/r1 --peer-python VENV/bin/python MODEL.gguf [--rounds 9] [--threads 2]
The file of panels is made beside a link to the model in a temporary folder and removed. The peer is whatever llama-cpp-python that
interpreter imports (its start and the import are not counted); it is no part of this project. All files are in the page cache.
"""
import argparse, json, os, platform, statistics, subprocess, sys, tempfile, time

ap = argparse.ArgumentParser()
ap.add_argument("model"); ap.add_argument("--r1", default="build/r1"); ap.add_argument("--peer-python")
ap.add_argument("--rounds", type=int, default=9); ap.add_argument("--threads", type=int, default=2); ap.add_argument("--prompt", default="Say hello.")
a = ap.parse_args()
here = os.path.dirname(os.path.abspath(__file__))
peer = """
import resource, sys, time
import llama_cpp
t = time.monotonic()
m = llama_cpp.Llama(sys.argv[1], n_threads=int(sys.argv[2]), n_threads_batch=int(sys.argv[2]), n_ctx=4096, verbose=False)
m.create_chat_completion([{"role": "user", "content": sys.argv[3]}], max_tokens=1, temperature=0)
print(time.monotonic() - t, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, llama_cpp.__version__)
"""

def ours(model, panels):
    t = time.monotonic()
    p = subprocess.Popen([a.r1, "run", "-q", "-n", "1", "--temp", "0", "--threads", str(a.threads), "--panels", panels, model, a.prompt], stdout=subprocess.PIPE)
    p.stdout.readline()
    p.stdout.close()
    _, status, use = os.wait4(p.pid, 0)
    if status: sys.exit("r1 failed")
    return {"s": time.monotonic() - t, "mib": use.ru_maxrss / 1024, "cpu_s": use.ru_utime + use.ru_stime}

def theirs(model):
    p = subprocess.run([a.peer_python, "-c", peer, model, str(a.threads), a.prompt], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    s, kib, version = p.stdout.split()[-3:]
    return {"s": float(s), "mib": int(kib) / 1024, "version": version}

def cpu():
    try: return next(l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name"))
    except (OSError, StopIteration): return platform.processor()

rounds = []
with tempfile.TemporaryDirectory() as d:
    model, panels = os.path.join(d, "model.gguf"), os.path.join(d, "model.gguf.r1panels")
    os.symlink(os.path.abspath(a.model), model)
    t = time.monotonic()
    subprocess.run([a.r1, "convert", "-q", "--panels", model], check=True, stdout=subprocess.DEVNULL)
    convert_s = time.monotonic() - t
    ours(model, "none"); ours(model, panels)
    if a.peer_python: theirs(model)
    for i in range(a.rounds):
        r = {"packed": ours(model, "none"), "mapped": ours(model, panels)}
        if a.peer_python: r["peer"] = theirs(model)
        rounds.append(r)
        print(json.dumps({"round": i, **{k: round(v["s"], 3) for k, v in r.items()}}), flush=True)
commit = subprocess.run(["git", "-C", here, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, text=True).stdout.strip()
out = {"bench": "load_time", "commit": commit, "model": os.path.basename(a.model), "bytes": os.path.getsize(a.model), "device": cpu(), "threads": a.threads, "rounds": a.rounds,
       "convert_s": round(convert_s, 2)}
for k in rounds[0]:
    s = [r[k]["s"] for r in rounds]
    out[k] = {"s": round(statistics.median(s), 3), "min": round(min(s), 3), "max": round(max(s), 3), "peak_mib": round(max(r[k]["mib"] for r in rounds), 1)}
    if "cpu_s" in rounds[0][k]: out[k]["cpu_s"] = round(statistics.median(r[k]["cpu_s"] for r in rounds), 3)
    if k == "peer": out[k]["version"] = rounds[0][k]["version"]
    elif a.peer_python:
        q = [r[k]["s"] / r["peer"]["s"] for r in rounds]
        out[k].update(ratio=round(statistics.median(q), 3), ratio_min=round(min(q), 3), ratio_max=round(max(q), 3))
print(json.dumps(out))
