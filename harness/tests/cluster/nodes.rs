//! The bed itself: nodes are nodes, and nothing is left of them.

use std::collections::BTreeSet;

use crate::bed::{Bed, links, machine, text};

#[test]
#[ignore = "needs root and namespaces (scripts/test as root)"]
fn nodes_differ_in_all_that_tells_nodes_apart_and_share_the_users_files() {
    let _machine = machine();
    let bed = Bed::up(&["--nodes", "3"]);
    let nodes = ["n1", "n2", "n3"];
    let own = "hostname; cat /proc/sys/kernel/random/boot_id; hostname > /tmp/name; hostname > /dev/shm/name";
    for node in nodes {
        let said = bed.says("n1", &["ssh", node, &format!("{own}; id -u")]);
        assert!(said.starts_with(&format!("{node}\n")) && !said.ends_with("\n0\n"), "{said}");
    }
    let each = |command: &str| -> BTreeSet<String> {
        nodes.iter().map(|node| bed.says(node, &["sh", "-c", command])).collect()
    };
    let differing =
        ["cat /tmp/name", "cat /dev/shm/name", "cat /proc/sys/kernel/random/boot_id", "readlink /proc/self/ns/net"];
    for differs in differing {
        let seen = each(differs);
        assert_eq!(seen.len(), 3, "{differs}: {seen:?}");
    }
    for shared in ["stat -c %d:%i $HOME", "stat -c %d:%i ."] {
        assert_eq!(each(shared).len(), 1, "{shared}");
    }
    bed.down();
}

#[test]
#[ignore = "needs root and namespaces (scripts/test as root)"]
fn a_bed_that_fails_to_come_up_leaves_nothing() {
    let _machine = machine();
    let before = links();
    let bed = Bed::down_as_yet();
    let output = bed.script("up", &["--rate", "brisk"]).output().unwrap();
    assert!(!output.status.success() && text(&output).contains("brisk"), "{}", text(&output));
    bed.assert_gone();
    assert_eq!(links(), before);
    bed.down();
}

#[test]
#[ignore = "needs root and namespaces (scripts/test as root)"]
fn two_beds_do_not_see_each_other() {
    let _machine = machine();
    let (first, second) = (Bed::up(&[]), Bed::up(&[]));
    second.says("n1", &["touch", "/tmp/of-the-second"]);
    assert_eq!(first.says("n1", &["ls", "/tmp"]), "");
    first.down();
    assert_eq!(second.says("n1", &["ssh", "n2", "hostname"]), "n2\n");
    second.down();
}

#[test]
#[ignore = "needs root and namespaces (scripts/test as root)"]
fn a_node_that_is_unplugged_comes_back_and_one_that_is_killed_does_not() {
    let _machine = machine();
    let bed = Bed::up(&[]);
    let reached = || bed.on("n1", &["ssh", "-o", "ConnectTimeout=1", "n2", "true"]).status().unwrap().success();
    let fault = |what: &str| assert!(bed.script("fault", &["n2", what]).status().unwrap().success());
    assert!(reached());
    fault("unplug");
    assert!(!reached());
    fault("plug");
    assert!(reached());
    fault("kill");
    assert!(!reached());
    bed.down();
}
