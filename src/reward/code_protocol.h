/* What the judge (in r1) and the jail (the small program that is process 1 of every sandbox) say to each other. Both
 * are built from this header, so the messages are plain structs over a socket pair; nothing of a user's program ever
 * travels on it. */
#ifndef R1I_CODE_PROTOCOL_H
#define R1I_CODE_PROTOCOL_H

#include <stdint.h>

enum { R1I_JAIL_CONTROL_FD = 3, R1I_JAIL_RPC_FD = 4, R1I_JAIL_FILTER_FD = 5, R1I_JAIL_SELF_FD = 6 };

enum r1i_jail_op {
    R1I_JAIL_PUT = 1, /* payload: name, NUL, bytes -> /tmp/name */
    R1I_JAIL_STDIN,   /* payload: what the next run reads */
    R1I_JAIL_RUN,     /* payload: arguments, each with its NUL; one JAIL_DONE follows when every process of the run is
                       * gone */
    /* clocks of the run in progress start now: used where an interpreter was started ahead of its job */
    R1I_JAIL_ARM,
    R1I_JAIL_MARK,    /* the idle clock alone starts again */
    R1I_JAIL_CLEAN,   /* remove all of /tmp but the program's source and what was compiled from it */
    R1I_JAIL_PROBE,   /* try the walls; one JAIL_WALLS follows */
};

enum { R1I_JAIL_HELD = 1, R1I_JAIL_RPC = 2 }; /* RUN flags: clocks wait for ARM; the program gets the RPC descriptor */

typedef struct r1i_jail_request {
    uint32_t op, flags;
    uint64_t bytes;                             /* of the payload */
    /* all processes together; seconds in which nothing ran or wanted to run */
    double cpu_seconds, idle_seconds;
    uint64_t memory_bytes, file_bytes;          /* address space of a process; size of a file */
    uint32_t processes, use_landlock;           /* threads count */
} r1i_jail_request;

enum r1i_jail_report_kind { R1I_JAIL_DONE = 1, R1I_JAIL_WALLS };
enum r1i_jail_end { R1I_END_EXIT = 1, R1I_END_SIGNAL, R1I_END_CPU, R1I_END_IDLE, R1I_END_SETUP };

typedef struct r1i_jail_report {
    uint32_t kind, end;
    int32_t status;                             /* exit status, signal, or errno of the failed set-up */
    uint32_t walls;                             /* R1I_WALL_... seen working */
    double cpu_seconds, wall_seconds;
    uint64_t peak_bytes;                        /* resident, of the largest process */
    int32_t landlock_abi, zero;
} r1i_jail_report;

/* Walls, each seen by trying to climb it. */
enum {
    R1I_WALL_BUBBLEWRAP = 1,  /* own user, pid, mount, net, ipc, uts namespaces */
    R1I_WALL_SECCOMP = 2,
    R1I_WALL_LANDLOCK = 4,
    R1I_WALL_PROCESSES = 8,   /* the limit on processes is enforced */
    R1I_WALL_UNPRIVILEGED = 16, /* not root on the host: seen from outside */
};

#endif
