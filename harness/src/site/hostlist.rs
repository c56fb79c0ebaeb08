//! Slurm's hostlists: `n[1-3,07-09],login,rack[1-2]n[01-04]-ib`.
//!
//! The grammar is that of Slurm's `hostlist(3)`: names separated by commas; in a name any number of bracket groups, each a
//! list of numbers and ranges. A lower bound with leading zeros fixes the width. Groups multiply, the last one varying
//! fastest.

/// No allocation is larger; a typing error in a range is.
const MOST: usize = 1 << 20;

/// Why a text is no hostlist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a hostlist: {why}; hint: such as n[1-3,07-09]")]
pub struct BadHostlist {
    /// As given.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// The names that `text` stands for, in its order.
///
/// # Errors
/// It is none, or stands for more than a million names.
pub fn expand(text: &str) -> Result<Vec<String>, BadHostlist> {
    let bad = |why| BadHostlist { text: text.to_owned(), why };
    if text.trim().is_empty() {
        return Err(bad("it is empty"));
    }
    let mut names = Vec::new();
    for name in split(text.trim()).map_err(bad)? {
        names.extend(one(name).map_err(bad)?);
        if names.len() > MOST {
            return Err(bad("it stands for more than a million names"));
        }
    }
    Ok(names)
}

/// Splits at commas that stand in no bracket.
fn split(text: &str) -> Result<Vec<&str>, &'static str> {
    let (mut parts, mut begin, mut inside) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match (c, inside) {
            ('[', false) => inside = true,
            (']', true) => inside = false,
            ('[', true) | (']', false) => return Err("its brackets do not match"),
            (',', false) => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            (_, _) => {}
        }
    }
    parts.push(&text[begin..]);
    if inside { Err("its brackets do not match") } else { Ok(parts) }
}

/// One name with its bracket groups, which [`split`] has found to match.
fn one(name: &str) -> Result<Vec<String>, &'static str> {
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err("a name in it is empty or holds blanks");
    }
    let mut names = vec![String::new()];
    let mut rest = name;
    while let Some((plain, group)) = rest.split_once('[') {
        let (group, after) = group.split_once(']').ok_or("its brackets do not match")?;
        let numbers = numbers(group)?;
        if names.len().saturating_mul(numbers.len()) > MOST {
            return Err("it stands for more than a million names");
        }
        names = names.iter().flat_map(|name| numbers.iter().map(move |n| format!("{name}{plain}{n}"))).collect();
        rest = after;
    }
    names.iter_mut().for_each(|name| name.push_str(rest));
    Ok(names)
}

/// `1-3,07-09`.
fn numbers(group: &str) -> Result<Vec<String>, &'static str> {
    let mut numbers = Vec::new();
    for range in group.split(',') {
        let (low, high) = range.split_once('-').unwrap_or((range, range));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = |text: &str| text.parse::<u64>().ok().filter(|_| digits(text)).ok_or("a bracket holds no numbers");
        let (first, last) = (number(low)?, number(high)?);
        if first > last {
            return Err("a range ends before it begins");
        }
        if last - first >= MOST as u64 {
            return Err("it stands for more than a million names");
        }
        let width = low.len();
        numbers.extend((first..=last).map(|n| format!("{n:0width$}")));
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostlists_are_expanded_as_slurm_does() {
        let check = |text: &str, expected: &str| {
            let expected: Vec<&str> = expected.split(' ').collect();
            assert_eq!(expand(text).unwrap(), expected, "{text}");
        };
        check("n1", "n1");
        check("n1,n2", "n1 n2");
        check("n[1-3,07-09]", "n1 n2 n3 n07 n08 n09");
        check("n[08-11]", "n08 n09 n10 n11");
        check("n[9-11]", "n9 n10 n11");
        check("n[3,1]", "n3 n1");
        check("rack[1-2]n[01-02]", "rack1n01 rack1n02 rack2n01 rack2n02");
        check("a[1-2]b[3-4]c[5]-ib", "a1b3c5-ib a1b4c5-ib a2b3c5-ib a2b4c5-ib");
        check("login,n[1-2]-ib,gpu-a[00-01]", "login n1-ib n2-ib gpu-a00 gpu-a01");
        check("[1-2]", "1 2");
        check("[1-2]n[3-4]", "1n3 1n4 2n3 2n4");
        check(" n[1-2].cluster.example\n", "n1.cluster.example n2.cluster.example");
    }

    #[test]
    fn what_is_no_hostlist_is_refused_with_a_reason() {
        let check = |text: &str, why: &str| {
            let error = expand(text).unwrap_err();
            assert!(error.why.contains(why), "{text}: {error}");
        };
        check("", "empty");
        check("n1,,n2", "empty");
        check("n1,", "empty");
        check("n1 n2", "blanks");
        check("n[1-2", "brackets");
        check("n1-2]", "brackets");
        check("n[[1-2]]", "brackets");
        check("n[]", "no numbers");
        check("n[1-]", "no numbers");
        check("n[a-b]", "no numbers");
        check("n[+1-2]", "no numbers");
        check("n[3-1]", "before it begins");
        check("n[1-9999999]", "million");
        check("n[1-2000]m[1-2000]", "million");
    }

    /// A range as written, and the numbers it stands for, said in another way than `numbers` does.
    fn range() -> impl Strategy<Value = (String, Vec<String>)> {
        (0..2000_u32, 0..12_u32, 1..5_usize).prop_map(|(low, more, width)| {
            let write = |n: u32| {
                let digits = n.to_string();
                "0".repeat(width.saturating_sub(digits.len())) + &digits
            };
            let text = if more == 0 { write(low) } else { format!("{}-{}", write(low), low + more) };
            (text, (low..=low + more).map(write).collect())
        })
    }

    fn group() -> impl Strategy<Value = (String, Vec<String>)> {
        prop::collection::vec(range(), 1..4).prop_map(|ranges| {
            let (texts, numbers): (Vec<_>, Vec<_>) = ranges.into_iter().unzip();
            (format!("[{}]", texts.join(",")), numbers.concat())
        })
    }

    fn name() -> impl Strategy<Value = (String, Vec<String>)> {
        let piece = ("[a-z][a-z0-9.-]{0,4}", prop::option::of(group()));
        prop::collection::vec(piece, 1..3).prop_map(|pieces| {
            pieces.into_iter().fold((String::new(), vec![String::new()]), |(text, names), (plain, group)| {
                let (brackets, numbers) = group.unwrap_or((String::new(), vec![String::new()]));
                let mut longer = Vec::new();
                for name in &names {
                    for number in &numbers {
                        longer.push(format!("{name}{plain}{number}"));
                    }
                }
                (text + &plain + &brackets, longer)
            })
        })
    }

    proptest! {
        #[test]
        fn every_hostlist_stands_for_its_names(list in prop::collection::vec(name(), 1..4)) {
            let (texts, names): (Vec<_>, Vec<_>) = list.into_iter().unzip();
            prop_assert_eq!(expand(&texts.join(",")).unwrap(), names.concat());
        }

        #[test]
        fn no_text_brings_it_down(text in "[n0-9\\[\\],-]{0,24}") {
            let _ = expand(&text);
        }
    }
}
