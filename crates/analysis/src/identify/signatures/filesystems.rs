//! File systems and disk images, by superblocks whose fields make sense: the
//! magic alone is what decoys have. Layouts as in the Linux headers of each.

use super::super::bytes::{at, be16, be32, is, le16, le32, le64, text, u8_at, u16_at, u32_at};
use super::super::found::OCTETS;
use super::super::identity::Category::Filesystem;
use super::Signature;

pub(super) const SIGNATURES: &[Signature] = &[
    Signature::new(
        b"hsqs",
        "squashfs",
        Filesystem,
        OCTETS,
        "Squashfs filesystem, little endian",
    )
    .describe(|data| squashfs(data, false)),
    Signature::new(
        b"sqsh",
        "squashfs",
        Filesystem,
        OCTETS,
        "Squashfs filesystem, big endian",
    )
    .describe(|data| squashfs(data, true)),
    Signature::new(
        b"qshs",
        "squashfs",
        Filesystem,
        OCTETS,
        "Squashfs filesystem, LZMA variant",
    )
    .describe(|data| squashfs(data, true)),
    Signature::new(
        b"shsq",
        "squashfs",
        Filesystem,
        OCTETS,
        "Squashfs filesystem, LZMA variant",
    )
    .describe(|data| squashfs(data, false)),
    Signature::new(
        b"\x45\x3d\xcd\x28",
        "cramfs",
        Filesystem,
        OCTETS,
        "Linux Compressed ROM File System data, little endian",
    )
    .check(|data| is(data, 16, b"Compressed ROMFS")),
    Signature::new(
        b"\x28\xcd\x3d\x45",
        "cramfs",
        Filesystem,
        OCTETS,
        "Linux Compressed ROM File System data, big endian",
    )
    .check(|data| is(data, 16, b"Compressed ROMFS")),
    Signature::new(
        b"-rom1fs-",
        "romfs",
        Filesystem,
        OCTETS,
        "romfs filesystem, version 1",
    )
    .describe(romfs),
    Signature::new(
        b"\x85\x19",
        "jffs2",
        Filesystem,
        OCTETS,
        "Linux jffs2 filesystem data, little endian",
    )
    .check(|data| jffs2(data, false)),
    Signature::new(
        b"\x19\x85",
        "jffs2",
        Filesystem,
        OCTETS,
        "Linux jffs2 filesystem data, big endian",
    )
    .check(|data| jffs2(data, true)),
    Signature::new(b"UBI#", "ubi", Filesystem, OCTETS, "UBI image")
        .describe(|data| Some(format!(", version {}", u8_at(data, 4).filter(|v| *v < 8)?))),
    Signature::new(
        b"\x31\x18\x10\x06",
        "ubifs",
        Filesystem,
        OCTETS,
        "UBIFS image",
    )
    .check(|data| u8_at(data, 20).is_some_and(|kind| kind <= 11)),
    Signature::new(
        b"\xe2\xe1\xf5\xe0",
        "erofs",
        Filesystem,
        OCTETS,
        "EROFS filesystem",
    )
    .offset(1024),
    Signature::new(
        b"\x10\x20\xf5\xf2",
        "f2fs",
        Filesystem,
        OCTETS,
        "F2FS filesystem",
    )
    .offset(1024),
    Signature::new(b"\x53\xef", "ext", Filesystem, OCTETS, "Linux")
        .offset(1080)
        .describe(ext),
    Signature::new(b"_BHRfS_M", "btrfs", Filesystem, OCTETS, "BTRFS Filesystem").offset(0x10040),
    Signature::new(
        b"XFSB",
        "xfs",
        Filesystem,
        OCTETS,
        "SGI XFS filesystem data",
    )
    .check(|data| be32(data, 4).is_some_and(u32::is_power_of_two)),
    Signature::new(
        b"CD001",
        "iso9660",
        Filesystem,
        "application/x-iso9660-image",
        "ISO 9660 CD-ROM filesystem data",
    )
    .offset(0x8001),
    Signature::new(
        b"BEA01",
        "udf",
        Filesystem,
        "application/x-iso9660-image",
        "UDF filesystem data",
    )
    .offset(0x8001),
    Signature::new(
        b"NTFS    ",
        "ntfs",
        Filesystem,
        OCTETS,
        "DOS/MBR boot sector, NTFS filesystem",
    )
    .offset(3),
    Signature::new(
        b"EXFAT   ",
        "exfat",
        Filesystem,
        OCTETS,
        "DOS/MBR boot sector, exFAT filesystem",
    )
    .offset(3),
    Signature::new(
        b"EFI PART",
        "gpt",
        Filesystem,
        OCTETS,
        "DOS/MBR boot sector, GPT partition table",
    )
    .offset(512),
    Signature::new(
        b"\x55\xaa",
        "fat",
        Filesystem,
        OCTETS,
        "DOS/MBR boot sector",
    )
    .offset(510)
    .describe(fat),
    Signature::new(
        b"\x55\xaa",
        "mbr",
        Filesystem,
        OCTETS,
        "DOS/MBR boot sector",
    )
    .offset(510)
    .check(partitions),
    Signature::new(
        b"H+\0\x04",
        "hfsplus",
        Filesystem,
        OCTETS,
        "Apple HFS Plus filesystem",
    )
    .offset(1024),
    Signature::new(
        b"HX\0\x05",
        "hfsplus",
        Filesystem,
        OCTETS,
        "Apple HFSX filesystem",
    )
    .offset(1024),
    Signature::new(
        b"NXSB",
        "apfs",
        Filesystem,
        OCTETS,
        "Apple File System (APFS)",
    )
    .offset(32),
    Signature::new(
        b"LUKS\xba\xbe",
        "luks",
        Filesystem,
        OCTETS,
        "LUKS encrypted volume",
    ),
    Signature::new(b"SWAPSPACE2", "swap", Filesystem, OCTETS, "Linux swap file").offset(4086),
    Signature::new(
        b"\x03\0\0\0\x01\0\0\0\xff\xff",
        "yaffs2",
        Filesystem,
        OCTETS,
        "YAFFS2 filesystem, little endian",
    ),
    Signature::new(
        b"\x01\0\0\0\x01\0\0\0\xff\xff",
        "yaffs2",
        Filesystem,
        OCTETS,
        "YAFFS2 filesystem, little endian",
    ),
    Signature::new(
        b"\0\0\0\x03\0\0\0\x01\xff\xff",
        "yaffs2",
        Filesystem,
        OCTETS,
        "YAFFS2 filesystem, big endian",
    ),
    Signature::new(
        b"\0\0\0\x01\0\0\0\x01\xff\xff",
        "yaffs2",
        Filesystem,
        OCTETS,
        "YAFFS2 filesystem, big endian",
    ),
    Signature::new(
        b"QFI\xfb",
        "qcow",
        Filesystem,
        "application/x-qemu-disk",
        "QEMU QCOW Image",
    )
    .describe(|data| Some(format!(" (v{})", be32(data, 4).filter(|v| *v < 8)?))),
    Signature::new(b"KDMV", "vmdk", Filesystem, OCTETS, "VMware4 disk image"),
    Signature::new(b"COWD", "vmdk", Filesystem, OCTETS, "VMware3 disk image"),
    Signature::new(
        b"conectix",
        "vhd",
        Filesystem,
        "application/x-virtualbox-vhd",
        "Microsoft Disk Image, Virtual Server or Virtual PC",
    ),
    Signature::new(
        b"vhdxfile",
        "vhdx",
        Filesystem,
        "application/x-virtualbox-vhdx",
        "Microsoft Disk Image eXtended",
    ),
    Signature::new(
        b"\x7f\x10\xda\xbe",
        "vdi",
        Filesystem,
        "application/x-virtualbox-vdi",
        "VirtualBox Disk Image",
    )
    .offset(64),
];

