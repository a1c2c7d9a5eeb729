#!/usr/bin/env python3
"""Writes src/tensor/codebook_iq1.c, codebook_iq2_iq3.c and src/backend/cpu/avx512/avx512_codes.c from the JSON lattice points of the IQ types.

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


CODES = """/* Written by tools/make_codebooks.py: the lattice points of tensor/codebook_iq*.c again, two bits (three: and one more) a value, so that
 * 64 entries are looked up at once in registers (codebook512.h). */
#include "backend/cpu/avx512/avx512_codes.h"
"""


def pack(entry, values, bits, low):
    """Bits [low, low + bits) of the four values' places among all values, first value least significant."""
    return sum((values.index(v) >> low & (1 << bits) - 1) << bits * j for j, v in enumerate(entry))


def code_tables(grids):
    """IQ1, IQ2: values 0 to 3 of every entry, then values 4 to 7. IQ3: the low two bits of every value's code, then the high one."""
    for name in ("iq1", "iq2xxs", "iq2xs", "iq2s"):
        values = sorted({v for e in grids["grid_" + name] for v in e})
        yield name, [pack(e[h:h + 4], values, 2, 0) for h in (0, 4) for e in grids["grid_" + name]]
    for name in ("iq3xxs", "iq3s"):
        values = sorted({v for e in grids["grid_" + name] for v in e})
        yield name, [pack(e, values, bits, low) for bits, low in ((2, 0), (1, 2)) for e in grids["grid_" + name]]
    yield "even_signs", [sum((v & 1) << j for j, v in enumerate(m)) for m in sign_masks(128)]


def byte_lines(name, table):
    out = ["", f"_Alignas(64) const uint8_t r1i_codes_{name}[{len(table)}] = {{"]
    out += ["    " + " ".join(f"{v}," for v in table[i:i + 32]) for i in range(0, len(table), 32)]
    return "\n".join(out + ["};"]) + "\n"


def main():
    grids = json.loads(pathlib.Path(sys.argv[1]).read_text())
    room = pathlib.Path(__file__).resolve().parent.parent / "src" / "tensor"
    grids["sign_masks"] = sign_masks(256)
    grids["even_sign_masks"] = sign_masks(128)
    files = {"codebook_iq1.c": ("IQ1", ["grid_iq1"]),
             "codebook_iq2_iq3.c": ("IQ2 and IQ3", ["grid_iq2xxs", "grid_iq2xs", "grid_iq2s", "grid_iq3xxs", "grid_iq3s", "sign_masks", "even_sign_masks"])}
    for name, (what, tables) in files.items():
        (room / name).write_text(HEAD.format(what=what) + "".join(words(t, grids[t]) for t in tables))
    codes = room.parent / "backend" / "cpu" / "avx512" / "avx512_codes.c"
    codes.write_text(CODES + "".join(byte_lines(*t) for t in code_tables(grids)))


if __name__ == "__main__":
    main()
