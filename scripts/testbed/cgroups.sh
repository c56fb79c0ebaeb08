# The cgroups of a test bed's nodes; sourced by `up`.
#
# A node is a cgroup in every hierarchy, and the root of its own cgroup namespace: what a scheduler makes there lies below it,
# and goes with it. The one in `cpuset` holds the node's cores. Without it the daemons of two nodes bind their ranks to the
# same core, and a latency is the scheduler's tick.

# This machine's hierarchies (cgroup v1), a line each: mount point and controllers. That of memory is left to whoever limits it.
hierarchies() {
    awk '{ for (i = 7; $i != "-"; i++); sub(/^r[wo],?/, "", $(i + 3)); if ($(i + 1) == "cgroup") print $5, $(i + 3) }' \
        /proc/self/mountinfo | grep -v -e 'name=' -e memory || true
}

# The directory below which this process lives in the hierarchy of some controllers.
own_cgroup() {
    local controllers=$1
    awk -F: -v wanted="$controllers" '$2 == wanted { print $3 }' /proc/self/cgroup
}

make_cgroups() {
    local mounted controllers base
    : >"$state/cgroups"
    while read -r mounted controllers; do
        base=$(own_cgroup "$controllers")
        [ -n "$base" ] && [ -w "$mounted$base" ] || continue
        base=$mounted${base%/}/sifbench-bed-$name
        echo "$base" >>"$state/cgroups"
        mkdir "$base"
        [ ! -e "$base/cpuset.mems" ] || copy_cores "$base"
    done < <(hierarchies)
    grep -q /cpuset/ "$state/cgroups" || say "the nodes share their cores, for there is no cpuset here: figures mean nothing"
}

copy_cores() {
    local file
    for file in cpuset.cpus cpuset.mems; do cat "$(dirname "$1")/$file" >"$1/$file"; done
}

# The cores of the i-th node of all, as even a share as there is.
cores_of() {
    local i=$1 all=() range each
    for range in $(sed -n 's/^Cpus_allowed_list:\t//p' /proc/self/status | tr , ' '); do
        mapfile -t -O ${#all[@]} all < <(seq "${range%-*}" "${range#*-}")
    done
    each=$((${#all[@]} / count))
    [ "$each" -gt 0 ] || each=1
    for ((k = 0; k < each; k++)); do echo "${all[((i - 1) * each + k) % ${#all[@]}]}"; done | paste -sd,
}

# join_cgroups I: makes the cgroups of the i-th node and enters them.
join_cgroups() {
    local base cgroup
    while read -r base; do
        cgroup=$base/n$1
        mkdir "$cgroup"
        if [ -e "$cgroup/cpuset.mems" ]; then
            copy_cores "$cgroup"
            cores_of "$1" >"$cgroup/cpuset.cpus"
        fi
        echo 0 >"$cgroup/cgroup.procs"
    done <"$state/cgroups"
}
