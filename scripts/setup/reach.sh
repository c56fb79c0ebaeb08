# Whom root carries on as, and making the checkout readable for that user; sourced after common.sh, never run.

user=${SUDO_USER:-sifbench}
[ "$user" != root ] || user=sifbench
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cargo_bin=$(dirname "$(command -v cargo || echo /usr/bin/cargo)")
rustup=${RUSTUP_HOME:-$HOME/.rustup}

as() { setpriv --reuid="$user" --regid="$user" --init-groups "$@"; }

# cover_what_is_closed: the checkout and the Rust toolchain may lie where the user cannot read (root's home). In this
# process's private mount namespace such a directory is covered by an empty one in which they alone appear, at the same paths.
cover_what_is_closed() {
    local aside path wanted i paths=("$checkout" "$cargo_bin" "$rustup")
    local -A covers=()
    aside=$(mktemp -d)
    # The topmost directory on the way to a path that the user may not enter.
    top() {
        local path=$1 closed=
        while [ "$path" != / ]; do
            path=$(dirname "$path")
            as test -x "$path" || closed=$path
        done
        echo "$closed"
    }
    for i in "${!paths[@]}"; do
        path=${paths[$i]}
        [ -d "$path" ] && ! as test -x "$path" -a -r "$path" || continue
        wanted=$(top "$path")
        [ -n "$wanted" ] || fail "$user cannot read $path" "chmod o+rx $path"
        mkdir "$aside/$i"
        mount --bind "$path" "$aside/$i"
        covers[$wanted]+=" $i"
    done
    for wanted in "${!covers[@]}"; do
        mount -t tmpfs -o mode=755 sifbench "$wanted"
        for i in ${covers[$wanted]}; do
            mkdir -p "${paths[$i]}"
            mount --bind "$aside/$i" "${paths[$i]}"
            umount "$aside/$i"
        done
    done
    rm -rf --one-file-system "$aside"
}
