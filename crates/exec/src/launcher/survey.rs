//! Finds out which mechanisms hold on this machine, puts them in place, and
//! tells the engine.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::sockopt;

use super::cgroup::Tree;
use super::confine::{Confinement, Landlock};
use super::namespaces::Namespaces;
use super::scratch::Scratch;
use super::seccomp::Filters;
use super::serve::{Launcher, Parts};
use super::sys::{self, Forked, Reap};
use crate::engine::SandboxMode;
use crate::mechanisms::{Containment, Mechanism, Mechanisms};
use crate::wire::{self, Greeting, Setup};

/// Whether the launcher should put itself into namespaces at all.
pub(super) fn wants_namespaces(setup: &Setup) -> bool {
    setup.sandbox != SandboxMode::Off || setup.containment == Some(Containment::PidNamespace)
}

/// Puts everything in place and greets the engine. `None`: the engine has been
/// told that what it requires is not to be had.
pub(super) fn bring_up(
    control: OwnedFd,
    setup: &Setup,
    namespaces: &Namespaces,
    isolated: bool,
) -> io::Result<Option<Launcher>> {
    // A session of its own: no terminal, and one scheduling group for all runs
    // (a session per run costs tail latency where the kernel groups by it).
    rustix::process::setsid().ok();
    sys::prctl(libc::PR_SET_CHILD_SUBREAPER, 1)?;
    let scratch = Scratch::claim(&setup.scratch_root.to_path())?;
    let mut list = Vec::new();

    let (tree, found) = cgroup(setup);
    list.push(found);
    if let Some(tree) = &tree {
        list.push(controller("memory", tree.memory));
        list.push(controller("pids", tree.pids));
    }
    let (nested, found) = pid_namespace(isolated);
    list.push(found);
    list.push(holds(
        "subreaper",
        "finds what a run leaves behind, as the last resort",
        "built in",
    ));
    list.extend(namespace_mechanisms(namespaces));
    let containment = setup.containment.unwrap_or(if tree.is_some() {
        Containment::Cgroup
    } else if nested {
        Containment::PidNamespace
    } else {
        Containment::Subreaper
    });
    let (confinement, found) = confinement(setup);
    list.extend(found);

    let refused = refusal(setup, containment, tree.is_some(), nested, &list);
    let greeting = Greeting {
        mechanisms: Mechanisms { containment, list },
        refused,
    };
    // Descriptors travel in bursts; room for many requests keeps senders from
    // waiting. Best effort: the kernel caps it.
    sockopt::set_socket_recv_buffer_size(&control, 1 << 20).ok();
    let packet =
        wire::encode(&greeting).map_err(|_| io::Error::other("the greeting is too large"))?;
    let heard = wire::send(&control, &packet, &[]).is_ok();
    // An engine that was gone before this was ready is no fault either.
    if greeting.refused.is_some() || !heard {
        scratch.finish();
        return Ok(None);
    }
    Launcher::new(Parts {
        control,
        confinement,
        containment,
        tree: tree.filter(|_| containment == Containment::Cgroup),
        scratch,
        places: setup.places as usize,
    })
    .map(Some)
}

fn refusal(
    setup: &Setup,
    containment: Containment,
    cgroup: bool,
    nested: bool,
    list: &[Mechanism],
) -> Option<String> {
    let mut missing = Vec::new();
    let available = match containment {
        Containment::Cgroup => cgroup,
        Containment::PidNamespace => nested,
        Containment::Subreaper => true,
    };
    if !available {
        missing.push(format!("containment by {containment}"));
    }
    if setup.sandbox == SandboxMode::Required {
        const PROMISED: [&str; 4] = [
            "network-namespace",
            "landlock",
            "seccomp",
            "no-new-privileges",
        ];
        for mechanism in list {
            if PROMISED.contains(&mechanism.name.as_str()) && !mechanism.holds {
                missing.push(format!("{} ({})", mechanism.name, mechanism.detail));
            }
        }
    }
    (!missing.is_empty()).then(|| missing.join(", "))
}

// === Containment ===

fn cgroup(setup: &Setup) -> (Option<Tree>, Mechanism) {
    const PURPOSE: &str = "kills a run with all its processes at one stroke";
    if setup
        .containment
        .is_some_and(|wanted| wanted != Containment::Cgroup)
    {
        return (
            None,
            lacks("cgroup", PURPOSE, "another containment was chosen"),
        );
    }
    let parent = setup.cgroup_parent.as_ref().map(|path| path.to_path());
    if let Err(error) = sys::birth_in_cgroup() {
        let reason = format!("the system call `clone3` is refused: {error}");
        return (None, lacks("cgroup", PURPOSE, &reason));
    }
    match Tree::create(parent.as_deref()) {
        Ok(tree) => (Some(tree), holds("cgroup", PURPOSE, "version 2")),
        Err(error) => (None, lacks("cgroup", PURPOSE, &error.to_string())),
    }
}

