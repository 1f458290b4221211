//! Files, directories and descriptors: too many, too big, too deep. All in the
//! working directory.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use reversecore_testkit::pattern::pattern;

use crate::output::line;
use crate::processes::pause_for;

/// `file-flood`: small files without end; exits with code 1 when refused.
pub(crate) fn flood() -> io::Result<()> {
    for number in 0_u64.. {
        fs::write(format!("flood-{number}"), b"small\n")?;
    }
    Ok(())
}

/// `file-big`: one file without end; exits with code 1 when refused, unless
/// `SIGXFSZ` is quicker.
pub(crate) fn big() -> io::Result<()> {
    let mut file = File::create("big")?;
    loop {
        file.write_all(pattern())?;
    }
}

/// `file-sparse BYTES`: a file of that size which uses no space.
pub(crate) fn sparse(bytes: u64) -> io::Result<()> {
    File::create("sparse")?.set_len(bytes)
}

/// `dir-deep N`: N directories, each in the one before, with a file in the
/// last: soon deeper than any path may be long.
pub(crate) fn deep(levels: u32) -> io::Result<()> {
    for _ in 0..levels {
        fs::create_dir("deep")?;
        std::env::set_current_dir("deep")?;
    }
    fs::write("bottom", b"bottom\n")
}

/// `dir-locked`: a directory with a file in it that its owner may not enter.
pub(crate) fn locked() -> io::Result<()> {
    fs::create_dir("locked")?;
    fs::write("locked/file", b"locked\n")?;
    fs::set_permissions("locked", fs::Permissions::from_mode(0o000))
}

/// `fd-hoard`: opens `/dev/null` until that fails, prints how many it got, and
/// goes on trying for ever.
pub(crate) fn hoard() {
    let mut hoard = Vec::new();
    let mut told = false;
    loop {
        match File::open("/dev/null") {
            Ok(file) => hoard.push(file),
            Err(_) => {
                if !told {
                    told = line(&hoard.len().to_string()).is_ok();
                }
                pause_for(Duration::from_millis(1));
            }
        }
    }
}
