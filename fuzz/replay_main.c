/* Runs a fuzz target over the files of a folder (or single files): how `make test` replays each corpus. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    FILE *const f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return 1;
    }
    fseek(f, 0, SEEK_END);
    const long n = ftell(f);
    rewind(f);
    /* exactly n bytes, so that a read past the end is seen by the sanitizer */
    uint8_t *const p = malloc(n > 0 ? (size_t)n : 1);
    const size_t got = p ? fread(p, 1, (size_t)n, f) : 0;
    fclose(f);
    if (p && got == (size_t)n) LLVMFuzzerTestOneInput(p, got);
    free(p);
    return p && got == (size_t)n ? 0 : 1;
}

int main(int argc, char **argv)
{
    int bad = 0, files = 0;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) != 0) {
            perror(argv[i]);
            return 1;
        }
        if (!S_ISDIR(st.st_mode)) {
            bad += run_file(argv[i]);
            files++;
            continue;
        }
        DIR *const d = opendir(argv[i]);
        if (!d) {
            perror(argv[i]);
            return 1;
        }
        for (struct dirent *e; (e = readdir(d));) {
            char path[4096];
            if (e->d_name[0] == '.') continue;
            snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
            bad += run_file(path);
            files++;
        }
        closedir(d);
    }
    printf("%d files replayed\n", files);
    return bad || files == 0;
}
