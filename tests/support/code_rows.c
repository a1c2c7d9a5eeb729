#include "support/code_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

static const char *text(const json_t *row, const char *key)
{
    const char *const s = json_string_value(json_object_get(row, key));
    return s ? s : "";
}

static char *joined(const char *a, const char *b)
{
    char *const s = malloc(strlen(a) + strlen(b) + 1);
    if (s) strcpy(s, a), strcat(s, b);
    return s;
}

/* `return None` before the first statement of the entry function, at that statement's depth. */
static char *sabotage(const char *program, const char *entry)
{
    char head[128];
    const size_t k = (size_t)snprintf(head, sizeof head, "def %s", entry);
    const char *at = program;
    for (; (at = strstr(at, head)) != NULL; at++) /* at the margin, and the whole name */
        if ((at == program || at[-1] == '\n') && (at[k] == '(' || at[k] == ' ')) break;
    if (!at) return NULL;
    int depth = 0;
    for (; *at && !(depth == 0 && *at == ':'); at++) { /* the colon after the signature: annotations hold brackets and
                                                        * colons */
        if (strchr("([{", *at)) depth++;
        if (strchr(")]}", *at)) depth--;
    }
    const char *const line = strchr(at, '\n');
    if (!line) return NULL;
    const char *body = line + 1;
    while (*body == '\n' || *body == '\r') body++;
    const size_t margin = strspn(body, " \t"), before = (size_t)(body - program);
    const size_t n = strlen(program) + margin + 32;
    char *const s = malloc(n);
    if (s) snprintf(s, n, "%.*s%.*sreturn None\n%s", (int)before, program, (int)margin, body, body);
    return s;
}

static void load_row(code_row *out, const json_t *row)
{
    const char *const entry = text(row, "entry_point"), *const question = text(row, "question"),
                      *const answer = text(row, "answer");
    const json_t *const tests = json_object_get(row, "tests");
    json_t *const gold = json_object();
    char *whole;
    if (json_is_string(tests)) {
        json_object_set_new(gold, "prompt", json_string(question));
        json_object_set_new(gold, "test", json_string(json_string_value(tests)));
        out->solution = joined(answer, "");
        whole = joined(question, answer);
    } else {
        json_object_set_new(gold, "assertions", json_deep_copy(tests));
        json_object_set_new(gold, "setup", json_string(text(row, "test_setup")));
        out->solution = joined(answer, "");
        whole = joined(answer, "");
    }
    json_object_set_new(gold, "entry_point", json_string(entry));
    out->id = joined(text(row, "id"), "");
    out->gold = json_dumps(gold, 0);
    out->sabotaged = whole ? sabotage(whole, entry) : NULL;
    free(whole);
    json_decref(gold);
}

/* A whole file, unpacked if its name ends in .gz, with a NUL after the last byte; NULL where it cannot be had. */
static char *read_whole(const char *path, size_t *size)
{
    char command[1024], *bytes = NULL;
    size_t cap = 0, got = 1;
    *size = 0;
    if (!r1i_file_exists(path)) return NULL;
    snprintf(command, sizeof command, "gzip -cdf '%s'", path);
    FILE *const f = popen(command, "r");
    while (f && got) {
        if (cap - *size < 2) bytes = realloc(bytes, cap = cap * 2 + 65536);
        if (!bytes) break;
        *size += got = fread(bytes + *size, 1, cap - *size - 1, f);
        bytes[*size] = 0;
    }
    if (f) pclose(f);
    return bytes;
}

code_row *code_rows_load(const char *set, size_t *n)
{
    const char *const path = strcmp(set, "humaneval") == 0 ? R1_SOURCE_DIR "/../shared/data/humaneval/test.jsonl"
                             : strcmp(set, "mbpp") == 0    ? R1_SOURCE_DIR "/../shared/data/mbpp/sanitized.jsonl"
                                                           : R1_SOURCE_DIR "/../shared/data/mbpp/mbpp.jsonl.gz";
    size_t size = 0, rows = 0;
    *n = 0;
    char *const bytes = read_whole(path, &size);
    if (!bytes) return NULL;
    for (size_t i = 0; i < size; i++) rows += bytes[i] == '\n';
    code_row *const out = calloc(rows + 1, sizeof *out);
    char *line = bytes;
    for (char *end; out && (end = strchr(line, '\n')) != NULL; line = end + 1) {
        json_t *row;
        if (r1i_json_parse(line, (size_t)(end - line), &row, NULL) != R1_OK) continue;
        load_row(&out[(*n)++], row);
        json_decref(row);
    }
    free(bytes);
    return out;
}

void code_rows_free(code_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(rows[i].id), free(rows[i].gold), free(rows[i].solution), free(rows[i].sabotaged);
    free(rows);
}
