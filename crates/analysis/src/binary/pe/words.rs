//! Numbers of the PE format in words: machines, kinds of files, flags. The
//! names of flags are those of Microsoft's headers (by way of `object`),
//! without their common beginning.

use std::fmt::Debug;

use object::pe;

/// The names of a set of flags, without `prefix`; unknown bits in hexadecimal.
pub(super) fn flags(flags: impl Debug, prefix: &str) -> Vec<String> {
    // The types of flags of `object` print as their names, joined by ` | `.
    let text = format!("{flags:?}");
    text.split(" | ")
        .filter(|name| *name != "0")
        .map(|name| name.strip_prefix(prefix).unwrap_or(name).to_owned())
        .collect()
}

/// The name of a constant, without `prefix`; its number when it has none.
pub(super) fn constant(constant: impl Debug, prefix: &str) -> String {
    let text = format!("{constant:?}");
    text.strip_prefix(prefix).unwrap_or(&text).to_owned()
}

/// The type of an entry of the debug directory. Two types of .NET (its
/// "PE/COFF Specification Addendum") are unknown to `object`.
pub(super) fn debug_type(kind: pe::DebugType) -> String {
    match kind.0 {
        17 => "EMBEDDED_PORTABLE_PDB".to_owned(),
        19 => "PDB_CHECKSUM".to_owned(),
        _ => constant(kind, "IMAGE_DEBUG_TYPE_"),
    }
}

/// The architecture of a machine number.
pub(super) fn architecture(machine: u16) -> String {
    let name = match pe::Machine(machine) {
        pe::IMAGE_FILE_MACHINE_I386 => "x86",
        pe::IMAGE_FILE_MACHINE_AMD64 => "x86-64",
        pe::IMAGE_FILE_MACHINE_ARM
        | pe::IMAGE_FILE_MACHINE_THUMB
        | pe::IMAGE_FILE_MACHINE_ARMNT => "arm",
        pe::IMAGE_FILE_MACHINE_ARM64
        | pe::IMAGE_FILE_MACHINE_ARM64EC
        | pe::IMAGE_FILE_MACHINE_ARM64X => "aarch64",
        pe::IMAGE_FILE_MACHINE_IA64 => "ia64",
        pe::IMAGE_FILE_MACHINE_EBC => "efi bytecode",
        pe::IMAGE_FILE_MACHINE_ALPHA | pe::IMAGE_FILE_MACHINE_ALPHA64 => "alpha",
        pe::IMAGE_FILE_MACHINE_R3000
        | pe::IMAGE_FILE_MACHINE_R4000
        | pe::IMAGE_FILE_MACHINE_R10000
        | pe::IMAGE_FILE_MACHINE_WCEMIPSV2
        | pe::IMAGE_FILE_MACHINE_MIPS16
        | pe::IMAGE_FILE_MACHINE_MIPSFPU
        | pe::IMAGE_FILE_MACHINE_MIPSFPU16 => "mips",
        pe::IMAGE_FILE_MACHINE_POWERPC
        | pe::IMAGE_FILE_MACHINE_POWERPCFP
        | pe::IMAGE_FILE_MACHINE_POWERPCBE => "powerpc",
        pe::IMAGE_FILE_MACHINE_SH3
        | pe::IMAGE_FILE_MACHINE_SH3DSP
        | pe::IMAGE_FILE_MACHINE_SH3E
        | pe::IMAGE_FILE_MACHINE_SH4
        | pe::IMAGE_FILE_MACHINE_SH5 => "sh",
        pe::IMAGE_FILE_MACHINE_RISCV32
        | pe::IMAGE_FILE_MACHINE_RISCV64
        | pe::IMAGE_FILE_MACHINE_RISCV128 => "riscv",
        pe::Machine(0x6232 | 0x6264) => "loongarch",
        pe::IMAGE_FILE_MACHINE_M32R => "m32r",
        pe::Machine(other) => return format!("unknown (0x{other:x})"),
    };
    name.to_owned()
}

/// Whether the machine's bytes go most significant first. The headers are
/// little-endian all the same.
pub(super) fn is_big_endian(machine: u16) -> bool {
    pe::Machine(machine) == pe::IMAGE_FILE_MACHINE_POWERPCBE
}

/// What kind of file it is, from its characteristics, subsystem and DLL
/// characteristics.
pub(super) fn kind(
    characteristics: pe::FileFlags,
    subsystem: pe::Subsystem,
    dll_characteristics: pe::DllFlags,
    imports_kernel: bool,
) -> &'static str {
    match subsystem {
        pe::IMAGE_SUBSYSTEM_EFI_APPLICATION => return "efi application",
        pe::IMAGE_SUBSYSTEM_EFI_BOOT_SERVICE_DRIVER => return "efi boot service driver",
        pe::IMAGE_SUBSYSTEM_EFI_RUNTIME_DRIVER => return "efi runtime driver",
        pe::IMAGE_SUBSYSTEM_EFI_ROM => return "efi rom",
        pe::IMAGE_SUBSYSTEM_WINDOWS_BOOT_APPLICATION => return "boot application",
        pe::Subsystem(_) => {}
    }
    let wdm = dll_characteristics.0 & pe::IMAGE_DLLCHARACTERISTICS_WDM_DRIVER.0 != 0;
    if wdm || imports_kernel {
        return "driver";
    }
    if characteristics.0 & pe::IMAGE_FILE_DLL.0 != 0 {
        return "dynamic library";
    }
    "executable"
}
