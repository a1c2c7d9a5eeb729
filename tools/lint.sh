#!/bin/sh
# Static checks with whatever is installed: shellcheck, codespell, cppcheck, clang-tidy. lint.sh BUILD_DIR
set -eu
cd "$(dirname "$0")/.."
build=${1:-build}
status=0
have() { command -v "$1" >/dev/null || { echo "lint: $1 is not installed, skipped"; return 1; }; }
if have shellcheck; then shellcheck -S warning tools/*.sh .ci/run || status=1; fi
if have codespell; then
    # shellcheck disable=SC2046
    codespell -q 3 -L 'te,nd,ot,inout,fpr,als,ser,ba' $(git ls-files 'src/*.[ch]' 'include/*.h' '*.md' 'tools/*.sh') || status=1
fi
if have cppcheck; then
    cppcheck -q -j "$(nproc)" --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 \
        --suppress=missingIncludeSystem -I include -I src src || status=1
fi
if have clang-tidy; then
    git ls-files 'src/*.c' | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$build" \
        --checks='-*,bugprone-*,clang-analyzer-*,-bugprone-easily-swappable-parameters,-bugprone-assignment-in-if-condition,-bugprone-narrowing-conversions,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling' \
        2>/dev/null || status=1
fi
exit $status