fn squashfs(data: &[u8], big: bool) -> Option<String> {
    let major = u16_at(data, 28, big).filter(|major| (1..=4).contains(major))?;
    let minor = u16_at(data, 30, big).filter(|minor| *minor <= 9)?;
    let mut words = format!(", version {major}.{minor}");
    if major == 4 {
        let block = u32_at(data, 12, big)?;
        let log = u16_at(data, 22, big)?;
        if block.checked_ilog2() != Some(log.into()) || !block.is_power_of_two() {
            return None;
        }
        let compressor = match u16_at(data, 20, big)? {
            1 => "zlib",
            2 => "lzma",
            3 => "lzo",
            4 => "xz",
            5 => "lz4",
            6 => "zstd",
            _ => return None,
        };
        let size = at(data, 40, 8)?;
        let size = if big {
            u64::from_be_bytes(size.try_into().ok()?)
        } else {
            le64(data, 40)?
        };
        words.push_str(&format!(
            ", {compressor} compressed, {size} bytes, {} inodes, blocksize: {block} bytes",
            u32_at(data, 4, big)?
        ));
    }
    Some(words)
}

fn romfs(data: &[u8]) -> Option<String> {
    let size = be32(data, 8)?;
    let name = text(data, 16, 16).map_or_else(String::new, |name| format!(", named {name}"));
    Some(format!(" {size} bytes{name}"))
}

