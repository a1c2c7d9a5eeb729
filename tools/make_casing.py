#!/usr/bin/env python3
"""Print src/chat/casing.inc: the characters whose upper or title case is more than one character (Unicode SpecialCasing,
unconditional entries), which simple case mappings cannot express. Columns: code point, upper case, title case."""
import sys

def c_text(s):
    return '"' + "".join("\\x%02x" % b for b in s.encode()) + '"'

print("/* Made by tools/make_casing.py from the Unicode data of Python; do not edit. */")
for cp in range(sys.maxunicode + 1):
    if 0xD800 <= cp < 0xE000:
        continue
    ch = chr(cp)
    if len(ch.upper()) > 1 or len(ch.title()) > 1:
        print("{0x%04X, %s, %s}," % (cp, c_text(ch.upper()), c_text(ch.title())))
