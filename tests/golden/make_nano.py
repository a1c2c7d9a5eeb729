#!/usr/bin/env python3
"""What transformers computes from models/r1-nano-base: the numbers of tests/golden/nano.safetensors.

usage: make_nano.py MODEL OUT.safetensors      needs: torch, transformers >= 5, safetensors

The bf16 weights are computed with in float32. Prompts go through the folder's own chat template and tokenizer as transformers
reads them, so their ids are part of what is compared. The longest sequence passes YaRN's original 512 positions. Logits are kept
at few rows of each sequence (rows.k). The MTP layer, which transformers leaves out, is put together from its decoder layer.
Keys for each sequence k: tokens.k [T], rows.k [R], logits.k [R, V], mtp_rows.k [S], mtp_logits.k [S, V]: row j of the MTP layer
joins the trunk's output at j with the embedding of token j + 1. prompt.k: the ids of chat k, which prompts.json states.
"""
import json
import sys

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoConfig, AutoTokenizer, DeepseekV3ForCausalLM
from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3DecoderLayer

CHATS = [
    ([{"role": "user", "content": "Hello!"}], "The user greets me. I greet back.\n</think>\n\nHello! How can I help you today?<｜end▁of▁sentence｜>"),
    ([{"role": "user", "content": "What is 17 * 4?"}], "17*4=68\n</think>\n\nThe answer is 68.<｜end▁of▁sentence｜>"),
    ([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Using the numbers [3, 7, 11], create an equation that equals 32."},
      {"role": "assistant", "content": "<answer>3*7+11</answer>"}, {"role": "user", "content": "Größe, naïve, 你好 and\ttabs:  two  blanks?"}], "7*3=21,21+11=32 yes"),
]


def rows_of(n):
    """Where logits are kept: the ends, the middle, both sides of position 512."""
    return sorted({j for j in (0, 1, n // 2, 511, 512, n - 2, n - 1) if 0 <= j < n})


def mtp(model, config, tensor, ids, hidden):
    """The MTP layer over slots 0 .. n-2 of one sequence, all in float32."""
    p = f"model.layers.{config.num_hidden_layers}."
    layer = DeepseekV3DecoderLayer(config, config.num_hidden_layers).eval()
    state, experts = {}, {}
    for name in tensor.keys():
        if not name.startswith(p):
            continue
        short, value = name[len(p):], tensor.get_tensor(name).float()
        if ".experts." in short and "shared" not in short:
            _, _, e, kind, _ = short.split(".")
            experts[int(e), kind] = value
        elif short in dict(layer.named_parameters()) or short in dict(layer.named_buffers()):
            state[short] = value
    count = range(config.n_routed_experts)
    state["mlp.experts.gate_up_proj"] = torch.stack([torch.cat([experts[e, "gate_proj"], experts[e, "up_proj"]]) for e in count])
    state["mlp.experts.down_proj"] = torch.stack([experts[e, "down_proj"] for e in count])
    missing, unexpected = layer.load_state_dict(state, strict=False)
    assert not missing and not unexpected, (missing, unexpected)
    weight = lambda name: tensor.get_tensor(p + name).float()
    norm = lambda x, name: torch.nn.functional.rms_norm(x, x.shape[-1:], weight(name), config.rms_norm_eps)
    n = len(ids) - 1
    x = torch.cat([norm(model.model.embed_tokens.weight[ids[1:]], "enorm.weight"), norm(hidden[:-1], "hnorm.weight")], -1) @ weight("eh_proj.weight").T
    position = torch.arange(n)[None]
    causal = torch.full((n, n), float("-inf")).triu(1)[None, None]
    y = layer(x[None], attention_mask=causal, position_ids=position, position_embeddings=model.model.rotary_emb(x[None], position))
    y = (y[0] if isinstance(y, tuple) else y).reshape(n, -1)
    return norm(y, "shared_head.norm.weight") @ model.lm_head.weight.T


def main():
    folder, out = sys.argv[1:]
    torch.set_num_threads(1)
    config = AutoConfig.from_pretrained(folder)
    config._attn_implementation = "eager"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, info = DeepseekV3ForCausalLM.from_pretrained(folder, config=config, dtype=torch.float32, output_loading_info=True)
    extra = f"model.layers.{config.num_hidden_layers}."
    assert not info["missing_keys"] and all(k.startswith(extra) for k in info["unexpected_keys"]), info
    model.eval()
    sequences, prompts = [], []
    for messages, answer in CHATS:
        prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
        prompts.append(prompt)
        sequences.append(prompt + tokenizer(answer, add_special_tokens=False)["input_ids"])
    sequences.append(([0] + sum((s[1:] for s in sequences), []) * 20)[:700])  # what the chats hold again and again, past 512
    keep = {f"prompt.{k}": torch.tensor(p, dtype=torch.int32) for k, p in enumerate(prompts)}
    with torch.no_grad(), safe_open(folder + "/model.safetensors", "pt") as tensor:
        for k, s in enumerate(sequences):
            ids, rows = torch.tensor(s), rows_of(len(s))
            r = model(ids[None], output_hidden_states=True)
            keep[f"tokens.{k}"], keep[f"rows.{k}"] = ids.int(), torch.tensor(rows, dtype=torch.int32)
            keep[f"logits.{k}"] = r.logits[0][rows].float().contiguous()
            rows = rows_of(len(s) - 1)
            keep[f"mtp_rows.{k}"] = torch.tensor(rows, dtype=torch.int32)
            keep[f"mtp_logits.{k}"] = mtp(model, config, tensor, ids, r.hidden_states[-1][0])[rows].contiguous()
            after = torch.log_softmax(r.logits[0][:-1], -1).gather(1, ids[1:, None]).mean()
            skip = torch.log_softmax(mtp(model, config, tensor, ids, r.hidden_states[-1][0])[:-1], -1).gather(1, ids[2:, None]).mean()
            print(f"sequence {k}: {len(s)} tokens, spread of the logits {r.logits.std():.3f}, mean log-prob of the next token {after:.3f}, of the one after by MTP {skip:.3f}")
    save_file(keep, out)
    with open(out.rsplit("/", 1)[0] + "/nano_prompts.json", "w", encoding="utf-8") as f:
        json.dump([m for m, _ in CHATS], f, ensure_ascii=False, indent=1)
        f.write("\n")


main()
