#include "base/rng.h"

#include <Random123/philox.h>

void r1i_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    const philox4x32_ctr_t c = {{counter[0], counter[1], counter[2], counter[3]}};
    const philox4x32_key_t k = {{key[0], key[1]}};
    const philox4x32_ctr_t r = philox4x32(c, k);
    for (int i = 0; i < 4; i++) out[i] = r.v[i];
}

static double unit53(uint32_t hi, uint32_t lo)
{
    return (double)((((uint64_t)hi << 32) | lo) >> 11) * 0x1p-53;
}

double r1i_uniform(uint64_t seed, uint32_t step, uint32_t prompt, uint32_t sample, uint32_t position)
{
    const uint32_t c[4] = {position, sample, prompt, step};
    const uint32_t k[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t out[4];
    r1i_philox(c, k, out);
    return unit53(out[0], out[1]);
}

uint64_t r1i_rng_u64(r1i_rng *r)
{
    const uint32_t c[4] = {(uint32_t)r->n, (uint32_t)(r->n >> 32), 0, 0};
    const uint32_t k[2] = {(uint32_t)r->seed, (uint32_t)(r->seed >> 32)};
    uint32_t out[4];
    r->n++;
    r1i_philox(c, k, out);
    return ((uint64_t)out[0] << 32) | out[1];
}

uint64_t r1i_rng_below(r1i_rng *r, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)r1i_rng_u64(r) * bound) >> 64);
}

double r1i_rng_double(r1i_rng *r) { return (double)(r1i_rng_u64(r) >> 11) * 0x1p-53; }

double r1i_rng_normal(r1i_rng *r)
{
    double s = 0.0;
    for (int i = 0; i < 12; i++) s += r1i_rng_double(r);
    return s - 6.0;
}
