#include "train/run_checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/outfile.h"
#include "base/sha256.h"
#include "format/safetensors.h"
#include "tensor/codec.h"
#include "train/train_folder.h"

enum { PATH = 4096, STATE_BYTES = 16 << 20, TAIL = 600 }; /* TAIL: what is put behind a folder's name */

static R1_PRINTF(2, 3) void put(char path[PATH], const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(path, PATH, fmt, args);
    va_end(args);
}

static r1_status check_length(const char *folder, r1_error *err)
{
    return strlen(folder) < PATH - TAIL ? R1_OK
        : r1i_fail(err, R1_ERR_USAGE, "a folder's name of %zu bytes, at most %d expected", strlen(folder),
                   PATH - TAIL - 1);
}

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

typedef enum section { WEIGHTS, MASTERS, FIRST_MOMENT, SECOND_MOMENT } section;
static const char *const prefix[] = {[WEIGHTS] = "", [MASTERS] = "master.", [FIRST_MOMENT] = "m.",
                                     [SECOND_MOMENT] = "v."};

/* All parameters of the model, with the selection biases, or of its adapter; `trained` counts along where there is a
 * gradient. */
typedef struct list {
    r1i_parameter *p;  /* NULL: count */
    int64_t *trained;  /* index in g, or -1 */
    int64_t n, seen;
} list;

static r1_status list_one(void *user, const r1i_parameter *p)
{
    list *const l = user;
    if (l->p) {
        l->p[l->n] = *p;
        l->trained[l->n] = p->selection_bias ? -1 : l->seen;
    }
    l->seen += !p->selection_bias;
    l->n++;
    return R1_OK;
}

static r1_status make_list(const r1_model *m, list *l, r1_error *err)
{
    *l = (list){0};
    (void)r1i_trained_parameters(m, list_one, l);
    const int64_t n = l->n;
    *l = (list){.p = malloc((size_t)n * sizeof *l->p), .trained = malloc((size_t)n * sizeof *l->trained)};
    if (!l->p || !l->trained) return r1i_fail(err, R1_ERR_NOMEM, "list of %" PRId64 " parameters", n);
    return r1i_trained_parameters(m, list_one, l);
}
static void free_list(list *l)
{
    free(l->p);
    free(l->trained);
}

static bool starts_tensor(const list *l, int64_t i) { return i == 0 || strcmp(l->p[i].name, l->p[i - 1].name) != 0; }

/* The memory of one part of a parameter. */
static const float *memory_of(const list *l, int64_t i, const r1i_gradients *g, section part)
{
    if (part == WEIGHTS || part == MASTERS) return r1i_parameter_data(&l->p[i]);
    const r1i_trained *const t = &g->param[l->trained[i]];
    return part == FIRST_MOMENT ? t->m : t->v;
}

static int64_t elements(const r1i_parameter *p) { return p->rows * (p->cols ? p->cols : 1); }

/* Which parts of parameter i a file holds. */
static bool holds(const list *l, int64_t i, section part)
{
    return part == WEIGHTS || part == MASTERS || l->trained[i] >= 0;
}

typedef struct writing {
    const list *l;
    const r1i_gradients *g;
    const section *parts;
    int n_parts;
    r1_dtype type;
} writing;

static r1_dtype type_of(const writing *w, int64_t i, section part)
{
    return part == WEIGHTS && !w->l->p[i].selection_bias ? w->type : R1_DTYPE_F32;
}

static int declare(const writing *w, r1i_safetensors_item *item, char (*name)[R1I_TENSOR_NAME + 8])
{
    int n = 0;
    for (int k = 0; k < w->n_parts; k++)
        for (int64_t i = 0; i < w->l->n; i++) {
            const r1i_parameter *const p = &w->l->p[i];
            if (!starts_tensor(w->l, i) || !holds(w->l, i, w->parts[k])) continue;
            if (item) {
                snprintf(name[n], sizeof name[n], "%s%s", prefix[w->parts[k]], p->name);
                item[n] = (r1i_safetensors_item){.name = name[n], .type = type_of(w, i, w->parts[k]),
                                                 .n_dims = p->cols ? 2 : 1, .dim = {p->rows, p->cols}};
            }
            n++;
        }
    return n;
}

