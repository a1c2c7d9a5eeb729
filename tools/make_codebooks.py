#!/usr/bin/env python3
"""Writes src/tensor/codebook_iq1.c and codebook_iq2_iq3.c from the JSON lattice points of the IQ types.

usage: tools/make_codebooks.py iq_grids.json

The numbers are constants of the GGUF file format, first published in ggml (MIT, see THIRD_PARTY.md). An entry of eight
(four) small integers becomes one 64-bit (32-bit) word, value j in byte j, least significant first."""
import json
import pathlib
import sys

HEAD = """/* Written by tools/make_codebooks.py: lattice points of the GGUF {what} types, one word an entry, value j in byte j (least
 * significant first). Constants of the file format; the numbers come from ggml (MIT, see THIRD_PARTY.md). */
#include "tensor/codebook.h"
"""


def sign_masks(count):
    """Byte j is -1 where element j is negative. 128 entries: seven bits, and an eighth that makes their number even."""
    masks = [[-(i >> j & 1) for j in range(8)] for i in range(count)]
    return [m[:7] + [-(sum(m) & 1)] for m in masks] if count == 128 else masks


def words(name, entries):
    width = len(entries[0])
    per_line = 6 if width == 8 else 10
    out = ["", f"const uint{8 * width}_t r1i_{name}[{len(entries)}] = {{"]
    text = ["0x" + bytes(v & 255 for v in reversed(e)).hex() + "," for e in entries]
    for i in range(0, len(text), per_line):
        out.append("    " + " ".join(text[i:i + per_line]))
    out.append("};")
    return "\n".join(out) + "\n"


def main():
    grids = json.loads(pathlib.Path(sys.argv[1]).read_text())
    room = pathlib.Path(__file__).resolve().parent.parent / "src" / "tensor"
    grids["sign_masks"] = sign_masks(256)
    grids["even_sign_masks"] = sign_masks(128)
    files = {"codebook_iq1.c": ("IQ1", ["grid_iq1"]),
             "codebook_iq2_iq3.c": ("IQ2 and IQ3", ["grid_iq2xxs", "grid_iq2xs", "grid_iq2s", "grid_iq3xxs", "grid_iq3s", "sign_masks", "even_sign_masks"])}
    for name, (what, tables) in files.items():
        (room / name).write_text(HEAD.format(what=what) + "".join(words(t, grids[t]) for t in tables))


if __name__ == "__main__":
    main()
