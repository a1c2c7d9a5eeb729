/* YAML: accepted means a JSON value that can be written and read back; refused means a message. */
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    r1i_yaml *y;
    r1_error err = {0};
    if (r1i_yaml_parse(data, size, &y, &err) != R1_OK) {
        if (y || !err.message[0]) abort();
        return 0;
    }
    char *const text = json_dumps(r1i_yaml_root(y), JSON_ENCODE_ANY | JSON_COMPACT);
    json_t *again;
    if (!text || r1i_json_parse(text, strlen(text), &again, &err) != R1_OK) abort();
    free(text);
    json_decref(again);
    r1i_yaml_free(y);
    return 0;
}
