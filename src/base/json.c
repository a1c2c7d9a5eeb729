#include "base/json.h"

#include "base/file.h"

r1_status r1i_json_parse(const void *bytes, size_t size, json_t **out, r1_error *err)
{
    json_error_t e;
    *out = json_loadb(bytes, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
    if (*out) return R1_OK;
    /* A failed allocation leaves jansson's error as it was initialised: without a text. */
    if (!e.text[0] || json_error_code(&e) == json_error_out_of_memory)
        return r1i_fail(err, R1_ERR_NOMEM, "JSON of %zu bytes", size);
    r1i_fail_at(err, R1_ERR_FORMAT, e.position, "JSON line %d column %d: %s", e.line, e.column, e.text);
    if (err) err->line = e.line;
    return R1_ERR_FORMAT;
}

r1_status r1i_json_read_file(const char *path, uint64_t max_bytes, json_t **out, r1_error *err)
{
    uint8_t *bytes;
    size_t size;
    *out = NULL;
    r1_status st = r1i_file_read(path, max_bytes, &bytes, &size, err);
    if (st != R1_OK) return st;
    st = r1i_json_parse(bytes, size, out, err);
    if (st != R1_OK) r1i_error_prefix(err, "%s: ", path);
    r1_free(bytes);
    return st;
}
