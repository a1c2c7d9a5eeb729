/* The eval section of a recipe: which tasks examine the model while it trains, how often, and by which samples. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/recipe.h"

#define BIG 9e15
static const r1i_field eval_fields[] = {
    {.name = "every", .kind = R1I_FIELD_INT, .required = true, .min = 1, .max = BIG},
    {.name = "at_start", .kind = R1I_FIELD_BOOL},
    {.name = "task_dir", .kind = R1I_FIELD_TEXT}, {.name = "tasks", .kind = R1I_FIELD_ANY, .required = true}, {0}};
static const r1i_field task_fields[] = {
    {.name = "task", .kind = R1I_FIELD_TEXT, .required = true}, {.name = "name", .kind = R1I_FIELD_TEXT},
    {.name = "data", .kind = R1I_FIELD_TEXT, .required = true},
    {.name = "limit", .kind = R1I_FIELD_INT, .min = 0, .max = 1e9},
    {.name = "samples", .kind = R1I_FIELD_INT, .min = 1, .max = 65536},
    {.name = "max_tokens", .kind = R1I_FIELD_INT, .min = 1, .max = 1 << 24},
    {.name = "temperature", .kind = R1I_FIELD_REAL, .min = 0, .max = 100},
    {.name = "top_p", .kind = R1I_FIELD_REAL, .min = 1e-6, .max = 1}, {.name = "raw", .kind = R1I_FIELD_BOOL},
    {.name = "think", .kind = R1I_FIELD_BOOL}, {0}};

/* The name a task's results are kept by: what the recipe says, or the task's file without folder and ending. It becomes
 * a folder's name. */
static r1_status name_task(const r1i_yaml *y, const json_t *map, r1i_recipe_task *t, r1_error *err)
{
    const char *const given = json_string_value(json_object_get(map, "name")), *const slash = strrchr(t->task, '/');
    const char *const from = given ? given : slash ? slash + 1 : t->task;
    size_t n = strlen(from);
    if (!given && n > 5 && strcmp(from + n - 5, ".yaml") == 0) n -= 5;
    bool good = n > 0 && n < sizeof t->name && from[0] != '.';
    for (size_t i = 0; good && i < n; i++) good = isalnum((unsigned char)from[i]) || strchr("-_.", from[i]);
    if (!good)
        return r1i_yaml_fail(y, map, given ? "name" : "task", 0, err,
                             "'%.80s' cannot name results: letters, digits, '-', '_' and '.' expected, at most %zu",
                             from, sizeof t->name - 1);
    memcpy(t->name, from, n);
    t->name[n] = 0;
    return R1_OK;
}

static double real_or(const json_t *map, const char *key, double otherwise)
{
    const json_t *const v = json_object_get(map, key);
    return v ? json_number_value(v) : otherwise;
}

static bool yes_or(const json_t *map, const char *key, bool otherwise)
{
    const json_t *const v = json_object_get(map, key);
    return v ? json_is_true(v) : otherwise;
}

static r1_status take_task(const r1i_yaml *y, const json_t *map, const r1i_recipe *r, r1i_recipe_task *t, r1_error *err)
{
    r1_status st = r1i_yaml_check(y, map, task_fields, err);
    if (st != R1_OK) return st;
    t->task = json_string_value(json_object_get(map, "task"));
    t->data = json_string_value(json_object_get(map, "data"));
    t->limit = (int64_t)real_or(map, "limit", 0);
    t->samples = (int64_t)real_or(map, "samples", 1);
    t->max_tokens = (int64_t)real_or(map, "max_tokens", (double)r->sequence_length);
    t->temperature = real_or(map, "temperature", t->samples > 1 ? 0.6 : 0.0);
    t->top_p = real_or(map, "top_p", 0.95);
    t->raw = yes_or(map, "raw", false), t->think = yes_or(map, "think", true);
    if (t->temperature == 0.0 && t->samples > 1)
        return r1i_yaml_fail(y, map, "temperature", 0, err,
                             "at temperature 0 the %lld samples of a prompt would be one answer, repeated",
                             (long long)t->samples);
    return name_task(y, map, t, err);
}

r1_status r1i_recipe_take_eval(const r1i_yaml *y, r1i_recipe *r, r1_error *err)
{
    const json_t *const eval = json_object_get(r->root, "eval");
    if (!eval) return R1_OK;
    r1_status st = r1i_yaml_check(y, eval, eval_fields, err);
    if (st != R1_OK) return st;
    const json_t *const tasks = json_object_get(eval, "tasks");
    const size_t n = json_array_size(tasks);
    if (n == 0)
        return r1i_yaml_fail(y, eval, "tasks", 0, err,
                             "a list of tasks expected: - {task: gsm8k, data: ../shared/data, limit: 50}");
    if (!(r->eval_task = calloc(n, sizeof *r->eval_task))) return r1i_fail(err, R1_ERR_NOMEM, "recipe");
    r->eval_every = json_integer_value(json_object_get(eval, "every"));
    r->eval_at_start = json_is_true(json_object_get(eval, "at_start"));
    r->eval_task_dir = json_string_value(json_object_get(eval, "task_dir"));
    for (size_t i = 0; i < n; i++) {
        const json_t *const map = json_array_get(tasks, i);
        if (!json_is_object(map))
            return r1i_yaml_fail(y, tasks, NULL, i, err,
                                 "a task is a mapping: {task: gsm8k, data: ../shared/data, limit: 50}");
        if ((st = take_task(y, map, r, &r->eval_task[i], err)) != R1_OK) return st;
        for (size_t k = 0; k < i; k++)
            if (strcmp(r->eval_task[k].name, r->eval_task[i].name) == 0)
                return r1i_yaml_fail(y, tasks, NULL, i, err,
                                     "results are called '%s' already: give this task a 'name' of its own",
                                     r->eval_task[i].name);
        r->n_eval_tasks = i + 1;
    }
    return R1_OK;
}
