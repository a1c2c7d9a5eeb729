#!/usr/bin/env python3
"""Speed of the `tokenizers` library on one thread, in the form of bench_tokenizer: opening, a file in one call, line by line.
The hash of the ids is the same where the ids are.

usage: peer_tokenizers.py FOLDER FILE [repeat=1]
"""
import json, os, sys, time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
import tokenizers

if len(sys.argv) < 3:
    sys.exit(__doc__)
folder, path, repeat = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1
start = time.thread_time()
tok = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
print(json.dumps({"engine": "tokenizers " + tokenizers.__version__, "what": "open", "cpu_seconds": round(time.thread_time() - start, 3)}), flush=True)
text = open(path, encoding="utf-8", newline="").read()
size = len(text.encode())
for what, parts in (("whole", [text]), ("lines", text.split("\n"))):
    cpu = wall = 1e9
    for _ in range(repeat):
        c, w = time.thread_time(), time.perf_counter()
        ids = [tok.encode(p, add_special_tokens=False).ids for p in parts]
        cpu, wall = min(cpu, time.thread_time() - c), min(wall, time.perf_counter() - w)
    h = n = 0
    for part in ids:
        n += len(part)
        for i in part:
            h = (h * 31 + i) & 0xFFFFFFFFFFFFFFFF
    print(json.dumps({"engine": "tokenizers " + tokenizers.__version__, "what": what, "bytes": size, "ids": n, "hash": "%016x" % h,
                      "cpu_seconds": round(cpu, 4), "seconds": round(wall, 4), "megabytes_per_second": round(size / cpu / 1e6, 2)}), flush=True)
