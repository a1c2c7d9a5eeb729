#!/bin/bash
# The command itself: help, wrong usage, closed pipes, full disks.   argument: R1
set -uo pipefail
r1=$1
failed=0
check() { # name, wanted status, wanted text (a part of stdout and stderr), command...
    local name=$1 want=$2 text=$3 said status
    shift 3
    said=$("$@" 2>&1)
    status=$?
    case $said in *"$text"*) ;; *) echo "$name: '$text' is missing in: $said"; failed=1 ;; esac
    [ "$status" = "$want" ] || { echo "$name: status $status, wanted $want"; failed=1; }
}
check version 0 'r1 0.' "$r1" --version
check help 0 'usage: r1 COMMAND' "$r1" --help
check help 0 'usage: r1 COMMAND' "$r1" help
check bare 2 'usage: r1 COMMAND' "$r1"
check unknown 2 "unknown command 'xyzzy'" "$r1" xyzzy
check near 2 "did you mean 'help'?" "$r1" hlep
check 'help of nothing' 2 "unknown command 'xyzzy'" "$r1" help xyzzy
commands=$("$r1" --commands)
for c in $commands; do
    check "$c --help" 0 "usage: r1 $c" "$r1" "$c" --help
    check "help $c" 0 'Examples:' "$r1" help "$c"
    check "man $c" 0 ".Nm r1-$c" "$r1" --man "$c"
    check "$c --nonsense" 2 'unknown option --nonsense' "$r1" "$c" --nonsense
    # bench takes a list there: test_bench.sh
    [ "$c" = bench ] || check "$c --threads" 2 "'many' is not a whole number" "$r1" "$c" --threads many
    # every option has a one-line help that begins small and has no full stop, so that the list reads evenly
    "$r1" help "$c" | grep -E '^ +(-., )?--[a-z-]+ .*\.$' && { echo "$c: an option's help ends in a full stop"; failed=1; }
done
if [ -c /dev/full ]; then
    for a in --version --help $commands; do
        if [ "${a#--}" = "$a" ]; then "$r1" help "$a" >/dev/full 2>/tmp/r1-cli.$$; else "$r1" "$a" >/dev/full 2>/tmp/r1-cli.$$; fi
        [ $? = 4 ] || { echo "full disk, $a: wrong status"; failed=1; }
        grep -q 'standard output: No space left on device' /tmp/r1-cli.$$ || { echo "full disk, $a: no message"; failed=1; }
    done
    rm -f /tmp/r1-cli.$$
fi
# a reader that has gone: quiet, and neither a crash nor an error of ours (141 is SIGPIPE)
for trapped in '' 'trap "" PIPE;'; do
    status=$(bash -c "$trapped (sleep 0.1; \"$r1\" --help; echo \$? >&3) 3>&2 | true" 2>&1)
    case $status in 0 | 141) ;; *) echo "closed pipe: $status"; failed=1 ;; esac
done
"$r1" --version >&- 2>/dev/null
[ $? = 4 ] || { echo 'closed standard output: wrong status'; failed=1; }
exit $failed
