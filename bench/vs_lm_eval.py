#!/usr/bin/env python3
"""pass@1 at temperature 0: ours against lm-evaluation-harness, on the same prompts and the same answers of one model.

r1 eval takes one greedy answer to each of the first N GSM8K questions, asked as lm-eval asks them (bench/tasks/gsm8k_lm_eval.yaml).
lm-eval then runs its own gsm8k task (prompt, filters and metric of the installed package) over the same rows, with the recorded
answers as its model: a prompt that we had not asked to the byte is an error. Needs `pip install lm-eval` and no network.

    python3 bench/vs_lm_eval.py MODEL [--limit 50] [--r1 build/r1] [--data ../shared/data] [--out DIR]

Prints one JSON object a line; exit status 0 where the two differ by at most one question."""
import argparse
import gzip
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
here = pathlib.Path(__file__).resolve().parent


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("--limit", type=int, default=50)
    p.add_argument("--max-tokens", type=int, default=256)
    p.add_argument("--r1", default=str(here.parent / "build/r1"))
    p.add_argument("--data", default=str(here.parent.parent / "shared/data"))
    p.add_argument("--out")
    return p.parse_args()


def take_answers(a, out):
    command = [a.r1, "eval", a.model, "--task", str(here / "tasks/gsm8k_lm_eval.yaml"), "--data", a.data, "--temperature", "0", "--limit", str(a.limit),
               "--max-tokens", str(a.max_tokens), "--out", out]
    if os.path.exists(out + "/run.db"):
        command.append("--resume")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    db = sqlite3.connect(out + "/run.db")
    rows = db.execute("SELECT p.question, s.text, v.correct, v.reason FROM sample s JOIN prompt p USING (task, prompt) "
                      "JOIN verdict v USING (task, prompt, sample) WHERE v.grading = 0 ORDER BY s.prompt").fetchall()
    assert len(rows) == a.limit, f"{len(rows)} samples of {a.limit}"
    return {question: (text, bool(correct), reason) for question, text, correct, reason in rows}


def write_rows(a, path):
    """The rows as lm-eval's data set has them: the answer is the solution with #### before the number."""
    with gzip.open(a.data + "/gsm8k/test.jsonl.gz", "rt", encoding="utf-8") as f, open(path, "w", encoding="utf-8") as out:
        for _, line in zip(range(a.limit), f):
            row = json.loads(line)
            out.write(json.dumps({"question": row["question"], "answer": row["solution"]}) + "\n")


def examine(answers, rows, limit):
    import lm_eval
    import yaml
    from lm_eval.api.model import LM

    class Recorded(LM):
        def generate_until(self, requests, disable_tqdm=False):
            return [answers[r.args[0]][0] for r in requests]

        def loglikelihood(self, requests):
            raise NotImplementedError

        loglikelihood_rolling = loglikelihood

    class Tags(yaml.SafeLoader):
        pass

    Tags.add_multi_constructor("!", lambda loader, suffix, node: None)
    source = pathlib.Path(lm_eval.__file__).parent / "tasks/gsm8k/gsm8k.yaml"
    config = yaml.load(source.read_text(), Loader=Tags)
    for key in ("tag", "dataset_name", "fewshot_split", "training_split", "fewshot_config"):
        config.pop(key, None)
    config.update(task="gsm8k_here", dataset_path="json", dataset_kwargs={"data_files": {"test": str(rows)}}, test_split="test", num_fewshot=0)
    result = lm_eval.simple_evaluate(model=Recorded(), tasks=[config], num_fewshot=0, limit=limit, bootstrap_iters=0, log_samples=True)
    return lm_eval.__version__, result["results"]["gsm8k_here"], result["samples"]["gsm8k_here"]


def main():
    a = arguments()
    with tempfile.TemporaryDirectory() as tmp:
        answers = take_answers(a, a.out or tmp + "/run")
        write_rows(a, tmp + "/rows.jsonl")
        version, scores, samples = examine(answers, tmp + "/rows.jsonl", a.limit)
    ours = sum(correct for _, correct, _ in answers.values())
    theirs = {k.split(",")[1]: round(v * a.limit) for k, v in scores.items() if k.startswith("exact_match,")}
    for s in samples:
        prompt = s["arguments"]["gen_args_0"]["arg_0"] if isinstance(s["arguments"], dict) else s["arguments"][0][0]
        text, correct, reason = answers[prompt]
        if s["filter"] == "flexible-extract" and bool(s["exact_match"]) != correct:
            print(json.dumps({"differs": prompt[10:70], "lm_eval": bool(s["exact_match"]), "extracted": s["filtered_resps"], "r1": correct, "reason": reason}))
    print(json.dumps({"bench": "vs_lm_eval", "model": os.path.basename(a.model), "questions": a.limit, "r1_right": ours, "lm_eval_right": theirs, "lm_eval": version}))
    return 0 if abs(ours - theirs["flexible-extract"]) <= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
