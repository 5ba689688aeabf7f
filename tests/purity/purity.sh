#!/bin/sh
# Is a core pure? Links it whole, with wire, cache and base, against nothing but a stub of the few symbols it may
# use, and looks for writable data in it (DESIGN 2). Prints a TAP-like line a check and the totals.
#   purity.sh CC NM STUB NAME ARCHIVE...
set -u
cc=$1 nm=$2 stub=$3 name=$4
shift 4
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
passed=0 failed=0

check() { # check LABEL FILE-WITH-FINDINGS
    if [ -s "$2" ]; then
        failed=$((failed + 1))
        echo "not ok - $name $1"
        sed 's/^/    /' "$2" | head -n 40
    else
        passed=$((passed + 1))
        echo "ok - $name $1"
    fi
}

"$cc" -shared -nostdlib -o "$work/pure.so" -Wl,-z,defs -Wl,--whole-archive "$@" -Wl,--no-whole-archive "$stub" \
    >"$work/link" 2>&1 && : >"$work/link"
check "links against the stub alone" "$work/link"

# B C D, and their local forms: anything that could be written while it runs.
for archive in "$@"; do
    "$nm" --defined-only "$archive" 2>"$work/nm-errors" | grep -E '^[0-9a-f]* [BbCDdGgSs] ' | sed "s|^|$(basename "$archive"): |"
done >"$work/data"
check "holds no writable data" "$work/data"
"$nm" --defined-only "$work/pure.so" >"$work/symbols" 2>&1
[ -s "$work/symbols" ] && : >"$work/empty" || echo "nm saw no symbols: the check checked nothing" >"$work/empty"
check "was really looked at" "$work/empty"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
