//! Checks of filesystems on block devices and read-only images. Files in them
//! are not looked at.

use super::Confidence::{High, Low, Medium};
use super::bytes::{Budget, Ordered, range, u8_at, u16_le, u32_be, u32_le, u64_le};
use super::scan::Found;

/// A structure that ends within the file is worth more than a cut one.
fn within(data: &[u8], size: u64, confidence: super::Confidence) -> super::Confidence {
    if size <= data.len() as u64 {
        confidence
    } else {
        Low
    }
}

/// Linux fs/squashfs/squashfs_fs.h, version 4.
pub(super) fn squashfs(data: &[u8], _: &mut Budget) -> Option<Found> {
    let order = Ordered {
        big: data.first() == Some(&b's'),
    };
    let inodes = order.u32(data, 4)?;
    let block = order.u32(data, 12)?;
    let compression = order.u16(data, 20)?;
    let log = order.u16(data, 22)?;
    let (major, minor) = (order.u16(data, 28)?, order.u16(data, 30)?);
    let used = order.u64(data, 40)?;
    let inode_table = order.u64(data, 64)?;
    let directory_table = order.u64(data, 72)?;
    let name = match compression {
        1 => "gzip",
        2 => "lzma",
        3 => "lzo",
        4 => "xz",
        5 => "lz4",
        6 => "zstd",
        _ => return None,
    };
    let agrees = (12..=20).contains(&log)
        && block == 1 << log
        && inodes > 0
        && (major, minor) == (4, 0)
        && inode_table >= 96
        && inode_table < directory_table
        && directory_table < used;
    agrees.then(|| Found {
        size: Some(used),
        confidence: within(data, used, High),
        description: format!(
            "squashfs 4.0, {name}, {} endian, {inodes} inodes, blocks of {block} bytes",
            if order.big { "big" } else { "little" }
        ),
    })
}

/// Linux include/uapi/linux/cramfs_fs.h.
pub(super) fn cramfs(data: &[u8], budget: &mut Budget) -> Option<Found> {
    const CRC: u64 = 32;
    let order = Ordered {
        big: data.first() == Some(&0x28),
    };
    if range(data, 16, 16)? != b"Compressed ROMFS" {
        return None;
    }
    let size = u64::from(order.u32(data, 4)?);
    let stored = order.u32(data, CRC)?;
    let files = order.u32(data, 44)?;
    let mut holds = false;
    if let Some(image) = range(data, 0, size)
        && budget.spend(size)
    {
        let mut crc = crc32fast::Hasher::new();
        crc.update(range(image, 0, CRC)?);
        crc.update(&[0; 4]);
        crc.update(super::bytes::tail(image, CRC + 4)?);
        holds = crc.finalize() == stored;
    }
    Some(Found {
        size: Some(size),
        confidence: within(data, size, if holds { High } else { Medium }),
        description: format!("cramfs, {files} files"),
    })
}

/// Linux Documentation/filesystems/romfs.rst: the words of the first 512 bytes
/// add up to zero.
pub(super) fn romfs(data: &[u8], _: &mut Budget) -> Option<Found> {
    let size = u64::from(u32_be(data, 8)?);
    let (words, _) = range(data, 0, size.min(512))?.as_chunks::<4>();
    let sum = words.iter().fold(0_u32, |sum, word| {
        sum.wrapping_add(u32::from_be_bytes(*word))
    });
    let name = range(data, 16, 16)?.split(|byte| *byte == 0).next()?;
    (sum == 0 && size >= 32).then(|| Found {
        size: Some(size),
        confidence: within(data, size, High),
        description: format!("romfs, volume {}", String::from_utf8_lossy(name)),
    })
}

/// Linux Documentation/filesystems/ext4/super.rst. Copies of the superblock
/// carry the number of their group and are not taken for a filesystem.
pub(super) fn ext(data: &[u8], _: &mut Budget) -> Option<Found> {
    let superblock = range(data, 0x400, 0x400)?;
    let at = |offset| u32_le(superblock, offset);
    let log = at(24)?;
    let (inodes, blocks) = (at(0)?, at(4)?);
    let (blocks_per_group, inodes_per_group) = (at(32)?, at(40)?);
    if log > 6 || inodes == 0 || blocks == 0 || inodes_per_group == 0 {
        return None;
    }
    let block = 1024_u64 << log;
    let agrees = at(20)? == u32::from(log == 0)
        && at(12)? <= blocks
        && at(16)? <= inodes
        && (1..=block * 8).contains(&u64::from(blocks_per_group))
        && u64::from(inodes_per_group) <= block * 8
        && u16_le(superblock, 58)? <= 7
        && (1..=3).contains(&u16_le(superblock, 60)?)
        && at(76)? <= 1
        && u16_le(superblock, 90)? == 0;
    // Each group has its share of the inodes.
    let groups = u64::from(blocks).div_ceil(u64::from(blocks_per_group.max(1)));
    let shared = groups.checked_mul(u64::from(inodes_per_group)) == Some(u64::from(inodes));
    if !agrees || !shared {
        return None;
    }
    let (journal, extents) = (at(92)? & 4 != 0, at(96)? & 0x40 != 0);
    let name = match (journal, extents) {
        (_, true) => "ext4",
        (true, false) => "ext3",
        (false, false) => "ext2",
    };
    let high = if at(96)? & 0x80 != 0 { at(0x150)? } else { 0 };
    let size = (u64::from(high) << 32 | u64::from(blocks)).checked_mul(block)?;
    Some(Found {
        size: Some(size),
        confidence: within(data, size, High),
        description: format!("{name}, {blocks} blocks of {block} bytes, {inodes} inodes"),
    })
}

