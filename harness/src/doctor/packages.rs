//! What things are called in the package managers of Linux distributions.

use serde::{Deserialize, Serialize};

use super::Mend;

/// An operating system, from `/etc/os-release` and the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// `Debian GNU/Linux 12 (bookworm)`.
    pub name: String,
    /// `ID`, then the words of `ID_LIKE`.
    pub ids: Vec<String>,
    /// The kernel's release.
    pub kernel: String,
    /// The processor's architecture.
    pub arch: String,
}

/// Something that a package brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Package {
    /// An ssh client.
    Ssh,
    /// Python 3 and pip.
    Pip,
    /// `newuidmap` and `newgidmap`.
    Uidmap,
    /// `mksquashfs` and `unsquashfs`.
    SquashfsTools,
    /// `squashfuse`.
    Squashfuse,
    /// `gcc`, which also links.
    Gcc,
    /// A starter of Apptainer that is setuid root.
    ApptainerSuid,
}

impl Package {
    /// Its names for apt, dnf, zypper and pacman.
    const fn names(self) -> [&'static str; 4] {
        match self {
            Package::Ssh => ["openssh-client", "openssh-clients", "openssh-clients", "openssh"],
            Package::Pip => ["python3-pip", "python3-pip", "python3-pip", "python-pip"],
            Package::Uidmap => ["uidmap", "shadow-utils", "shadow", "shadow"],
            Package::SquashfsTools => ["squashfs-tools", "squashfs-tools", "squashfs", "squashfs-tools"],
            Package::Squashfuse => ["squashfuse"; 4],
            Package::Gcc => ["gcc"; 4],
            Package::ApptainerSuid => ["apptainer-suid"; 4],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manager {
    Apt,
    Dnf,
    Zypper,
    Pacman,
    Unknown,
}

impl System {
    fn is(&self, id: &str) -> bool {
        self.ids.iter().any(|known| known == id)
    }

    fn manager(&self) -> Manager {
        let known = [
            ("debian", Manager::Apt),
            ("ubuntu", Manager::Apt),
            ("fedora", Manager::Dnf),
            ("rhel", Manager::Dnf),
            ("centos", Manager::Dnf),
            ("suse", Manager::Zypper),
            ("opensuse", Manager::Zypper),
            ("arch", Manager::Pacman),
        ];
        known.into_iter().find(|(id, _)| self.is(id)).map_or(Manager::Unknown, |(_, manager)| manager)
    }

    /// The command that installs a package.
    #[must_use]
    pub fn install(&self, package: Package) -> Mend {
        let [apt, dnf, zypper, pacman] = package.names();
        match self.manager() {
            Manager::Apt => Mend::as_root(format!("apt-get install {apt}")),
            Manager::Dnf => Mend::as_root(format!("dnf install {dnf}")),
            Manager::Zypper => Mend::as_root(format!("zypper install {zypper}")),
            Manager::Pacman => Mend::as_root(format!("pacman -S {pacman}")),
            Manager::Unknown => Mend::advice(format!("install `{apt}` with this system's package manager")),
        }
    }

    /// How Apptainer comes onto this system.
    #[must_use]
    pub fn install_apptainer(&self) -> Mend {
        match self.manager() {
            Manager::Apt if self.is("ubuntu") => {
                Mend::as_root("add-apt-repository --yes ppa:apptainer/ppa && apt-get install apptainer")
            }
            // Debian's stable releases have none; the script unpacks it below the user's cache.
            Manager::Apt => Mend::command("scripts/setup/apptainer"),
            Manager::Dnf if self.is("rhel") || self.is("centos") => {
                Mend::as_root("dnf install epel-release && dnf install apptainer")
            }
            Manager::Dnf => Mend::as_root("dnf install apptainer"),
            Manager::Zypper => Mend::as_root("zypper install apptainer"),
            Manager::Pacman => Mend::as_root("pacman -S apptainer"),
            Manager::Unknown => Mend::advice("install Apptainer 1.3 or later with this system's package manager"),
        }
    }

    /// Whether there is a package with a setuid starter beside Apptainer's own.
    #[must_use]
    pub fn has_setuid_package(&self) -> bool {
        match self.manager() {
            Manager::Apt => self.is("ubuntu"),
            Manager::Dnf => true,
            Manager::Zypper | Manager::Pacman | Manager::Unknown => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_distribution_is_told_its_own_command() {
        let check = |ids: &str, ssh: &str, apptainer: &str| {
            let ids = ids.split(' ').map(str::to_owned).collect();
            let system = System { name: String::new(), ids, kernel: String::new(), arch: String::new() };
            assert_eq!(system.install(Package::Ssh).text, ssh);
            assert!(system.install_apptainer().text.contains(apptainer), "{:?}", system.install_apptainer());
        };
        check("debian", "apt-get install openssh-client", "scripts/setup/apptainer");
        check("ubuntu debian", "apt-get install openssh-client", "ppa:apptainer/ppa");
        check("linuxmint ubuntu debian", "apt-get install openssh-client", "ppa:apptainer/ppa");
        check("fedora", "dnf install openssh-clients", "dnf install apptainer");
        check("rocky rhel centos fedora", "dnf install openssh-clients", "epel-release");
        check("opensuse-leap suse opensuse", "zypper install openssh-clients", "zypper install apptainer");
        check("arch", "pacman -S openssh", "pacman -S apptainer");
        check("nixos", "install `openssh-client` with this system's package manager", "Apptainer 1.3 or later");
    }
}
