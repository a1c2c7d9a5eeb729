/* Which of a run's values the paper publishes, which the recipe says, and which are our choice: beside a preset's name,
 * so that the name claims no more than was published. */
#include <stdio.h>
#include <stdlib.h>

#include "train/recipe.h"

static r1_status add_value(json_t *list, const char *key, const json_t *value, const json_t *published,
                           const json_t *said, r1_error *err)
{
    char *const text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6)),
                *const paper = published ? json_dumps(published, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6)) : NULL;
    json_t *const one = text
        ? json_pack("{s:s, s:s, s:s*, s:s}", "key", key, "value", text, "published", paper, "by",
                    said ? "recipe" : published ? "paper" : "default") : NULL;
    free(text);
    free(paper);
    return one && json_array_append_new(list, one) == 0 ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "recipe");
}

r1_status r1i_recipe_choices(const json_t *root, const json_t *said, const json_t *published, json_t *list,
                             r1_error *err)
{
    static const char *const sections[] = {"optimizer", "loss"},
                             *const keys[] = {"sequence_length", "batch_size", "epochs", "steps", "compute"};
    r1_status st = R1_OK;
    for (size_t i = 0; i < sizeof keys / sizeof *keys && st == R1_OK; i++)
        st = add_value(list, keys[i], json_object_get(root, keys[i]), json_object_get(published, keys[i]),
                       json_object_get(said, keys[i]), err);
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        const char *name;
        json_t *value;
        char key[96];
        json_object_foreach(json_object_get(root, sections[i]), name, value)
        {
            if (st != R1_OK) break;
            snprintf(key, sizeof key, "%s.%s", sections[i], name);
            st = add_value(list, key, value, json_object_get(json_object_get(published, sections[i]), name),
                           json_object_get(json_object_get(said, sections[i]), name), err);
        }
    }
    return st;
}
