# OAR on the nodes of a test bed, with its own sshd on each; the server and PostgreSQL on the first; sourced by `up`.

postgres=/usr/lib/postgresql/15/bin

configure_oar() {
    local oar=$state/etc/oar shell=/usr/lib/oar/oarsh_shell i
    has oar-server && [ -x $postgres/initdb ] || fail "there is no OAR" "scripts/setup/root \$(scripts/testbed/packages oar)"
    grep -q /cpuset/ "$state/cgroups" || fail "OAR wants cpusets, and there are none here" "a machine with cgroup v1"
    cp -a /etc/oar "$state/etc"
    sed -i 's/^DB_HOSTNAME=.*/DB_HOSTNAME="n1"/; s/^SERVER_HOSTNAME=.*/SERVER_HOSTNAME="n1"/
        s/^\(DB_BASE_PASSWD[_RO]*\)=.*/\1="oar"/' "$oar/oar.conf"
    # After a job OAR deletes the user's files in /tmp, /var/tmp and /dev/shm, through every mount that it meets there. A node
    # has its own, but the checkout may lie below.
    sed -i 's/^my @Tmp_dir_to_clear = .*/my @Tmp_dir_to_clear = ();/' "$oar/job_resource_manager_cgroups.pl"
    grep -q '^my @Tmp_dir_to_clear = ();$' "$oar/job_resource_manager_cgroups.pl" || fail "OAR would delete files" "mend $bed/oar.sh"
    # A node's devices are the machine's: nothing is made among them. (Two nodes that replaced one link to their cgroups at once
    # lost the job, and the link stayed.)
    cp -a $shell "$state/oarsh_shell"
    sed -i 's|/dev/oar_cgroups|/run/oar_cgroups|; s|/dev/cpuset|/run/oar_cpuset|g' "$oar/job_resource_manager_cgroups.pl" "$state/oarsh_shell"
    ! grep -q /dev/cpuset "$oar/job_resource_manager_cgroups.pl" "$state/oarsh_shell" || fail "OAR would link devices" "mend $bed/oar.sh"
    echo "$state/oarsh_shell $shell" >>"$state/binds"
    echo "$state/NODE/oar /var/lib/oar" >>"$state/binds"
    for ((i = 1; i <= count; i++)); do
        mkdir -p "$state/n$i"
        cp -a /var/lib/oar "$state/n$i/oar"
    done
}

as_postgres() { enter n1 setpriv --reuid=postgres --regid=postgres --init-groups env --chdir=/ "$@"; }

start_oar() {
    local node i data=/run/postgresql/data
    for node in $(nodes); do
        enter "$node" install -d -o oar -m 755 /run/oar
        enter "$node" install -o oar -m 644 /dev/null /var/log/oar.log
        enter "$node" /usr/sbin/sshd -f /etc/oar/sshd_config -E /var/log/oar-sshd -o PidFile=/run/oar-sshd.pid
    done
    {
        enter n1 install -d -o postgres -m 755 /run/postgresql
        as_postgres $postgres/initdb --no-sync --auth trust --username postgres --pgdata $data
        as_postgres tee -a $data/pg_hba.conf <<<"host all all $network.0/24 trust"
        as_postgres tee -a $data/postgresql.conf <<<"listen_addresses = '*'
            fsync = off"
        as_postgres $postgres/pg_ctl --pgdata $data --wait --log $data/log start
        enter n1 oar-database --create --db-host n1 --db-admin-user postgres --db-admin-pass none
        for ((i = 1; i <= count; i++)); do enter n1 oarnodesetting -a -h "n$i" -p "cpuset=$(cores_of "$i" | cut -d, -f1)"; done
        enter n1 oar-server
    } </dev/null >>"$state/n1/log/node" 2>&1
    alive() { [ "$(enter n1 oarnodes --sql "state = 'Alive'" -l | wc -l)" = "$count" ]; }
    within 20 "OAR to have $count nodes" alive
}
