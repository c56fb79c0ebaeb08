//! What programs said, without the frames around it.

/// Openings of lines that say nothing by themselves: what is said whenever a launch fails, for whatever reason.
const FRAMING: [&str; 25] = [
    "INFO:    ",
    "Primary job  terminated normally",
    "a non-zero exit code. Per user-direction",
    "mpirun detected that one or more processes",
    "prterun detected that one or more processes",
    "thus causing the job to be terminated",
    "the job to be terminated",
    "Process name:",
    "Exit code:",
    "*** MPI_ERRORS_ARE_FATAL",
    "***    and",
    "*** on a NULL communicator",
    "It looks like",
    "likely to abort",
    "fail during",
    "problems.  This failure",
    "environment problems",
    "additional information",
    "here's some additional",
    "Open MPI developer",
    "developer):",
    "Sorry!  You were supposed to get help about:",
    "But I couldn't open the help file:",
    "Local host:",
    "mpirun: abort is already in progress",
];

/// Lines that say something, in the order said, each once.
pub fn meaningful(lines: impl Iterator<Item: AsRef<str>>) -> impl Iterator<Item = String> {
    let mut before: Vec<String> = Vec::new();
    lines.map(|line| line.as_ref().trim().to_owned()).filter(move |line| {
        let says = !line.bytes().all(|byte| b"-=*".contains(&byte))
            && !FRAMING.iter().any(|opening| line.starts_with(opening.trim_end()))
            && !line.contains("sent help message")
            && !line.contains("to see all help / error messages")
            && !before.contains(line);
        if says {
            before.push(line.clone());
        }
        says
    })
}

/// The first line that holds all of `parts`, in this order.
pub fn with<L: AsRef<str>>(mut lines: impl Iterator<Item = L>, parts: &[&str]) -> Option<L> {
    lines.find(|line| {
        let mut rest = line.as_ref();
        parts.iter().all(|part| {
            let found = rest.find(part);
            rest = found.map_or("", |at| &rest[at + part.len()..]);
            found.is_some()
        })
    })
}

/// What a library was about to explain when its help file was not where it looked: the topic stands on the next line.
pub fn topic(mut lines: impl Iterator<Item: AsRef<str>>) -> Option<String> {
    lines.find(|line| line.as_ref().contains("You were supposed to get help about:"))?;
    lines.map(|line| line.as_ref().trim().to_owned()).find(|line| !line.is_empty())
}

/// Whether mpirun could not read what a rank wanted to have told: with 4.1.8 in a third of such launches.
pub fn lost(lines: impl Iterator<Item: AsRef<str>>) -> bool {
    with(lines, &["ORTE_ERROR_LOG: ", "show_help.c"]).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOST_HELP: &str = "--------\nSorry!  You were supposed to get help about:\n    opal_init:startup:internal-failure\n\
        But I couldn't open the help file:\n    /nowhere/share/openmpi/help-opal-runtime.txt: No such file or directory.  Sorry!\n";

    #[test]
    fn frames_are_left_out_and_nothing_is_said_twice() {
        let text = "INFO:    x not found\n-----\nIt looks like MPI_INIT failed for some reason; your\n  --> Returned \"Error\"\n\
            *** MPI_ERRORS_ARE_FATAL (processes\n  --> Returned \"Error\"\n\nFATAL:   no\n";
        let told: Vec<String> = meaningful(text.lines()).collect();
        assert_eq!(told, ["--> Returned \"Error\"", "FATAL:   no"]);
    }

    #[test]
    fn the_topic_of_a_help_text_that_is_not_there_is_read() {
        assert_eq!(topic(LOST_HELP.lines()).as_deref(), Some("opal_init:startup:internal-failure"));
        assert_eq!(topic("all is well".lines()), None);
        assert_eq!(meaningful(LOST_HELP.lines()).next().as_deref(), Some("opal_init:startup:internal-failure"));
    }

    #[test]
    fn what_mpirun_lost_is_noticed() {
        let check = |text: &str, expected: bool| assert_eq!(lost(text.lines()), expected, "{text}");
        check("[vm:1] [[2,0],0] ORTE_ERROR_LOG: Out of resource in file orte/util/show_help.c at line 507", true);
        check("[vm:1] [[2,0],0] ORTE_ERROR_LOG: Not found in file orted/orted_main.c at line 1", false);
        check(LOST_HELP, false);
    }

    #[test]
    fn parts_are_found_in_order_on_one_line() {
        let check = |parts: &[&str], expected: Option<&str>| assert_eq!(with("a b c\nc b".lines(), parts), expected);
        check(&["a", "c"], Some("a b c"));
        check(&["c", "b"], Some("c b"));
        check(&["b", "a"], None);
        check(&["b", "b"], None);
    }
}
