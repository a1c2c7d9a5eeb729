#include "eval/task.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"

enum { MAX_FILE = 1 << 18, MAX_SAMPLES = 1 << 16 };

static const r1i_field task_fields[] = {
    {"name", R1I_FIELD_TEXT, true, 0, 0},
    {"about", R1I_FIELD_TEXT, true, 0, 0},
    {"licence", R1I_FIELD_TEXT, false, 0, 0},      /* for people */
    {"data", R1I_FIELD_TEXT, false, 0, 0},
    {"where", R1I_FIELD_MAP, false, 0, 0},
    {"exclude", R1I_FIELD_TEXTS, false, 0, 0},
    {"id", R1I_FIELD_TEXT, false, 0, 0},
    {"subject", R1I_FIELD_TEXT, false, 0, 0},
    {"fields", R1I_FIELD_TEXTS, false, 0, 0},
    {"prompt", R1I_FIELD_TEXT, true, 0, 0},
    {"gold", R1I_FIELD_TEXT, false, 0, 0},
    {"grader", R1I_FIELD_TEXT, true, 0, 0},
    {"options", R1I_FIELD_MAP, false, 0, 0},
    {"samples", R1I_FIELD_INT, true, 1, MAX_SAMPLES},
    {"samples_from", R1I_FIELD_TEXT, false, 0, 0}, /* paper or ours: for people */
    {"stop", R1I_FIELD_TEXTS, false, 0, 0},
    {"raw", R1I_FIELD_BOOL, false, 0, 0},
    {"consensus", R1I_FIELD_BOOL, false, 0, 0},
    {NULL, R1I_FIELD_ANY, false, 0, 0},
};

static void free_texts(char **texts, size_t n)
{
    for (size_t i = 0; i < n; i++) free(texts[i]);
    free(texts);
}

void r1i_task_free(r1i_task *t)
{
    if (!t) return;
    char *const owned[] = {t->name, t->about, t->data, t->id, t->subject, t->prompt_source, t->gold_source, t->grader,
                           t->options};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
    r1_template_destroy(t->prompt);
    r1_template_destroy(t->gold);
    json_decref(t->where);
    json_decref(t->exclude);
    free_texts(t->fields, t->n_fields);
    free_texts(t->stop, t->n_stop);
    free(t);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* *into = the text of the key, or of otherwise (NULL: stays NULL). false without memory. */
static bool copy_text(const json_t *root, const char *key, const char *otherwise, char **into)
{
    const json_t *const v = json_object_get(root, key);
    const char *const text = v ? json_string_value(v) : otherwise;
    return !text || (*into = strdup(text)) != NULL;
}

static bool copy_texts(const json_t *root, const char *key, char ***into, size_t *n)
{
    const json_t *const v = json_object_get(root, key);
    const size_t count = json_array_size(v);
    *into = calloc(count + 1, sizeof **into);
    for (*n = 0; *into && *n < count; ++*n)
        if (!((*into)[*n] = strdup(json_string_value(json_array_get(v, *n))))) return false;
    return *into != NULL;
}

static r1_status compile(const r1i_yaml *y, const char *key, const char *source, r1_template **out, r1_error *err)
{
    r1_error why = {0};
    const r1_status st = r1_template_compile(source, strlen(source), out, &why);
    if (st == R1_OK) return R1_OK;
    if (st == R1_ERR_NOMEM) return r1i_fail(err, st, "%s: %s", key, why.message);
    return r1i_yaml_fail(y, r1i_yaml_root(y), key, 0, err, "%s, line %lld of the template: %s", key,
                         (long long)(why.line ? why.line : 1), why.message);
}

static bool is_filter(const json_t *v)
{
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!json_is_string(json_array_get(v, i))) return false;
    return json_is_string(v) || json_is_array(v);
}

