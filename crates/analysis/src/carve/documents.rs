//! Checks of pictures, documents and databases.

use memchr::memmem;

use super::Confidence::{High, Low, Medium};
use super::bytes::{Budget, array, range, tail, u8_at, u16_be, u16_le, u32_be};
use super::scan::Found;

/// PNG (ISO/IEC 15948), 5.3: chunks with a length and a CRC-32.
pub(super) fn png(data: &[u8], budget: &mut Budget) -> Option<Found> {
    if range(data, 12, 4)? != b"IHDR" || u32_be(data, 29)? != crc32fast::hash(range(data, 12, 17)?)
    {
        return None;
    }
    let mut offset = 8_u64;
    let mut end = None;
    while let (Some(size), Some(kind)) = (u32_be(data, offset), array::<4>(data, offset + 4)) {
        if !kind.iter().all(u8::is_ascii_alphabetic) || !budget.spend(16) {
            break;
        }
        offset = offset.checked_add(u64::from(size))?.checked_add(12)?;
        if kind == *b"IEND" {
            end = Some(offset);
            break;
        }
    }
    let end = end.filter(|end| *end <= data.len() as u64);
    Some(Found {
        size: end,
        confidence: if end.is_some() { High } else { Low },
        description: format!("PNG image, {} x {}", u32_be(data, 16)?, u32_be(data, 20)?),
    })
}

/// GIF89a specification: descriptor, then blocks of sub-blocks to the trailer.
pub(super) fn gif(data: &[u8], budget: &mut Budget) -> Option<Found> {
    if !matches!(range(data, 4, 2)?, b"7a" | b"9a") {
        return None;
    }
    let (width, height) = (u16_le(data, 6)?, u16_le(data, 8)?);
    let table = |flags: u8| {
        if flags & 0x80 == 0 {
            0
        } else {
            3_u64 << ((flags & 7) + 1)
        }
    };
    let mut offset = 13 + table(u8_at(data, 10)?);
    let mut images = 0_u32;
    let end = loop {
        let Some(kind) = u8_at(data, offset).filter(|_| budget.spend(16)) else {
            break None;
        };
        match kind {
            0x3b => break Some(offset + 1),
            0x21 => offset += 2,
            0x2c => {
                offset += 11 + table(u8_at(data, offset + 9)?);
                images = images.saturating_add(1);
            }
            _ => return None,
        }
        while let Some(size) = u8_at(data, offset).filter(|_| budget.spend(16)) {
            offset += 1 + u64::from(size);
            if size == 0 {
                break;
            }
        }
    };
    (images > 0 && width > 0 && height > 0).then(|| Found {
        size: end,
        confidence: if end.is_some() { High } else { Low },
        description: format!("GIF image, {width} x {height}"),
    })
}

/// ITU-T T.81, annex B: segments to the first scan, then the end marker.
pub(super) fn jpeg(data: &[u8], budget: &mut Budget) -> Option<Found> {
    let mut offset = 2_u64;
    let mut frame = None;
    loop {
        let [0xff, marker] = array(data, offset)? else {
            return None;
        };
        let size = u64::from(u16_be(data, offset + 2)?);
        if !(0xc0..=0xfe).contains(&marker) || size < 2 || !budget.spend(16) {
            return None;
        }
        if (0xc0..=0xcf).contains(&marker) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
            frame = Some((u16_be(data, offset + 7)?, u16_be(data, offset + 5)?));
        }
        offset += 2 + size;
        if marker == 0xda {
            break;
        }
    }
    let (width, height) = frame?;
    let rest = tail(data, offset)?;
    let end = memmem::find(rest, b"\xff\xd9");
    budget.spend(end.unwrap_or(rest.len()) as u64);
    let size = end.map(|end| offset.saturating_add(end as u64).saturating_add(2));
    Some(Found {
        size,
        confidence: if size.is_some() { High } else { Low },
        description: format!("JPEG image, {width} x {height}"),
    })
}

/// ISO 32000-1, 7.5. The document ends with the last end mark before another
/// document begins.
pub(super) fn pdf(data: &[u8], budget: &mut Budget) -> Option<Found> {
    let [major, b'.', minor] = array(data, 5)? else {
        return None;
    };
    if !matches!(major, b'1' | b'2') || !minor.is_ascii_digit() {
        return None;
    }
    let head = range(data, 0, data.len().min(4096) as u64)?;
    memmem::find(head, b" obj")?;
    let next = tail(data, 5).and_then(|rest| memmem::find(rest, b"%PDF-"));
    let reach = next.map_or(data.len() as u64, |next| next as u64 + 5);
    budget.spend(reach.saturating_mul(2));
    let end = memmem::rfind(range(data, 0, reach)?, b"%%EOF").map(|end| end as u64 + 5);
    // One line end belongs to it.
    let end = end.map(|end| match (u8_at(data, end), u8_at(data, end + 1)) {
        (Some(b'\r'), Some(b'\n')) => end + 2,
        (Some(b'\n' | b'\r'), _) => end + 1,
        _ => end,
    });
    Some(Found {
        size: end,
        confidence: if end.is_some() { High } else { Low },
        description: format!(
            "PDF document, version {}.{}",
            char::from(major),
            char::from(minor)
        ),
    })
}

/// SQLite database file format, 1.3.
pub(super) fn sqlite(data: &[u8], _: &mut Budget) -> Option<Found> {
    let page = match u16_be(data, 16)? {
        1 => 65536_u64,
        size if size >= 512 && size.is_power_of_two() => size.into(),
        _ => return None,
    };
    let pages = u64::from(u32_be(data, 28)?);
    let size = pages.checked_mul(page)?;
    (range(data, 21, 3)? == [64, 32, 32]).then(|| Found {
        size: (size > 0).then_some(size),
        confidence: if size <= data.len() as u64 {
            Medium
        } else {
            Low
        },
        description: format!("SQLite database, {pages} pages of {page} bytes"),
    })
}
