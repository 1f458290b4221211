//! Checks of flash filesystems: chains of checksummed nodes rather than one
//! header.

use super::Confidence::{High, Low, Medium};
use super::bytes::{Budget, Ordered, range, tail, u32_be};
use super::scan::Found;

/// Free space that is skipped between two nodes: one erase block of 256 KiB.
const GAP: usize = 256 << 10;

pub(super) fn jffs2_le(data: &[u8], budget: &mut Budget) -> Option<Found> {
    jffs2(data, Ordered { big: false }, budget)
}

pub(super) fn jffs2_be(data: &[u8], budget: &mut Budget) -> Option<Found> {
    jffs2(data, Ordered { big: true }, budget)
}

/// Linux include/uapi/linux/jffs2.h.
fn jffs2(data: &[u8], order: Ordered, budget: &mut Budget) -> Option<Found> {
    let mut nodes = 0_u64;
    let mut offset = 0_u64;
    let mut end = 0_u64;
    while budget.spend(16) {
        if let Some(size) = jffs2_node(data, offset, order) {
            nodes = nodes.saturating_add(1);
            end = offset.saturating_add(size);
            let Some(next) = end.checked_next_multiple_of(4) else {
                break;
            };
            offset = next;
            continue;
        }
        let free = tail(data, offset)
            .unwrap_or_default()
            .iter()
            .take(GAP)
            .take_while(|byte| matches!(byte, 0xff | 0))
            .count() as u64
            / 4
            * 4;
        budget.spend(free);
        if nodes == 0 || free == 0 {
            break;
        }
        offset = offset.saturating_add(free);
    }
    (nodes > 0).then(|| Found {
        size: Some(end),
        // A clean marker alone is what an empty, formatted chip has.
        confidence: match nodes {
            0 | 1 => Medium,
            _ => High,
        },
        description: format!(
            "JFFS2, {} endian, {nodes} nodes",
            if order.big { "big" } else { "little" }
        ),
    })
}

/// The size of the node at `offset`, if its header's checksum holds.
fn jffs2_node(data: &[u8], offset: u64, order: Ordered) -> Option<u64> {
    let header = range(data, offset, 12)?;
    let size = u64::from(order.u32(header, 4)?);
    let known = matches!(
        order.u16(header, 2)?,
        0xe001 | 0xe002 | 0x2003 | 0x2004 | 0x2006 | 0xe008 | 0xe009
    );
    let holds = order.u16(header, 0)? == 0x1985 && order.u32(header, 8)? == kernel_crc(header)?;
    (known && holds && size >= 12 && offset.checked_add(size)? <= data.len() as u64).then_some(size)
}

/// CRC-32 of the first eight bytes with neither inversion, as `crc32_le(0, …)`.
fn kernel_crc(header: &[u8]) -> Option<u32> {
    let mut crc = crc32fast::Hasher::new_with_initial(u32::MAX);
    crc.update(range(header, 0, 8)?);
    Some(!crc.finalize())
}

/// Linux drivers/mtd/ubi/ubi-media.h: erase counter headers at equal distances.
pub(super) fn ubi(data: &[u8], budget: &mut Budget) -> Option<Found> {
    ubi_header(data, 0)?;
    let limit = data.len().min(16 << 20) as u64;
    // Erase blocks are powers of two from 4 KiB.
    let mut block = 4096_u64;
    while block < limit && ubi_header(data, block).is_none() {
        block = block.checked_mul(2)?;
    }
    let mut blocks = 1_u64;
    while budget.spend(64) && ubi_header(data, blocks.checked_mul(block)?).is_some() {
        blocks = blocks.checked_add(1)?;
    }
    let size = (blocks > 1).then(|| blocks.saturating_mul(block).min(data.len() as u64));
    Some(Found {
        size,
        confidence: if size.is_some() { High } else { Low },
        description: format!("UBI, {blocks} erase blocks"),
    })
}

fn ubi_header(data: &[u8], offset: u64) -> Option<()> {
    let header = range(data, offset, 64)?;
    let holds = header.starts_with(b"UBI#\x01")
        && u32_be(header, 60)? == !crc32fast::hash(range(header, 0, 60)?);
    holds.then_some(())
}
