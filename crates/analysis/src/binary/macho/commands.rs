//! The load commands of a Mach-O image: read once, in order, into plain facts.
//! What they point to is read by the siblings.

use object::Endianness;
use object::endian::{U32, U64};
use object::macho::{self, LoadCommandType};
use object::pod::{self, Pod};
use object::read::macho::{MachHeader, Section as _, Segment as _};

use super::details::{Dylib, Encryption, LoadCommand, MachODetails};
use super::words;
use crate::Warnings;
use crate::binary::text::{self, Text};
use crate::binary::{ParseOptions, Range};
use crate::hex::hexadecimal;

/// A segment, as plain numbers.
#[derive(Debug, Clone)]
pub(super) struct RawSegment<'d> {
    pub(super) name: &'d [u8],
    pub(super) address: u64,
    pub(super) memory_size: u64,
    pub(super) offset: u64,
    pub(super) file_size: u64,
    pub(super) protection: u32,
}

/// A section, as plain numbers.
#[derive(Debug, Clone)]
pub(super) struct RawSection<'d> {
    pub(super) name: &'d [u8],
    pub(super) segment_name: &'d [u8],
    pub(super) address: u64,
    pub(super) size: u64,
    pub(super) offset: u64,
    pub(super) flags: macho::SectionFlags,
    pub(super) relocations: u32,
    /// What its segment may be used for.
    pub(super) protection: u32,
}

/// What the load commands say, beyond what stands in the details.
#[derive(Debug, Clone, Default)]
pub(super) struct Commands<'d> {
    pub(super) segments: Vec<RawSegment<'d>>,
    pub(super) sections: Vec<RawSection<'d>>,
    pub(super) symbols: Option<macho::SymtabCommand<Endianness>>,
    pub(super) dynamic_symbols: Option<macho::DysymtabCommand<Endianness>>,
    pub(super) dyld_info: Option<macho::DyldInfoCommand<Endianness>>,
    pub(super) chained_fixups: Option<Range>,
    pub(super) exports_trie: Option<Range>,
    pub(super) function_starts: Option<Range>,
    /// Offset of the entry point in the image (`LC_MAIN`).
    pub(super) main: Option<u64>,
    /// Address of the entry point (`LC_UNIXTHREAD`).
    pub(super) thread_entry: Option<u64>,
    pub(super) run_paths: Vec<String>,
    /// Ends of everything in `__LINKEDIT` and elsewhere that is described.
    pub(super) ends: u64,
}

/// More libraries than this can't be named by an ordinal's byte, but by other
/// means; real programs have some hundreds at most.
const MOST_DYLIBS: usize = 4096;

/// Real images have some dozens, file sets some hundreds.
const MOST_COMMANDS: u32 = 1 << 14;

/// What a reader of commands carries.
pub(super) struct Reader<'r, 'd> {
    pub(super) data: &'d [u8],
    /// Offset of the image in its file.
    pub(super) base: u64,
    pub(super) endian: Endianness,
    pub(super) options: &'r ParseOptions,
    pub(super) details: &'r mut MachODetails,
    pub(super) text: &'r mut Text,
    pub(super) warnings: &'r mut Warnings,
}

