//! Variables in commands that a person types: their values are those of the shell in which that is done, after what the place
//! wants done first. A value of the run's own (a job's number, somebody else's home) would be wrong there.

use crate::command::quote;

/// Stands around a variable's name, in no word of a command, and is quoted as anything particular is.
const MARK: char = '\u{f0000}';

/// What stands for a variable until a command is [`typed`].
pub(super) fn reference(name: &str) -> String {
    format!("{MARK}{name}{MARK}")
}

/// A line with variables where references are. What is quoted for another shell, too, gets the values of this one.
pub(super) fn typed(line: &str) -> String {
    let mut made = String::new();
    let mut rest = line;
    while let Some((before, (name, behind))) =
        rest.split_once(MARK).and_then(|(before, after)| Some((before, after.split_once(MARK)?)))
    {
        made += before;
        // A reference is in single quotes, in which nothing else is one: that before it has opened them.
        if made.ends_with('\'') {
            made.pop();
        } else {
            made.push('\'');
        }
        made += &format!("\"${name}\"");
        let end = behind.find(['\'', MARK]).unwrap_or(behind.len());
        let (word, closed) = behind.split_at(end);
        match closed.strip_prefix('\'') {
            Some(closed) if word.is_empty() || quote(word) == word => {
                made += word;
                rest = closed;
            }
            Some(_) | None => {
                made.push('\'');
                rest = behind;
            }
        }
    }
    made + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::CommandSpec;

    #[test]
    fn a_variable_is_quoted_for_the_shell_that_knows_it_and_all_else_against_it() {
        let [home, work] = ["HOME", "WORK"].map(reference);
        let check = |command: CommandSpec, expected: &str| assert_eq!(typed(&command.to_string()), expected);
        check(CommandSpec::new("app").arg("$HOME").arg("it's"), r"app '$HOME' 'it'\''s'");
        check(CommandSpec::new(format!("{home}/bin/app")).arg("x"), r#""$HOME"/bin/app x"#);
        check(
            CommandSpec::new("app").env("A", &home).env("B", format!("/x:{work}")),
            r#"A="$HOME" B='/x:'"$WORK" app"#,
        );
        check(CommandSpec::new("app").arg(format!("{home}{work}/a b/{home}")), r#"app "$HOME""$WORK"'/a b/'"$HOME""#);
        check(CommandSpec::new("app").arg(format!("{home}'s")), r#"app "$HOME"\''s'"#);
        let remote = CommandSpec::new("app").arg(format!("{work}/a b")).to_string();
        check(CommandSpec::new("ssh").arg("n2").arg(remote), r#"ssh n2 'app '\'"$WORK"'/a b'\'''"#);
    }
}
