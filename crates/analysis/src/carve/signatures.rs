//! The table of magic numbers, each with the check that makes it an object.
//! A format of several magic numbers has several rows.

use super::bytes::Budget;
use super::scan::Found;
use super::{archives, documents, executables, filesystems, firmware, flash, keys, streams};

/// The check of a format. It gets everything from the start of the would-be
/// object to the end of the file.
pub(super) type Check = fn(&[u8], &mut Budget) -> Option<Found>;

/// A magic number.
#[derive(Debug)]
pub(super) struct Signature {
    pub(super) kind: &'static str,
    pub(super) magic: &'static [u8],
    /// Where in the object the magic number stands.
    pub(super) at: u64,
    /// Whether what lies inside is the object's own affair.
    pub(super) container: bool,
    pub(super) check: Check,
}

const fn container(kind: &'static str, at: u64, magic: &'static [u8], check: Check) -> Signature {
    Signature {
        kind,
        magic,
        at,
        container: true,
        check,
    }
}

const fn carrier(kind: &'static str, at: u64, magic: &'static [u8], check: Check) -> Signature {
    Signature {
        kind,
        magic,
        at,
        container: false,
        check,
    }
}

/// All of them.
pub(super) static SIGNATURES: &[Signature] = &[
    container("zip", 0, b"PK\x03\x04", archives::zip),
    container("7z", 0, b"7z\xbc\xaf\x27\x1c", archives::seven_zip),
    container("rar", 0, b"Rar!\x1a\x07\x00", archives::rar4),
    container("rar", 0, b"Rar!\x1a\x07\x01\x00", archives::rar5),
    container("cab", 0, b"MSCF\0\0\0\0", archives::cab),
    container("tar", 257, b"ustar", archives::tar),
    container("cpio", 0, b"070701", archives::cpio),
    container("cpio", 0, b"070702", archives::cpio),
    container("ar", 0, b"!<arch>\n", archives::ar),
    container("gzip", 0, b"\x1f\x8b\x08", streams::gzip),
    container("bzip2", 0, b"BZh", streams::bzip2),
    container("xz", 0, b"\xfd7zXZ\0", streams::xz),
    container("zstd", 0, b"\x28\xb5\x2f\xfd", streams::zstd),
    container("lz4", 0, b"\x04\x22\x4d\x18", streams::lz4),
    container("lzma", 0, b"\x5d\x00\x00", streams::lzma),
    container("lzop", 0, b"\x89LZO\0\r\n\x1a\n", streams::lzop),
    container("squashfs", 0, b"hsqs", filesystems::squashfs),
    container("squashfs", 0, b"sqsh", filesystems::squashfs),
    container("cramfs", 0, b"\x45\x3d\xcd\x28", filesystems::cramfs),
    container("cramfs", 0, b"\x28\xcd\x3d\x45", filesystems::cramfs),
    container("romfs", 0, b"-rom1fs-", filesystems::romfs),
    container("ext", 0x438, b"\x53\xef", filesystems::ext),
    container("fat", 510, b"\x55\xaa", filesystems::fat),
    container("ntfs", 3, b"NTFS    ", filesystems::ntfs),
    container("iso9660", 0x8001, b"CD001\x01", filesystems::iso9660),
    container("jffs2", 0, b"\x85\x19", flash::jffs2_le),
    container("jffs2", 0, b"\x19\x85", flash::jffs2_be),
    container("ubi", 0, b"UBI#\x01", flash::ubi),
    container("uimage", 0, b"\x27\x05\x19\x56", firmware::uimage),
    container("dtb", 0, b"\xd0\x0d\xfe\xed", firmware::dtb),
    container("uefi_fv", 40, b"_FVH", firmware::uefi_volume),
    container("trx", 0, b"HDR0", firmware::trx),
    container("android_boot", 0, b"ANDROID!", firmware::android_boot),
    container("luks", 0, b"LUKS\xba\xbe\0", firmware::luks),
    carrier("elf", 0, b"\x7fELF", executables::elf),
    carrier("pe", 0, b"MZ", executables::pe),
    carrier("macho", 0, b"\xcf\xfa\xed\xfe", executables::macho),
    carrier("macho", 0, b"\xce\xfa\xed\xfe", executables::macho),
    carrier("dex", 0, b"dex\n0", executables::dex),
    container("png", 0, b"\x89PNG\r\n\x1a\n", documents::png),
    container("gif", 0, b"GIF8", documents::gif),
    container("jpeg", 0, b"\xff\xd8\xff", documents::jpeg),
    container("pdf", 0, b"%PDF-", documents::pdf),
    container("sqlite", 0, b"SQLite format 3\0", documents::sqlite),
    container("der_cert", 0, b"\x30\x82", keys::certificate),
    container("der_key", 0, b"\x30\x82", keys::rsa_private_key),
    container("pem_cert", 0, b"-----BEGIN CERTIFICATE-----", keys::pem),
    container("pem_key", 0, b"-----BEGIN PRIVATE KEY-----", keys::pem),
    container("pem_key", 0, b"-----BEGIN RSA PRIVATE KEY-----", keys::pem),
    container("pem_key", 0, b"-----BEGIN EC PRIVATE KEY-----", keys::pem),
    container("pem_key", 0, b"-----BEGIN DSA PRIVATE KEY-----", keys::pem),
    container(
        "pem_key",
        0,
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----",
        keys::pem,
    ),
    container(
        "pem_key",
        0,
        b"-----BEGIN OPENSSH PRIVATE KEY-----",
        keys::pem,
    ),
    container(
        "pem_public_key",
        0,
        b"-----BEGIN PUBLIC KEY-----",
        keys::pem,
    ),
];
