#!/usr/bin/env python3
"""8 MB of mixed text for tokenizer benches: prose in 39 languages, mathematics, code, naughty strings, emoji, white space.

usage: make_mixed_text.py SHARED OUT [bytes=8000000]
"""
import glob, gzip, json, random, sys

if len(sys.argv) < 3:
    sys.exit(__doc__)
shared, out, limit = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 8000000
rng = random.Random(7)


def rows(pattern):
    for path in sorted(glob.glob(shared + "/data/" + pattern)):
        with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8", newline="") as f:
            yield from (json.loads(line) for line in f.read().split("\n") if line)


parts = [r["text"] for r in rows("language/*.jsonl*")] + [r["text"] for r in rows("utf8/blns.jsonl*")] * 3
for name in ("humaneval", "mbpp", "cruxeval", "gsm8k", "gaokao", "mgsm"):
    parts += ["%s\n%s" % (r.get("question", ""), r.get("solution") or r.get("answer")) for r in rows(name + "/*.jsonl*")]
parts += ["  " * rng.randint(1, 9) + "\t\n\r\n " * rng.randint(0, 3) + "👩‍👩‍👧‍👦 🇩🇪 ñ e\u0301 A\u030a ﬁ \u0308x" + str(rng.random()) for _ in range(800)]
size = 0
with open(out, "wb") as f:
    while size < limit:
        rng.shuffle(parts)
        for p in parts:
            f.write(p.encode() + b"\n")
            size += len(p.encode()) + 1
            if size >= limit:
                break
