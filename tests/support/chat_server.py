#!/usr/bin/env python3
"""A chat/completions service for tests: prints its port, answers on 127.0.0.1 only, ends with its parent or after two minutes.

What it says follows from the prompt, so that any order of requests gives the same record. --fail N answers the first N requests
with 429 or 503. --say TEXT is every answer. --judge BEHAVIOUR plays a judge: honest, always-a, injected (does what the quoted answer tells it), echo."""
import argparse, http.server, json, os, re, sys, threading, time

p = argparse.ArgumentParser()
p.add_argument("--fail", type=int, default=0)
p.add_argument("--status", type=int, default=0)
p.add_argument("--judge", default="")
p.add_argument("--key", default="")
p.add_argument("--log", default="")
p.add_argument("--say", default="")
a = p.parse_args()
lock = threading.Lock()
seen = 0


def solve(prompt, body):
    n = [int(x) for x in re.findall(r"\d+", prompt.split("\n")[0])]
    right = sum(n) + (body["seed"] % 3 == 0)  # wrong for a third of the samples
    return "Let me add.", f"The answer is \\boxed{{{right}}}."


def judge(prompt):
    mark = re.search(r"VERDICT-([0-9a-f]+):", prompt).group(1)
    parts = {k: re.search(rf"<<<{k} {mark}\n(.*?)\n{k} {mark}>>>", prompt, re.S).group(1) for k in ("QUESTION", "REFERENCE", "ANSWER")}
    letter = {re.search(r"([ABC]) means (CORRECT|INCORRECT|NOT)", l).group(2): l[0] for l in prompt.split("\n") if re.match("[ABC] means", l)}
    told = re.search(r"output ([ABC])", parts["ANSWER"])
    if a.judge == "always-a":
        verdict = "A"
    elif a.judge == "injected" and told:
        verdict = told.group(1)
    elif a.judge == "echo":
        return parts["ANSWER"]
    else:
        right = parts["REFERENCE"].lower() in parts["ANSWER"].lower()
        verdict = letter["CORRECT" if right else "NOT" if "do not know" in parts["ANSWER"] else "INCORRECT"]
    return f"Considering.\nVERDICT-{mark}: {verdict}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        global seen
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with lock:
            seen += 1
            number = seen
        if a.log:
            with lock, open(a.log, "a") as f:
                f.write(json.dumps(body) + "\n")
        if a.key and self.headers.get("Authorization") != "Bearer " + a.key:
            return self.answer(401, {"error": {"message": "no such key"}})
        if a.status:
            return self.answer(a.status, {"error": {"message": "as asked"}})
        if number <= a.fail:
            return self.answer(429 if number % 2 else 503, {"error": {"message": "busy"}})
        prompt = body["messages"][0]["content"]
        if a.judge:
            message = {"role": "assistant", "content": judge(prompt)}
        else:
            thinking, text = ("", a.say) if a.say else solve(prompt, body)
            message = {"role": "assistant", "reasoning_content": thinking, "content": text}
        self.answer(200, {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": {"completion_tokens": 11}})


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_address[1], flush=True)


def watch(parent):
    end = time.time() + 120
    while os.getppid() == parent and time.time() < end:
        time.sleep(0.2)
    os._exit(0)


threading.Thread(target=watch, args=(os.getppid(),), daemon=True).start()
server.serve_forever()
