/* A reward: graders with weights, summed in their declared order. */
#include <stdlib.h>

#include "reward/grader.h"

struct r1_reward {
    size_t n;
    struct {
        r1_grader *grader;
        double weight;
    } rule[];
};

r1_status r1_reward_create(const r1_reward_rule *rules, size_t n_rules, const r1_env *env, r1_reward **out, r1_error *err)
{
    *out = NULL;
    size_t bytes;
    r1_reward *r = NULL;
    if (n_rules == 0) return r1i_fail(err, R1_ERR_USAGE, "a reward needs at least one rule");
    if (!r1i_mul_size(n_rules, sizeof r->rule[0], &bytes) || !r1i_add_size(bytes, sizeof *r, &bytes) || !(r = calloc(1, bytes)))
        return r1i_fail(err, R1_ERR_NOMEM, "reward of %zu rules", n_rules);
    for (size_t i = 0; i < n_rules; i++) {
        const r1_status st = r1_grader_create(rules[i].grader, rules[i].options_json, env, &r->rule[i].grader, err);
        if (st != R1_OK) {
            r1i_error_prefix(err, "rule %zu: ", i + 1);
            r1_reward_destroy(r);
            return st;
        }
        r->rule[i].weight = rules[i].weight;
        r->n = i + 1;
    }
    *out = r;
    return R1_OK;
}

void r1_reward_destroy(r1_reward *reward)
{
    if (!reward) return;
    for (size_t i = 0; i < reward->n; i++) r1_grader_destroy(reward->rule[i].grader);
    free(reward);
}

r1_status r1_reward_score(r1_reward *reward, const r1_sample *sample, double *total, r1_verdict *parts, r1_error *err)
{
    *total = 0;
    for (size_t i = 0; i < reward->n; i++) {
        r1_verdict own, *part = parts ? &parts[i] : &own;
        const r1_status st = r1_grader_grade(reward->rule[i].grader, sample, part, err);
        if (st != R1_OK) return st;
        *total += reward->rule[i].weight * part->score;
    }
    return R1_OK;
}
