/* A reward: graders with weights, summed in their declared order. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reward/grader.h"

typedef struct rule {
    r1_grader *grader;
    const char *name; /* of the grader's class: static */
    double weight;
    r1_rule_count count;
} rule;

struct r1_reward {
    double unfinished; /* factor on a positive total of a truncated sample */
    size_t n;
    rule rule[];
};

static r1_status reward_make(size_t n_rules, r1_reward **out, r1_error *err)
{
    size_t bytes;
    *out = NULL;
    if (n_rules == 0) return r1i_fail(err, R1_ERR_USAGE, "a reward needs at least one rule");
    if (!r1i_mul_size(n_rules, sizeof(rule), &bytes) || !r1i_add_size(bytes, sizeof **out, &bytes) ||
        !(*out = calloc(1, bytes)))
        return r1i_fail(err, R1_ERR_NOMEM, "reward of %zu rules", n_rules);
    (*out)->unfinished = 1;
    return R1_OK;
}

static const char *static_name(const char *grader)
{
    const char *name;
    for (int i = 0; (name = r1_grader_name(i, NULL)); i++)
        if (strcmp(name, grader) == 0) return name;
    return NULL;
}

static r1_status add_rule(r1_reward *r, const r1_reward_rule *declared, const r1_env *env, r1_error *err)
{
    rule *const next = &r->rule[r->n];
    r1_status st = isfinite(declared->weight) ? R1_OK : r1i_fail(err, R1_ERR_USAGE, "the weight is no finite number");
    if (st == R1_OK) st = r1_grader_create(declared->grader, declared->options_json, env, &next->grader, err);
    if (st != R1_OK) {
        r1i_error_prefix(err, "rule %zu: ", r->n + 1);
        return st;
    }
    next->name = static_name(declared->grader);
    next->weight = declared->weight;
    r->n++;
    return R1_OK;
}

r1_status r1_reward_create(const r1_reward_rule *rules, size_t n_rules, const r1_env *env, r1_reward **out,
                           r1_error *err)
{
    r1_reward *r;
    *out = NULL;
    r1_status st = reward_make(n_rules, &r, err);
    for (size_t i = 0; st == R1_OK && i < n_rules; i++) st = add_rule(r, &rules[i], env, err);
    if (st == R1_OK) *out = r;
    else r1_reward_destroy(r);
    return st;
}

static r1_status add_json(r1_reward *r, const json_t *declared, const r1_env *env, r1_error *err)
{
    const json_t *const grader = json_object_get(declared, "grader"),
                        *const weight = json_object_get(declared, "weight");
    const json_t *const options = json_object_get(declared, "options");
    r1_status st = R1_OK;
    if (!json_is_string(grader)) st = r1i_fail(err, R1_ERR_USAGE, "no \"grader\" is named");
    else if (weight && !json_is_number(weight)) st = r1i_fail(err, R1_ERR_USAGE, "\"weight\" is no number");
    else st = r1i_grader_known_keys(declared, (const char *const[]){"grader", "weight", "options", NULL}, err);
    if (st != R1_OK) {
        r1i_error_prefix(err, "rule %zu: ", r->n + 1);
        return st;
    }
    char *const text = options ? json_dumps(options, JSON_ENCODE_ANY) : NULL;
    if (options && !text) return r1i_fail(err, R1_ERR_NOMEM, "options of rule %zu", r->n + 1);
    st = add_rule(r, &(r1_reward_rule){json_string_value(grader), weight ? json_number_value(weight) : 1, text}, env,
                  err);
    free(text);
    return st;
}

static r1_status read_unfinished(r1_reward *r, const json_t *factor, r1_error *err)
{
    if (!factor) return R1_OK;
    r->unfinished = json_number_value(factor);
    return json_is_number(factor) && isfinite(r->unfinished) ? R1_OK
        : r1i_fail(err, R1_ERR_USAGE, "\"unfinished\" is no number");
}

r1_status r1_reward_create_json(const char *json, size_t bytes, const r1_env *env, r1_reward **out, r1_error *err)
{
    json_t *spec;
    r1_reward *r = NULL;
    *out = NULL;
    r1_status st = r1i_json_parse(json, bytes, &spec, err);
    if (st != R1_OK) return st;
    const json_t *const rules = json_is_array(spec) ? spec : json_object_get(spec, "rules");
    if (!json_is_array(rules))
        st = r1i_fail(err, R1_ERR_USAGE, "a reward is {\"rules\": [{\"grader\": .., \"weight\": ..}, ..]}");
    if (st == R1_OK && rules != spec)
        st = r1i_grader_known_keys(spec, (const char *const[]){"rules", "unfinished", NULL}, err);
    if (st == R1_OK) st = reward_make(json_array_size(rules), &r, err);
    for (size_t i = 0; st == R1_OK && i < json_array_size(rules); i++)
        st = add_json(r, json_array_get(rules, i), env, err);
    if (st == R1_OK) st = read_unfinished(r, json_object_get(spec, "unfinished"), err);
    json_decref(spec);
    if (st == R1_OK) *out = r;
    else r1_reward_destroy(r);
    return st;
}

void r1_reward_destroy(r1_reward *reward)
{
    if (!reward) return;
    for (size_t i = 0; i < reward->n; i++) r1_grader_destroy(reward->rule[i].grader);
    free(reward);
}

r1_status r1_reward_check_gold(r1_reward *reward, const char *gold, size_t bytes, r1_error *err)
{
    for (size_t i = 0; i < reward->n; i++) {
        const r1_status st = r1_grader_check_gold(reward->rule[i].grader, gold, bytes, err);
        if (st == R1_OK) continue;
        r1i_error_prefix(err, "%s: ", reward->rule[i].name);
        return st;
    }
    return R1_OK;
}

static void tally(r1_rule_count *c, const r1_verdict *v)
{
    c->min = c->n == 0 || v->score < c->min ? v->score : c->min;
    c->max = c->n == 0 || v->score > c->max ? v->score : c->max;
    c->sum += v->score;
    c->n++;
    c->correct += v->correct;
    c->extracted += v->extracted;
    c->zero += v->score == 0;
}

r1_status r1_reward_score(r1_reward *reward, const r1_sample *sample, double *total, r1_verdict *parts, r1_error *err)
{
    *total = 0;
    for (size_t i = 0; i < reward->n; i++) {
        r1_verdict own, *part = parts ? &parts[i] : &own;
        const r1_status st = r1_grader_grade(reward->rule[i].grader, sample, part, err);
        if (st != R1_OK) {
            r1i_error_prefix(err, "%s: ", reward->rule[i].name);
            return st;
        }
        tally(&reward->rule[i].count, part);
        *total += reward->rule[i].weight * part->score;
    }
    if (sample->truncated && *total > 0) *total *= reward->unfinished; /* a penalty is not made smaller */
    return R1_OK;
}

size_t r1_reward_rules(const r1_reward *reward) { return reward->n; }

const char *r1_reward_rule_name(const r1_reward *reward, size_t i, double *weight)
{
    if (i >= reward->n) return NULL;
    if (weight) *weight = reward->rule[i].weight;
    return reward->rule[i].name;
}

void r1_reward_count(const r1_reward *reward, size_t i, r1_rule_count *out)
{
    *out = i < reward->n ? reward->rule[i].count : (r1_rule_count){0};
}
