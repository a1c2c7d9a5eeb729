#!/bin/sh
# Installs the Debian 12 packages r1 is built from: install-deps.sh [core] [features] [test] [tools] [neon]
#   core      what every build needs            features  optional libraries, each adds one ability
#   test      what `make test` needs            tools     other compilers, fuzzing, checkers, coverage
#   neon      what `make test-neon` needs: a compiler for AArch64 and an emulator
# Looks first and does nothing when all is there. Needs root or sudo only when something is missing.
set -eu

core='build-essential cmake ninja-build pkg-config libjansson-dev libpcre2-dev libutf8proc-dev librandom123-dev'
features='libedit-dev libbsd-dev libncurses-dev libsqlite3-dev libyaml-dev zlib1g-dev libzstd-dev libseccomp-dev bubblewrap
 libflint-dev libflint-arb-dev libcalcium-dev libantic-dev libmpfr-dev libgmp-dev libhwloc-dev libcurl4
 libexttextcat-dev libexttextcat-data'
test='libcmocka-dev mandoc'
neon='gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user cmake ninja-build librandom123-dev'
tools='clang libclang-rt-14-dev clang-tidy clang-format cppcheck codespell gcovr valgrind ccache'

[ $# -gt 0 ] || set -- core
wanted= optional=yes
for group; do
    case $group in
    core) wanted="$wanted $core" optional= ;;
    features) wanted="$wanted $features" ;;
    test) wanted="$wanted $test" optional= ;;
    tools) wanted="$wanted $tools" ;;
    neon) wanted="$wanted $neon" optional= ;;
    *) echo "usage: $0 [core] [features] [test] [tools] [neon]" >&2; exit 2 ;;
    esac
done

if ! command -v dpkg-query >/dev/null; then
    echo "install-deps: no dpkg here; please install the equivalents of:$wanted" >&2
    exit 0 # the build says what it lacks
fi
missing=
for package in $wanted; do
    case $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true) in
    *'install ok installed') ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

# Features and tools are welcome, not needed: without them the build goes on.
give_up() {
    echo "install-deps: $1; missing:$missing" >&2
    [ -n "$optional" ] && exit 0
    exit 4
}
as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || give_up 'neither root nor sudo'
    as_root='sudo -n env DEBIAN_FRONTEND=noninteractive'
    sudo -n true 2>/dev/null || as_root='sudo env DEBIAN_FRONTEND=noninteractive'
fi
echo "install-deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
$as_root apt-get update -qq || echo 'install-deps: apt-get update failed, trying with the lists at hand' >&2
# shellcheck disable=SC2086
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null || give_up 'apt-get install failed'
