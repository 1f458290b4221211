//! The field's words for the numbers in an ELF file, by `object`'s tables.

use object::elf::{self, Machine};

/// The word without its prefix, or the number in hexadecimal.
fn word(name: Option<&'static str>, prefix: &str, number: u64) -> String {
    match name {
        Some(name) => name.strip_prefix(prefix).unwrap_or(name).to_owned(),
        None => format!("0x{number:x}"),
    }
}

/// Name of a machine as [`Image::architecture`](crate::binary::Image) has it.
pub(super) fn architecture(machine: u16, is_64: bool) -> String {
    let name = match Machine(machine) {
        elf::EM_386 => "x86",
        elf::EM_X86_64 => "x86-64",
        elf::EM_ARM => "arm",
        elf::EM_AARCH64 => "aarch64",
        elf::EM_MIPS | elf::EM_MIPS_RS3_LE if is_64 => "mips64",
        elf::EM_MIPS | elf::EM_MIPS_RS3_LE => "mips",
        elf::EM_PPC => "powerpc",
        elf::EM_PPC64 => "powerpc64",
        elf::EM_RISCV if is_64 => "riscv64",
        elf::EM_RISCV => "riscv32",
        elf::EM_S390 if is_64 => "s390x",
        elf::EM_S390 => "s390",
        elf::EM_68K => "m68k",
        elf::EM_SPARC | elf::EM_SPARC32PLUS => "sparc",
        elf::EM_SPARCV9 => "sparc64",
        elf::EM_SH => "sh",
        elf::EM_IA_64 => "ia64",
        elf::EM_ALPHA => "alpha",
        elf::EM_PARISC => "hppa",
        elf::EM_LOONGARCH if is_64 => "loongarch64",
        elf::EM_LOONGARCH => "loongarch32",
        other => {
            return match other.name() {
                Some(name) if other != elf::EM_NONE => {
                    name.strip_prefix("EM_").unwrap_or(name).to_lowercase()
                }
                _ => format!("unknown (0x{machine:x})"),
            };
        }
    };
    name.to_owned()
}

/// `ET_DYN` → `DYN`.
pub(super) fn file_type(number: u16) -> String {
    word(elf::FileType(number).name(), "ET_", number.into())
}

/// `EM_X86_64` → `X86_64`.
pub(super) fn machine(number: u16) -> String {
    word(Machine(number).name(), "EM_", number.into())
}

/// `ELFOSABI_GNU` → `GNU`.
pub(super) fn os_abi(number: u8) -> String {
    match elf::OsAbi(number) {
        // The table's name for 0 is that of no ABI at all.
        elf::ELFOSABI_SYSV => "SYSV".to_owned(),
        elf::ELFOSABI_GNU => "GNU".to_owned(),
        other => word(other.name(), "ELFOSABI_", number.into()),
    }
}

/// The words of `e_flags`.
pub(super) fn file_flags(machine: u16, flags: u32) -> Vec<String> {
    let mut words = Vec::new();
    let names = elf::machine_names(Machine(machine)).ef;
    let rest = names.names(elf::FileFlags(flags), |_, name| {
        words.push(name.strip_prefix("EF_").unwrap_or(name).to_owned());
    });
    if rest != 0 {
        words.push(format!("0x{rest:x}"));
    }
    words
}

/// A section's type and flags: `PROGBITS ALLOC|EXECINSTR`.
pub(super) fn section(machine: u16, kind: u32, flags: u64) -> String {
    let names = elf::machine_names(Machine(machine));
    let kind_name = match (Machine(machine), kind) {
        // Younger than the table.
        (elf::EM_MIPS, 0x7000_002a) => Some("MIPS_ABIFLAGS"),
        _ => names.sht.name(elf::SectionType(kind)),
    };
    let mut words = word(kind_name, "SHT_", kind.into());
    let mut separator = ' ';
    let rest = names.shf.names(elf::SectionFlags(flags), |_, name| {
        words.push(separator);
        words.push_str(name.strip_prefix("SHF_").unwrap_or(name));
        separator = '|';
    });
    if rest != 0 {
        words.push(separator);
        words.push_str(&format!("0x{rest:x}"));
    }
    words
}

/// A segment's type: `LOAD`, `GNU_RELRO`.
pub(super) fn segment(machine: u16, kind: u32) -> String {
    let names = elf::machine_names(Machine(machine)).pt;
    word(names.name(elf::ProgramType(kind)), "PT_", kind.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_fields_words() {
        assert_eq!(section(62, 1, 6), "PROGBITS ALLOC|EXECINSTR");
        assert_eq!(section(62, 0x1234_5678, 0), "0x12345678");
        assert_eq!(segment(62, 0x6474_e552), "GNU_RELRO");
        assert_eq!(segment(40, 0x7000_0001), "ARM_EXIDX");
        assert_eq!(machine(62), "X86_64");
        assert_eq!(file_type(3), "DYN");
        assert_eq!(architecture(8, false), "mips");
        assert_eq!(architecture(0xfeed, true), "unknown (0xfeed)");
        assert_eq!(os_abi(0), "SYSV");
        assert_eq!(os_abi(200), "0xc8");
    }
}
