//! What programs say, as text: Apptainer colours its words through `mpirun` too.

use std::borrow::Cow;

use anstream::adapter::strip_str;

/// A line without what only a terminal understands.
#[must_use]
pub fn plain(line: &str) -> Cow<'_, str> {
    if line.contains('\x1b') { strip_str(line).to_string().into() } else { line.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_left_out_and_nothing_else() {
        let check = |line: &str, expected: &str| assert_eq!(plain(line), expected);
        check("\x1b[0m\x1b[91mERROR  : no\x1b[0m", "ERROR  : no");
        check("\x1b[34mINFO:    \x1b[0m8 \u{b5}s\ta", "INFO:    8 \u{b5}s\ta");
        check("a [0m b", "a [0m b");
    }
}