/* One published tensor from all its parts in memory. */
static r1_status append(r1i_safetensors_writer *out, const writing *w, int64_t i, section part, float *buffer,
                        r1_error *err)
{
    const int64_t n = elements(&w->l->p[i]);
    for (int64_t k = i; k < w->l->n && (k == i || !starts_tensor(w->l, k)); k++)
        r1i_parameter_unpack(&w->l->p[k], memory_of(w->l, k, w->g, part), buffer);
    if (type_of(w, i, part) == R1_DTYPE_BF16) {
        uint16_t *const half = (uint16_t *)(void *)buffer; /* in place, front to back: an element is read before its
                                                            * place is written */
        for (int64_t k = 0; k < n; k++) {
            const uint16_t h = r1i_bf16_from_f32(buffer[k]);
            memcpy(&half[k], &h, sizeof h);
        }
        return r1i_safetensors_append(out, half, (size_t)n * sizeof *half, err);
    }
    return r1i_safetensors_append(out, buffer, (size_t)n * sizeof *buffer, err);
}

static r1_status write_tensors(const char *path, const writing *w, r1_error *err)
{
    int64_t most = 1;
    for (int64_t i = 0; i < w->l->n; i++)
        if (elements(&w->l->p[i]) > most) most = elements(&w->l->p[i]);
    const int n = declare(w, NULL, NULL);
    r1i_safetensors_item *const item = calloc((size_t)n, sizeof *item);
    char (*const name)[R1I_TENSOR_NAME + 8] = calloc((size_t)n, sizeof *name);
    float *const buffer = malloc((size_t)most * sizeof *buffer);
    r1i_safetensors_writer *out = NULL;
    r1_status st = R1_OK;
    if (!item || !name || !buffer) st = r1i_fail(err, R1_ERR_NOMEM, "%d tensors to save", n);
    if (st == R1_OK) (void)declare(w, item, name);
    if (st == R1_OK) st = r1i_safetensors_create(path, item, n, &out, err);
    for (int k = 0; k < w->n_parts && st == R1_OK; k++)
        for (int64_t i = 0; i < w->l->n && st == R1_OK; i++)
            if (starts_tensor(w->l, i) && holds(w->l, i, w->parts[k])) st = append(out, w, i, w->parts[k], buffer, err);
    if (st == R1_OK) st = r1i_safetensors_finish(out, err);
    else r1i_safetensors_abort(out);
    free(item);
    free(name);
    free(buffer);
    return st;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static const char *const copied[] = {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
                                     "special_tokens_map.json",
                                     "chat_template.jinja", "tokenizer.model"};

static r1_status copy_file(const char *from, const char *to, const char *name, r1_error *err)
{
    char source[PATH];
    put(source, "%s/%s", from, name);
    return r1i_file_exists(source) ? r1i_folder_copy(source, to, name, err) : R1_OK;
}

static r1_status hash_file(const char *path, char hex[R1I_SHA256_HEX], uint64_t *size, r1_error *err)
{
    r1i_map map;
    const r1_status st = r1i_map_open(path, &map, err);
    if (st != R1_OK) return st;
    r1i_sha256_hex(map.data ? (const void *)map.data : "", (size_t)map.size, hex);
    *size = map.size;
    r1i_map_close(&map);
    return R1_OK;
}

/* A finished checkpoint goes at once: renamed aside, then emptied, so that step-N is whole or it is not there. */
static r1_status drop(const char *folder, int64_t step, r1_error *err)
{
    char place[PATH], old[PATH];
    put(place, "%s/step-%" PRId64, folder, step);
    put(old, "%s/.step-%" PRId64 ".old.tmp", folder, step);
    r1_status st = r1i_folder_remove(old, err);
    if (st != R1_OK) return st;
    if (rename(place, old) != 0) return errno == ENOENT ? R1_OK : r1i_fail_errno(err, errno, "%s", place);
    return r1i_folder_remove(old, err);
}

static r1_status sync_folder(const char *path, r1_error *err)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY);
    if (fd < 0) return r1i_fail_errno(err, errno, "%s", path);
    const int failed = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return failed ? r1i_fail_errno(err, failed, "%s", path) : R1_OK;
}

