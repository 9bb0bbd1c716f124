# shellcheck shell=bash
# common.sh - what the scripts share: where the project is, one line per step, and when a step need not run again.
# Sourced, never run.
set -Eeuo pipefail
trap 'echo "${0##*/}: line $LINENO ended with $?: $BASH_COMMAND" >&2' ERR

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
log_dir=build/.log       # what the steps printed
stamp_dir=build/.stamp   # one file a step: the hash of what it was made from
mkdir -p "$log_dir" "$stamp_dir"

say() { printf '%s: %s\n' "${0##*/}" "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# run NAME COMMAND...: prints one line with the seconds; on failure the end of what the command printed
run() {
    local name=$1 start=$SECONDS log
    shift
    log=$log_dir/$(printf %s "$name" | tr -c 'a-zA-Z0-9\n' '-').log
    if "$@" >"$log" 2>&1 </dev/null; then
        say "$name ($((SECONDS - start)) s)"
        return 0
    fi
    say "$name failed; the end of $log:" >&2
    tail -n 25 "$log" >&2
    return 1
}

# hash_of PATH...: of the names and bytes of all files there, without what is built or fetched
hash_of() {
    { find "$@" \( -name node_modules -o -name dist -o -name __pycache__ \) -prune -o -type f -print0 2>/dev/null || true; } |
        LC_ALL=C sort -z | xargs -0 -r sha256sum | sha256sum | cut -d' ' -f1
}

fresh() { [ "$(cat "$stamp_dir/$1" 2>/dev/null)" = "$2" ]; }
stamp() { printf '%s\n' "$2" >"$stamp_dir/$1"; }
