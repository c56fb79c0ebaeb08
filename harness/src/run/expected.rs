//! By what a program is known to have worked: exit code 0 is never evidence, for N singletons end with it too.

use crate::case::Program;

/// A text that one world says in one line, and in how many it has come.
#[derive(Debug)]
pub(super) struct Expected {
    text: String,
    lines: u32,
}

impl Expected {
    pub(super) fn of(program: &Program) -> Self {
        Self { text: program.expect.clone(), lines: 0 }
    }

    pub(super) fn line(&mut self, line: &str) {
        self.lines += u32::from(self.is_asked() && line.contains(&self.text));
    }

    /// Whether exit code 0 may be believed.
    pub(super) fn is_met(&self) -> bool {
        !self.is_asked() || self.lines == 1
    }

    /// Ranks in each world, where several worlds of `ranks` in all have said it.
    pub(super) fn world(&self, ranks: u32) -> Option<u32> {
        (self.lines > 1).then(|| (ranks / self.lines).max(1))
    }

    /// What is amiss, in words.
    pub(super) fn missed(&self) -> Option<String> {
        let Self { text, lines } = self;
        match lines {
            _ if self.is_met() => None,
            0 => Some(format!("sifbench: no line said `{text}`, which [program] expects")),
            lines => Some(format!("sifbench: {lines} lines said `{text}`, which [program] expects of one world once")),
        }
    }

    fn is_asked(&self) -> bool {
        !self.text.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::AttemptId,
        process::{Exit, Reason, Stream},
        run::watch::Watch,
    };

    #[test]
    fn exit_code_0_is_believed_with_the_expected_words_alone() {
        let check = |lines: &[&str], exit: Exit, reason: Reason, expected: &str| {
            let program = Program { argv: vec!["app".into()], expect: "done".into() };
            let (cells, rounds) = ([Program::CELL], std::num::NonZeroU32::MIN);
            let mut watch = Watch::new(AttemptId(1), 2, &cells, rounds).of_program(&program);
            for line in lines {
                watch.line(Stream::Out, line);
            }
            assert_eq!(watch.outcome(exit, reason).to_string(), expected, "{lines:?}");
            assert_eq!(watch.said().iter().any(|line| line.starts_with("sifbench: ")), lines != ["done"], "{lines:?}");
        };
        check(&["done"], Exit::Code(0), Reason::Itself, "completed");
        // Frames are no words of ours here.
        check(&["@sifbench 3 00000000 {}"], Exit::Code(0), Reason::Itself, "exit code 0");
        check(&["done", "done"], Exit::Code(0), Reason::Itself, "2 singletons");
        check(&["done"], Exit::Code(1), Reason::Itself, "exit code 1");
        check(&["done"], Exit::Signal(15), Reason::TotalDeadline, "over time");
        check(&["done"], Exit::Signal(15), Reason::Interrupted, "interrupted");
    }

    #[test]
    fn a_text_counts_once_a_world() {
        let check = |expect: &str, lines: &[&str], met: bool, world: Option<u32>| {
            let mut expected = Expected::of(&Program { argv: vec!["app".into()], expect: expect.into() });
            lines.iter().for_each(|line| expected.line(line));
            assert_eq!((expected.is_met(), expected.world(4)), (met, world), "{expect} of {lines:?}");
            assert_eq!(expected.missed().is_some(), !met, "{expect} of {lines:?}");
        };
        check("on 4 procs", &["Loop time of 1 on 4 procs", "done"], true, None);
        check("on 4 procs", &["Loop time of 1 on 1 procs"; 4], false, None);
        check("done", &["done"; 4], false, Some(1));
        check("done", &["done"; 2], false, Some(2));
        check("done", &["done"; 9], false, Some(1));
        check("done", &[], false, None);
        check("", &["done"; 4], true, None);
    }
}