fn controller(name: &str, enabled: bool) -> Mechanism {
    let purpose = "the kernel enforces the limit; without it the launcher watches";
    let name = format!("cgroup-{name}");
    if enabled {
        holds(&name, purpose, "delegated")
    } else {
        lacks(
            &name,
            purpose,
            "the controller is not delegated to this process",
        )
    }
}

/// Tries whether a run can have a PID namespace of its own.
fn pid_namespace(isolated: bool) -> (bool, Mechanism) {
    const PURPOSE: &str = "if the launcher is killed, everything it started dies with it";
    let nested = match sys::fork(true, None) {
        Ok(Forked::Child) => sys::exit_now(0),
        Ok(Forked::Parent(_)) => {
            while !matches!(sys::reap(), Reap::NoChildren | Reap::Ended(_)) {
                super::pause(std::time::Duration::from_millis(1));
            }
            Ok(())
        }
        Err(error) => Err(error),
    };
    let mechanism = match (&nested, isolated) {
        (Ok(()), true) => holds(
            "pid-namespace",
            PURPOSE,
            "launcher and, where chosen, each run",
        ),
        (Ok(()), false) => lacks(
            "pid-namespace",
            PURPOSE,
            "only for each run: the launcher could not have its own",
        ),
        (Err(error), _) => lacks("pid-namespace", PURPOSE, &error.to_string()),
    };
    (nested.is_ok(), mechanism)
}

// === Confinement ===

fn namespace_mechanisms(namespaces: &Namespaces) -> [Mechanism; 3] {
    let Namespaces {
        mount,
        network,
        ipc,
    } = namespaces;
    let one = |name: &str, purpose: &str, result: &Result<(), String>| match result {
        Ok(()) => holds(name, purpose, "entered"),
        Err(reason) => lacks(name, purpose, reason),
    };
    [
        one("network-namespace", "no network at all", network),
        one("mount-namespace", "a /proc that shows the runs only", mount),
        one("ipc-namespace", "no shared memory with other programs", ipc),
    ]
}

fn confinement(setup: &Setup) -> (Confinement, Vec<Mechanism>) {
    const FILES: &str = "a run opens its own files only, and writes to its scratch directory only";
    const CALLS: &str = "refuses system calls that no analysis needs";
    const PRIVILEGES: &str = "no program can gain rights by being started";
    const CAPABILITIES: &str = "a run of root has no rights of root";
    if setup.sandbox == SandboxMode::Off {
        let off = |name: &str, purpose: &str| lacks(name, purpose, "the sandbox is switched off");
        let list = vec![
            off("landlock", FILES),
            off("seccomp", CALLS),
            off("no-new-privileges", PRIVILEGES),
            off("capabilities", CAPABILITIES),
        ];
        return (Confinement::default(), list);
    }
    let mut list = Vec::new();
    let version = sys::landlock_version();
    let landlock = (version > 0).then(|| Landlock::prepare(&setup.readable));
    list.push(if landlock.is_some() {
        holds("landlock", FILES, &format!("version {version}"))
    } else {
        lacks(
            "landlock",
            FILES,
            "the kernel does not have it, or it is disabled",
        )
    });

    let privileges = sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1);
    let filters = Filters::compile()
        .map_err(|error| error.to_string())
        .and_then(|filters| {
            seccompiler::apply_filter(&filters.base).map_err(|error| error.to_string())?;
            Ok(filters)
        });
    list.push(match &filters {
        Ok(_) => holds("seccomp", CALLS, "allow-list"),
        Err(error) => lacks("seccomp", CALLS, error),
    });
    list.push(match privileges {
        Ok(()) => holds("no-new-privileges", PRIVILEGES, "set"),
        Err(error) => lacks("no-new-privileges", PRIVILEGES, &error.to_string()),
    });
    list.push(holds("capabilities", CAPABILITIES, "given up in each run"));
    let confinement = Confinement {
        landlock,
        filters: filters.ok(),
        drop_capabilities: true,
    };
    (confinement, list)
}

fn holds(name: &str, purpose: &str, detail: &str) -> Mechanism {
    mechanism(name, purpose, true, detail)
}

fn lacks(name: &str, purpose: &str, reason: &str) -> Mechanism {
    mechanism(name, purpose, false, reason)
}

fn mechanism(name: &str, purpose: &str, holds: bool, detail: &str) -> Mechanism {
    Mechanism {
        name: name.to_owned(),
        purpose: purpose.to_owned(),
        holds,
        detail: detail.to_owned(),
    }
}
