/* R1's published template forms, written anew from their rules (docs and spec: T1, T2, T3), and "r1", which is T3
 * without the slips of the official ones: there, "first call" and "first output" are noted once per conversation, and
 * outputs that a user or another call follows are never closed. */
#include <string.h>

#include "r1/chat.h"

#define BOT "<｜tool▁calls▁begin｜>"
#define EOT "<｜tool▁calls▁end｜>"
#define CALL "<｜tool▁call▁begin｜>"
#define CALL_END "<｜tool▁call▁end｜>"
#define OUTPUTS "<｜tool▁outputs▁begin｜>"
#define OUTPUTS_END "<｜tool▁outputs▁end｜>"
#define OUTPUT "<｜tool▁output▁begin｜>"
#define OUTPUT_END "<｜tool▁output▁end｜>"
#define EOS "<｜end▁of▁sentence｜>"
#define USER "<｜User｜>"
#define ASSISTANT "<｜Assistant｜>"

/* One call without its neighbours. */
#define CALL_MACRO                                                                                                     \
    "{% macro one_call(call) %}" CALL "{{ call.type }}<｜tool▁sep｜>{{ call.function.name }}{{ '\\n```json\\n' }}"       \
    "{% if call.function.arguments is string %}{{ call.function.arguments }}{% else %}{{ call.function.arguments|tojson }}{% endif %}" \
    "{{ '\\n```' }}" CALL_END "{% endmacro %}"

/* T1 and T2: the last system message only; calls count only where content is none; a single call stays open. */
#define OLD(prompt)                                                                                                    \
    CALL_MACRO                                                                                                         \
    "{% set ns = namespace(called=false, output=false, tool=false, system='') %}"                                      \
    "{% for m in messages if m.role == 'system' %}{% set ns.system = m.content %}{% endfor %}"                         \
    "{{ bos_token }}{{ ns.system }}"                                                                                   \
    "{% for m in messages %}"                                                                                          \
    "{% if m.role == 'user' %}{% set ns.tool = false %}" USER "{{ m.content }}"                                        \
    "{% elif m.role == 'assistant' and m.content is none %}{% set ns.tool = false %}"                                  \
    "{% for call in m.tool_calls %}"                                                                                   \
    "{% if not ns.called %}{% set ns.called = true %}" ASSISTANT BOT "{{ one_call(call) }}"                            \
    "{% else %}{{ '\\n' ~ one_call(call) }}" EOT EOS "{% endif %}{% endfor %}"                                         \
    "{% elif m.role == 'assistant' %}"                                                                                 \
    "{% if ns.tool %}{% set ns.tool = false %}" OUTPUTS_END "{{ m.content }}" EOS                                      \
    "{% else %}{% set text = m.content.split('</think>')[-1] %}" ASSISTANT "{{ text }}" EOS "{% endif %}"              \
    "{% elif m.role == 'tool' %}{% set ns.tool = true %}"                                                              \
    "{% if ns.output %}{{ '\\n' }}{% else %}" OUTPUTS "{% set ns.output = true %}{% endif %}" OUTPUT "{{ m.content }}" OUTPUT_END \
    "{% endif %}{% endfor %}"                                                                                          \
    "{% if ns.tool %}" OUTPUTS_END "{% elif add_generation_prompt %}" prompt "{% endif %}"

/* T3 joins system messages, keeps text before calls and closes every list of calls. The differences of "r1": `reset` at
 * each assistant turn, `close` before whatever follows outputs. */
#define NEW(reset, close)                                                                                              \
    CALL_MACRO                                                                                                         \
    "{% set ns = namespace(called=false, output=false, tool=false, system='', first_system=true) %}"                   \
    "{% for m in messages if m.role == 'system' %}"                                                                    \
    "{% set ns.system = ns.system ~ ('' if ns.first_system else '\\n\\n') ~ m.content %}{% set ns.first_system = false %}{% endfor %}" \
    "{{ bos_token }}{{ ns.system }}"                                                                                   \
    "{% for m in messages %}"                                                                                          \
    "{% if m.role == 'user' %}" close "{% set ns.tool = false %}" USER "{{ m.content }}"                               \
    "{% elif m.role == 'assistant' and m.tool_calls %}" close "{% set ns.tool = false %}" reset                        \
    "{% for call in m.tool_calls %}"                                                                                   \
    "{% if not ns.called %}{% set ns.called = true %}" ASSISTANT "{{ m.content if m.content is defined and m.content is not none else '' }}" BOT \
    "{{ one_call(call) }}{% else %}{{ '\\n' ~ one_call(call) }}{% endif %}{% endfor %}" EOT EOS                        \
    "{% elif m.role == 'assistant' %}"                                                                                 \
    "{% if ns.tool %}{% set ns.tool = false %}" OUTPUTS_END "{{ m.content }}" EOS                                      \
    "{% else %}{% set text = m.content.split('</think>')[-1] %}" ASSISTANT "{{ text }}" EOS "{% endif %}" reset        \
    "{% elif m.role == 'tool' %}{% set ns.tool = true %}"                                                              \
    "{% if not ns.output %}" OUTPUTS "{% set ns.output = true %}{% endif %}" OUTPUT "{{ m.content }}" OUTPUT_END       \
    "{% endif %}{% endfor %}"                                                                                          \
    "{% if ns.tool %}" OUTPUTS_END "{% elif add_generation_prompt %}" ASSISTANT "{{ '<think>\\n' }}{% endif %}"

const char *r1_template_builtin(const char *name)
{
    static const struct { const char *name, *source; } forms[] = {
        {"r1-t1", OLD(ASSISTANT)},
        {"r1-t2", OLD(ASSISTANT "{{ '<think>\\n' }}")},
        {"r1-t3", NEW("", "")},
        {"r1", NEW("{% set ns.called = false %}{% set ns.output = false %}", "{% if ns.tool %}" OUTPUTS_END "{% endif %}")},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(forms[i].name, name) == 0) return forms[i].source;
    return NULL;
}