static r1_status check_values(const r1i_yaml *y, const r1i_task *t, r1_error *err)
{
    const json_t *const root = r1i_yaml_root(y);
    const char *key;
    json_t *value;
    if (!t->name[0] || strspn(t->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") !=
        strlen(t->name))
        return r1i_yaml_fail(y, root, "name", 0, err, "name: letters, digits, '_', '-' and '.' were expected");
    json_object_foreach(t->where, key, value) if (!is_filter(value))
        return r1i_yaml_fail(y, t->where, key, 0, err, "where: a text or a list of texts was expected for %s", key);
    return R1_OK;
}

static r1_status fill(const r1i_yaml *y, r1i_task *t, r1_error *err)
{
    const json_t *const root = r1i_yaml_root(y), *const options = json_object_get(root, "options");
    if (!copy_text(root, "name", NULL, &t->name) || !copy_text(root, "about", NULL, &t->about) ||
        !copy_text(root, "data", NULL, &t->data) || !copy_text(root, "id", "id", &t->id) ||
        !copy_text(root, "subject", NULL, &t->subject) || !copy_text(root, "prompt", NULL, &t->prompt_source) ||
        !copy_text(root, "gold", "{{ answer }}", &t->gold_source) || !copy_text(root, "grader", NULL, &t->grader) ||
        !copy_texts(root, "fields", &t->fields, &t->n_fields) || !copy_texts(root, "stop", &t->stop, &t->n_stop) ||
        (options && !(t->options = json_dumps(options, JSON_COMPACT | JSON_SORT_KEYS))))
        return r1i_fail(err, R1_ERR_NOMEM, "task");
    t->where = json_incref(json_object_get(root, "where"));
    t->exclude = json_incref(json_object_get(root, "exclude"));
    t->samples = json_integer_value(json_object_get(root, "samples"));
    t->raw = json_is_true(json_object_get(root, "raw"));
    t->consensus = !json_is_false(json_object_get(root, "consensus"));
    r1_status st = check_values(y, t, err);
    if (st == R1_OK) st = compile(y, "prompt", t->prompt_source, &t->prompt, err);
    if (st == R1_OK) st = compile(y, "gold", t->gold_source, &t->gold, err);
    return st;
}

r1_status r1i_task_parse(const char *path, const void *bytes, size_t size, r1i_task **out, r1_error *err)
{
    r1i_yaml *y;
    *out = NULL;
    r1i_task *const t = calloc(1, sizeof *t);
    if (!t) return r1i_fail(err, R1_ERR_NOMEM, "%s", path);
    r1i_sha256_hex(bytes, size, t->hash);
    r1_status st = r1i_yaml_parse(bytes, size, &y, err);
    if (st == R1_OK) st = r1i_yaml_check(y, r1i_yaml_root(y), task_fields, err);
    if (st == R1_OK) st = fill(y, t, err);
    r1i_yaml_free(y);
    if (st == R1_OK) *out = t;
    else {
        r1i_error_prefix(err, "%s: ", path);
        if (err) err->line = 0, err->offset = -1; /* the message has them */
        r1i_task_free(t);
    }
    return st;
}

r1_status r1i_task_definition(const r1i_task *t, char **out, r1_error *err)
{
    *out = NULL;
    json_t *const d = json_pack("{s:s, s:s, s:s, s:s*, s:b, s:s, s:s}", "name", t->name, "about", t->about, "grader",
                                t->grader, "options", t->options, "consensus", (int)t->consensus, "prompt",
                                t->prompt_source, "gold", t->gold_source);
    if (d) *out = json_dumps(d, JSON_COMPACT);
    json_decref(d);
    return *out ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "task %s", t->name);
}

/* ---- finding ----------------------------------------------------------------------------------------------------- */

enum { N_PLACES = 2 };

/* Where an installed program and one in a build folder of the source tree keep their tasks. */
static r1_status own_folders(char folder[N_PLACES][PATH_MAX], r1_error *err)
{
    char program[PATH_MAX - 32];
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n < 0) return r1i_fail_errno(err, errno, "/proc/self/exe");
    program[n] = 0;
    char *const slash = strrchr(program, '/');
    if (slash) *slash = 0;
    snprintf(folder[0], PATH_MAX, "%s/../share/r1/tasks", program);
    snprintf(folder[1], PATH_MAX, "%s/../tasks", program);
    return R1_OK;
}

static r1_status read_task(const char *path, r1i_task **out, r1_error *err)
{
    uint8_t *bytes;
    size_t size;
    r1_status st = r1i_file_read(path, MAX_FILE, &bytes, &size, err);
    if (st != R1_OK) return st;
    st = r1i_task_parse(path, bytes, size, out, err);
    r1_free(bytes);
    return st;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* "aime24, aime25, ..." of a folder. */
static void list_tasks(const char *dir, r1i_text *out)
{
    char *names[256];
    int n = 0;
    DIR *const d = opendir(dir);
    for (const struct dirent *e; d && n < 256 && (e = readdir(d));) {
        const size_t length = strlen(e->d_name);
        if (length > 5 && strcmp(e->d_name + length - 5, ".yaml") == 0 && (names[n] = strndup(e->d_name, length - 5)))
            n++;
    }
    if (d) closedir(d);
    qsort(names, (size_t)n, sizeof *names, by_name);
    for (int i = 0; i < n; i++) {
        r1i_text_printf(out, "%s%s", out->n ? ", " : "", names[i]);
        free(names[i]);
    }
}

static r1_status not_found(const char *name, const char *const *dir, size_t n_dirs, r1_error *err)
{
    r1i_text names = {0}, places = {0};
    for (size_t i = 0; i < n_dirs; i++) {
        list_tasks(dir[i], &names);
        r1i_text_printf(&places, "%s%s", i ? ", " : "", dir[i]);
    }
    const r1_status st = names.n
        ? r1i_fail(err, R1_ERR_USAGE, "there is no task '%.64s'; there are: %s", name, names.bytes)
                                 : r1i_fail(err, R1_ERR_USAGE, "there is no task '%.64s': no task file in %s", name,
                                            places.n ? places.bytes : "");
    r1i_text_free(&names);
    r1i_text_free(&places);
    return st;
}

r1_status r1i_task_find(const char *name, const char *dir, r1i_task **out, r1_error *err)
{
    char own[N_PLACES][PATH_MAX];
    const size_t length = strlen(name);
    *out = NULL;
    if (strchr(name, '/') || (length > 5 && strcmp(name + length - 5, ".yaml") == 0)) return read_task(name, out, err);
    const char *dirs[N_PLACES] = {dir, NULL};
    size_t n_dirs = 1;
    if (!dir) {
        const r1_status st = own_folders(own, err);
        if (st != R1_OK) return st;
        for (n_dirs = 0; n_dirs < N_PLACES; n_dirs++) dirs[n_dirs] = own[n_dirs];
    }
    for (size_t i = 0; i < n_dirs; i++) {
        char path[PATH_MAX + 80];
        snprintf(path, sizeof path, "%s/%.64s.yaml", dirs[i], name);
        if (r1i_file_exists(path)) return read_task(path, out, err);
    }
    return not_found(name, dirs, n_dirs, err);
}
