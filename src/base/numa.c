/* libhwloc is opened at run time: it cannot be linked statically without half a desktop's libraries, and most machines
 * have one node. Reading the topology takes tens of milliseconds, so the kernel is asked for the number of nodes
 * first. */
#include "base/numa.h"

#include <dlfcn.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if R1_WITH_HWLOC
#include <hwloc.h>

struct r1i_numa {
    void *library;
    hwloc_topology_t topology;
    int nodes;
    /* the functions in use */
    __typeof__(&hwloc_topology_init) init;
    __typeof__(&hwloc_topology_load) load;
    __typeof__(&hwloc_topology_destroy) destroy;
    __typeof__(&hwloc_get_nbobjs_by_depth) count;
    __typeof__(&hwloc_get_obj_by_depth) object;
    __typeof__(&hwloc_topology_get_topology_nodeset) all_nodes;
    __typeof__(&hwloc_set_area_membind) bind_memory;
    __typeof__(&hwloc_bitmap_isset) is_set;
};

/* "0", "0-1", "0,2": more than one node? */
static bool several_nodes(const char *root)
{
    char path[1200], line[64] = "";
    if (snprintf(path, sizeof path, "%s/sys/devices/system/node/online", root) >= (int)sizeof path) return false;
    FILE *const f = fopen(path, "re");
    if (!f) return false;
    const bool got = fgets(line, sizeof line, f) != NULL;
    fclose(f);
    return got && strpbrk(line, "-,") != NULL;
}

static bool find(const r1i_numa *n, const char *name, void *out)
{
    void *const p = dlsym(n->library, name);
    memcpy(out, &p, sizeof p);
    return p != NULL;
}

static bool find_all(r1i_numa *n)
{
    return find(n, "hwloc_topology_init", &n->init) && find(n, "hwloc_topology_load", &n->load) &&
        find(n, "hwloc_topology_destroy", &n->destroy) && find(n, "hwloc_get_nbobjs_by_depth", &n->count) &&
        find(n, "hwloc_get_obj_by_depth", &n->object) &&
        find(n, "hwloc_topology_get_topology_nodeset", &n->all_nodes) &&
        find(n, "hwloc_set_area_membind", &n->bind_memory) && find(n, "hwloc_bitmap_isset", &n->is_set);
}

r1i_numa *r1i_numa_open_in(const char *root)
{
    if (!several_nodes(root)) return NULL;
    r1i_numa *const n = calloc(1, sizeof *n);
    if (!n) return NULL; /* a hint that is not taken */
    n->library = dlopen("libhwloc.so.15", RTLD_NOW | RTLD_LOCAL);
    if (n->library && find_all(n) && n->init(&n->topology) == 0) {
        if (n->load(n->topology) == 0) n->nodes = (int)n->count(n->topology, HWLOC_TYPE_DEPTH_NUMANODE);
        if (n->nodes > 1) return n;
        n->destroy(n->topology);
    }
    if (n->library) dlclose(n->library);
    free(n);
    return NULL;
}

void r1i_numa_close(r1i_numa *n)
{
    if (!n) return;
    n->destroy(n->topology);
    dlclose(n->library);
    free(n);
}

void r1i_numa_spread(const r1i_numa *n, void *memory, size_t bytes)
{
    if (n && bytes)
        n->bind_memory(n->topology, memory, bytes, n->all_nodes(n->topology), HWLOC_MEMBIND_INTERLEAVE,
                       HWLOC_MEMBIND_BYNODESET);
}

void r1i_numa_stay(const r1i_numa *n, int index, int threads)
{
    cpu_set_t may, stay;
    if (!n || threads < 2 || sched_getaffinity(0, sizeof may, &may) != 0) return;
    const hwloc_obj_t node =
        n->object(n->topology, HWLOC_TYPE_DEPTH_NUMANODE, (unsigned)((long)index * n->nodes / threads));
    if (!node || !node->cpuset) return;
    CPU_ZERO(&stay);
    for (unsigned i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &may) && n->is_set(node->cpuset, i)) CPU_SET(i, &stay);
    if (CPU_COUNT(&stay) > 0) sched_setaffinity(0, sizeof stay, &stay);
}

#else

r1i_numa *r1i_numa_open_in(const char *root)
{
    (void)root;
    return NULL;
}
void r1i_numa_close(r1i_numa *n) { (void)n; }
void r1i_numa_spread(const r1i_numa *n, void *memory, size_t bytes) { (void)n, (void)memory, (void)bytes; }
void r1i_numa_stay(const r1i_numa *n, int index, int threads) { (void)n, (void)index, (void)threads; }

#endif

r1i_numa *r1i_numa_open(void) { return r1i_numa_open_in(""); }
