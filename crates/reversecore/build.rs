//! Asks the linker for packed relative relocations. The binary has some 144,000
//! of them, most in tables of the YARA engine's compiler; the dynamic loader goes
//! through all of them at every start, and so do the launcher and each worker.
//! Packed, they are a fiftieth of the size.

/// The first glibc whose loader knows the packed form.
const FIRST: (u32, u32) = (2, 36);

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |key: &str, value: &str| std::env::var(key).is_ok_and(|found| found == value);
    let native = std::env::var("HOST").ok() == std::env::var("TARGET").ok();
    let glibc = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    // A binary built here runs on machines with this glibc or a later one, as
    // it always does; when built for another machine nothing is known.
    if native && glibc && glibc_version().is_some_and(|version| version >= FIRST) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Of the machine that builds, from the headers of its C library.
fn glibc_version() -> Option<(u32, u32)> {
    const HEADERS: [&str; 2] = ["/usr/include/features.h", "/usr/local/include/features.h"];
    let text = HEADERS
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())?;
    let defined = |name: &str| {
        text.lines()
            .filter_map(|line| line.strip_prefix("#define"))
            .filter_map(|line| line.trim().strip_prefix(name))
            .find_map(|value| value.trim().parse().ok())
    };
    Some((defined("__GLIBC__")?, defined("__GLIBC_MINOR__")?))
}
