//! Which Open MPI of a host meets which image: versions side by side, or every host with every image.

use serde::Deserialize;

use super::needs;
use crate::{case::Mode, id::MpiVersion};

/// The `matrix` table of a campaign: every host with every image, each side being `versions` where it is left out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Matrix {
    pub(super) hosts: Option<Vec<MpiVersion>>,
    pub(super) images: Option<Vec<MpiVersion>>,
}

/// The versions of a host and an image, each where it takes part.
pub(super) type Pair<'a> = (Option<&'a MpiVersion>, Option<&'a MpiVersion>);

/// A version beside itself, in every mode before the next version.
pub(super) fn side_by_side<'a>(modes: &[Mode], versions: &'a [MpiVersion]) -> Vec<(Mode, Pair<'a>)> {
    let of_version = |version: &'a MpiVersion| {
        modes.iter().map(move |mode| {
            let (host, image) = needs(*mode);
            (*mode, (Some(version).filter(|_| host), Some(version).filter(|_| image)))
        })
    };
    versions.iter().flat_map(of_version).collect()
}

impl Matrix {
    /// With other versions on the sides for which some are given.
    pub(super) fn exchange(&mut self, hosts: &[MpiVersion], images: &[MpiVersion]) {
        for (own, other) in [(&mut self.hosts, hosts), (&mut self.images, images)] {
            if !other.is_empty() {
                *own = Some(other.to_vec());
            }
        }
    }

    /// A mode after the other. One without a host takes every image, one whose image has no MPI every host.
    pub(super) fn pairs<'a>(&'a self, modes: &[Mode], versions: &'a [MpiVersion]) -> Vec<(Mode, Pair<'a>)> {
        let [hosts, images] = [&self.hosts, &self.images].map(|own| own.as_deref().unwrap_or(versions));
        let of_mode = |mode: &Mode| {
            let (host, image) = needs(*mode);
            let (mode, hosts, images) = (*mode, side(host, hosts), side(image, images));
            let of_host = move |host| images.clone().into_iter().map(move |image| (mode, (host, image)));
            hosts.into_iter().flat_map(of_host)
        };
        modes.iter().flat_map(of_mode).collect()
    }

    /// What cannot be meant, and what to write instead.
    pub(super) fn fault(&self, versions: &[MpiVersion]) -> Option<(String, &'static str)> {
        let sides = [("hosts", &self.hosts), ("images", &self.images)];
        if sides.iter().all(|(_, own)| own.is_some()) && !versions.is_empty() {
            let what = "`versions` beside both sides of the matrix".to_owned();
            return Some((what, "leave out `versions`, which stands for a side that is not written"));
        }
        sides.into_iter().find_map(|(key, own)| {
            let versions = own.as_deref().unwrap_or(versions);
            let twice = versions.iter().zip(0..).find(|(version, at)| versions[..*at].contains(version));
            let hint = "name each version once, such as [\"4.1.8\", \"5.0.11\"]";
            match twice {
                _ if versions.is_empty() => Some((format!("matrix: no {key}"), hint)),
                Some((version, _)) => Some((format!("matrix: {version} is twice among {key}"), hint)),
                None => None,
            }
        })
    }
}

fn side(takes_part: bool, versions: &[MpiVersion]) -> Vec<Option<&MpiVersion>> {
    if takes_part { versions.iter().map(Some).collect() } else { vec![None] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(text: &str) -> Vec<MpiVersion> {
        text.split_whitespace().map(|word| word.parse().unwrap()).collect()
    }

    fn words(pairs: &[(Mode, Pair<'_>)]) -> Vec<String> {
        let word = |version: &Option<&MpiVersion>| version.map_or("-".to_owned(), ToString::to_string);
        pairs.iter().map(|(mode, (host, image))| format!("{mode} {} {}", word(host), word(image))).collect()
    }

    #[test]
    fn a_matrix_crosses_what_takes_part_and_nothing_else() {
        let modes = [Mode::Native, Mode::Embedded, Mode::Bind, Mode::Hybrid];
        let check = |hosts: Option<&str>, images: Option<&str>, of: &str, expected: &str| {
            let (matrix, of) = (Matrix { hosts: hosts.map(versions), images: images.map(versions) }, versions(of));
            assert_eq!(matrix.fault(&of), None);
            assert_eq!(words(&matrix.pairs(&modes, &of)).join(", "), expected);
        };
        let crossed = "native 4.1.8 -, native 5.0.11 -, embedded - 5.0.8, bind 4.1.8 -, bind 5.0.11 -, \
                       hybrid 4.1.8 5.0.8, hybrid 5.0.11 5.0.8";
        check(Some("4.1.8 5.0.11"), Some("5.0.8"), "", crossed);
        check(Some("4.1.8 5.0.11"), None, "5.0.8", crossed);
        check(None, Some("5.0.8"), "4.1.8 5.0.11", crossed);
        check(None, None, "5.0.8", "native 5.0.8 -, embedded - 5.0.8, bind 5.0.8 -, hybrid 5.0.8 5.0.8");
        let beside = side_by_side(&modes, &versions("5.0.8")).len();
        assert_eq!(beside, 4);
    }

    #[test]
    fn what_cannot_be_crossed_is_refused() {
        let check = |hosts: Option<&str>, images: Option<&str>, of: &str, expected: &str| {
            let matrix = Matrix { hosts: hosts.map(versions), images: images.map(versions) };
            let (what, _) = matrix.fault(&versions(of)).unwrap();
            assert!(what.contains(expected), "{what}");
        };
        check(Some("4.1.8"), None, "", "no images");
        check(Some(""), Some("4.1.8"), "", "no hosts");
        check(Some("4.1.8 5.0.8 4.1.8"), Some("4.1.8"), "", "4.1.8 is twice among hosts");
        check(Some("4.1.8"), Some("4.1.8"), "5.0.8", "`versions` beside both sides");
    }
}
