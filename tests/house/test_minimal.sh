#!/bin/bash
# The program builds and starts without any feature library, and says so.   arguments: SOURCE_DIR BUILD_DIR R1
set -euo pipefail
# the flags of a quick build: what is asked here is whether it compiles and links
cmake -S "$1" -B "$2/minimal" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DR1_MINIMAL=ON -DR1_TESTS=OFF >/dev/null
ninja -C "$2/minimal" r1 | tail -3
"$2/minimal/r1" --version
! "$2/minimal/r1" --version | grep -q '^with '
