/* Attention, neon: lanes/attention_body.h over the registers of v128.h. */
#include "backend/cpu/neon/neon.h"

#if defined(__aarch64__)
#include "backend/cpu/neon/v128.h"
#include "backend/cpu/neon/keys128.h"

#include "backend/cpu/lanes/attention_body.h"

const r1i_attn_kernels r1i_neon_attn = {R1I_ASKS_BYTES, NULL, attn_span, attn_merge, attn_finish};
#endif
