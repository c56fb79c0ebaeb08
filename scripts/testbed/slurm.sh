# Slurm on the nodes of a test bed: munged and slurmd on each, slurmctld on the first; sourced by `up`.

configure_slurm() {
    local slurm=$state/etc/slurm libpmix
    has slurmctld || fail "there is no Slurm" "scripts/setup/root \$(scripts/testbed/packages slurm)"
    [ "$proctrack" = linuxproc ] || grep -q /freezer/ "$state/cgroups" ||
        fail "Slurm cannot find processes by cgroup where there is no freezer (cgroup v1)" "up slurm linuxproc"
    mkdir -p "$slurm" "$state/etc/munge"
    (umask 277 && head -c 128 /dev/urandom >"$state/etc/munge/munge.key")
    # Two processors a node, whatever its cores: so two jobs can share it, as they do on sites.
    cat >"$slurm/slurm.conf" <<-END
		ClusterName=$name
		SlurmctldHost=n1
		SlurmUser=root
		AuthType=auth/munge
		StateSaveLocation=/run/slurmctld
		SlurmdSpoolDir=/run/slurmd
		SlurmctldPidFile=/run/slurmctld.pid
		SlurmdPidFile=/run/slurmd.pid
		SlurmctldLogFile=/var/log/slurmctld
		SlurmdLogFile=/var/log/slurmd
		ProctrackType=proctrack/$proctrack
		TaskPlugin=task/none
		JobAcctGatherType=jobacct_gather/none
		SelectType=select/cons_tres
		SelectTypeParameters=CR_Core
		SlurmdParameters=config_overrides
		MpiDefault=none
		ReturnToService=2
		SchedulerParameters=sched_interval=1
		KillWait=3
		NodeName=n[1-$count] CPUs=2 Boards=1 SocketsPerBoard=1 CoresPerSocket=2 ThreadsPerCore=1 RealMemory=1000
		PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
	END
    cat >"$slurm/cgroup.conf" <<-END
		CgroupPlugin=cgroup/v1
		CgroupMountpoint=/sys/fs/cgroup
		CgroupAutomount=no
		ConstrainCores=no
	END
    # The plugin for pmix asks for the name that Debian ships for compilers alone.
    libpmix=$(dirname "$(find /usr/lib -path '*/pmix2/lib/libpmix.so.2' -print -quit)")
    mkdir "$state/libpmix"
    cp -a "$libpmix/." "$state/libpmix"
    ln -sf libpmix.so.2 "$state/libpmix/libpmix.so"
    echo "$state/libpmix $libpmix" >>"$state/binds"
}

start_slurm() {
    local node
    for node in $(nodes); do
        enter "$node" install -d -m 755 /run/munge /run/slurmd /run/slurmctld

        enter "$node" munged --key-file=/etc/munge/munge.key --log-file=/var/log/munged \
            --pid-file=/run/munge/pid --seed-file=/run/munge/seed >>"$state/$node/log/node" 2>&1
    done
    enter n1 slurmctld >>"$state/n1/log/node" 2>&1
    for node in $(nodes); do enter "$node" slurmd -N "$node" >>"$state/$node/log/node" 2>&1; done
    idle() { [ "$(enter n1 sinfo --noheader --states idle --format %D)" = "$count" ]; }
    within 20 "Slurm to have $count idle nodes" idle
}
