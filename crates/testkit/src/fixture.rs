//! Finds the fixture programs of this crate, and builds them when they are
//! missing or older than their source.
//!
//! Called by tests of any crate. Cargo builds the programs of a *dependency*
//! for nobody, so a test of another crate can't rely on `CARGO_BIN_EXE_…`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// Names a directory that holds ready-made fixture programs, for test runs on
/// a machine without a toolchain.
const FIXTURES_VARIABLE: &str = "REVERSECORE_FIXTURES";

/// The path of the fixture program `name`.
///
/// Looks in `$REVERSECORE_FIXTURES`, then beside the test executable; builds
/// the program when it is not there or is older than its source.
///
/// # Panics
/// When the program can't be found and can't be built: the test can't go on.
#[must_use]
pub fn fixture(name: &str) -> PathBuf {
    if let Some(directory) = std::env::var_os(FIXTURES_VARIABLE) {
        let program = PathBuf::from(directory).join(name);
        assert!(
            program.is_file(),
            "`{FIXTURES_VARIABLE}` is set, but there is no `{}`",
            program.display()
        );
        return program;
    }
    let profile = profile_directory();
    let program = profile.join(name);
    if !up_to_date(&program) {
        build(&profile);
    }
    assert!(
        program.is_file(),
        "`{}` is missing after `cargo build -p reversecore-testkit --bins`",
        program.display()
    );
    program
}

/// `target/<profile>`: the test executable lies in it or in its `deps`.
fn profile_directory() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has an executable");
    let directory = test.parent().expect("an executable lies in a directory");
    if directory.ends_with("deps") || directory.ends_with("examples") {
        directory
            .parent()
            .expect("`deps` lies in the profile's directory")
            .to_path_buf()
    } else {
        directory.to_path_buf()
    }
}

fn up_to_date(program: &Path) -> bool {
    let Ok(built) = fs::metadata(program).and_then(|data| data.modified()) else {
        return false;
    };
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    newest_change(&source).is_none_or(|changed| changed <= built)
}

/// The newest modification below `directory`; `None` when the sources are not
/// on this machine.
fn newest_change(directory: &Path) -> Option<SystemTime> {
    fs::read_dir(directory)
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let data = entry.metadata().ok()?;
            if data.is_dir() {
                newest_change(&entry.path())
            } else {
                data.modified().ok()
            }
        })
        .max()
}

#[expect(
    clippy::disallowed_methods,
    reason = "test support runs cargo; no product code can depend on this crate"
)]
fn build(profile: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "-p", "reversecore-testkit", "--bins"])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if let Some(target) = profile.parent() {
        command.arg("--target-dir").arg(target);
    }
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let status = command
        .status()
        .expect("cargo can be started where tests are built");
    assert!(status.success(), "the fixture programs could not be built");
}
