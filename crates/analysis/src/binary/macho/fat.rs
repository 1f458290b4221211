//! Universal files: a table of images, one for each architecture.

use object::macho::{self, FatArch32, FatArch64};
use object::pod::{self, Pod};
use object::read::macho::FatArch;

use crate::Warnings;
use crate::binary::Range;

/// Real files have up to six. Slices may overlap, so that each costs as much
/// as the whole file.
const MOST_SLICES: usize = 32;

/// The first class file format was 45; no universal file has so many images.
const FIRST_CLASS_VERSION: u32 = 45;
/// Class file formats grow by two a year.
const LAST_CLASS_VERSION: u32 = 1000;

/// Whether a file is universal. The first four bytes of a Java class file are
/// the same; the next are the version of its format, where here the number of
/// images is, and what follows can't be a processor.
pub(super) fn is_universal(data: &[u8]) -> bool {
    let number = |offset: usize| {
        let bytes = data.get(offset..)?.first_chunk::<4>()?;
        Some(u32::from_be_bytes(*bytes))
    };
    let (magic, count) = (number(0), number(4));
    if magic == Some(macho::FAT_MAGIC_64) {
        return true;
    }
    let (Some(macho::FAT_MAGIC), Some(count)) = (magic, count) else {
        return false;
    };
    // The low byte of a class file's would be a tag of its pool of constants,
    // which begins behind a count of two bytes.
    let processor = number(8).is_some_and(|cpu| matches!(cpu & 0x00ff_ffff, 1..=24));
    count < FIRST_CLASS_VERSION || processor || count & 0xffff > LAST_CLASS_VERSION
}

/// The places of the images.
pub(super) fn slices(data: &[u8], warnings: &mut Warnings) -> Vec<Range> {
    if data.starts_with(&macho::FAT_MAGIC_64.to_be_bytes()) {
        read::<FatArch64>(data, warnings)
    } else {
        read::<FatArch32>(data, warnings)
    }
}

fn read<F: FatArch + Pod>(data: &[u8], warnings: &mut Warnings) -> Vec<Range> {
    let Ok((header, rest)) = pod::from_bytes::<macho::FatHeader>(data) else {
        return Vec::new();
    };
    let claimed = header.nfat_arch.get(object::BigEndian) as usize;
    let room = rest.len() / size_of::<F>();
    if claimed > room {
        warnings.add(format!(
            "universal header at 0x0 claims {claimed} images, the file has room for {room}"
        ));
    }
    let count = claimed.min(room);
    if count > MOST_SLICES {
        warnings.add(format!(
            "universal header at 0x0 has {count} images, of which {MOST_SLICES} were read"
        ));
    }
    let entries = pod::slice_from_bytes::<F>(rest, count.min(MOST_SLICES));
    let (entries, _) = entries.unwrap_or_default();
    let mut slices = Vec::new();
    for entry in entries {
        let (offset, size) = (entry.offset().into(), entry.size().into());
        if size > 0 && offset.saturating_add(size) > data.len() as u64 {
            warnings.add(format!(
                "image at 0x{offset:x} claims 0x{size:x} bytes and ends outside the file"
            ));
        }
        if size == 0 || offset >= data.len() as u64 {
            warnings.add(format!(
                "image at 0x{offset:x} of 0x{size:x} bytes is not in the file"
            ));
            continue;
        }
        slices.push(Range { offset, size });
    }
    slices
}
