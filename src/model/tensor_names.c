#include "model/tensor_names.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

static const struct { const char *hf, *gguf; } layer_names[] = {
    [R1I_SLOT_ATTN_NORM] = {"input_layernorm.weight", "attn_norm.weight"},
    [R1I_SLOT_FFN_NORM] = {"post_attention_layernorm.weight", "ffn_norm.weight"},
    [R1I_SLOT_Q] = {"self_attn.q_proj.weight", "attn_q.weight"},
    [R1I_SLOT_K] = {"self_attn.k_proj.weight", "attn_k.weight"},
    [R1I_SLOT_V] = {"self_attn.v_proj.weight", "attn_v.weight"},
    [R1I_SLOT_O] = {"self_attn.o_proj.weight", "attn_output.weight"},
    [R1I_SLOT_Q_BIAS] = {"self_attn.q_proj.bias", "attn_q.bias"},
    [R1I_SLOT_K_BIAS] = {"self_attn.k_proj.bias", "attn_k.bias"},
    [R1I_SLOT_V_BIAS] = {"self_attn.v_proj.bias", "attn_v.bias"},
    [R1I_SLOT_Q_A] = {"self_attn.q_a_proj.weight", "attn_q_a.weight"},
    [R1I_SLOT_Q_A_NORM] = {"self_attn.q_a_layernorm.weight", "attn_q_a_norm.weight"},
    [R1I_SLOT_Q_B] = {"self_attn.q_b_proj.weight", "attn_q_b.weight"},
    [R1I_SLOT_KV_A] = {"self_attn.kv_a_proj_with_mqa.weight", "attn_kv_a_mqa.weight"},
    [R1I_SLOT_KV_A_NORM] = {"self_attn.kv_a_layernorm.weight", "attn_kv_a_norm.weight"},
    [R1I_SLOT_KV_B] = {"self_attn.kv_b_proj.weight", "attn_kv_b.weight"},
    [R1I_SLOT_K_B] = {NULL, "attn_k_b.weight"},
    [R1I_SLOT_V_B] = {NULL, "attn_v_b.weight"},
    [R1I_SLOT_GATE] = {"mlp.gate_proj.weight", "ffn_gate.weight"},
    [R1I_SLOT_UP] = {"mlp.up_proj.weight", "ffn_up.weight"},
    [R1I_SLOT_DOWN] = {"mlp.down_proj.weight", "ffn_down.weight"},
    [R1I_SLOT_ROUTER] = {"mlp.gate.weight", "ffn_gate_inp.weight"},
    [R1I_SLOT_ROUTER_BIAS] = {"mlp.gate.e_score_correction_bias", "exp_probs_b.bias"},
    [R1I_SLOT_SHARED_GATE] = {"mlp.shared_experts.gate_proj.weight", "ffn_gate_shexp.weight"},
    [R1I_SLOT_SHARED_UP] = {"mlp.shared_experts.up_proj.weight", "ffn_up_shexp.weight"},
    [R1I_SLOT_SHARED_DOWN] = {"mlp.shared_experts.down_proj.weight", "ffn_down_shexp.weight"},
    [R1I_SLOT_EXPERT_GATE] = {"mlp.experts.%" PRId64 ".gate_proj.weight", "ffn_gate_exps.weight"},
    [R1I_SLOT_EXPERT_UP] = {"mlp.experts.%" PRId64 ".up_proj.weight", "ffn_up_exps.weight"},
    [R1I_SLOT_EXPERT_DOWN] = {"mlp.experts.%" PRId64 ".down_proj.weight", "ffn_down_exps.weight"},
    [R1I_SLOT_ENORM] = {"enorm.weight", "nextn.enorm.weight"},
    [R1I_SLOT_HNORM] = {"hnorm.weight", "nextn.hnorm.weight"},
    [R1I_SLOT_EH_PROJ] = {"eh_proj.weight", "nextn.eh_proj.weight"},
    [R1I_SLOT_HEAD_NORM] = {"shared_head.norm.weight", "nextn.shared_head_norm.weight"},
};

bool r1i_layer_tensor_name(bool gguf, int64_t layer, r1i_slot slot, int64_t expert, char name[R1I_TENSOR_NAME])
{
    const char *const tail = gguf ? layer_names[slot].gguf : layer_names[slot].hf;
    if (!tail) return false;
    const int at = snprintf(name, R1I_TENSOR_NAME, gguf ? "blk.%" PRId64 "." : "model.layers.%" PRId64 ".", layer);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(name + at, (size_t)(R1I_TENSOR_NAME - at), tail, expert); /* the literals above; only the experts' take the
                                                                        * number */
#pragma GCC diagnostic pop
    return true;
}