/* state.json: what the caller keeps, and what every file of the folder must be. */
static r1_status write_state(const char *folder, int64_t step, const json_t *state, r1_error *err)
{
    char path[PATH], hex[R1I_SHA256_HEX];
    r1_status st = R1_OK;
    json_t *const root = state ? json_deep_copy(state) : json_object(), *const files = json_object();
    DIR *const d = opendir(folder);
    if (!root || !files || !d) st = r1i_fail(err, R1_ERR_NOMEM, "%s: its list of files", folder);
    for (const struct dirent *e; st == R1_OK && (e = readdir(d)) != NULL;) {
        uint64_t size;
        if (e->d_name[0] == '.') continue;
        put(path, "%s/%s", folder, e->d_name);
        if ((st = hash_file(path, hex, &size, err)) != R1_OK) break;
        if (json_object_set_new(files, e->d_name, json_pack("{s:I, s:s}", "bytes", (json_int_t)size, "sha256", hex)) !=
            0)
            st = r1i_fail(err, R1_ERR_NOMEM, "%s: its list of files", folder);
    }
    if (d) closedir(d);
    char *text = NULL;
    if (st == R1_OK) {
        json_object_set_new(root, "format", json_integer(1));
        json_object_set_new(root, "step", json_integer(step));
        json_object_set(root, "files", files);
        if (!(text = json_dumps(root, JSON_INDENT(1) | JSON_SORT_KEYS)))
            st = r1i_fail(err, R1_ERR_NOMEM, "%s/state.json", folder);
    }
    if (st == R1_OK) { /* the last line names the hash of all before it */
        r1i_outfile out;
        char tail[R1I_SHA256_HEX + 16];
        r1i_sha256_hex(text, strlen(text), hex);
        snprintf(tail, sizeof tail, "\n%s\n", hex);
        put(path, "%s/state.json", folder);
        st = r1i_outfile_open(path, &out, err);
        if (st == R1_OK && ((st = r1i_outfile_write(&out, text, strlen(text), err)) != R1_OK ||
                            (st = r1i_outfile_write(&out, tail, strlen(tail), err)) != R1_OK))
            r1i_outfile_abort(&out);
        else if (st == R1_OK) st = r1i_outfile_commit(&out, err);
    }
    free(text);
    json_decref(files);
    json_decref(root);
    return st;
}

/* What else a loader needs: the model's own files, or what names the adapter's base. */
static r1_status fill_files(const char *folder, const char *source, const r1_model *m, r1_error *err)
{
    char path[PATH], *text;
    r1_status st = R1_OK;
    for (size_t i = 0; i < sizeof copied / sizeof *copied && st == R1_OK && !m->adapter; i++)
        st = copy_file(source, folder, copied[i], err);
    if (!m->adapter || (st = r1i_lora_config_text(&m->adapter->config, m->config.n_routed_experts > 0, &text, err)) !=
        R1_OK) return st;
    put(path, "%s/adapter_config.json", folder);
    st = r1i_file_write_atomic(path, text, strlen(text), err);
    free(text);
    return st;
}

static r1_status fill(const char *folder, int64_t step, const char *source, const r1_model *m, const r1i_gradients *g,
                      r1_dtype type, const json_t *state, r1_error *err)
{
    static const section weights[] = {WEIGHTS}, narrow[] = {MASTERS, FIRST_MOMENT, SECOND_MOMENT},
                         wide[] = {FIRST_MOMENT, SECOND_MOMENT};
    const bool f32 = type == R1_DTYPE_F32 && !m->adapter; /* an adapter is read back from its masters alone */
    char path[PATH];
    list l;
    r1_status st = make_list(m, &l, err);
    writing w = {.l = &l, .g = g, .parts = weights, .n_parts = 1, .type = type};
    if (st == R1_OK) st = fill_files(folder, source, m, err);
    put(path, "%s/%s", folder, m->adapter ? "adapter_model.safetensors" : "model.safetensors");
    if (st == R1_OK) st = write_tensors(path, &w, err);
    put(path, "%s/optimizer.safetensors", folder);
    w.parts = f32 ? wide : narrow;
    w.n_parts = f32 ? 2 : 3;
    if (st == R1_OK) st = write_tensors(path, &w, err);
    if (st == R1_OK) st = write_state(folder, step, state, err);
    if (st == R1_OK) st = sync_folder(folder, err);
    free_list(&l);
    return st;
}

r1_status r1i_checkpoint_save(const char *folder, int64_t step, const char *source, const r1_model *m,
                              const r1i_gradients *g, r1_dtype type, const json_t *state, r1_error *err)
{
    char aside[PATH], place[PATH];
    r1_error ignored;
    r1_status st = check_length(folder, err);
    if (st == R1_OK) st = r1i_make_folders(folder, err);
    put(aside, "%s/.step-%" PRId64 ".tmp", folder, step);
    put(place, "%s/step-%" PRId64, folder, step);
    if (st == R1_OK) st = r1i_folder_remove(aside, err);
    if (st == R1_OK) st = r1i_make_folders(aside, err);
    if (st == R1_OK) st = fill(aside, step, source, m, g, type, state, err);
    if (st == R1_OK) st = drop(folder, step, err); /* the same step once more: equal bytes */
    if (st == R1_OK && rename(aside, place) != 0) st = r1i_fail_errno(err, errno, "%s", place);
    if (st == R1_OK) st = sync_folder(folder, err);
    if (st != R1_OK) (void)r1i_folder_remove(aside, &ignored);
    return st;
}

