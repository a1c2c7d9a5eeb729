/* What a run was made by and from: hashes of the program, the weights it began with and every data file, so that a run
 * that goes on can say what is not as it was. */
#include <stdlib.h>
#include <string.h>

#include "base/code_hash.h"
#include "base/file.h"
#include "base/sha256.h"
#include "eval/fingerprint.h"
#include "train/trainer.h"

static r1_status hash_data(const char *path, json_t *list, r1_error *err)
{
    char *found, hex[R1I_SHA256_HEX];
    r1i_map map;
    r1_status st = r1i_jsonl_find(path, &found, err);
    if (st != R1_OK) return st;
    if ((st = r1i_map_open(found, &map, err)) == R1_OK) {
        r1i_sha256_hex(map.data ? (const void *)map.data : "", (size_t)map.size, hex);
        if (json_array_append_new(list,
                                  json_pack("{s:s, s:I, s:s}", "file", found, "bytes", (json_int_t)map.size, "sha256",
                                            hex)) != 0)
            st = r1i_fail(err, R1_ERR_NOMEM, "%s", found);
        r1i_map_close(&map);
    }
    free(found);
    return st;
}

r1_status r1i_trainer_identify(r1i_trainer *t, r1_error *err)
{
    char code[R1I_SHA256_HEX], model[R1I_SHA256_HEX];
    json_t *const data = json_array();
    r1_status st = data ? r1i_fingerprint(t->source, model, err) : r1i_fail(err, R1_ERR_NOMEM, "manifest");
    for (size_t i = 0; i < t->recipe.n_data_paths && st == R1_OK; i++)
        st = hash_data(t->recipe.data_path[i], data, err);
    r1i_code_hash(code);
    if (st == R1_OK && !(t->identity =
        json_pack("{s:s, s:s, s:s, s:O}", "version", r1_version(), "code_sha256", code, "model_sha256", model,
                  "data_files", data)))
        st = r1i_fail(err, R1_ERR_NOMEM, "manifest");
    json_decref(data);
    return st;
}

/* The first file that differs, for people; NULL where none does. */
static const char *changed_file(const json_t *was, const json_t *is, const char **how)
{
    for (size_t i = 0; i < json_array_size(was) || i < json_array_size(is); i++) {
        const json_t *const a = json_array_get(was, i), *const b = json_array_get(is, i);
        const char *const old = json_string_value(json_object_get(a, "file")),
                          *const new = json_string_value(json_object_get(b, "file"));
        *how = !a ? "is new" : !b ? "is no longer named" : "has other bytes";
        if (!a || !b) return a ? old : new;
        if (!json_equal(json_object_get(a, "sha256"), json_object_get(b, "sha256"))) return new;
    }
    return NULL;
}

r1_status r1i_trainer_compare(const r1i_trainer *t, const json_t *state, r1_error *err)
{
    const char *const hash = json_string_value(json_object_get(state, "data_sha256")), *how;
    if (!hash || strcmp(hash, t->stats.hash) != 0) {
        const char *const file =
            changed_file(json_object_get(state, "data_files"), json_object_get(t->identity, "data_files"), &how);
        return r1i_fail(err, R1_ERR_FORMAT,
                        "the data has changed since the checkpoint%s%.120s%s%s: SHA-256 of all rows %.64s, %.64s expected", file ? ": " : "", file ? file : "", file ? " " : "", file ? how : "", t->stats.hash, hash ? hash : "none");
    }
    const char *const model = json_string_value(json_object_get(state, "model_sha256")),
                      *const now = json_string_value(json_object_get(t->identity, "model_sha256"));
    if (t->recipe.lora && model && now && strcmp(model, now) != 0) /* other runs have the weights in the checkpoint */
        r1i_log(&t->env, R1_LOG_WARN,
                "%s is not what it was at the checkpoint, whose adapter belongs to the model of then", t->source);
    const char *key;
    json_t *value;
    json_object_foreach(t->recipe.root, key,
                        value) if (!json_equal(value, json_object_get(json_object_get(state, "recipe"), key)))
        r1i_log(&t->env, R1_LOG_WARN,
                "the recipe's '%s' has changed since the checkpoint: the run goes on with the new one", key);
    static const struct { const char *key, *what; } code[] = {{"version", "version"},
                                                              {"code_sha256", "a program with SHA-256"}};
    for (size_t i = 0; i < sizeof code / sizeof *code; i++) {
        const char *const was = json_string_value(json_object_get(state, code[i].key)),
                          *const is = json_string_value(json_object_get(t->identity, code[i].key));
        if (!was || !is || strcmp(was, is) == 0) continue;
        r1i_log(&t->env, R1_LOG_WARN,
                "the checkpoint was written by %s %s, this is %s: the run goes on, but its bytes may differ",
                code[i].what, was, is);
        break;
    }
    return R1_OK;
}
