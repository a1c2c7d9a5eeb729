#!/usr/bin/env python3
"""One training step of transformers' own model at a config's shapes: forward, cross-entropy, backward, AdamW. A JSON line a step.

usage: peer_torch_train.py CONFIG.json SEQUENCES LENGTH STEPS [--threads 2] [--compute f32|bf16] [--experts NAME] [--stdin]
--experts: how transformers runs a mixture: grouped_mm (its default, one product a projection) or eager (a loop over experts, all that releases before 5 had).
--stdin: a step for each line read, so that another program can take turns with it.
"""
import argparse
import json
import resource
import sys
import time

import torch
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM, LlamaConfig, LlamaForCausalLM


def make_model(path, experts):
    with open(path) as f:
        values = json.load(f)
    kinds = {"llama": (LlamaConfig, LlamaForCausalLM), "deepseek_v3": (DeepseekV3Config, DeepseekV3ForCausalLM)}
    config_class, model_class = kinds[values["model_type"]]
    values = {k: v for k, v in values.items() if k not in ("architectures", "model_type")}
    torch.manual_seed(1)
    config = config_class(**values)
    if values.get("n_routed_experts"):
        config._experts_implementation = experts
    return model_class(config).float().train()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("config")
    p.add_argument("sequences", type=int)
    p.add_argument("length", type=int)
    p.add_argument("steps", type=int)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--compute", choices=("f32", "bf16"), default="f32")
    p.add_argument("--experts", choices=("grouped_mm", "eager"), default="grouped_mm")
    p.add_argument("--stdin", action="store_true")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    model = make_model(a.config, a.experts)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    vocab = model.config.vocab_size
    parameters = sum(x.numel() for x in model.parameters())
    step = 0
    while step < a.steps:
        if a.stdin and not sys.stdin.readline():
            break
        ids = torch.randint(0, vocab, (a.sequences, a.length))
        start, cpu = time.perf_counter(), time.process_time()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=a.compute == "bf16"):
            loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        step += 1
        print(json.dumps({"bench": "torch_train", "torch": torch.__version__, "compute": a.compute, "experts": a.experts, "parameters": parameters,
                          "sequences": a.sequences, "length": a.length, "threads": a.threads, "seconds": round(seconds, 4), "cpu_seconds": round(cpu, 4),
                          "tokens_per_second": round(a.sequences * a.length / seconds, 1), "loss": round(float(loss.detach()), 5),
                          "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}), flush=True)


if __name__ == "__main__":
    main()
