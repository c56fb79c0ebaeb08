# What the scripts of the test bed share; sourced, never run.
. "$(dirname "${BASH_SOURCE[0]}")/../setup/common.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../setup/reach.sh"

bed=$checkout/scripts/testbed
name=bed
[ "$(id -u)" = 0 ] || fail "a test bed is made of namespaces, which takes root" "sudo $0"

# named NAME: whose bed it is. Everything follows from the name: the directory, the cgroups, the mark of its processes.
named() {
    [[ $1 =~ ^[a-z0-9-]{1,20}$ ]] || fail "\`$1\` is no name of a bed" "up to 20 of a-z, 0-9 and -"
    name=$1
    state=/run/sifbench-bed-$name
}
named "$name"

# The mark that every process of the bed inherits, and the processes that have it.
mark() { echo "SIFBENCH_TESTBED=$name"; }
marked() { grep -lzxF "$(mark)" /proc/[0-9]*/environ 2>/dev/null | grep -o '[0-9]\+' || true; }

# known NODE: that there is such a node.
known() {
    [ -e "$state/$1/pid" ] || fail "there is no node $1 in the bed \`$name\`" "scripts/testbed/up --name $name"
}

# enter NODE COMMAND..: as root on the node.
enter() {
    local node=$1 pid cgroup
    shift
    pid=$(cat "$state/$node/pid")
    (
        while read -r cgroup; do echo 0 >"$cgroup/$node/cgroup.procs"; done <"$state/cgroups"
        exec nsenter --target "$pid" --net --uts --ipc --mount --pid --cgroup -- "$@"
    )
}

# on_switch COMMAND..: in the network namespace of the bridge.
on_switch() { nsenter --target "$(cat "$state/switch")" --net -- "$@"; }

# nodes: the names of the bed's nodes.
nodes() { (cd "$state" && ls -d n[0-9]* 2>/dev/null | sort -V); }

# within SECONDS WHAT COMMAND..: waits until the command succeeds.
within() {
    local seconds=$1 what=$2 until
    shift 2
    until=$(($(date +%s%N) + seconds * 1000000000))
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s%N)" -lt "$until" ] || fail "waited $seconds s for $what" "the logs of its nodes: $state/n*/log"
        sleep 0.02
    done
}
