#include "model/kv.h"

#include <sys/mman.h>

#include "model/model.h"

enum { HUGE_PAGE = 2 << 20 };

static uint64_t page_bytes_of(const r1_model *m, r1i_cache_type type)
{
    return R1I_PAGE * (uint64_t)r1i_cache_position_bytes(&m->attn, type);
}

uint64_t r1i_kv_bytes(const r1_model *m, r1i_cache_type type, int64_t positions)
{
    const uint64_t pages = ((uint64_t)positions + R1I_PAGE - 1) / R1I_PAGE;
    return pages * (uint64_t)m->config.num_hidden_layers * page_bytes_of(m, type);
}

r1_status r1i_kv_create(r1i_kv *kv, const r1_model *m, r1i_cache_type type, int64_t pages, bool with_mtp,
                        const r1_env *env, r1_error *err)
{
    const int64_t layers = m->config.num_hidden_layers + (with_mtp && m->mtp ? m->config.num_nextn_predict_layers : 0);
    *kv = (r1i_kv){.type = type, .pages = pages, .layers = layers, .page_bytes = (int64_t)page_bytes_of(m, type)};
    if (env) kv->env = *env;
    if (!r1i_mul_size((size_t)layers, (size_t)kv->page_bytes, &kv->bytes) ||
        !r1i_mul_size(kv->bytes, (size_t)pages, &kv->bytes))
        return r1i_fail(err, R1_ERR_NOMEM, "cache of %lld pages of %lld positions: its size overflows",
                        (long long)pages, (long long)R1I_PAGE);
    if (kv->bytes == 0) return R1_OK;
    if (kv->env.alloc) {
        kv->data = r1i_alloc(&kv->env, kv->bytes);
    } else { /* address space only: a page costs memory when its first position is written */
        void *const p = mmap(NULL, kv->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                             0);
        kv->data = p == MAP_FAILED ? NULL : p;
        /* Long contexts are walked once a token, a new 4 KB page every few lines: the translations would miss. All
         * layers of a page lie together, so that large pages round up once and not once a layer. */
        if (kv->data && kv->bytes >= HUGE_PAGE) madvise(kv->data, kv->bytes, MADV_HUGEPAGE);
    }
    if (!kv->data) {
        const size_t want = kv->bytes;
        kv->bytes = 0;
        return r1i_fail(err, R1_ERR_NOMEM, "cache of %lld positions, %zu bytes", (long long)(pages * R1I_PAGE), want);
    }
    return R1_OK;
}

void r1i_kv_destroy(r1i_kv *kv)
{
    if (!kv || !kv->data) return;
    if (kv->env.alloc) r1i_release(&kv->env, kv->data, kv->bytes);
    else munmap(kv->data, kv->bytes);
    kv->data = NULL;
}
