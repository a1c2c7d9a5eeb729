/* Attention, avx512, as a processor with R1I_CPU_NEAR runs it fastest: other instructions and asks, the same bytes. */
#define R1I_ATTN_NEAR 1
#include "backend/cpu/avx512/avx512.h"

#if defined(__x86_64__)
#include "backend/cpu/avx512/v512.h"
#include "backend/cpu/avx512/keys512.h"

#include "backend/cpu/lanes/attention_body.h"

const r1i_attn_kernels r1i_avx512_attn_near = {0, keys_query, attn_span, attn_merge, attn_finish};
#endif
