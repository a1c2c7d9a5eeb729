#!/bin/bash
# Every command's man page is clean mdoc.   arguments: SOURCE_DIR BUILD_DIR R1
set -euo pipefail
command -v mandoc >/dev/null || exit 77
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for c in '' $("$3" --commands); do
    page=$tmp/r1${c:+-$c}.1
    # shellcheck disable=SC2086
    "$3" --man $c >"$page"
    # references between pages cannot be resolved before they are installed
    mandoc -T lint -W warning "$page" 2>&1 | grep -v 'referenced manual not found' >"$tmp/said" || true
    if [ -s "$tmp/said" ]; then
        cat "$tmp/said"
        exit 1
    fi
done
