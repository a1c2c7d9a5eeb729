#!/bin/bash
# An installed r1: program, man pages, headers, and a program built against r1.pc.   arguments: SOURCE_DIR BUILD_DIR R1
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cmake --install "$2" --prefix "$tmp/usr" >/dev/null
"$tmp/usr/bin/r1" --version
# nothing but the C library: the program starts on a bare host
if ldd "$tmp/usr/bin/r1" | grep -vE 'linux-vdso|libc\.so|libm\.so|libpthread|libdl|ld-linux'; then
    echo 'r1 links a library that a bare host lacks'
    exit 1
fi
test -s "$tmp/usr/share/man/man1/r1.1"
# tasks are found beside the program
case $("$tmp/usr/bin/r1" eval --endpoint http://127.0.0.1:1 --task none --data "$tmp" --out "$tmp/run" 2>&1) in
*"there are: aime24, aime25"* | *'without libyaml'*) ;;
*) echo 'the installed program does not find its tasks'; exit 1 ;;
esac
# so is the model that is used where none is named
case $("$tmp/usr/bin/r1" run --temperature 0 'What is 3 * 4?' 2>&1) in
*'it is not DeepSeek-R1'*'12'*) ;;
*) echo 'the installed program does not find its model'; exit 1 ;;
esac
cat >"$tmp/a.c" <<'END'
#include <stdio.h>
#include <r1/r1.h>
int main(void)
{
    r1_error err = {0};
    r1_tokenizer *tokenizer; /* pulls in what libr1 itself needs */
    printf("%s, %s\n", r1_version(), r1_dtype_name(R1_DTYPE_F32));
    return r1_tokenizer_open("/nonexistent", NULL, &tokenizer, &err) == R1_OK;
}
END
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$tmp/usr" -name r1.pc)")
# shellcheck disable=SC2046
cc -std=c17 "$tmp/a.c" -o "$tmp/a" $(pkg-config --cflags --libs r1)
"$tmp/a"
