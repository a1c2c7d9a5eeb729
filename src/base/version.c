#include "r1/base.h"

#ifndef R1_VERSION_STRING
#define R1_VERSION_STRING "0.1.0"
#endif

const char *r1_version(void) { return R1_VERSION_STRING; }

/* R1_WITH_...: set by CMake for each feature library, 1 where it was found. */
const char *r1_feature(int i, bool *present, const char **adds)
{
    static const struct {
        const char *name, *adds;
        bool present;
    } features[] = {
        {"libedit", "line editing and history in r1 chat", R1_WITH_LIBEDIT},
        {"sqlite", "records of evaluations and of training runs", R1_WITH_SQLITE},
        {"libyaml", "task and recipe files", R1_WITH_YAML},
        {"zlib", "data sets in .gz", R1_WITH_ZLIB},
        {"zstd", "data sets in .zst", R1_WITH_ZSTD},
        {"libseccomp", "the code runner's system call filter", R1_WITH_SECCOMP},
        {"libexttextcat", "languages of one script told apart", R1_WITH_EXTTEXTCAT},
        {"libhwloc", "weights and threads spread over memory nodes, where it is installed", R1_WITH_HWLOC},
    };
    if (i < 0 || i >= (int)(sizeof features / sizeof *features)) return NULL;
    *present = features[i].present;
    *adds = features[i].adds;
    return features[i].name;
}
