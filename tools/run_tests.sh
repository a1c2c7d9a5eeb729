#!/bin/sh
# run_tests.sh BUILD_DIR [ctest arguments]: runs the tests of a build and closes with "N passed, N failed, N skipped".
set -eu
build=$1
shift
log=$build/tests.log
# Some kernels place mappings where ThreadSanitizer cannot work; a fixed layout avoids it where it is permitted.
fixed=
setarch "$(uname -m)" -R true 2>/dev/null && fixed="setarch $(uname -m) -R"
status=0
$fixed ctest --test-dir "$build" --no-tests=error --output-on-failure -j "$(nproc)" "$@" >"$log" 2>&1 || status=$?
grep -vE '^ *Start +[0-9]+:|^Internal ctest|^$' "$log" || true
# The count of this tool wins over ctest's exit status only in that a run without its closing line has failed.
awk '
    /^ *[0-9]+\/[0-9]+ Test +#/ {
        if (/\*\*\*Skipped/) skipped++
        else if (/ Passed +[0-9.]+ sec/) passed++
        else failed++
    }
    END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit passed == 0 }' "$log"
exit $status
