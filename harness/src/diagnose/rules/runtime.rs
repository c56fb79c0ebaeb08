//! Why the container runtime starts nothing.

use super::AT_START;
use crate::diagnose::{Confidence::Likely, Rule, Sign::Said, remedy::Remedy};

/// Failures before any rank runs.
pub(super) const RUNTIME: &[Rule] = &[
    Rule {
        name: "image-missing",
        when: &[Said(&["could not open image"])],
        short: "the image is not there",
        cause: "The image does not exist, or its user may not read it.",
        remedies: &[Remedy::Do("sifbench image build {image}")],
        ..AT_START
    },
    Rule {
        name: "instance-gone",
        when: &[Said(&["no instance found with name"])],
        short: "the instance is gone",
        cause: "The instance that the ranks were to enter does not run any more, or was started with another \
                APPTAINER_CONFIGDIR.",
        remedies: &[Remedy::Do("apptainer instance list; look who stops instances, and run again")],
        ..AT_START
    },
    Rule {
        name: "unknown-flag",
        when: &[Said(&["unknown flag"])],
        short: "a flag that the container runtime does not know",
        cause: "The container runtime refuses one of the flags it was given.",
        remedies: &[Remedy::Do("mend [settings] flags of the campaign; apptainer exec --help lists them")],
        ..AT_START
    },
    Rule {
        name: "mount-source-missing",
        when: &[Said(&["mount source", "doesn't exist"])],
        short: "what is to be bind-mounted does not exist",
        cause: "A directory or file that is to be bind-mounted into the container does not exist on this node.",
        remedies: &[Remedy::Do("mend [settings] binds of the campaign, or make the directory on every node")],
        ..AT_START
    },
    Rule {
        name: "root-capabilities",
        when: &[Said(&["Requesting capability set", "while permitted"])],
        short: "the container runtime wants all of root's capabilities",
        cause: "The container runtime was started by root, and this root lacks capabilities that it asks for, as in most virtual \
                machines and containers.",
        remedies: &[
            Remedy::Do("run as an ordinary user: scripts/setup/as-user COMMAND"),
            Remedy::Do("apptainer exec --userns (campaign: [settings] flags = [\"--userns\"])"),
        ],
        ..AT_START
    },
    Rule {
        name: "fuse-closed",
        when: &[Said(&["failed to open /dev/fuse: Permission denied"])],
        short: "users may not open /dev/fuse",
        cause: "The container runtime mounts images by FUSE, and /dev/fuse is not open to this user.",
        remedies: &[
            Remedy::Do("chmod 666 /dev/fuse, as an administrator"),
            Remedy::Do("unpack the image: apptainer build --sandbox DIRECTORY IMAGE, and enter the directory"),
        ],
        ..AT_START
    },
    Rule {
        name: "environment-not-injected",
        when: &[Said(&["inject-apptainer-env.sh:"])],
        short: "a variable holds shell text, and none comes in",
        cause: "The container runtime sets the variables of --env and APPTAINERENV_ by a shell script, and the value of one breaks \
                it: the ranks get none of them.",
        confidence: Likely,
        remedies: &[Remedy::Do(
            "no $( and no backquote in --env, in APPTAINERENV_ variables, and on mpirun's command line where OMPI_ARGV is passed \
             on",
        )],
        ..AT_START
    },
];
