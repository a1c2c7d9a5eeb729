#!/bin/bash
# The public headers stand alone, each of them, in C++ as in C.   arguments: SOURCE_DIR BUILD_DIR R1
set -euo pipefail
command -v g++ >/dev/null || exit 77
for h in "$1"/include/r1/*.h; do
    echo "#include \"r1/${h##*/}\"" | g++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I "$1/include" -x c++ -
    echo "#include \"r1/${h##*/}\"" | cc -std=c17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I "$1/include" -x c -
done
# r1.h includes all the others
for h in "$1"/include/r1/*.h; do
    name=${h##*/}
    [ "$name" = r1.h ] || grep -q "\"r1/$name\"" "$1/include/r1/r1.h" || { echo "r1.h lacks $name"; exit 1; }
done