/* ---- which there are --------------------------------------------------------------------------------------------- */

/* The number in "step-N", or -1. */
static int64_t step_of(const char *name)
{
    char *end;
    if (strncmp(name, "step-", 5) != 0) return -1;
    errno = 0;
    const long long n = strtoll(name + 5, &end, 10);
    return errno == 0 && *end == 0 && end > name + 5 && n >= 0 ? n : -1;
}

/* The smallest step above `after`, or -1; with `newest` the largest. *n: how many there are. */
static int64_t next_step(const char *folder, int64_t after, bool newest, int64_t *n)
{
    int64_t found = -1;
    DIR *const d = opendir(folder);
    *n = 0;
    if (!d) return -1;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        const int64_t s = step_of(e->d_name);
        if (s < 0) continue;
        ++*n;
        if (newest ? s > found : s > after && (found < 0 || s < found)) found = s;
    }
    closedir(d);
    return found;
}

r1_status r1i_checkpoint_prune(const char *folder, int64_t keep, r1_error *err)
{
    char path[PATH];
    int64_t n;
    r1_status st = check_length(folder, err);
    DIR *const d = st == R1_OK ? opendir(folder) : NULL;
    if (st != R1_OK) return st;
    if (!d) return errno == ENOENT ? R1_OK : r1i_fail_errno(err, errno, "%s", folder);
    for (const struct dirent *e; st == R1_OK && (e = readdir(d)) != NULL;) {
        const size_t length = strlen(e->d_name);
        if (strncmp(e->d_name, ".step-", 6) != 0 || length < 4 || strcmp(e->d_name + length - 4, ".tmp") != 0) continue;
        put(path, "%s/%s", folder, e->d_name);
        st = r1i_folder_remove(path, err);
    }
    closedir(d);
    for (int64_t oldest = next_step(folder, -1, false, &n); st == R1_OK && keep > 0 && n > keep;
         oldest = next_step(folder, -1, false, &n)) {
        st = drop(folder, oldest, err);
    }
    return st;
}

r1_status r1i_checkpoint_latest(const char *folder, char **path, int64_t *step, r1_error *err)
{
    char text[PATH];
    int64_t n;
    *path = NULL;
    *step = -1;
    const r1_status st = check_length(folder, err);
    if (st != R1_OK) return st;
    *step = next_step(folder, -1, true, &n);
    if (*step < 0) return R1_OK;
    put(text, "%s/step-%" PRId64, folder, *step);
    *path = strdup(text);
    return *path ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "%s", text);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static r1_status read_state(const char *folder, json_t **out, r1_error *err)
{
    char path[PATH], hex[R1I_SHA256_HEX];
    uint8_t *bytes;
    size_t size;
    *out = NULL;
    put(path, "%s/state.json", folder);
    r1_status st = r1i_file_read(path, STATE_BYTES, &bytes, &size, err);
    if (st != R1_OK) return st;
    const size_t tail = R1I_SHA256_HEX + 1; /* newline, 64 digits, newline */
    if (size > tail) r1i_sha256_hex(bytes, size - tail, hex);
    if (size <= tail || memcmp(bytes + size - tail + 1, hex, R1I_SHA256_HEX - 1) != 0)
        st = r1i_fail(err, R1_ERR_FORMAT,
                      "%s is not what was saved: its checksum differs (without its folder, --resume goes on from the one before)", path);
    else if ((st = r1i_json_parse(bytes, size - tail, out, err)) != R1_OK) r1i_error_prefix(err, "%s: ", path);
    r1_free(bytes);
    return st;
}

static r1_status check_files(const char *folder, const json_t *state, r1_error *err)
{
    char path[PATH], hex[R1I_SHA256_HEX];
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(state, "files"), name, value)
    {
        uint64_t size;
        put(path, "%s/%s", folder, name);
        const r1_status st = hash_file(path, hex, &size, err);
        const char *const want = json_string_value(json_object_get(value, "sha256"));
        if (st != R1_OK) return st;
        if (!want || strcmp(want, hex) != 0 || (json_int_t)size != json_integer_value(json_object_get(value, "bytes")))
            return r1i_fail(err, R1_ERR_FORMAT,
                            "%s is not what was saved: its checksum differs (without its folder, --resume goes on from the one before)", path);
    }
    return R1_OK;
}