/// A node header: magic, type, length. The types are a closed list.
fn jffs2(data: &[u8], big: bool) -> bool {
    let known = matches!(
        u16_at(data, 2, big),
        Some(0xe001 | 0xe002 | 0x2003 | 0x2004 | 0x2006 | 0xe008 | 0xe009)
    );
    known && u32_at(data, 4, big).is_some_and(|length| (12..=1 << 20).contains(&length))
}

fn ext(data: &[u8]) -> Option<String> {
    let log = le32(data, 1024 + 24).filter(|log| *log <= 6)?;
    let inodes = le32(data, 1024).filter(|inodes| *inodes > 0)?;
    let revision = le32(data, 1024 + 76).filter(|revision| *revision <= 1)?;
    let compatible = le32(data, 1024 + 92)?;
    let incompatible = le32(data, 1024 + 96)?;
    let generation = match (compatible & 4 != 0, incompatible & 0x2c0 != 0) {
        (_, true) => "ext4",
        (true, false) => "ext3",
        (false, false) => "ext2",
    };
    Some(format!(
        " rev {revision}.0 {generation} filesystem data, {inodes} inodes, blocksize: {} bytes",
        1024_u32 << log
    ))
}

/// The BIOS parameter block, field by field: a boot sector's last two bytes
/// are found anywhere.
fn fat(data: &[u8]) -> Option<String> {
    let jump = u8_at(data, 0)?;
    let sector = le16(data, 11)?;
    let cluster = u8_at(data, 13)?;
    if !matches!(jump, 0xeb | 0xe9)
        || !matches!(sector, 512 | 1024 | 2048 | 4096)
        || !cluster.is_power_of_two()
        || le16(data, 14)? == 0
        || !matches!(u8_at(data, 16)?, 1 | 2)
        || !matches!(u8_at(data, 21)?, 0xf0 | 0xf8..=0xff)
    {
        return None;
    }
    let system = text(data, 3, 8).unwrap_or_default();
    let width = if is(data, 0x52, b"FAT32") {
        ", FAT (32 bit)"
    } else if is(data, 0x36, b"FAT16") {
        ", FAT (16 bit)"
    } else if is(data, 0x36, b"FAT12") {
        ", FAT (12 bit)"
    } else {
        ", FAT"
    };
    Some(format!(
        ", OEM-ID \"{system}\", sectors/cluster {cluster}{width}"
    ))
}

/// Four entries of 16 bytes, each active or not, at least one in use.
fn partitions(data: &[u8]) -> bool {
    let entries: Vec<_> = (0..4)
        .filter_map(|number| at(data, 446 + number * 16, 16))
        .collect();
    entries.len() == 4
        && entries
            .iter()
            .all(|entry| matches!(entry.first(), Some(0 | 0x80)))
        && entries.iter().any(|entry| {
            entry.get(4).is_some_and(|kind| *kind != 0) && le32(entry, 12).is_some_and(|n| n > 0)
        })
        && be16(data, 0) != Some(0)
}
