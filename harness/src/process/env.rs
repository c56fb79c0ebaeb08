//! What a child sees of the environment of the shell that started the harness: an explicit list, nothing else.
//!
//! Leaked variables decided more results than versions did: a stray `OMPI_MCA_*` or `APPTAINER_*` of the user's shell
//! would silently become part of the measurement.

use std::collections::BTreeMap;

/// Variables every child gets when the parent has them; a trailing `*` names a prefix.
const ALLOWED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TERM",
    "TZ",
    "TMPDIR",
    "XDG_*",
    // How a site reaches package sources and registries.
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
];

/// The inherited part of a child's environment. A command's own variables come on top of it and win.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Env(BTreeMap<String, String>);

impl Env {
    /// The allow-listed part of `parent`, and what `also` names: `SSH_AUTH_SOCK`, or by prefix `SLURM_*`, `OAR_*`.
    #[must_use]
    pub fn from_parent(parent: &BTreeMap<String, String>, also: &[&str]) -> Self {
        let wanted = |name: &str| ALLOWED.iter().chain(also).any(|pattern| matches(pattern, name));
        Self(parent.iter().filter(|(name, _)| wanted(name)).map(|(n, v)| (n.clone(), v.clone())).collect())
    }

    /// The same without one variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// All variables, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of one variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(parent: &[&str], also: &[&str], expected: &[&str]) {
        let parent = parent.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
        let env = Env::from_parent(&parent, also);
        assert_eq!(env.iter().map(|(name, _)| name).collect::<Vec<_>>(), expected, "also {also:?}");
    }

    #[test]
    fn only_what_is_listed_passes() {
        check(
            &["PATH", "HOME", "LC_ALL", "XDG_RUNTIME_DIR", "https_proxy", "SECRET"],
            &[],
            &["HOME", "LC_ALL", "PATH", "XDG_RUNTIME_DIR", "https_proxy"],
        );
        check(&["PATHS", "LANGUAGES", "HOMEBREW", "LD_PRELOAD", "LD_LIBRARY_PATH"], &[], &[]);
    }

    #[test]
    fn mpi_and_runtime_variables_of_the_shell_do_not_leak() {
        let shell = [
            "OMPI_MCA_btl",
            "OMPI_COMM_WORLD_SIZE",
            "OPAL_PREFIX",
            "PMIX_RANK",
            "PMIX_MCA_gds",
            "PRTE_MCA_plm",
            "UCX_TLS",
            "APPTAINER_BIND",
            "APPTAINERENV_X",
            "SINGULARITY_CACHEDIR",
            "SIFBENCH_ATTEMPT",
        ];
        check(&shell, &["SLURM_*"], &[]);
    }

    #[test]
    fn a_scheduler_passes_only_when_asked_for() {
        let job = ["SLURM_JOB_ID", "SLURMD_NODENAME", "OAR_NODEFILE", "SSH_AUTH_SOCK"];
        check(&job, &[], &[]);
        check(&job, &["SLURM_*", "SSH_AUTH_SOCK"], &["SLURM_JOB_ID", "SSH_AUTH_SOCK"]);
        check(&job, &["OAR_*"], &["OAR_NODEFILE"]);
    }
}
