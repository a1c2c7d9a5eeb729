#!/usr/bin/env python3
"""Whether PEFT reads an adapter that r1 train wrote as r1 does: PeftModel.from_pretrained on the base, and r1 score --lora --logits, on the same ids.
usage: check_lora.py R1 BASE ADAPTER [ids]; needs torch, transformers, peft. Run by hand."""
import json
import subprocess
import sys
import tempfile

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM


def main(r1, base, adapter, ids="3,1,4,1,5,9,2,6,5,3,5,8,9,7,9,3,2,3,8,4"):
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as f:
        subprocess.run([r1, "score", "--quiet", "--ids", ids, "--logits", f.name, "--lora", adapter, base], check=True, stdout=subprocess.DEVNULL)
        ours = load_file(f.name)["logits"].double()
    x = torch.tensor([[int(i) for i in ids.split(",")]])
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager")
    with torch.no_grad():
        plain = model(input_ids=x).logits[0].double()
        theirs = PeftModel.from_pretrained(model, adapter).eval()(input_ids=x).logits[0].double()
    spread = theirs.std().item()
    print(json.dumps({"adapter": adapter, "off": (ours - theirs).abs().max().item() / spread, "without": (plain - theirs).abs().max().item() / spread, "spread": spread}))


if __name__ == "__main__":
    main(*sys.argv[1:])
