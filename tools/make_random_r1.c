/* Writes a random R1 for benchmarks: the real architecture with its proportions at a billion weights (MLA with both low
 * ranks, YaRN, 64 experts in 8 groups, a shared one, two dense layers). About 1.1 GB as fp8 with 128 x 128 block scales
 * (a Hugging Face folder), 0.6 GB as Q4_K (GGUF). What it says is noise; what it costs is what a real one of its size
 * costs.
 *
 *     make_random_r1 OUT [TYPE] [tiny] [mtp] [seed=N] [tokenizer=FOLDER]
 *
 * TYPE: F8_E4M3 (the default), BF16, F16, F32, or a block type, "Q4_K": then OUT/model.gguf. Prints what `r1 bench`
 * opens. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/tiny_model.h"

static int usage(const char *what)
{
    fprintf(stderr, "make_random_r1: %s\nusage: make_random_r1 OUT [TYPE] [tiny] [mtp] [seed=N] [tokenizer=FOLDER]\n",
            what);
    return 2;
}

static bool find_type(const char *name, r1_dtype *out)
{
    for (int t = 0; t < R1_DTYPE_COUNT; t++) {
        const bool able = r1i_dtype_is_quantised((r1_dtype)t) || t == R1_DTYPE_F8_E4M3 || t == R1_DTYPE_BF16 ||
            t == R1_DTYPE_F16 || t == R1_DTYPE_F32;
        if (!able || strcmp(name, r1_dtype_name((r1_dtype)t)) != 0) continue;
        *out = (r1_dtype)t;
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    tiny_model t = {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_F8_E4M3, .mid = true, .seed = 1};
    char path[512];
    if (argc < 2) return usage("where to?");
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "tiny") == 0) t.mid = false;
        else if (strcmp(argv[i], "mtp") == 0) t.mtp = true;
        else if (strncmp(argv[i], "seed=", 5) == 0) t.seed = strtoull(argv[i] + 5, NULL, 10);
        else if (strncmp(argv[i], "tokenizer=", 10) == 0) t.tokenizer = argv[i] + 10;
        else if (!find_type(argv[i], &t.type)) return usage(argv[i]);
    }
    tiny_model_write(&t, argv[1], path);
    puts(path);
    return 0;
}
