/** Turns to prompt text and completions to (thinking, answer): chat templates (a Jinja subset), the published R1 forms
 * as built-in templates, the think splitter. */
#ifndef R1_CHAT_H
#define R1_CHAT_H

#include "r1/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct r1_template r1_template; /* a compiled template; immutable, may be shared */

/** Bounds on what a template may do to us. Zero fields take the defaults. */
typedef struct r1_template_limits {
    int64_t max_steps;        /* expression and statement evaluations; default 10,000,000 */
    int32_t max_depth;        /* nesting of expressions, blocks, macro calls, values; default 200 */
    size_t max_output;        /* bytes of the result and of any one string; default 64 MiB */
} r1_template_limits;

/** Compile source[bytes]. R1_ERR_FORMAT with offset and line; R1_ERR_UNSUPPORTED names the construct. */
R1_API r1_status r1_template_compile(const char *source, size_t bytes, r1_template **out, r1_error *err);
R1_API void r1_template_destroy(r1_template *t); /* takes NULL */

/** The built-in forms of R1's template (tokenizer-and-chat.md 4): "r1-t1", "r1-t2", "r1-t3" (official behaviour) and
 * "r1" (T3 with the sane defaults for tool turns). NULL for another name. Borrowed, static. */
R1_API const char *r1_template_builtin(const char *name);

typedef struct r1_rendered {
    char *text;               /* malloc'd, NUL-terminated; r1_rendered_free */
    size_t bytes;
    r1_span *spans;           /* [n_spans], tile the text: trusted where the template itself wrote it */
    size_t n_spans;
} r1_rendered;

/** Render with variables from a JSON object: messages, add_generation_prompt, tools, bos_token, eos_token, and any
 * further keys ("kwargs" already merged by the caller). Strings that come from `variables` stay untrusted however the
 * template concatenates, slices, strips or escapes them, except bos_token and eos_token.
 * R1_ERR_FORMAT: the template failed or called raise_exception (its text is the message); R1_ERR_RANGE: a limit. */
R1_API r1_status r1_template_render(const r1_template *t, const char *variables_json, size_t bytes,
                                    const r1_template_limits *limits, r1_rendered *out, r1_error *err);
R1_API void r1_rendered_free(r1_rendered *r);

/* * How a model wants its turns: its template compiled, with its two tokens and its think block. Immutable, may be
 * shared. */
typedef struct r1_chat_form r1_chat_form;

/* * The model's own template, or R1's where it ships none but has R1's tokens. tokenizer is borrowed and must outlive
 * the form.
 * R1_ERR_MISSING: there is no template; else as r1_template_compile. */
R1_API r1_status r1_chat_form_open(const r1_tokenizer *tokenizer, r1_chat_form **out, r1_error *err);
R1_API void r1_chat_form_close(r1_chat_form *form); /* takes NULL */
/** Whether the tokenizer knows </think>, so that thinking can be closed. */
R1_API bool r1_chat_form_can_think(const r1_chat_form *form);

typedef struct r1_prompt {
    char *text;               /* as rendered, NUL-terminated */
    size_t bytes;
    int32_t *ids;             /* [n], what the model reads */
    size_t n;
    bool thinking_open;       /* the prompt ends inside the think block */
} r1_prompt;
/** messages: a JSON array of turns. think false: the answer begins behind an empty think block.
 * R1_ERR_FORMAT: the template failed; else as r1_template_render and r1_tokenizer_encode_spans. */
R1_API r1_status r1_chat_form_prompt(const r1_chat_form *form, const char *messages_json, size_t bytes, bool think,
                                     r1_prompt *out, r1_error *err);
R1_API void r1_prompt_free(r1_prompt *prompt);

/** Splits a completion into reasoning and answer, token by token or text by text (tokenizer-and-chat.md 4.5).
 * Plain data; r1_think_init first. */
typedef enum r1_think_part { R1_PART_THINKING, R1_PART_ANSWER } r1_think_part;
typedef struct r1_think_splitter {
    r1_think_part part;       /* of the next text */
    bool decided;             /* whether the opening (with or without <think>) has been seen */
    bool strip_newlines;      /* newlines directly after </think> are dropped from the answer */
    bool expects_thinking;    /* no marker at all: true = everything is reasoning until </think> (prefilled prompt) */
    char held[16];            /* a prefix of a marker that may still turn out to be text */
    int n_held;
} r1_think_splitter;
/** prefilled: the prompt ended inside "<think>\n". Otherwise reasoning starts only at an emitted <think>. */
R1_API void r1_think_init(r1_think_splitter *s, bool prefilled);
/** Feed text; emit(user, part, text, bytes) is called with each decided piece, in order. */
R1_API void r1_think_feed(r1_think_splitter *s, const char *text, size_t bytes,
                          void (*emit)(void *user, r1_think_part part, const char *text, size_t bytes), void *user);
/** End of the completion: what was held back is emitted as text. */
R1_API void r1_think_finish(r1_think_splitter *s,
                            void (*emit)(void *user, r1_think_part part, const char *text, size_t bytes), void *user);

#ifdef __cplusplus
}
#endif
#endif