impl<'d> Reader<'_, 'd> {
    /// Reads the commands behind a header.
    pub(super) fn read<M: MachHeader<Endian = Endianness>>(&mut self, header: &M) -> Commands<'d> {
        let mut commands = Commands::default();
        let start = size_of::<M>();
        let claimed = header.sizeofcmds(self.endian) as usize;
        let count = header.ncmds(self.endian);
        let rest = self.data.get(start..).unwrap_or_default();
        if claimed > rest.len() {
            self.warnings.add(format!(
                "Mach-O header at 0x{:x} claims {claimed} bytes of load commands, the image has {}",
                self.base,
                rest.len()
            ));
        }
        let mut left = rest.get(..claimed).unwrap_or(rest);
        let mut offset = self.base.saturating_add(start as u64);
        commands.ends = (start as u64).saturating_add(claimed as u64);
        for number in 0..count {
            if number >= MOST_COMMANDS {
                self.warnings.add(format!(
                    "load commands end after {MOST_COMMANDS} of {count}"
                ));
                break;
            }
            let head = pod::from_bytes::<macho::LoadCommand<Endianness>>(left);
            let Ok((head, _)) = head else {
                self.warnings.add(format!(
                    "Mach-O header at 0x{:x} claims {count} load commands, there is room for {number}",
                    self.base
                ));
                break;
            };
            let kind = head.cmd.get(self.endian);
            let size = head.cmdsize.get(self.endian);
            if (size as usize) < size_of_val(head) {
                self.warnings
                    .add(format!("load command at 0x{offset:x} claims {size} bytes"));
                break;
            }
            let body = left.get(..size as usize).unwrap_or(left);
            if self.details.commands.len() < self.options.most_items {
                self.details.commands.push(LoadCommand {
                    name: words::command(kind.0),
                    offset,
                    size,
                });
            }
            if body.len() < size as usize {
                self.warnings.add(format!(
                    "load command at 0x{offset:x} claims {size} bytes, {} are left",
                    body.len()
                ));
            }
            if self.take::<M>(kind, body, &mut commands).is_none() {
                self.warnings.add(format!(
                    "load command {} at 0x{offset:x} is too short for what it holds",
                    words::command(kind.0)
                ));
            }
            left = left.get(size as usize..).unwrap_or_default();
            offset = offset.saturating_add(size.into());
        }
        commands
    }

    /// Reads one command; `None` when it is too short.
    fn take<M: MachHeader<Endian = Endianness>>(
        &mut self,
        kind: LoadCommandType,
        body: &'d [u8],
        commands: &mut Commands<'d>,
    ) -> Option<()> {
        let endian = self.endian;
        match kind {
            macho::LC_SEGMENT | macho::LC_SEGMENT_64 => self.segment::<M>(kind, body, commands)?,
            macho::LC_SYMTAB => commands.symbols = Some(*at_start(body)?),
            macho::LC_DYSYMTAB => commands.dynamic_symbols = Some(*at_start(body)?),
            macho::LC_DYLD_INFO | macho::LC_DYLD_INFO_ONLY => {
                commands.dyld_info = Some(*at_start(body)?);
            }
            macho::LC_LOAD_DYLIB
            | macho::LC_LOAD_WEAK_DYLIB
            | macho::LC_REEXPORT_DYLIB
            | macho::LC_LAZY_LOAD_DYLIB
            | macho::LC_LOAD_UPWARD_DYLIB => self.dylib(kind, body)?,
            macho::LC_ID_DYLIB => {
                let command: &macho::DylibCommand<Endianness> = at_start(body)?;
                self.details.install_name = Some(self.string(body, &command.dylib.name)?);
            }
            macho::LC_LOAD_DYLINKER => {
                let command: &macho::DylinkerCommand<Endianness> = at_start(body)?;
                self.details.dynamic_linker = Some(self.string(body, &command.name)?);
            }
            macho::LC_RPATH => {
                let command: &macho::RpathCommand<Endianness> = at_start(body)?;
                if commands.run_paths.len() < MOST_DYLIBS {
                    commands.run_paths.push(self.string(body, &command.path)?);
                }
            }
            macho::LC_UUID => {
                let command: &macho::UuidCommand<Endianness> = at_start(body)?;
                self.details.uuid = Some(hexadecimal(&command.uuid));
            }
            macho::LC_BUILD_VERSION => self.build_version(body)?,
            macho::LC_VERSION_MIN_MACOSX
            | macho::LC_VERSION_MIN_IPHONEOS
            | macho::LC_VERSION_MIN_TVOS
            | macho::LC_VERSION_MIN_WATCHOS => {
                let command: &macho::VersionMinCommand<Endianness> = at_start(body)?;
                let platform = match kind {
                    macho::LC_VERSION_MIN_MACOSX => macho::PLATFORM_MACOS,
                    macho::LC_VERSION_MIN_IPHONEOS => macho::PLATFORM_IOS,
                    macho::LC_VERSION_MIN_TVOS => macho::PLATFORM_TVOS,
                    _ => macho::PLATFORM_WATCHOS,
                };
                self.details.platform = Some(words::platform(platform));
                self.details.minimum_version = Some(words::version(command.version.get(endian)));
                self.details.sdk_version = Some(words::version(command.sdk.get(endian)));
            }
            macho::LC_SOURCE_VERSION => {
                let command: &macho::SourceVersionCommand<Endianness> = at_start(body)?;
                let version = command.version.get(endian);
                self.details.source_version = Some(words::source_version(version));
            }
            macho::LC_ENCRYPTION_INFO | macho::LC_ENCRYPTION_INFO_64 => {
                // The longer form only adds padding.
                let command: &macho::EncryptionInfoCommand32<Endianness> = at_start(body)?;
                self.details.encryption = Some(Encryption {
                    range: Range {
                        offset: self
                            .base
                            .saturating_add(command.cryptoff.get(endian).into()),
                        size: command.cryptsize.get(endian).into(),
                    },
                    system: command.cryptid.get(endian),
                });
            }
            macho::LC_MAIN => {
                let command: &macho::EntryPointCommand<Endianness> = at_start(body)?;
                commands.main = Some(command.entryoff.get(endian));
            }
            macho::LC_UNIXTHREAD => commands.thread_entry = self.thread_entry(body),
            macho::LC_CODE_SIGNATURE
            | macho::LC_FUNCTION_STARTS
            | macho::LC_DYLD_EXPORTS_TRIE
            | macho::LC_DYLD_CHAINED_FIXUPS
            | macho::LC_DATA_IN_CODE
            | macho::LC_SEGMENT_SPLIT_INFO
            | macho::LC_DYLIB_CODE_SIGN_DRS
            | macho::LC_LINKER_OPTIMIZATION_HINT => self.linked_data(kind, body, commands)?,
            _ => {}
        }
        Some(())
    }

    fn segment<M: MachHeader<Endian = Endianness>>(
        &mut self,
        kind: LoadCommandType,
        body: &'d [u8],
        commands: &mut Commands<'d>,
    ) -> Option<()> {
        let endian = self.endian;
        let is_64 = size_of::<M::Word>() == 8;
        if (kind == macho::LC_SEGMENT_64) != is_64 {
            self.warnings.add(format!(
                "load command {} does not fit the width of the image at 0x{:x}",
                words::command(kind.0),
                self.base
            ));
            return Some(());
        }
        let (segment, rest) = pod::from_bytes::<M::Segment>(body).ok()?;
        let protection = segment.initprot(endian).0;
        let raw = RawSegment {
            name: text::until_nul(segment.segname()),
            address: segment.vmaddr(endian).into(),
            memory_size: segment.vmsize(endian).into(),
            offset: segment.fileoff(endian).into(),
            file_size: segment.filesize(endian).into(),
            protection,
        };
        commands.ends = commands.ends.max(raw.offset.saturating_add(raw.file_size));
        let claimed = segment.nsects(endian) as usize;
        let room = rest.len() / size_of::<M::Section>();
        if claimed > room {
            self.warnings.add(format!(
                "segment {} claims {claimed} sections, its load command has room for {room}",
                String::from_utf8_lossy(raw.name)
            ));
        }
        let count = claimed.min(room);
        let (sections, _) = pod::slice_from_bytes::<M::Section>(rest, count).ok()?;
        for section in sections {
            if commands.sections.len() >= self.options.most_items {
                self.warnings
                    .add("sections end at the bound of the list".to_owned());
                break;
            }
            commands.sections.push(RawSection {
                name: text::until_nul(section.sectname()),
                segment_name: text::until_nul(section.segname()),
                address: section.addr(endian).into(),
                size: section.size(endian).into(),
                offset: section.offset(endian).into(),
                flags: section.flags(endian),
                relocations: section.nreloc(endian),
                protection,
            });
        }
        if commands.segments.len() < self.options.most_items {
            commands.segments.push(raw);
        }
        Some(())
    }

    fn dylib(&mut self, kind: LoadCommandType, body: &'d [u8]) -> Option<()> {
        let command: &macho::DylibCommand<Endianness> = at_start(body)?;
        if self.details.dylibs.len() >= MOST_DYLIBS {
            self.warnings
                .add(format!("libraries end after {MOST_DYLIBS}"));
            return Some(());
        }
        let endian = self.endian;
        let dylib = Dylib {
            name: self.string(body, &command.dylib.name)?,
            current_version: words::version(command.dylib.current_version.get(endian)),
            compatibility_version: words::version(command.dylib.compatibility_version.get(endian)),
            weak: kind == macho::LC_LOAD_WEAK_DYLIB,
            reexported: kind == macho::LC_REEXPORT_DYLIB,
            lazy: kind == macho::LC_LAZY_LOAD_DYLIB,
        };
        self.details.dylibs.push(dylib);
        Some(())
    }

    fn build_version(&mut self, body: &'d [u8]) -> Option<()> {
        let endian = self.endian;
        let (command, rest) =
            pod::from_bytes::<macho::BuildVersionCommand<Endianness>>(body).ok()?;
        self.details.platform = Some(words::platform(command.platform.get(endian)));
        self.details.minimum_version = Some(words::version(command.minos.get(endian)));
        self.details.sdk_version = Some(words::version(command.sdk.get(endian)));
        let room = rest.len() / size_of::<macho::BuildToolVersion<Endianness>>();
        let count = room.min(command.ntools.get(endian) as usize).min(64);
        let (tools, _) =
            pod::slice_from_bytes::<macho::BuildToolVersion<Endianness>>(rest, count).ok()?;
        let tools = tools
            .iter()
            .map(|tool| words::tool(tool.tool.get(endian), tool.version.get(endian)));
        self.details.tools.extend(tools);
        self.details.tools.truncate(64);
        Some(())
    }

    fn linked_data(
        &mut self,
        kind: LoadCommandType,
        body: &'d [u8],
        commands: &mut Commands<'d>,
    ) -> Option<()> {
        let command: &macho::LinkeditDataCommand<Endianness> = at_start(body)?;
        let range = Range {
            offset: command.dataoff.get(self.endian).into(),
            size: command.datasize.get(self.endian).into(),
        };
        commands.ends = commands.ends.max(range.offset.saturating_add(range.size));
        match kind {
            macho::LC_CODE_SIGNATURE => {
                self.details.code_signature = Some(Range {
                    offset: self.base.saturating_add(range.offset),
                    size: range.size,
                });
            }
            macho::LC_FUNCTION_STARTS => commands.function_starts = Some(range),
            macho::LC_DYLD_EXPORTS_TRIE => commands.exports_trie = Some(range),
            macho::LC_DYLD_CHAINED_FIXUPS => commands.chained_fixups = Some(range),
            _ => {}
        }
        Some(())
    }

    /// The program counter among the registers of the first thread. Where it
    /// stands is said by the headers `mach/*/thread_status.h`.
    fn thread_entry(&self, body: &[u8]) -> Option<u64> {
        let cpu = self.details.cpu.as_str();
        let flavor = word::<U32<Endianness>>(body, 8)?.get(self.endian);
        let short = |index: usize| {
            let register = word::<U32<Endianness>>(body, 16 + 4 * index)?;
            Some(u64::from(register.get(self.endian)))
        };
        let long = |index: usize| {
            let register = word::<U64<Endianness>>(body, 16 + 8 * index)?;
            Some(register.get(self.endian))
        };
        match (cpu, flavor) {
            ("X86", 1) => short(10),
            ("X86_64", 4) => long(16),
            ("ARM", 1) => short(15),
            ("ARM64", 6) => long(32),
            ("POWERPC", 1) => short(0),
            ("POWERPC64", 5) => long(0),
            _ => None,
        }
    }

    fn string(&mut self, body: &[u8], name: &macho::LcStr<Endianness>) -> Option<String> {
        let name = text::name_at(body, name.offset.get(self.endian).into())?;
        Some(self.text.own(name))
    }
}

fn at_start<T: Pod>(body: &[u8]) -> Option<&T> {
    pod::from_bytes(body).ok().map(|(value, _)| value)
}

fn word<T: Pod>(body: &[u8], offset: usize) -> Option<&T> {
    at_start(body.get(offset..)?)
}
