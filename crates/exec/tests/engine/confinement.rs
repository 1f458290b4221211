//! A confined program reaches nothing but what it was given, whatever it tries.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;

use reversecore_exec::{Command, Limits, SandboxMode, Scratch, StartError};
use reversecore_testkit::fixture;

use crate::support::{TestEngine, again_as_ordinary_user, every_rung, hostile, is_root};

#[tokio::test]
async fn files_network_and_privileges_are_out_of_reach() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let secret = tempfile::NamedTempFile::new().unwrap();
    let secret = secret.path().to_str().unwrap();
    let this = std::process::id().to_string();
    for (rung, engine) in every_rung(|_| {}).await {
        let tried = async |arguments: &[&str]| {
            let finished = engine
                .run(hostile(arguments).scratch(Scratch::Private))
                .await;
            finished.stdout.text().trim().to_owned()
        };
        for (arguments, expected) in [
            (&["try-open", "/etc/passwd"][..], "EACCES"),
            (&["try-open", "/proc/self/status"], "EACCES"),
            (&["try-open", "/proc/1/environ"], "EACCES"),
            (&["try-open", secret], "EACCES"),
            (&["try-list", "/home"], "EACCES"),
            (&["try-list", "/tmp"], "EACCES"),
            (&["try-write", "/tmp/reversecore-probe"], "EACCES"),
            (&["try-write", "/usr/reversecore-probe"], "EACCES"),
            (&["try-write", "probe"], "ok"),
            (&["try-open", "/usr/bin/env"], "ok"),
            (&["try-mount"], "ENOSYS"),
            (&["try-userns"], "ENOSYS"),
            (&["try-bpf"], "ENOSYS"),
            (&["try-keyctl"], "ENOSYS"),
            (&["try-io-uring"], "ENOSYS"),
            (&["try-ptrace", "1"], "ENOSYS"),
            (&["try-unix-socket"], "ENOSYS"),
            (&["try-connect", &address], "ENOSYS"),
            (&["try-udp", &address], "ENOSYS"),
            (&["try-thread"], "ok"),
            (&["try-fork"], "ok"),
        ] {
            assert_eq!(tried(arguments).await, expected, "{rung} {arguments:?}");
        }
        let killed = tried(&["try-kill", &this]).await;
        assert!(killed.starts_with('E'), "{rung} {killed}");
        // A link to what is out of reach does not bring it into reach.
        assert_eq!(tried(&["try-symlink", secret]).await, "ok", "{rung}");
        let identity = engine
            .lines(hostile(&["print-ids"]).readable("/proc"))
            .await;
        let capabilities = identity
            .iter()
            .find(|line| line.starts_with("CapEff"))
            .cloned();
        // Root keeps the right to read files of other owners, and no other.
        let expected = if is_root() { "4" } else { "0" };
        let mask = capabilities
            .as_deref()
            .and_then(|line| line.split_whitespace().last());
        let mask = mask
            .map(|mask| mask.trim_start_matches('0'))
            .map(|mask| if mask.is_empty() { "0" } else { mask });
        assert_eq!(mask, Some(expected), "{rung} {identity:?}");
    }
    again_as_ordinary_user("confinement::files_network_and_privileges_are_out_of_reach");
}

/// An owner needs no permission to change what is not a file's content, and an
/// open descriptor is enough for some of it.
#[tokio::test]
async fn not_even_modes_owners_and_times_of_files_can_be_changed() {
    for (rung, engine) in every_rung(|_| {}).await {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let before = std::fs::metadata(path).unwrap();
        for change in [
            &["/usr/bin/chmod", "0777"][..],
            &["/usr/bin/chown", "12345"],
            &["/usr/bin/touch", "-d", "2001-01-01"],
            &["/usr/bin/truncate", "-s", "100"],
            &["/usr/bin/rm", "-f"],
        ] {
            for by_descriptor in [false, true] {
                let mut command = Command::new(change[0]).args(change[1..].iter().copied());
                let target = if by_descriptor {
                    command.hand(file.reopen().unwrap())
                } else {
                    path.into()
                };
                let finished = engine.run(command.arg(target)).await;
                assert!(!finished.success(), "{rung} {change:?} {finished:?}");
            }
        }
        let after = std::fs::metadata(path).unwrap();
        assert_eq!(before.permissions(), after.permissions(), "{rung}");
        assert_eq!(
            before.modified().unwrap(),
            after.modified().unwrap(),
            "{rung}"
        );
        assert_eq!((after.len(), after.uid()), (0, before.uid()), "{rung}");
    }
    again_as_ordinary_user("confinement::not_even_modes_owners_and_times_of_files_can_be_changed");
}

#[tokio::test]
async fn a_run_of_one_process_cannot_start_another() {
    let program = fixture("hostile");
    let limits = Limits {
        processes: 1,
        ..Limits::default()
    };
    for (rung, engine) in every_rung(|_| {}).await {
        for (arguments, expected) in [
            (&["try-fork"][..], "ENOSYS"),
            (&["try-thread"], "ok"),
            // Becoming another program is refused by what may be executed.
            (&["try-exec", program.to_str().unwrap()], "ENOSYS"),
        ] {
            let finished = engine.run(hostile(arguments).limits(limits.clone())).await;
            assert_eq!(
                finished.stdout.text().trim(),
                expected,
                "{rung} {arguments:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_required_sandbox_is_complete_here_and_off_means_off() {
    let required = TestEngine::start(|config| config.sandbox = SandboxMode::Required);
    let mechanisms = required.engine.mechanisms().await.unwrap();
    for name in [
        "network-namespace",
        "landlock",
        "seccomp",
        "no-new-privileges",
    ] {
        assert!(
            mechanisms.get(name).is_some_and(|found| found.holds),
            "{name}"
        );
    }
    assert!(required.run(hostile(&["exit", "0"])).await.success());

    let off = TestEngine::unconfined();
    assert!(
        off.engine
            .mechanisms()
            .await
            .unwrap()
            .get("landlock")
            .is_some_and(|found| !found.holds)
    );
    assert_eq!(
        off.lines(hostile(&["try-open", "/etc/passwd"])).await,
        ["ok"]
    );
}

/// What is missing is named, the engine does not come up, and no run is started
/// without what was promised.
#[tokio::test]
async fn a_containment_that_is_not_to_be_had_is_refused() {
    let engine = TestEngine::start(|config| {
        config.containment = Some(reversecore_exec::Containment::Cgroup);
        config.cgroup_parent = Some("/no/such/cgroup".into());
    });
    let cancel = tokio_util::sync::CancellationToken::new();
    let error = engine
        .engine
        .run(hostile(&["exit", "0"]), &cancel)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("cgroup"), "{error}");
    assert!(matches!(
        engine.engine.mechanisms().await,
        Err(StartError::SandboxUnavailable { .. })
    ));
}