/// Microsoft FAT32 File System Specification 1.03: the parameter block must
/// agree with the first entry of the first table.
pub(super) fn fat(data: &[u8], _: &mut Budget) -> Option<Found> {
    let jump: [u8; 3] = super::bytes::array(data, 0)?;
    let sector = u64::from(u16_le(data, 11)?);
    let cluster = u64::from(u8_at(data, 13)?);
    let reserved = u64::from(u16_le(data, 14)?);
    let tables = u64::from(u8_at(data, 16)?);
    let roots = u64::from(u16_le(data, 17)?);
    let media = u8_at(data, 21)?;
    let sane = (jump[0] == 0xeb || jump[0] == 0xe9)
        && matches!(sector, 512 | 1024 | 2048 | 4096)
        && cluster.is_power_of_two()
        && reserved > 0
        && matches!(tables, 1 | 2)
        && (media == 0xf0 || media >= 0xf8);
    if !sane {
        return None;
    }
    let pick = |short: u16, long: u32| {
        if short == 0 {
            u64::from(long)
        } else {
            u64::from(short)
        }
    };
    let sectors = pick(u16_le(data, 19)?, u32_le(data, 32)?);
    let per_table = pick(u16_le(data, 22)?, u32_le(data, 36)?);
    let fixed = reserved + tables * per_table + (roots * 32).div_ceil(sector);
    let clusters = sectors.checked_sub(fixed)? / cluster;
    if per_table == 0 || clusters == 0 {
        return None;
    }
    let first = reserved * sector;
    if u8_at(data, first)? != media || u8_at(data, first + 1)? != 0xff {
        return None;
    }
    let kind = match clusters {
        0..4085 => "FAT12",
        4085..65525 => "FAT16",
        _ => "FAT32",
    };
    let size = sectors.checked_mul(sector)?;
    Some(Found {
        size: Some(size),
        confidence: within(data, size, High),
        description: format!("{kind}, {clusters} clusters of {} bytes", cluster * sector),
    })
}

/// The boot sector of NTFS, as Linux fs/ntfs3/ntfs.h describes it.
pub(super) fn ntfs(data: &[u8], _: &mut Budget) -> Option<Found> {
    let sector = u64::from(u16_le(data, 11)?);
    let sectors = u64_le(data, 40)?;
    let table = u64_le(data, 48)?;
    let sane = range(data, 510, 2)? == b"\x55\xaa"
        && matches!(sector, 512 | 1024 | 2048 | 4096)
        && range(data, 14, 7)? == [0; 7]
        && table > 0
        && table < sectors;
    // The last sector holds the copy of the boot sector and is not counted.
    let size = sectors.checked_add(1)?.checked_mul(sector)?;
    sane.then(|| Found {
        size: Some(size),
        confidence: within(data, size, High),
        description: format!("NTFS, {sectors} sectors of {sector} bytes"),
    })
}

/// ECMA-119: numbers stand in both byte orders.
pub(super) fn iso9660(data: &[u8], _: &mut Budget) -> Option<Found> {
    let descriptor = range(data, 0x8000, 2048)?;
    let blocks = u32_le(descriptor, 80)?;
    let block = u16_le(descriptor, 128)?;
    let agrees = descriptor.first() == Some(&1)
        && u32_be(descriptor, 84)? == blocks
        && super::bytes::u16_be(descriptor, 130)? == block
        && block.is_power_of_two()
        && blocks > 0;
    let size = u64::from(blocks).checked_mul(block.into())?;
    let name = String::from_utf8_lossy(range(descriptor, 40, 32)?);
    agrees.then(|| Found {
        size: Some(size),
        confidence: within(data, size, High),
        description: format!("ISO 9660, volume {}", name.trim_end()),
    })
}
