/* One sandbox: a bubblewrap with the jail as its process 1, started ahead of its work, given files and runs over a
 * socket, thrown away after one completion. What it is a boundary against stands in docs/sandbox.md. */
#ifndef R1I_CODE_SANDBOX_H
#define R1I_CODE_SANDBOX_H

#include <sys/types.h>

#include "base/env.h"
#include "reward/code_protocol.h"

typedef struct r1i_code_limits {
    double cpu_seconds;    /* of all processes of a run together: this decides */
    double wall_seconds;   /* of idling: time in which a process waits for a processor does not count */
    uint64_t memory_bytes; /* address space of each process; all processes together where a memory cgroup can be made */
    uint64_t output_bytes; /* standard output and error of a run */
    uint64_t disk_bytes;   /* /tmp */
    uint32_t processes;    /* and threads, at one time */
} r1i_code_limits;

/* What every sandbox of a grader is started from: found and made once. */
typedef struct r1i_sandbox_kit {
    const char *bwrap;     /* its path, static */
    int jail, filter;      /* memory files: the jail's program, the system call filter (-1: none) */
    unsigned walls;        /* R1I_WALL_... seen working, once probed */
    int landlock_abi;
    char cgroup_memory[256], cgroup_pids[256]; /* folders in which groups can be made; empty: not usable */
} r1i_sandbox_kit;

/* Finds bubblewrap, prepares the filter and tries every wall in one sandbox. allowed: the walls that may be missing
 * (R1I_WALL_... bits). R1_ERR_MISSING names the walls that are absent and why. */
r1_status r1i_sandbox_kit_open(unsigned allowed, r1i_sandbox_kit *kit, r1_error *err);
void r1i_sandbox_kit_close(r1i_sandbox_kit *kit); /* takes a zeroed or half-opened one */
/* Names of the walls, in the order of their bits; NULL after the last. */
const char *r1i_wall_name(int i);

typedef struct r1i_sandbox {
    pid_t pid;             /* of bubblewrap; 0: none */
    int control, rpc, out, err;
    char group[64];        /* name of its cgroup; empty: none */
    const r1i_sandbox_kit *kit;
} r1i_sandbox;

/* Starts one; returns before it is ready. It dies with the thread that started it (a kernel rule), and
 * r1i_sandbox_alive then says so. */
r1_status r1i_sandbox_start(const r1i_sandbox_kit *kit, const r1i_code_limits *limits, r1i_sandbox *out, r1_error *err);
void r1i_sandbox_kill(r1i_sandbox *s); /* with all that runs in it; takes a dead or zeroed one */
bool r1i_sandbox_alive(const r1i_sandbox *s);
/* Whether the kernel killed a process of it for memory (known with a cgroup only). */
bool r1i_sandbox_out_of_memory(const r1i_sandbox *s);
/* What bubblewrap or the jail said when it failed. */
void r1i_sandbox_complaint(const r1i_sandbox *s, char *text, size_t size);

/* Requests; false when the sandbox is gone. The payload follows its request. */
bool r1i_sandbox_send(const r1i_sandbox *s, const r1i_jail_request *q, const void *payload);
bool r1i_sandbox_put(const r1i_sandbox *s, const char *name, const void *bytes, size_t n);

#endif
