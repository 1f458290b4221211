//! Which containment and confinement mechanisms hold on this machine: found
//! out by the launcher when it starts, reported, never assumed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How the processes of a run are found and killed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Containment {
    /// A cgroup (version 2) per run, ended by `cgroup.kill`.
    Cgroup,
    /// A PID namespace per run, which the kernel empties when its first
    /// process ends.
    PidNamespace,
    /// A supervisor per run that adopts orphans (subreaper) and sweeps its
    /// descendants.
    Subreaper,
}

impl fmt::Display for Containment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cgroup => "cgroup",
            Self::PidNamespace => "pid-namespace",
            Self::Subreaper => "subreaper",
        })
    }
}

/// Whether one mechanism holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mechanism {
    /// A stable name: `cgroup`, `pid-namespace`, `landlock`, …
    pub name: String,
    /// What it gives, or what is lost without it.
    pub purpose: String,
    /// Whether it is in force.
    pub holds: bool,
    /// Version or detail where it holds, the reason where it does not.
    pub detail: String,
}

/// Everything the launcher found out about this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mechanisms {
    /// The rung of the containment ladder in use.
    pub containment: Containment,
    /// Each mechanism, containment first.
    pub list: Vec<Mechanism>,
}

impl Mechanisms {
    /// The mechanism of this name.
    pub fn get(&self, name: &str) -> Option<&Mechanism> {
        self.list.iter().find(|mechanism| mechanism.name == name)
    }
}
