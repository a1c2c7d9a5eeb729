/* The parts of the wall that are made outside: the system call filter and the cgroup of a sandbox. */
#ifndef R1I_CODE_WALLS_H
#define R1I_CODE_WALLS_H

#include "reward/code_sandbox.h"

/* A memory file with the filter as bubblewrap reads it, or -1 where the build has no libseccomp. */
r1_status r1i_seccomp_file(int *out, r1_error *err);

/* Finds where cgroups with limits can be made (v1 or v2); leaves the fields empty where not. */
void r1i_cgroup_find(r1i_sandbox_kit *kit);
/* Makes the group `name`, limits it and puts pid in. Best effort: false leaves nothing behind. */
bool r1i_cgroup_enter(const r1i_sandbox_kit *kit, const char *name, const r1i_code_limits *limits, pid_t pid);
void r1i_cgroup_remove(const r1i_sandbox_kit *kit, const char *name);
bool r1i_cgroup_oom(const r1i_sandbox_kit *kit, const char *name);

#endif
