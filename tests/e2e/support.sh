# For scripts that need a checkpoint: sourced. Sets `shared`, skips (77) without it, makes a folder of its own in $tmp, and
# offers check (as in test_cli.sh) and tiny_chat: the golden R1 with the tiny tokenizer, a model that can be talked to.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
shared=${R1_SHARED:-$here/../../../shared}
[ -f "$shared/golden/tiny-r1/config.json" ] || { echo "skipped: no golden checkpoints in $shared"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0
check() { # name, wanted status, wanted text (a part of stdout and stderr), command...
    local name=$1 want=$2 text=$3 said status
    shift 3
    said=$("$@" 2>&1)
    status=$?
    case $said in *"$text"*) ;; *) echo "$name: '$text' is missing in: $said"; failed=1 ;; esac
    [ "$status" = "$want" ] || { echo "$name: status $status, wanted $want"; failed=1; }
}
same() { # name, a, b: two outputs that must be equal
    [ "$2" = "$3" ] || { printf '%s: differs\n--- %s\n--- %s\n' "$1" "$2" "$3"; failed=1; }
}
tiny_chat() {
    mkdir -p "$tmp/chat"
    cp "$shared"/golden/tiny-r1/config.json "$shared"/golden/tiny-r1/model.safetensors "$here"/../fixtures/tiny-tokenizer/*.json "$tmp/chat"
    echo "$tmp/chat"
}
