/* Attention, avx2: lanes/attention_body.h over the registers of v256.h. */
#include "backend/cpu/avx2/avx2.h"

#if defined(__x86_64__)
#include "backend/cpu/avx2/v256.h"
#include "backend/cpu/avx2/keys256.h"

#include "backend/cpu/lanes/attention_body.h"

const r1i_attn_kernels r1i_avx2_attn = {R1I_ASKS_BYTES, NULL, attn_span, attn_merge, attn_finish};
#endif
