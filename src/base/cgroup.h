/* What the control groups of this process (cgroups, v1 or v2) say: a container's limits on memory and processors. A
 * group's ancestors limit it too, so the tightest of them rules. */
#ifndef R1I_CGROUP_H
#define R1I_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one group's folder says; UINT64_MAX: no limit. Paths are read below `root` ("" for the system's own): tests. */
typedef uint64_t (*r1i_cgroup_ask)(const char *root, const char *folder, bool unified);
/* The least of what the groups of `controller` ("memory", "cpu") and all their ancestors say. */
uint64_t r1i_cgroup_least(const char *root, const char *controller, r1i_cgroup_ask ask);

/* First line of root + folder + "/" + name, its newline cut off. */
bool r1i_small_file_line(const char *root, const char *folder, const char *name, char *line, size_t size);
/* A file that holds one number. "max", a negative one, or a v1 limit that means none, is no number. */
bool r1i_small_file_number(const char *root, const char *folder, const char *name, uint64_t *out);

#endif
