//! The field's words for the numbers in a Mach-O file, by `object`'s tables.

use object::macho::{self, CpuType};

/// The word without its prefix, or the number in hexadecimal.
fn word(name: Option<&'static str>, prefix: &str, number: u32) -> String {
    match name {
        Some(name) => name.strip_prefix(prefix).unwrap_or(name).to_owned(),
        None => format!("0x{number:x}"),
    }
}

/// `CPU_TYPE_ARM64` → `ARM64`.
pub(super) fn cpu(cpu: CpuType) -> String {
    word(cpu.name(), "CPU_TYPE_", cpu.0)
}

/// Name of a processor as [`Image::architecture`](crate::binary::Image) has it.
pub(super) fn architecture(cpu: CpuType) -> String {
    let name = match cpu {
        macho::CPU_TYPE_X86 => "x86",
        macho::CPU_TYPE_X86_64 => "x86-64",
        macho::CPU_TYPE_ARM => "arm",
        macho::CPU_TYPE_ARM64 => "aarch64",
        macho::CPU_TYPE_ARM64_32 => "aarch64-32",
        macho::CPU_TYPE_POWERPC => "powerpc",
        macho::CPU_TYPE_POWERPC64 => "powerpc64",
        other => {
            return match other.name() {
                Some(name) => name
                    .strip_prefix("CPU_TYPE_")
                    .unwrap_or(name)
                    .to_lowercase(),
                None => format!("unknown (0x{:x})", other.0),
            };
        }
    };
    name.to_owned()
}

/// `MH_EXECUTE` → `EXECUTE`.
pub(super) fn file_type(kind: macho::FileType) -> String {
    word(kind.name(), "MH_", kind.0)
}

/// What a type of file is called; `pie` only matters for programs.
pub(super) fn kind(kind: macho::FileType, pie: bool) -> String {
    let name = match kind {
        macho::MH_OBJECT => "relocatable object",
        macho::MH_EXECUTE if pie => "pie executable",
        macho::MH_EXECUTE => "executable",
        macho::MH_CORE => "core dump",
        macho::MH_DYLIB | macho::MH_FVMLIB => "shared library",
        macho::MH_DYLIB_STUB => "shared library stub",
        macho::MH_DYLINKER => "dynamic linker",
        macho::MH_BUNDLE => "bundle",
        macho::MH_DSYM => "debug symbols",
        macho::MH_KEXT_BUNDLE => "driver",
        macho::MH_FILESET => "file set",
        macho::FileType(other) => return format!("unknown (0x{other:x})"),
    };
    name.to_owned()
}

/// The words of the header's flags.
pub(super) fn file_flags(flags: u32) -> Vec<String> {
    let mut words = Vec::new();
    let rest = macho::FileFlags::NAMES.names(macho::FileFlags(flags), |_, name| {
        words.push(name.strip_prefix("MH_").unwrap_or(name).to_owned());
    });
    if rest != 0 {
        words.push(format!("0x{rest:x}"));
    }
    words
}

/// `LC_SEGMENT_64` → `SEGMENT_64`.
pub(super) fn command(command: u32) -> String {
    word(macho::LoadCommandType(command).name(), "LC_", command)
}

/// A section's type and attributes: `S_CSTRING_LITERALS`, `S_ATTR_…`.
pub(super) fn section(flags: macho::SectionFlags) -> String {
    let mut words = String::new();
    let rest = macho::SectionFlags::NAMES.names(flags, |_, name| {
        if !words.is_empty() {
            words.push('|');
        }
        words.push_str(name);
    });
    if rest != 0 {
        words.push_str(&format!("|0x{rest:x}"));
    }
    words
}

/// `PLATFORM_MACOS` → `MACOS`.
pub(super) fn platform(platform: macho::Platform) -> String {
    word(platform.name(), "PLATFORM_", platform.0)
}

/// `TOOL_LD` and a version → `LD 1022.1`.
pub(super) fn tool(tool: macho::Tool, tool_version: macho::Version) -> String {
    format!(
        "{} {}",
        word(tool.name(), "TOOL_", tool.0),
        version(tool_version)
    )
}

/// `13.0`, or `13.0.1` when the third part is not 0.
pub(super) fn version(version: macho::Version) -> String {
    let (major, minor, update) = (version.major(), version.minor(), version.update());
    if update == 0 {
        format!("{major}.{minor}")
    } else {
        format!("{major}.{minor}.{update}")
    }
}

/// A source version: five numbers of 24 and 10 bits; trailing zeroes are left
/// out, but for the second.
pub(super) fn source_version(version: u64) -> String {
    let mut parts = vec![version >> 40];
    parts.extend([30, 20, 10, 0].map(|shift| (version >> shift) & 0x3ff));
    while parts.len() > 2 && parts.last() == Some(&0) {
        parts.pop();
    }
    let parts: Vec<String> = parts.iter().map(u64::to_string).collect();
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_fields_words() {
        assert_eq!(cpu(macho::CPU_TYPE_ARM64), "ARM64");
        assert_eq!(architecture(CpuType(0x55)), "unknown (0x55)");
        assert_eq!(command(0x19), "SEGMENT_64");
        assert_eq!(command(0x8000_0028), "MAIN");
        assert_eq!(command(0x7777), "0x7777");
        assert_eq!(version(macho::Version(0x000d_0001)), "13.0.1");
        assert_eq!(source_version(1 << 40), "1.0");
        assert_eq!(source_version((7 << 40) | (3 << 10)), "7.0.0.3");
        assert_eq!(kind(macho::MH_EXECUTE, true), "pie executable");
    }
}
