#!/bin/bash
# r1 template: one conversation, many lines, spans, other templates, errors.   argument: R1
set -uo pipefail
r1=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0
same() { [ "$2" = "$3" ] || { printf '%s: differs\n--- %s\n--- %s\n' "$1" "$2" "$3"; failed=1; }; }
refused() { # name, status, part of the message, command...
    local name=$1 want=$2 text=$3 said status
    shift 3
    said=$("$@" 2>&1)
    status=$?
    [ "$status" = "$want" ] || { echo "$name: status $status, wanted $want"; failed=1; }
    case $said in *"$text"*) ;; *) echo "$name: '$text' is missing in: $said"; failed=1 ;; esac
}
B='<｜begin▁of▁sentence｜>'
echo '[{"role":"user","content":"Hi <｜User｜>"}]' > "$tmp/chat.json"
echo '{"messages":[{"role":"user","content":"Hi"}],"tools":[{"x":1}]}' > "$tmp/object.json"
printf '%s' '{{ bos_token }}{% for m in messages %}[{{ m.role }}:{{ m.content }}]{% endfor %}{% if tools is none %}-{% else %}{{ tools|tojson }}{% endif %}{{ mood }}{{ ">" if add_generation_prompt }}' > "$tmp/t.jinja"

same 'built-in' "$("$r1" template r1 --messages "$tmp/chat.json"; echo .)" "$B<｜User｜>Hi <｜User｜><｜Assistant｜><think>
."
same 'no prompt' "$("$r1" template r1-t1 -m "$tmp/chat.json" --no-generation-prompt)" "$B<｜User｜>Hi <｜User｜>"
same 'file, standard input, kwargs, bos' "$("$r1" template "$tmp/t.jinja" -m - --kwargs '{"mood":"!"}' --bos '<s>' < "$tmp/chat.json")" '<s>[user:Hi <｜User｜>]-!>'
same 'object with tools' "$("$r1" template "$tmp/t.jinja" -m "$tmp/object.json")" '[user:Hi][{"x": 1}]>'
echo '[{"y":2}]' > "$tmp/tools.json"
same 'tools' "$("$r1" template "$tmp/t.jinja" -m "$tmp/chat.json" --tools "$tmp/tools.json")" '[user:Hi <｜User｜>][{"y": 2}]>'
same 'spans' "$("$r1" template "$tmp/t.jinja" -m "$tmp/object.json" --no-add-generation-prompt --spans | head -4)" '0 1 template "["
1 5 outside "user"
5 6 template ":"
6 8 outside "Hi"'
same 'json' "$("$r1" template "$tmp/t.jinja" -m "$tmp/object.json" --json | cut -c1-62)" '{"text":"[user:Hi][{\"x\": 1}]>","spans":[{"begin":0,"end":1,"'
cat > "$tmp/lines" <<'L'
{"messages":[{"role":"user","content":"a"}],"add_generation_prompt":true,"bos_token":"<s>","kwargs":{"mood":":)","tools":null}}
{"messages":[]}
{"messages":3}
not json

{"messages":[],"kwargs":{"tools":[1]}}
L
same 'lines' "$("$r1" template "$tmp/t.jinja" --jsonl "$tmp/lines")" '{"text":"<s>[user:a]-:)>"}
{"error":"Object of type Undefined is not JSON serializable"}
{"error":"'"'int' object is not iterable"'"}
{"error":"expected a JSON object","line":4}
{"text":"[1]"}'
printf '{%% if %%}' > "$tmp/bad.jinja"
refused 'bad template' 3 'Expected an expression' "$r1" template "$tmp/bad.jinja" -m "$tmp/chat.json"
printf 'x\n{{ raise_exception("roles must alternate") }}' > "$tmp/raise.jinja"
refused 'raised' 3 'roles must alternate (line 2' "$r1" template "$tmp/raise.jinja" -m "$tmp/chat.json"
refused 'no input' 2 'one of --messages' "$r1" template r1
refused 'no file' 3 'nowhere.json' "$r1" template r1 -m "$tmp/nowhere.json"
refused 'kwargs' 2 'JSON object' "$r1" template r1 -m "$tmp/chat.json" --kwargs 3
refused 'not messages' 3 'list of messages' "$r1" template r1 -m <(echo '{"a":1}')
exit $failed
