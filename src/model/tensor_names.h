/* The published names of a layer's tensors in both containers (formats.md 3 and 5.5): loading looks them up, a saved
 * checkpoint bears them. */
#ifndef R1I_TENSOR_NAMES_H
#define R1I_TENSOR_NAMES_H

#include <stdbool.h>
#include <stdint.h>

enum { R1I_TENSOR_NAME = 192 };

typedef enum r1i_slot {
    R1I_SLOT_ATTN_NORM, R1I_SLOT_FFN_NORM, R1I_SLOT_Q, R1I_SLOT_K, R1I_SLOT_V, R1I_SLOT_O, R1I_SLOT_Q_BIAS,
        R1I_SLOT_K_BIAS, R1I_SLOT_V_BIAS, R1I_SLOT_Q_A, R1I_SLOT_Q_A_NORM, R1I_SLOT_Q_B, R1I_SLOT_KV_A,
        R1I_SLOT_KV_A_NORM, R1I_SLOT_KV_B, R1I_SLOT_K_B, R1I_SLOT_V_B,
    R1I_SLOT_GATE, R1I_SLOT_UP, R1I_SLOT_DOWN, R1I_SLOT_ROUTER, R1I_SLOT_ROUTER_BIAS, R1I_SLOT_SHARED_GATE,
    R1I_SLOT_SHARED_UP, R1I_SLOT_SHARED_DOWN,
    R1I_SLOT_EXPERT_GATE, R1I_SLOT_EXPERT_UP, R1I_SLOT_EXPERT_DOWN, /* HF: one tensor an expert, %d is its number; GGUF:
                                                                     * stacked */
    R1I_SLOT_ENORM, R1I_SLOT_HNORM, R1I_SLOT_EH_PROJ, R1I_SLOT_HEAD_NORM
} r1i_slot;

/* false where this container has no such tensor. */
bool r1i_layer_tensor_name(bool gguf, int64_t layer, r1i_slot slot, int64_t expert, char name[R1I_TENSOR_NAME]);

#endif
