#!/bin/bash
# No warning from clang either: every command of the build again, by clang, without generating code.
# arguments: SOURCE_DIR BUILD_DIR R1
set -euo pipefail
command -v clang >/dev/null || exit 77
commands=$(mktemp)
trap 'rm -f "$commands"' EXIT
# "command": "/usr/bin/ccache /usr/bin/cc -D... -o x.o -c x.c",   with JSON's escapes
sed -n 's/^ *"command": "\(.*\)",$/\1/p' "$2/compile_commands.json" |
    sed -E 's/\\(["\\])/\1/g; s/^([^ ]*ccache )?[^ ]+ /clang -fsyntax-only -Wno-unused-command-line-argument /; s/ -o [^ ]+ -c / /' \
        >"$commands"
[ "$(wc -l <"$commands")" -gt 50 ] || { echo 'the build has no list of commands'; exit 1; }
cd "$2"
tr '\n' '\0' <"$commands" | xargs -0 -P "$(nproc)" -n 1 sh -c 'eval "$1" || exit 1' sh