static const r1i_entry *find(const r1i_safetensors *t, const char *name)
{
    for (int64_t i = 0; i < t->n; i++)
        if (strcmp(t->entry[i].name, name) == 0) return &t->entry[i];
    return NULL;
}

static bool has_masters(const r1i_safetensors *t)
{
    for (int64_t i = 0; i < t->n; i++)
        if (strncmp(t->entry[i].name, prefix[MASTERS], strlen(prefix[MASTERS])) == 0) return true;
    return false;
}

/* Parameter i's tensor `part` of the file into `own`. The file's bytes may lie at any address: buffer [elements]. */
static r1_status read_part(const r1i_safetensors *t, const list *l, int64_t i, section part, float *own, float *buffer,
                           r1_error *err)
{
    char name[R1I_TENSOR_NAME + 8];
    const r1i_parameter *const p = &l->p[i];
    snprintf(name, sizeof name, "%s%s", prefix[part], p->name);
    const r1i_entry *const e = find(t, name);
    if (!e || e->type != R1_DTYPE_F32 || e->bytes != (uint64_t)elements(p) * sizeof *own)
        return r1i_fail(err, R1_ERR_FORMAT,
                        "optimizer.safetensors: tensor %s is missing or of another shape than the model's", name);
    memcpy(buffer, e->data, (size_t)e->bytes);
    r1i_parameter_pack(p, own, buffer);
    return R1_OK;
}

static r1_status read_all(const r1i_safetensors *t, const list *l, r1i_gradients *g, bool masters, r1_error *err)
{
    int64_t most = 1;
    r1_status st = R1_OK;
    for (int64_t i = 0; i < l->n; i++)
        if (elements(&l->p[i]) > most) most = elements(&l->p[i]);
    float *const buffer = malloc((size_t)most * sizeof *buffer);
    if (!buffer) return r1i_fail(err, R1_ERR_NOMEM, "a tensor of %" PRId64 " values", most);
    for (int64_t i = 0; i < l->n && st == R1_OK; i++) {
        if (masters) st = read_part(t, l, i, MASTERS, r1i_parameter_data(&l->p[i]), buffer, err);
        if (l->trained[i] < 0 || st != R1_OK) continue;
        st = read_part(t, l, i, FIRST_MOMENT, g->param[l->trained[i]].m, buffer, err);
        if (st == R1_OK) st = read_part(t, l, i, SECOND_MOMENT, g->param[l->trained[i]].v, buffer, err);
    }
    free(buffer);
    return st;
}

r1_status r1i_checkpoint_open(const char *path, json_t **state, bool *f32, r1_error *err)
{
    char file[PATH];
    r1i_map map = {0};
    r1i_safetensors t = {0};
    *state = NULL;
    *f32 = false;
    put(file, "%s/optimizer.safetensors", path);
    r1_status st = check_length(path, err);
    if (st == R1_OK) st = read_state(path, state, err);
    if (st == R1_OK) st = check_files(path, *state, err);
    if (st == R1_OK && (st = r1i_map_open(file, &map, err)) == R1_OK &&
        (st = r1i_safetensors_parse(map.data, map.size, &t, err)) != R1_OK)
        r1i_error_prefix(err, "%s: ", file);
    if (st == R1_OK) *f32 = !has_masters(&t);
    r1i_safetensors_free(&t);
    r1i_map_close(&map);
    if (st != R1_OK) {
        json_decref(*state);
        *state = NULL;
    }
    return st;
}

r1_status r1i_checkpoint_load(const char *path, const r1_model *m, r1i_gradients *g, r1_error *err)
{
    char file[PATH];
    r1i_map map = {0};
    r1i_safetensors t = {0};
    list l = {0};
    put(file, "%s/optimizer.safetensors", path);
    r1_status st = r1i_map_open(file, &map, err);
    if (st == R1_OK) st = r1i_safetensors_parse(map.data, map.size, &t, err);
    if (st == R1_OK) st = make_list(m, &l, err);
    if (st == R1_OK) st = read_all(&t, &l, g, has_masters(&t), err);
    free_list(&l);
    r1i_safetensors_free(&t);
    r1i_map_close(&map);
    if (st != R1_OK) r1i_error_prefix(err, "%s: ", path);
    return st;
}
