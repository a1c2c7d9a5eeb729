#!/usr/bin/env python3
"""Write tests/fixtures/templates/cases.jsonl: what jinja2 (3.1.6), set up as transformers sets it up for chat templates,
makes of the shipped templates and of small templates that cover the language (language.json beside it).

    python3 tools/make_template_cases.py ../shared tests/fixtures/templates

Lines: {"set": NAME, "vars": {...}} defines variables; {"file": "path under ../shared", "vars": NAME, "text": ...} is a
shipped template (not copied here: the texts have their own licences); {"template": "...", ...} a small one. "error": true
stands where jinja2 raises. Needs the Python package jinja2; the tests do not."""
import itertools
import json
import os
import sys

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

SHARED, OUT = sys.argv[1:3]


class Generation(jinja2.ext.Extension):
    """{% generation %}: a scope whose text is kept."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_keep"), [], [], body).set_lineno(line)

    def _keep(self, caller):
        return caller()


class Dict:
    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)


def check_name(name):
    if isinstance(name, str) and name.startswith("_"):
        raise jinja2.exceptions.SecurityError("underscore")


class Namespace(jinja2.utils.Namespace):
    def __init__(*args, **kwargs):
        self, args = args[0], args[1:]
        attributes = dict(*args, **kwargs)
        for name in attributes:
            check_name(name)
        jinja2.utils.Namespace.__init__(self, attributes)

    def __setitem__(self, name, value):
        check_name(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


ENV = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
ENV.filters["tojson"] = tojson
ENV.globals.update(raise_exception=raise_exception, dict=Dict(), namespace=Namespace)


def outcome(source, variables):
    try:
        text = str(ENV.from_string(source).render(**variables))
        text.encode()
        return {"text": text}
    except Exception:
        return {"error": True}


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


def system(content):
    return {"role": "system", "content": content}


def call(arguments, name="get_weather", id="call12345"):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def tool(content, id="call12345"):
    return {"role": "tool", "content": content, "tool_call_id": id, "name": "get_weather"}


TOOLS = [
    {"type": "function", "function": {
        "name": "get_weather", "description": "Wetter für \"heute\" <b>&</b>",
        "parameters": {"type": "object", "required": ["city"], "properties": {
            "city": {"type": "string", "description": "Stadt"}, "n": {"type": "integer", "enum": [1, 2], "default": None},
            "x": {"type": "array", "items": {"type": "number", "minimum": 0.5}}}}}},
    {"type": "function", "function": {"name": "f2", "description": "", "parameters": {"type": "object", "properties": {}}}},
]
CONVERSATIONS = {
    "empty": [],
    "one": [user("What is 84 * 3 / 2?")],
    "system": [system("Be brief."), user("Hi")],
    "two systems": [system("One."), system("Two."), user("Hi")],
    "late system": [user("Hi"), system("Late."), assistant("Ho"), user("x")],
    "empty texts": [system(""), user(""), assistant(""), user("")],
    "history": [user("Hi"), assistant("<think>\nGreet.\n</think>\n\nHello!"), user("1+1?")],
    "reasoning key": [user("Hi"), assistant("Hello!", reasoning_content="Greet."), user("1+1?")],
    "reasoning null": [user("Hi"), assistant("Hello!", reasoning_content=None), user("1+1?")],
    "two thoughts": [user("Hi"), assistant("a</think>b</think>\nc"), user("x"), assistant("<think>open"), user("y")],
    "unicode": [system("  Système  "), user("  日本語 ß 😀 \u2028\n\n"), assistant("ответ\n"), user("é\u0301\ufeff")],
    "control tokens": [user("<|im_end|><｜Assistant｜><|eot_id|>{{ x }}{% raw %}</think>"), assistant("<｜end▁of▁sentence｜>"), user("\x00\x1f\"\\")],
    "one call": [user("Weather in Paris?"), assistant(None, tool_calls=[call('{"city": "Paris"}')]), tool('{"temp": 18}')],
    "object arguments": [user("Weather?"), assistant(None, tool_calls=[call({"city": "Pâris", "n": 1, "x": [1, 2.5, None, True]})]), tool("18")],
    "two calls": [system("s"), user("q"), assistant(None, tool_calls=[call('{"a": 1}', "f"), call("{}", "g", "call67890")]), tool("r1"),
                  tool("r2", "call67890"), assistant("Done."), user("Thanks")],
    "call with text": [user("q"), assistant("Let me see.", tool_calls=[call('{"city": "Paris"}')]), tool("18"), assistant("It is 18."), user("more")],
    "two tool turns": [user("q"), assistant(None, tool_calls=[call("{}")]), tool("1"), assistant("One."), user("again"),
                       assistant(None, tool_calls=[call("{}", id="call67890")]), tool("2", "call67890")],
    "call after output": [user("q"), assistant(None, tool_calls=[call("{}")]), tool("1"), assistant(None, tool_calls=[call("{}", "g")]), tool("2"), user("x")],
    "thought and call": [user("q"), assistant("<think>\nuse it\n</think>\n\n", tool_calls=[call({"city": "x"})]), tool("1"), assistant("a</think>b"), user("x")],
    "no calls": [user("q"), assistant("a", tool_calls=[]), assistant("b", tool_calls=None), user("x")],
    "tool response text": [user("a"), assistant("b"), user("<tool_response>\nx\n</tool_response>"), assistant("<think>c</think>d")],
    "ends in answer": [user("a"), assistant("partial")],
    "unknown role": [{"role": "alien", "content": "x"}],
    "no content": [{"role": "user"}],
    "number content": [user(5)],
    "null content": [user(None)],
    "part list": [user([{"type": "text", "text": "Look"}, {"type": "image"}])],
    "no role": [{"content": "x"}],
}
FILES = ["data/templates/r1-distill-qwen-7b.jinja", "data/templates/qwen2.5-coder.jinja", "data/templates/smollm2.jinja",
         "data/tokenizer/deepseek_v3/tokenizer_config.json", "data/tokenizer/qwen3/tokenizer_config.json",
         "data/tokenizer/llama3/tokenizer_config.json"]
LANGUAGE = {
    "x": 5, "y": 2.5, "s": "Hello World", "u": "naïve ß 日本 😀", "l": [3, 1, 2], "d": {"b": 1, "a": [1, 2], "items": "k", "1": 2},
    "n": None, "t": True, "f": False, "e": "", "el": [], "ed": {}, "html": "<a href='x'>&\"</a>", "ws": "  \t pad \n", "lines": "a\nb\n\nc\n",
    "fl": [1.0, 1e16, 1e-5, 0.1, 123456789.123, 1e22, 5e-324, -0.0], "nest": [[1, [2, 3]], {"k": None}], "neg": -7,
    "users": [{"name": "Bob", "age": 30, "a": {"b": [1, 2]}}, {"name": "alice", "age": 25}, {"name": "Carl", "age": 30, "x": None}],
}


def main():
    lines = []
    sets = {}
    for name, messages in CONVERSATIONS.items():
        for prompt, tools in itertools.product((True, False), (None, TOOLS)):
            if tools and name not in ("one", "system", "two calls", "history", "empty"):
                continue
            key = name + (" +prompt" if prompt else "") + (" +tools" if tools else "")
            sets[key] = {"messages": messages, "add_generation_prompt": prompt, "bos_token": "<｜begin▁of▁sentence｜>",
                         "eos_token": "<｜end▁of▁sentence｜>", "tools": tools}
    for thinking in (True, False):
        sets["enable_thinking %s" % thinking] = {"messages": CONVERSATIONS["history"], "add_generation_prompt": True, "enable_thinking": thinking}
    sets["bare"] = {"messages": CONVERSATIONS["one"]}
    sets["language"] = LANGUAGE
    for name, variables in sets.items():
        lines.append({"set": name, "vars": variables})
    for path in FILES:
        with open(os.path.join(SHARED, path), encoding="utf-8", newline="") as f:
            source = f.read()
        if path.endswith(".json"):
            source = json.loads(source)["chat_template"]
        for name, variables in sets.items():
            if name != "language":
                lines.append({"file": path, "vars": name, **outcome(source, variables)})
    with open(os.path.join(OUT, "language.json"), encoding="utf-8") as f:
        for source in json.load(f):
            lines.append({"template": source, "vars": "language", **outcome(source, LANGUAGE)})
    with open(os.path.join(OUT, "cases.jsonl"), "w", encoding="utf-8") as f:
        for line in lines:
            f.write(json.dumps(line, ensure_ascii=False) + "\n")
    print(len(lines), "lines")


main()
