//! Checks of boot images, device trees and firmware volumes.

use super::Confidence::{High, Low, Medium};
use super::bytes::{Budget, range, tail, u8_at, u16_be, u16_le, u32_be, u32_le, u64_le};
use super::scan::Found;

/// A name field that ends at its first zero byte.
fn name(field: &[u8]) -> String {
    let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// U-Boot include/image.h: the header's CRC-32 counts its own field as zero.
pub(super) fn uimage(data: &[u8], _: &mut Budget) -> Option<Found> {
    let mut crc = crc32fast::Hasher::new();
    crc.update(range(data, 0, 4)?);
    crc.update(&[0; 4]);
    crc.update(range(data, 8, 56)?);
    if crc.finalize() != u32_be(data, 4)? {
        return None;
    }
    let size = u64::from(u32_be(data, 12)?) + 64;
    let (load, entry) = (u32_be(data, 16)?, u32_be(data, 20)?);
    Some(Found {
        size: Some(size),
        confidence: if size <= data.len() as u64 {
            High
        } else {
            Medium
        },
        description: format!(
            "U-Boot image {:?}, load address {load:#x}, entry point {entry:#x}",
            name(range(data, 32, 32)?)
        ),
    })
}

/// Devicetree Specification 0.4, 5.2.
pub(super) fn dtb(data: &[u8], _: &mut Budget) -> Option<Found> {
    let size = u64::from(u32_be(data, 4)?);
    let structure = u64::from(u32_be(data, 8)?);
    let strings = u64::from(u32_be(data, 12)?);
    let reserved = u64::from(u32_be(data, 16)?);
    let (version, compatible) = (u32_be(data, 20)?, u32_be(data, 24)?);
    let agrees = (16..=17).contains(&version)
        && compatible <= version
        && reserved >= 40
        && reserved < size
        && structure < size
        && strings <= size
        // The structure opens with FDT_BEGIN_NODE.
        && u32_be(data, structure)? == 1;
    agrees.then(|| Found {
        size: Some(size),
        confidence: if size <= data.len() as u64 { High } else { Low },
        description: format!("flattened device tree, version {version}"),
    })
}

/// UEFI Platform Initialization 1.8, volume 3, 3.2.1: the 16-bit words of the
/// header add up to zero.
pub(super) fn uefi_volume(data: &[u8], _: &mut Budget) -> Option<Found> {
    let size = u64_le(data, 32)?;
    let header = u64::from(u16_le(data, 48)?);
    let revision = u8_at(data, 55)?;
    if !(56..=4096).contains(&header) || size < header || !matches!(revision, 1 | 2) {
        return None;
    }
    let (words, _) = range(data, 0, header)?.as_chunks::<2>();
    let sum = words.iter().fold(0_u16, |sum, word| {
        sum.wrapping_add(u16::from_le_bytes(*word))
    });
    (sum == 0).then(|| Found {
        size: Some(size),
        confidence: if size <= data.len() as u64 { High } else { Low },
        description: format!("UEFI firmware volume, revision {revision}"),
    })
}

/// The Broadcom TRX header, as OpenWrt's tools/firmware-utils/src/trx.c writes
/// it: a CRC-32 without the final inversion, over everything from byte 12.
pub(super) fn trx(data: &[u8], budget: &mut Budget) -> Option<Found> {
    let size = u64::from(u32_le(data, 4)?);
    let version = u16_le(data, 14)?;
    let body = range(data, 12, size.checked_sub(12)?);
    if !matches!(version, 1 | 2) || size < 28 {
        return None;
    }
    let (body, fits) = match body {
        Some(body) => (body, true),
        None => (tail(data, 12)?, false),
    };
    let holds =
        fits && budget.spend(body.len() as u64) && !crc32fast::hash(body) == u32_le(data, 8)?;
    holds.then(|| Found {
        size: Some(size),
        confidence: High,
        description: format!("TRX firmware, version {version}"),
    })
}

/// AOSP system/tools/mkbootimg/include/bootimg/bootimg.h, versions 0 to 2.
pub(super) fn android_boot(data: &[u8], _: &mut Budget) -> Option<Found> {
    let page = u64::from(u32_le(data, 36)?);
    let version = u32_le(data, 40)?;
    let kernel = u64::from(u32_le(data, 8)?);
    if !matches!(page, 2048 | 4096 | 8192 | 16384) || kernel == 0 {
        return None;
    }
    let parts = [kernel, u32_le(data, 16)?.into(), u32_le(data, 24)?.into()];
    let mut size = page;
    for part in parts {
        size = size.checked_add(part.checked_next_multiple_of(page)?)?;
    }
    (size <= data.len() as u64).then(|| Found {
        size: Some(size),
        confidence: Medium,
        description: format!("Android boot image, header version {version}"),
    })
}

/// LUKS on-disk formats 1.2 and 2.
pub(super) fn luks(data: &[u8], _: &mut Budget) -> Option<Found> {
    let version = u16_be(data, 6)?;
    matches!(version, 1 | 2).then(|| Found {
        size: None,
        confidence: Medium,
        description: format!("LUKS{version} encrypted volume"),
    })
}
