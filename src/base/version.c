#include "r1/base.h"

#ifndef R1_VERSION_STRING
#define R1_VERSION_STRING "0.1.0"
#endif

const char *r1_version(void) { return R1_VERSION_STRING; }

/* Set by CMake for each feature library it found. */
#ifndef R1_WITH_LIBEDIT
#define R1_WITH_LIBEDIT 0
#endif

const char *r1_feature(int i, bool *present, const char **adds)
{
    static const struct {
        const char *name, *adds;
        bool present;
    } features[] = {
        {"libedit", "line editing and history in r1 chat", R1_WITH_LIBEDIT},
    };
    if (i < 0 || i >= (int)(sizeof features / sizeof *features)) return NULL;
    *present = features[i].present;
    *adds = features[i].adds;
    return features[i].name;
}
