/* Task files: accepted means a task whose definition can be written, whose prompt renders or fails in words over a
 * row. */
#include <stdlib.h>
#include <string.h>

#include "eval/task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char row[] = "{\"question\": \"What?\", \"answer\": \"1\", \"choices\": [\"a\", \"b\"]}";
    const r1_template_limits limits = {.max_steps = 20000, .max_depth = 50, .max_output = 1 << 16};
    r1i_task *t;
    r1_error err = {0};
    char *definition;
    if (r1i_task_parse("task.yaml", data, size, &t, &err) != R1_OK) {
        if (t || !err.message[0]) abort();
        return 0;
    }
    if (!t->name || !t->prompt || !t->gold || t->samples < 1 || r1i_task_definition(t, &definition, &err) != R1_OK)
        abort();
    r1_rendered r = {0};
    if (r1_template_render(t->prompt, row, strlen(row), &limits, &r, &err) != R1_OK && !err.message[0]) abort();
    r1_rendered_free(&r);
    free(definition);
    r1i_task_free(t);
    return 0;
}
