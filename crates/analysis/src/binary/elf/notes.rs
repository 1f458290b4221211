//! Notes of an ELF file, and other small texts that its tools left in it.

use object::Endianness;
use object::elf::{self, Machine};
use object::read::elf::{FileHeader, NoteIterator};

use super::details::{DebugLink, ElfDetails, Note};
use super::file::File;
use crate::Warnings;
use crate::binary::text::{self, Text};
use crate::hex::hexadecimal;

/// More notes than this are not reported; a core dump has some per thread.
const MOST_NOTES: usize = 4096;
/// More different comments than this are not reported.
const MOST_COMMENTS: usize = 64;

/// Reads notes, `.comment` and `.gnu_debuglink` into the details.
pub(super) fn read<H: FileHeader<Endian = Endianness>>(
    file: &File<'_, H>,
    details: &mut ElfDetails,
    text: &mut Text,
    warnings: &mut Warnings,
) {
    let in_sections = file
        .sections
        .iter()
        .filter(|section| section.kind == elf::SHT_NOTE.0)
        .map(|section| (section.offset, section.size, section.alignment));
    let in_segments = file
        .segments
        .iter()
        .filter(|segment| segment.kind == elf::PT_NOTE.0)
        .map(|segment| (segment.offset, segment.file_size, segment.alignment));
    let mut places: Vec<_> = in_sections.take(MOST_NOTES).collect();
    if places.is_empty() {
        places = in_segments.take(MOST_NOTES).collect();
    }
    for (offset, size, alignment) in places {
        read_table(file, offset, size, alignment, details, text, warnings);
    }
    for section in &file.sections {
        match file.section_name(section) {
            b".comment" => comments(file.section_bytes(section), details, text),
            b".gnu_debuglink" if details.debug_link.is_none() => {
                details.debug_link = debug_link(file, file.section_bytes(section), text);
            }
            _ => {}
        }
    }
}

fn read_table<H: FileHeader<Endian = Endianness>>(
    file: &File<'_, H>,
    offset: u64,
    size: u64,
    alignment: u64,
    details: &mut ElfDetails,
    text: &mut Text,
    warnings: &mut Warnings,
) {
    let bytes = file.bytes(offset, size);
    if (bytes.len() as u64) < size {
        warnings.add(format!(
            "notes at 0x{offset:x} claim {size} bytes, the file has {}",
            bytes.len()
        ));
    }
    // `object` accepts 8 or less; other values are ignored, as readelf does.
    let Ok(mut notes) = note_iterator::<H>(file.endian, alignment, bytes) else {
        return;
    };
    loop {
        match notes.next() {
            Ok(Some(note)) => {
                if details.notes.len() >= MOST_NOTES {
                    warnings.add(format!(
                        "more than {MOST_NOTES} notes, the rest was not read"
                    ));
                    return;
                }
                let kind = note.n_type(file.endian).0;
                let owner = text::until_nul(note.name());
                let description = describe(file, owner, kind, note.desc(), details);
                if owner == b"GNU"
                    && kind == elf::NT_GNU_PROPERTY_TYPE_0.0
                    && let Some(properties) = note.gnu_properties(file.endian)
                {
                    for property in properties.take(64).map_while(Result::ok) {
                        let flags = property.data_u32(file.endian).unwrap_or(0);
                        protections(file.header.machine, property.pr_type().0, flags, details);
                    }
                }
                details.notes.push(Note {
                    owner: text.own(owner),
                    kind,
                    size: note.desc().len() as u64,
                    description,
                });
            }
            Ok(None) => return,
            Err(_) => {
                warnings.add(format!("notes at 0x{offset:x} have one that does not fit"));
                return;
            }
        }
    }
}

fn note_iterator<H: FileHeader<Endian = Endianness>>(
    endian: Endianness,
    alignment: u64,
    bytes: &[u8],
) -> object::read::Result<NoteIterator<'_, H>> {
    let word = if alignment == 8 {
        word_of::<H>(8)
    } else {
        None
    };
    NoteIterator::new(endian, word.unwrap_or_default(), bytes)
}

/// The value as a word of the class, by way of a program header, since the
/// trait has no conversion into its own type.
fn word_of<H: FileHeader<Endian = Endianness>>(value: u8) -> Option<H::Word> {
    use object::read::elf::ProgramHeader as _;
    let mut bytes = [0; 64];
    // `p_align` is the last field of a program header, in both classes.
    let size = size_of::<H::ProgramHeader>();
    *bytes.get_mut(size.checked_sub(size_of::<H::Word>())?)? = value;
    let (header, _) = object::pod::from_bytes::<H::ProgramHeader>(&bytes).ok()?;
    Some(header.p_align(Endianness::Little))
}

