#!/bin/bash
# No warning from clang either, in the library, the command, tests, fuzz targets and examples: the flags are those of
# cmake/flags.cmake, only the code generator is left out.   arguments: SOURCE_DIR BUILD_DIR R1
set -euo pipefail
command -v clang >/dev/null || exit 77
cd "$1"
mapfile -t warnings < <(grep -oE '^ +-W[a-z].*' cmake/flags.cmake | tr ' ' '\n' | grep -E '^-W')
[ ${#warnings[@]} -ge 8 ] || { echo 'the list of warnings was not found'; exit 1; }
flags=(-std=c17 -D_GNU_SOURCE -fsyntax-only -Werror -O2 "${warnings[@]}" -Iinclude -Isrc -Itests "-I$2/generated"
       "-DR1_TEST_DIR=\"$1/tests\"" "-DR1_SOURCE_DIR=\"$1\"")
avx2='-mavx2 -mfma -mf16c -mbmi2'
avx512="$avx2 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx512bf16 -mavx512vbmi"
check() { # isa flags, then files on standard input
    # shellcheck disable=SC2086
    xargs -r -P "$(nproc)" -n 6 clang "${flags[@]}" $1
}
find src include tests fuzz examples -name '*.c' | grep -vE '/cpu/avx(2|512)/' | sort | check ''
find src/backend/cpu/avx2 -name '*.c' 2>/dev/null | check "$avx2"
find src/backend/cpu/avx512 -name '*.c' 2>/dev/null | check "$avx512"
