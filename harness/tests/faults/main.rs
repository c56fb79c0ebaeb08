//! Faults that users meet, provoked for real: the cause of each must be named.
//!
//! `SIFBENCH_FIXTURES=write scripts/test provoked` renews the launches that `diagnosis.rs` reads: the first of each rule.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![expect(clippy::disallowed_methods, reason = "a test is told by its environment what to write")]

mod bench;

use std::collections::BTreeSet;

use bench::{Bench, Fault, Launch};
use harness::case::Entry;

/// Each with the rule that must name it.
fn faults(bench: &Bench) -> Vec<Fault> {
    let hybrid = || bench.hybrid("4.1.8", "4.1.8", Entry::Exec);
    let sharens = || bench.hybrid("4.1.8", "4.1.8", Entry::Sharens);
    let instance = || bench.hybrid("4.1.8", "4.1.8", Entry::Instance);
    let fives = || bench.hybrid("5.0.11", "5.0.11", Entry::Exec);
    let on_one_cpu = || sharens().through("exec taskset -c 0 \"$APPTAINER\" \"$@\"");
    vec![
        hybrid().is("hang-cma"),
        bench.bind("4.1.8").is("hang-cma"),
        hybrid().env("OMPI_MCA_mca_base_component_path", "/nowhere").is("hang-cma"),
        hybrid().mca("btl_vader_single_copy_mechanism", "cma").is("cma-requested"),
        hybrid().cells(&["8"]).is("cma-lost"),
        fives().is("cma-lost"),
        sharens().mca("btl_vader_single_copy_mechanism", "none").is("cma-off"),
        sharens().mca("btl", "tcp,self").is("tcp-by-setting"),
        hybrid().flag("--contain").is("tcp-shm-apart"),
        sharens()
            .flag("--scratch")
            .flag("/dev/shm")
            .mca("btl_vader_segment_size", "536870912")
            .is("tcp-shm-small"),
        hybrid()
            .cells(&["8", "1Mi"])
            .mca("pml", "ucx")
            .mca("opal_common_ucx_tls", "any")
            .mca("opal_common_ucx_devices", "any")
            .is("ucx-shm"),
        bench.hybrid("5.0.11", "4.1.8", Entry::Exec).is("newer-launcher"),
        bench.under_pmi("5.0.11").is("launcher-speaks-pmi"),
        hybrid().flag("--cleanenv").is("environment-dropped"),
        fives().flag("--cleanenv").is("environment-dropped"),
        hybrid().flag("--containall").is("environment-dropped"),
        fives().flag("--containall").is("environment-dropped"),
        fives().flag("--contain").is("session-directory"),
        hybrid().flag("--no-mount").flag("tmp").is("session-directory"),
        fives().flag("--no-mount").flag("tmp").is("session-directory"),
        hybrid().flag("--fakeroot").is("fakeroot"),
        fives().flag("--fakeroot").is("fakeroot"),
        hybrid().flag("--net").flag("--network=none").is("launcher-unreachable"),
        hybrid().env("OPAL_PREFIX", "/nowhere").is("prefixes-differ"),
        hybrid().env("PMIX_INSTALL_PREFIX", "/nowhere").is("prefixes-differ"),
        bench
            .hybrid("4.1.8", "4.1.4", Entry::Sharens)
            .env("OMPI_MCA_mca_base_component_path", "/nowhere")
            .is("foreign-prefix"),
        sharens().slots("orte_default_hostfile").is("slots-orte"),
        sharens().ranks(99).is("slots-orte"),
        bench.hybrid("5.0.11", "5.0.11", Entry::Sharens).slots("prte_default_hostfile").is("slots-prrte"),
        bench.embedded("4.1.8").env("PATH", "/opt/openmpi/bin:/nowhere").is("no-ssh"),
        bench.embedded("4.1.8").mca("plm_rsh_agent", "nowhere").is("no-ssh"),
        bench.embedded("4.1.8").flag("--fakeroot").is("root"),
        slurms(bench.embedded("5.0.11")).is("job-inside"),
        slurms(bench.embedded("4.1.8")).is("job-inside"),
        // Root as virtual machines and containers have it.
        hybrid()
            .through("exec unshare --user --map-root-user setpriv --bounding-set -sys_resource \"$APPTAINER\" \"$@\"")
            .is("root-capabilities"),
        // In the place of /dev/fuse a file that is not open to users.
        hybrid()
            .through(
                "exec unshare --user --map-root-user --mount sh -c 'mount --bind /etc/shadow /dev/fuse && group=$1 && shift && \
                 exec unshare --user --map-user=$0 --map-group=$group \"$@\"' $(id -u) $(id -g) \"$APPTAINER\" \"$@\"",
            )
            .is("fuse-closed"),
        // The library's place is among what does not come in.
        bench.bind("4.1.8").env("GREETING", "$(echo (").is("environment-not-injected"),
        bench.without_readv("4.1.8").is("cma-denied"),
        bench.without_readv("5.0.11").is("cma-denied"),
        // What looks like a device is none, for there is no fabric here; that messages pass it by is real.
        bench.beside_a_device("4.1.8").without_mca("btl").env("OMPI_MCA_btl", "tcp,self").is("fabric-unused"),
        sharens().without_image().is("image-missing"),
        bench.native("4.1.8").without_mpirun().is("mpirun-missing"),
        instance()
            .through("\"$APPTAINER\" \"$@\"; rc=$?; case \"$*\" in *' true') \"$APPTAINER\" instance stop -a;; esac; exit $rc")
            .is("instance-gone"),
        instance().flag("--no-such-flag").is("unknown-flag"),
        hybrid().flag("--no-such-flag").is("unknown-flag"),
        hybrid().bind("/nowhere").is("mount-source-missing"),
        bench.newer_app().is("glibc"),
        hybrid().env("LD_LIBRARY_PATH", "/nowhere").bind("/usr:/opt/openmpi/lib").is("library-missing"),
        hybrid().mca("btl", "nosuch,self").is("component-missing"),
        sharens()
            .through(
                "[ -e /dev/shm/sharens_instance_$PPID ] || echo 999999 > /dev/shm/sharens_instance_$PPID\n\
                 exec \"$APPTAINER\" \"$@\"",
            )
            .is("sharens-first-gone"),
        bench.script("[ $OMPI_COMM_WORLD_RANK = 0 ] && kill -9 $$; exec sleep 5").is("killed"),
        bench.script("[ $OMPI_COMM_WORLD_RANK = 0 ] && kill -11 $$; exec sleep 5").is("crashed"),
        bench.script("exec sleep 60").is("unknown"),
        bench.unknown_program().is("ranks-not-found"),
        on_one_cpu().is("hang-one-cpu"),
        on_one_cpu().cells(&["8:2"]).is("one-cpu"),
        on_one_cpu().cells(&["8:2"]).is("ticks"),
        sharens().ranks(99).mca("rmaps_base_oversubscribe", "1").is("bind-overload"),
        bench
            .embedded("4.1.8")
            .ranks(3)
            .cells(&["8:2"])
            .through(
                "exec \"$APPTAINER\" $(echo \"$@\" | sed 's/--map-by core --bind-to core/--oversubscribe --bind-to none/')",
            )
            .is("oversubscribed"),
        bench.native("5.0.11").without_mca("btl").is("init-ofi"),
        bench.native("4.1.8").without_mca("btl").is("finalize-ofi"),
    ]
}

