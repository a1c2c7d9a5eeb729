#!/usr/bin/env python3
"""Adapters on the golden checkpoints with PEFT's own answers: tests/golden/lora/NAME/{adapter_config.json, adapter_model.safetensors,
expect.safetensors}. Needs torch, transformers, peft, safetensors; run by hand. usage: make_lora_golden.py SHARED/golden OUT

The model runs in float64. expect.safetensors: loss (mean over the targets of sequences tokens.2 and tokens.3 of the checkpoint's own expect file), logits (of tokens.2),
and grad.TENSOR of every tensor of the adapter, whole."""
import json
import os
import sys

import peft.utils.transformers_weight_conversion
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

# From transformers 5 on PEFT takes gate_proj, up_proj and down_proj of a mixture of experts to mean its stacked experts, and leaves the dense and the
# shared feed-forwards, which bear the same names, out.
peft.utils.transformers_weight_conversion._convert_peft_config_moe = lambda *_: None

CASES = {
    "tiny-r1": dict(r=3, lora_alpha=7, target_modules=["q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
                    exclude_modules=r".*\.mlp\.experts\..*"),
    "tiny-qwen2": dict(r=3, lora_alpha=7, use_rslora=True, target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]),
    "tiny-llama": dict(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj", "layers.1.mlp.down_proj"]),
}


def main(golden, out):
    for name, case in CASES.items():
        torch.manual_seed(20251122)
        folder = os.path.join(out, name)
        model = AutoModelForCausalLM.from_pretrained(os.path.join(golden, name), dtype=torch.float32, attn_implementation="eager", experts_implementation="eager")
        model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", init_lora_weights=True, **case))
        model.peft_config["default"].base_model_name_or_path = name
        for key, value in model.named_parameters():
            if "lora_B" in key:
                value.data.normal_(0.0, 0.05)
        model.save_pretrained(folder)
        os.remove(os.path.join(folder, "README.md"))
        model = model.double().eval()
        rows = load_file(os.path.join(golden, name, "expect.safetensors"))
        rows = [rows[f"tokens.{k}"].long() for k in (2, 3)]
        total, loss, logits = sum(len(r) - 1 for r in rows), 0.0, None
        for ids in rows:
            z = model(input_ids=ids[None]).logits[0]
            logits = z if logits is None else logits
            loss = loss + torch.nn.functional.cross_entropy(z[:-1], ids[1:], reduction="sum") / total
        loss.backward()
        expect = {"loss": loss.detach().reshape(1).float(), "logits": logits.detach().float().contiguous()}
        for key, value in model.named_parameters():
            if value.requires_grad:
                expect["grad." + key.replace(".default", "")] = value.grad.float().contiguous()
        saved = load_file(os.path.join(folder, "adapter_model.safetensors"))
        assert set(saved) == {k[5:] for k in expect if k.startswith("grad.")}, name
        save_file(expect, os.path.join(folder, "expect.safetensors"))
        print(json.dumps({"name": name, "loss": loss.item(), "tensors": len(saved)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
