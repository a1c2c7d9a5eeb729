/* The tensors that an architecture prescribes: name, shape and role of each, under Hugging Face's names or GGUF's.
 * `inspect` checks a checkpoint's files against this list, or shows it for a bare config.json. */
#ifndef R1I_INVENTORY_H
#define R1I_INVENTORY_H

#include "model/config.h"

typedef enum r1i_role {
    R1I_ROLE_MAIN,  /* counted in `total` */
    R1I_ROLE_MTP,   /* an MTP layer's own */
    R1I_ROLE_COPY   /* an MTP layer's copy of the embedding or the head */
} r1i_role;

typedef struct r1i_prescribed {
    char name[112];
    int n_dims;
    int64_t dim[3];  /* outermost first */
    r1i_role role;
    bool linear;     /* a matrix that fp8 checkpoints store as F8_E4M3 with <name>_scale_inv */
    bool f32;        /* stored as F32 whatever the rest is */
    bool optional;   /* may be absent */
} r1i_prescribed;

/* Called once per tensor, layer by layer; a status other than R1_OK ends the walk and is returned. */
typedef r1_status (*r1i_prescribe_fn)(void *ctx, const r1i_prescribed *t);

/* c must have passed r1i_config_check. */
r1_status r1i_prescribe_hf(const r1i_config *c, r1i_prescribe_fn fn, void *ctx);
/* kv_b: the older MLA layout's tensor, k_b: the newer one's pair; a file may hold both. */
r1_status r1i_prescribe_gguf(const r1i_config *c, bool kv_b, bool k_b, r1i_prescribe_fn fn, void *ctx);

/* Shape of the scales of a matrix [out, in] in 128 x 128 blocks. */
static inline int64_t r1i_scale_dim(int64_t n) { return (n + 127) / 128; }

#endif
