# What the scripts share; sourced, never run.
set -euo pipefail

# Where things are kept that took time to get: the tool's own cache, so that both find what the other has made.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sifbench

# A checkout that is somebody else's is built in the user's own cache.
[ -w "$(dirname "${BASH_SOURCE[0]}")/../.." ] || export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}

say() { printf '%s\n' "$*" >&2; }

# fail WHAT HINT: what went wrong, and what to do about it.
fail() {
    say "error: $1"
    say "hint: $2"
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# The newest bench-app that serves all versions. A directory with a version in its name holds one for that version alone.
newest_app() { ls -td "$cache"/build/bench-app-*/bench-app | grep -E '/bench-app-[0-9a-f]{12}/' | head -n 1; }

# stage NAME COMMAND..: runs a step and says how long it took. Its output is shown only when it fails.
stage() {
    local name=$1 log begun=$SECONDS
    shift
    log=$(mktemp)
    printf '%-28s' "$name" >&2
    if "$@" >"$log" 2>&1; then
        printf '%4d s\n' $((SECONDS - begun)) >&2
        rm -f "$log"
    else
        local code=$?
        printf 'failed\n' >&2
        cat "$log" >&2
        rm -f "$log"
        return "$code"
    fi
}
