#!/bin/bash
# tools/corpus: the same bytes for the same seed, held-out forms that are never trained on, answers that the graders accept.   argument: R1
set -uo pipefail
r1=$1
tools=$(cd "$(dirname "$0")/../../tools/corpus" && pwd)
nano=$(cd "$(dirname "$0")/../../recipes/nano" && pwd)
command -v python3 >/dev/null || { echo 'skipped: no python3 for the generators'; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0
export PYTHONDONTWRITEBYTECODE=1
fail() { echo "$1"; failed=1; }
make() { python3 "$tools/make_corpus.py" --out "$dir/$1" --rows 2000 --held-out 60 --seed "$2" >/dev/null || fail "make_corpus --seed $2"; }
make a 5
make b 5
make c 6
cmp -s "$dir/a/manifest.json" "$dir/b/manifest.json" || fail 'one seed, two corpora'
cmp -s "$dir/a/manifest.json" "$dir/c/manifest.json" && fail 'two seeds, one corpus'

# The held-out problems of the recipe are those that its manifest names.
python3 "$tools/make_corpus.py" --out "$dir/recipe" --rows 0 >/dev/null || fail 'make_corpus --rows 0'
python3 -c "import json,sys
a, b = (json.load(open(p))['files'] for p in sys.argv[1:])
sys.exit([n for n in b if n.startswith('eval/') and a[n] != b[n]] or 0)" "$dir/recipe/manifest.json" "$nano/manifest.json" || fail 'the recipe asks other problems than its manifest says'

# Rows for the grader: what is trained on as answers, with golds worked out from the question's own numbers.
python3 - "$dir" "$tools" >"$dir/countdown.jsonl" 2>"$dir/problems" <<'END' || fail "$(cat "$dir/problems")"
import gzip, json, re, sys
dir, tools = sys.argv[1:]
sys.path.insert(0, tools)
from make_corpus import held_out
trained, rows = set(), 0
for line in gzip.open(f"{dir}/a/train.jsonl.gz", "rt", encoding="utf-8"):
    row = json.loads(line)
    if "messages" not in row:
        continue
    texts = [m["content"] for m in row["messages"]]
    for reply in texts[1::2]:
        if not re.fullmatch(r"<think>\n.+\n</think>\n\n.+", reply, re.S):
            sys.exit(f"not R1's form: {reply!r}")
    user, reply = texts[:2]
    m = re.search(r"\[([\d, ]+)\].* equals (\d+)", user) or re.search(r"Countdown: use ([\d, and]+) to make (\d+)", user)
    if m:
        numbers, target = [int(v) for v in re.findall(r"\d+", m[1])], int(m[2])
        if held_out("countdown", (tuple(sorted(numbers)), target)):
            sys.exit(f"trained on a held-out form: {user}")
        print(json.dumps({"id": str(rows), "gold": json.dumps({"target": target, "numbers": numbers}), "answer": reply}))
        rows += 1
    trained.add(user.split("\n\nPlease reason")[0])
if rows < 400:
    sys.exit(f"only {rows} countdown rows")
for name in "arithmetic algebra countdown3 countdown4 sorting counting dates_units logic programs".split():
    problems = [json.loads(x) for x in open(f"{dir}/a/eval/{name}.jsonl", encoding="utf-8")]
    texts = [p.get("prompt") or p["question"] for p in problems]
    if len(problems) < 50 or len({json.dumps(p.get("nums") or p["prompt"]) + p["answer"] for p in problems}) < len(problems) * 0.95:
        sys.exit(f"{name}: {len(problems)} problems, not all different")
    for p in problems:
        if "nums" in p:
            print(json.dumps({"id": p["id"], "gold": json.dumps({"target": p["target"], "numbers": p["nums"]}), "answer": f"<answer>{p['solution']}</answer>"}))
        elif name == "arithmetic" and eval(p["prompt"][8:-1]) != int(p["answer"]):
            sys.exit(f"{p['prompt']} {p['answer']}")
        elif name == "programs":
            said = []
            exec(p["prompt"].split("\n", 1)[1], {"print": said.append})
            if str(said[0]) != p["answer"]:
                sys.exit(f"{p['prompt']} {p['answer']}")
        elif name == "algebra":
            v = re.search(r"for (\w)\.", p["prompt"])[1]
            left, right = re.sub(r"(\d)([a-z])", r"\1*\2", p["prompt"].split("Solve ")[1].split(" for ")[0]).split(" = ")
            x = {v: int(p["answer"])}
            if eval(left, dict(x)) != eval(right, dict(x)):
                sys.exit(f"{p['prompt']} {p['answer']}")
    if trained & set(texts):
        sys.exit(f"{name}: trained on {sorted(trained & set(texts))[0]}")
END
"$r1" grade --task countdown <"$dir/countdown.jsonl" >"$dir/verdicts" 2>"$dir/err" || fail "grade: $(cat "$dir/err")"
grep -v '"correct":true\|"correct": true' "$dir/verdicts" >"$dir/wrong" && fail "an answer that the grader refuses: $(head -1 "$dir/wrong")"

# The tokenizer of the recipe is the one that this corpus' text gives and takes: every row there and back.
"$r1" tokenize "$nano/tokenizer" '<｜User｜>What is 6*9?<｜Assistant｜><think>' >"$dir/ids" || fail 'tokenize with the recipe'
[ "$(wc -w <"$dir/ids")" -le 14 ] || fail "the recipe's tokenizer is long-winded: $(cat "$dir/ids")"
exit $failed
