# The switch, and the nodes without a scheduler; sourced by `up`.

network=10.77.0

# What lies below $state/etc appears in every node's /etc: names, and keys that are good for nothing else.
configure_machine() {
    local ssh=$state/etc/ssh i
    mkdir -p "$ssh"
    # What appears elsewhere: a line each, with what and where; NODE stands for the node's name.
    echo "$state/NODE/log /var/log" >"$state/binds"
    {
        echo "127.0.0.1 localhost"
        for ((i = 1; i <= count; i++)); do echo "$network.$i n$i"; done
    } >"$state/etc/hosts"
    ssh-keygen -q -t ed25519 -N "" -C "test bed" -f "$ssh/host_key"
    ssh-keygen -q -t ed25519 -N "" -C "test bed" -f "$ssh/user_key"
    chown "$user" "$ssh/user_key"
    echo "* $(cat "$ssh/host_key.pub")" >"$ssh/known_hosts"
    # The user has no password, which without PAM counts as locked.
    cat >"$ssh/sshd_config" <<-END
		HostKey /etc/ssh/host_key
		AuthorizedKeysFile /etc/ssh/user_key.pub
		AllowUsers $user
		StrictModes no
		UsePAM yes
		PasswordAuthentication no
		KbdInteractiveAuthentication no
		PidFile /run/sshd.pid
		MaxStartups 100
	END
    cat >"$ssh/ssh_config" <<-END
		Match localuser $user host n*
		IdentityFile /etc/ssh/user_key
		GlobalKnownHostsFile /etc/ssh/known_hosts
		UserKnownHostsFile /dev/null
		BatchMode yes
		ConnectTimeout 5
	END
}

# started LOG COMMAND..: runs it for as long as the bed lives, with the bed's mark, in a session of its own. It holds on to
# nothing of the caller's, who may be waiting for the end of our output.
started() {
    local log=$1 mark
    shift
    mark=$(mark)
    env "$mark" setsid "$@" </dev/null >"$log" 2>&1 &
    disown
}

make_switch() {
    started "$state/switch.log" unshare --net sleep infinity
    echo $! >"$state/switch"
    apart() { [ "$(readlink "/proc/$(cat "$state/switch")/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
    within 5 "the switch" apart
    on_switch ip link add switch type bridge
    on_switch ip link set switch up
}

make_node() {
    local i=$1 node=n$1 outer pid
    mkdir -p "$state/$node/log" "$state/$node/stage"
    (
        join_cgroups "$i"
        started "$state/$node/log/node" \
            unshare --net --uts --ipc --mount --pid --cgroup --fork --kill-child "$bed/node" "$state" "$node"
        echo $! >"$state/$node/outer"
    )
    outer=$(cat "$state/$node/outer")
    within 5 "$node" pgrep --parent "$outer"
    pid=$(pgrep --parent "$outer")
    echo "$pid" >"$state/$node/pid"
    on_switch ip link add "$node" type veth peer name eth0 netns "$pid"
    on_switch ip link set "$node" master switch up
    [ -z "$rate" ] || on_switch tc qdisc replace dev "$node" root tbf rate "$rate" burst 64kb limit 4mb
    nsenter --target "$pid" --net ip link set lo up
    nsenter --target "$pid" --net ip address add "$network.$i/24" dev eth0
    nsenter --target "$pid" --net ip link set eth0 up
    ready() { [ -e "/proc/$pid/root/run/node-is-ready" ] || ! kill -0 "$outer"; }
    within 10 "$node" ready
    kill -0 "$outer" 2>/dev/null || fail "$node did not start: $(cat "$state/$node/log/node")" "does this machine allow namespaces to root?"
}
