#!/bin/bash
# The layer check passes on the tree and fails on each kind of offence.   arguments: SOURCE_DIR BUILD_DIR R1
set -euo pipefail
"$1/tools/check_layers.sh"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
refused() { # text that the check must complain with
    if said=$("$tmp/tools/check_layers.sh"); then echo "not refused: $1"; exit 1; fi
    case $said in *"$1"*) ;; *) echo "wanted: $1"; echo "$said"; exit 1 ;; esac
}
fresh() {
    rm -rf "$tmp"/*
    mkdir -p "$tmp/src/base" "$tmp/src/tensor" "$tmp/src/backend/cpu/ref" "$tmp/src/op" "$tmp/src/cli" "$tmp/include/r1"
    cp -r "$1/tools" "$tmp/"
    echo '#include "r1/x.h"' >"$tmp/include/r1/y.h"
    echo '#include "base/a.h"' >"$tmp/src/tensor/t.c"
    echo '#include "op/table.h"' >"$tmp/src/backend/cpu/ref/k.c"
    echo '#include <jansson.h>' >"$tmp/src/base/json.h"
    echo '#include <jansson.h>' >"$tmp/src/cli/cli.h"
    echo >"$tmp/src/base/a.h"
    echo >"$tmp/src/op/table.h"
}
fresh "$1"
"$tmp/tools/check_layers.sh" >/dev/null
echo '#include "tensor/t.h"' >"$tmp/src/base/b.c"
refused 'base may not include tensor/t.h'
fresh "$1"
echo '#include "op/tape.h"' >"$tmp/src/backend/cpu/ref/k.c"
refused 'backend/cpu may not include op/tape.h'
fresh "$1"
echo >"$tmp/src/tensor/a.h"
refused 'the name is taken by src/base/a.h'
fresh "$1"
echo '#include "base/a.h"' >"$tmp/src/cli/main.c"
refused 'src/cli may include r1/'
fresh "$1"
echo '#include <jansson.h>' >"$tmp/src/tensor/u.c"
refused '<jansson.h> already enters through src/base/json.h'
fresh "$1"
printf '/* %0116d */\n' 0 >>"$tmp/src/base/a.h"
refused 'past column 120'
fresh "$1"
mkdir "$tmp/src/attic" && echo >"$tmp/src/attic/z.c"
refused 'no room'