/// What a note says, where that is known.
fn describe<H: FileHeader<Endian = Endianness>>(
    file: &File<'_, H>,
    owner: &[u8],
    kind: u32,
    contents: &[u8],
    details: &mut ElfDetails,
) -> Option<String> {
    let short = contents.get(..256).unwrap_or(contents);
    match (owner, kind) {
        (b"GNU", 1) => {
            let tag = abi_tag(file, contents)?;
            details.abi_tag.get_or_insert_with(|| tag.clone());
            Some(tag)
        }
        (b"GNU", 3) => {
            let id = hexadecimal(short);
            details.build_id.get_or_insert_with(|| id.clone());
            Some(id)
        }
        (b"GNU", 4) | (b"Go", 4) | (b"FDO", _) => {
            Some(String::from_utf8_lossy(text::until_nul(short)).into_owned())
        }
        (b"FreeBSD" | b"NetBSD" | b"OpenBSD" | b"DragonFly" | b"Android", 1) => {
            let version = number(file, contents, 0)?;
            let tag = format!("{} {version}", String::from_utf8_lossy(owner));
            details.abi_tag.get_or_insert_with(|| tag.clone());
            Some(tag)
        }
        _ => None,
    }
}

/// `Linux 3.2.0`: an operating system and the version of its kernel.
fn abi_tag<H: FileHeader<Endian = Endianness>>(
    file: &File<'_, H>,
    contents: &[u8],
) -> Option<String> {
    let system = match number(file, contents, 0)? {
        0 => "Linux".to_owned(),
        1 => "Hurd".to_owned(),
        2 => "Solaris".to_owned(),
        3 => "FreeBSD".to_owned(),
        4 => "NetBSD".to_owned(),
        5 => "Syllable".to_owned(),
        other => format!("system {other}"),
    };
    let version = [1, 2, 3].map(|index| number(file, contents, index));
    let [Some(major), Some(minor), Some(patch)] = version else {
        return None;
    };
    Some(format!("{system} {major}.{minor}.{patch}"))
}

fn number<H: FileHeader<Endian = Endianness>>(
    file: &File<'_, H>,
    contents: &[u8],
    index: usize,
) -> Option<u32> {
    use object::endian::U32;
    super::file::table_in::<U32<Endianness>>(contents)
        .get(index)
        .map(|number| number.get(file.endian))
}

/// Protections that a GNU property declares.
fn protections(machine: u16, kind: u32, flags: u32, details: &mut ElfDetails) {
    let names: [(u32, &str); 2] = match Machine(machine) {
        elf::EM_386 | elf::EM_X86_64 if kind == elf::GNU_PROPERTY_X86_FEATURE_1_AND.0 => {
            [(1, "IBT"), (2, "SHSTK")]
        }
        elf::EM_AARCH64 if kind == elf::GNU_PROPERTY_AARCH64_FEATURE_1_AND.0 => {
            [(1, "BTI"), (2, "PAC")]
        }
        _ => return,
    };
    for (bit, name) in names {
        if flags & bit != 0 && !details.properties.iter().any(|known| known == name) {
            details.properties.push(name.to_owned());
        }
    }
}

fn comments(bytes: &[u8], details: &mut ElfDetails, text: &mut Text) {
    // The same compiler leaves its name once for each of its object files.
    let bytes = bytes.get(..1 << 20).unwrap_or(bytes);
    for comment in bytes.split(|&byte| byte == 0) {
        if comment.is_empty() || details.compilers.len() >= MOST_COMMENTS {
            continue;
        }
        let comment = text.own(text::until_nul(comment));
        if !details.compilers.contains(&comment) {
            details.compilers.push(comment);
        }
    }
}

/// A name, padded to four bytes, and a checksum.
fn debug_link<H: FileHeader<Endian = Endianness>>(
    file: &File<'_, H>,
    bytes: &[u8],
    text: &mut Text,
) -> Option<DebugLink> {
    let name = text::until_nul(bytes);
    let at = (name.len() + 1).next_multiple_of(4);
    Some(DebugLink {
        file: text.own(name),
        crc32: number(file, bytes, at / 4)?,
    })
}
