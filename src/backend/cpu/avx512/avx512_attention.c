/* Attention, avx512: lanes/attention_body.h over the registers of v512.h. */
#include "backend/cpu/avx512/avx512.h"

#if defined(__x86_64__)
#include "backend/cpu/avx512/v512.h"
#include "backend/cpu/avx512/keys512.h"

#include "backend/cpu/lanes/attention_body.h"

const r1i_attn_kernels r1i_avx512_attn = {R1I_ASKS_BYTES, keys_query, attn_span, attn_merge, attn_finish};
#endif
