#!/bin/sh
# Fails on an include that climbs (tools/layers.txt), on two files of src/ with one name, on src/ headers or outside
# libraries in src/cli, on an outside library that enters through more than one file, and on lines past column 120
# (lines with text in quotes may be longer: a message stays whole, so that a search finds it).
set -eu
cd "$(dirname "$0")/.."
find src include -name '*.c' -o -name '*.h' -o -name '*.cu' -o -name '*.inc' | sort | xargs awk '
function bad(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; errors++ }
function room_of(path,   r, best) {              # the longest room name that is a prefix of the path
    best = ""
    for (r in known) if (index(path, r "/") == 1 && length(r) > length(best)) best = r
    return best
}
function may(room, want, header,   i, n, part) { # depth first over the table; the table has no cycles
    if (room == want) return 1
    n = split(allowed[room], part, " ")
    for (i = 1; i <= n; i++) {
        if (part[i] == header) return 1
        if ((part[i] in known) && may(part[i], want, header)) return 1
    }
    return 0
}
BEGIN {
    while ((getline line < "tools/layers.txt") > 0) {
        if (line ~ /^#/ || line ~ /^[ \t]*$/) continue
        split(line, word, /[ \t]+/)
        known[word[1]] = 1
        sub(/^[^ \t]+[ \t]*/, "", line)
        allowed[word[1]] = line
    }
    known["cli"] = 1
    list = "assert ctype dirent dlfcn errno fcntl fenv float getopt grp inttypes langinfo limits locale malloc math poll " \
           "pthread sched semaphore setjmp signal spawn stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib string strings " \
           "termios time unistd wchar wctype immintrin emmintrin cpuid arm_neon"
    n = split(list, word, " ")
    for (i = 1; i <= n; i++) libc[word[i] ".h"] = 1
}
length($0) > 120 && !/"/ { bad("past column 120") }
FNR == 1 {
    inside = FILENAME
    public = sub(/^include\//, "", inside)
    if (!public) sub(/^src\//, "", inside)
    room = public ? "r1" : room_of(inside)
    if (!public && room == "") bad("this folder is no room of tools/layers.txt")
    base = FILENAME
    sub(/.*\//, "", base)
    if (!public) {
        if (base in first) bad("the name is taken by " first[base])
        else first[base] = FILENAME
    }
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\"")
    h = quoted[2]
    if (h ~ /^r1\//) next
    if (public) { bad("a public header may include r1/ only, not " h); next }
    if (room == "cli") {
        if (h ~ /\//) bad("src/cli may include r1/, jansson and its own folder, not " h)
        next
    }
    if (h !~ /\//) { bad("write the room: \"" room "/" h "\""); next }
    target = room_of(h)
    if (target == "") bad(h " is in no room")
    else if (target == "cli") bad("nothing includes src/cli: " h)
    else if (!may(room, target, h)) bad(room " may not include " h)
}
/^[ \t]*#[ \t]*include[ \t]*</ {
    h = $0
    sub(/^[^<]*</, "", h)
    sub(/>.*/, "", h)
    if ((h in libc) || h ~ /^(sys|linux|asm|net|netinet|arpa)\//) next
    if (room == "cli" && h == "jansson.h") next
    lib = h
    sub(/\/.*/, "", lib)
    if (lib in enters && enters[lib] != FILENAME) bad("<" h "> already enters through " enters[lib])
    else enters[lib] = FILENAME
    if (public) bad("a public header may not need <" h ">")
}
END {
    if (errors) { printf "%d layer errors\n", errors; exit 1 }
    print "layers: no include climbs"
}'
