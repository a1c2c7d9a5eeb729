/* Any bytes as a template, rendered with variables of every kind under small limits: no crash, no hang, and what comes
 * out is valid UTF-8 whose spans tile it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "r1/chat.h"

static const char variables[] =
    "{\"x\":5,\"y\":2.5,\"s\":\"Hello World\",\"u\":\"na\xc3\xafve \xc3\x9f \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80\",\"l\":[3,1,2],"
    "\"d\":{\"b\":1,\"a\":[1,2],\"items\":\"k\",\"1\":2},\"n\":null,\"t\":true,\"f\":false,\"e\":\"\",\"el\":[],\"ed\":{},\"neg\":-7,"
    "\"html\":\"<a href='x'>&\\\"</a>\",\"ws\":\"  \\t pad \\n\",\"lines\":\"a\\nb\\n\\nc\\n\",\"fl\":[1.0,1e16,1e-5,0.1,123456789.123,1e22],"
    "\"nest\":[[1,[2,3]],{\"k\":null}],\"users\":[{\"name\":\"Bob\",\"age\":30,\"a\":{\"b\":[1,2]}},{\"name\":\"alice\",\"age\":25},"
    "{\"name\":\"Carl\",\"age\":30,\"x\":null}],\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\"Hi\"},"
    "{\"role\":\"assistant\",\"content\":\"<think>\\nx\\n</think>\\n\\nHo\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"type\":\"function\","
    "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"content\":\"1\"}],\"add_generation_prompt\":true,\"bos_token\":\"<s>\"}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const r1_template_limits limits = {.max_steps = 200000, .max_depth = 60, .max_output = 1 << 16};
    r1_template *t;
    r1_rendered r;
    r1_error err = {0};
    if (r1_template_compile((const char *)data, size, &t, &err) != R1_OK) {
        if (t || !err.message[0]) abort();
        return 0;
    }
    if (r1_template_render(t, variables, sizeof variables - 1, &limits, &r, &err) == R1_OK) {
        size_t at = 0;
        for (size_t i = 0; i < r.n_spans; i++) {
            if (r.spans[i].begin != at || r.spans[i].end <= at) abort();
            at = r.spans[i].end;
        }
        if (at != r.bytes || strlen(r.text) > r.bytes) abort();
        for (size_t p = 0; p < r.bytes;) {
            utf8proc_int32_t cp;
            const utf8proc_ssize_t n =
                utf8proc_iterate((const utf8proc_uint8_t *)r.text + p, (utf8proc_ssize_t)(r.bytes - p), &cp);
            if (n <= 0) abort();
            p += (size_t)n;
        }
    } else if (r.text || r.spans || !err.message[0]) {
        abort();
    }
    r1_rendered_free(&r);
    r1_template_destroy(t);
    return 0;
}