/// The variables of a job of two nodes.
fn slurms(fault: Fault) -> Fault {
    let job = [("JOB_ID", "7"), ("JOBID", "7"), ("NODELIST", "n1,n2"), ("NNODES", "2"), ("TASKS_PER_NODE", "1(x2)")];
    job.into_iter().fold(fault, |fault, (name, value)| fault.env(&format!("SLURM_{name}"), value))
}

/// mpirun 4.1.8 loses what ranks tell it in a third of the launches in which they do: where the cause is lost with it, the
/// launch is made again.
fn told(bench: &Bench, fault: &Fault) -> Launch {
    let is_lost = |launch: &Launch| launch.log.iter().any(|line| line.contains("show_help.c"));
    let mut launches = std::iter::repeat_with(|| bench.provoke(fault)).take(8);
    let is_found = |launch: &Launch| launch.findings().iter().any(|finding| finding.rule == fault.rule);
    launches
        .find(|launch| is_found(launch) || !is_lost(launch))
        .unwrap_or_else(|| panic!("{}: eight launches told nothing", fault.rule))
}

#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and 5.0.11 and their images, and that of 4.1.4 (scripts/test)"]
fn provoked_faults_are_diagnosed() {
    let bench = Bench::new();
    let write = std::env::var("SIFBENCH_FIXTURES").is_ok_and(|word| word == "write");
    let (mut written, mut wrong) = (BTreeSet::new(), Vec::new());
    for fault in faults(&bench) {
        let launch = told(&bench, &fault);
        let rules: Vec<String> = launch.findings().into_iter().map(|finding| finding.rule).collect();
        println!("{:>5.1} s  {:<21} {}", launch.record.wall_ns as f64 / 1e9, fault.rule, launch.record.outcome);
        if !rules.iter().any(|rule| rule == fault.rule) {
            wrong
                .push(format!("{} is {} and found as {rules:?}: {:#?}", fault.rule, launch.record.outcome, launch.log));
        } else if write && written.insert(fault.rule) {
            launch.write(&bench, fault.rule);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
