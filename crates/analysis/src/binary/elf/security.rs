//! The mitigations of an ELF file, by its headers and the names of its symbols.

use object::Endianness;
use object::elf;
use object::read::elf::FileHeader;

use super::details::{ElfDetails, Linkage};
use super::dynamic::Dynamic;
use super::file::File;
use crate::binary::Security;

/// What the symbols tell, collected while they are read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Signs {
    canary: bool,
    checked_calls: bool,
    checked_definitions: bool,
}

impl Signs {
    /// Looks at one symbol.
    pub(super) fn look(&mut self, name: &[u8], undefined: bool) {
        // Almost all names are sorted out here.
        if !name.starts_with(b"__") {
            return;
        }
        if matches!(
            name,
            b"__stack_chk_fail"
                | b"__stack_chk_fail_local"
                | b"__stack_chk_guard"
                | b"__intel_security_cookie"
        ) {
            self.canary = true;
        } else if name.ends_with(b"_chk") {
            self.checked_calls |= undefined;
            self.checked_definitions |= !undefined;
        }
    }
}

/// The mitigations.
///
/// A canary and checked calls can hide in a stripped static file: `false` there
/// says that no sign was seen. The C library defines the checked functions, so
/// definitions count as a sign in statically linked files only.
pub(super) fn examine<H: FileHeader<Endian = Endianness>>(
    file: &File<'_, H>,
    dynamic: &Dynamic<'_>,
    details: &ElfDetails,
    signs: Signs,
) -> Security {
    let header = file.header;
    let loadable = !matches!(elf::FileType(header.file_type), elf::ET_REL | elf::ET_CORE);
    let has = |kind: elf::ProgramType| file.segments.iter().any(|segment| segment.kind == kind.0);
    let stack = file
        .segments
        .iter()
        .find(|segment| segment.kind == elf::PT_GNU_STACK.0);
    let nx = stack.is_some_and(|stack| stack.flags & elf::PF_X.0 == 0);
    let relro = match (has(elf::PT_GNU_RELRO), dynamic.binds_now()) {
        (true, true) => "full",
        (true, false) => "partial",
        (false, _) => "none",
    };
    let is_executable = header.file_type == elf::ET_EXEC.0 || is_pie(file, dynamic);
    let declares = matches!(
        elf::Machine(header.machine),
        elf::EM_386 | elf::EM_X86_64 | elf::EM_AARCH64
    );
    let is_static = details.linkage == Some(Linkage::Static);
    let run_paths = details.rpath.iter().chain(&details.runpath);
    Security {
        nx: loadable.then_some(nx),
        pie: is_executable.then(|| is_pie(file, dynamic)),
        high_entropy_aslr: None,
        canary: Some(signs.canary),
        relro: loadable.then(|| relro.to_owned()),
        cfg: None,
        safe_seh: None,
        fortify: Some(signs.checked_calls || (is_static && signs.checked_definitions)),
        control_flow_protection: declares.then_some(!details.properties.is_empty()),
        run_paths: run_paths.cloned().collect(),
        signed: None,
    }
}

/// Whether it is a position-independent executable, which has the type of a
/// library: the linker says so, or it asks for an interpreter and has no name
/// as a library.
pub(super) fn is_pie<H: FileHeader<Endian = Endianness>>(
    file: &File<'_, H>,
    dynamic: &Dynamic<'_>,
) -> bool {
    let interpreted = || {
        let mut segments = file.segments.iter();
        segments.any(|segment| segment.kind == elf::PT_INTERP.0) && dynamic.soname.is_none()
    };
    file.header.file_type == elf::ET_DYN.0 && (dynamic.says_pie() || interpreted())
}
