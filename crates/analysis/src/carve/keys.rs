//! Checks of certificates and keys, in DER and PEM.

use memchr::memmem;

use super::Confidence::High;
use super::bytes::{Budget, range, tail, u8_at, u16_be};
use super::scan::Found;

/// A PEM body longer than this is none.
const PEM: u64 = 64 << 10;

/// Tag, and where the contents begin and end.
fn element(data: &[u8], offset: u64) -> Option<(u8, u64, u64)> {
    let tag = u8_at(data, offset)?;
    let (start, size) = match u8_at(data, offset.checked_add(1)?)? {
        short @ 0..=0x7f => (offset.checked_add(2)?, u64::from(short)),
        0x81 => (
            offset.checked_add(3)?,
            u8_at(data, offset.checked_add(2)?)?.into(),
        ),
        0x82 => (
            offset.checked_add(4)?,
            u16_be(data, offset.checked_add(2)?)?.into(),
        ),
        _ => return None,
    };
    let end = start.checked_add(size)?;
    (end <= data.len() as u64).then_some((tag, start, end))
}

/// RFC 5280, 4.1: the three parts of a certificate fill it exactly.
pub(super) fn certificate(data: &[u8], _: &mut Budget) -> Option<Found> {
    let (_, start, end) = element(data, 0)?;
    let (0x30, body, body_end) = element(data, start)? else {
        return None;
    };
    // [0] EXPLICIT version 2 or 3, then the serial number.
    let [0xa0, 3, 2, 1, version @ (1 | 2)] = *range(data, body, 5)? else {
        return None;
    };
    let (0x02, _, serial_end) = element(data, body.checked_add(5)?)? else {
        return None;
    };
    let (0x30, _, _) = element(data, serial_end)? else {
        return None;
    };
    let (0x30, _, algorithm_end) = element(data, body_end)? else {
        return None;
    };
    let (0x03, _, signature_end) = element(data, algorithm_end)? else {
        return None;
    };
    (signature_end == end).then(|| Found {
        size: Some(end),
        confidence: High,
        description: format!("X.509 certificate, version {}", u32::from(version) + 1),
    })
}

/// RFC 8017, A.1.2: nine integers fill the sequence exactly.
pub(super) fn rsa_private_key(data: &[u8], _: &mut Budget) -> Option<Found> {
    let (_, start, end) = element(data, 0)?;
    if range(data, start, 3)? != [2, 1, 0] {
        return None;
    }
    let mut offset = start;
    let mut bits = 0;
    for index in 0..9 {
        let (0x02, from, to) = element(data, offset)? else {
            return None;
        };
        if index == 1 {
            bits = to.checked_sub(from)?.checked_mul(8)? / 64 * 64;
        }
        offset = to;
    }
    (offset == end).then(|| Found {
        size: Some(end),
        confidence: High,
        description: format!("RSA private key, {bits} bits"),
    })
}

/// RFC 7468: a label, base64, and the same label again.
pub(super) fn pem(data: &[u8], budget: &mut Budget) -> Option<Found> {
    let head = range(data, 0, PEM.min(data.len() as u64))?;
    let label_end = memmem::find(tail(head, 11)?, b"-----")?;
    let label = range(head, 11, label_end as u64)?;
    let body_start = 11 + label_end as u64 + 5;
    let body = tail(head, body_start)?;
    let length = memmem::find(body, b"-----END ")? as u64;
    budget.spend(length);
    let inner = range(body, 0, length)?;
    let closing = tail(body, length.checked_add(9)?)?;
    let encoded = |byte: &u8| {
        byte.is_ascii_alphanumeric() || b"+/=\r\n \t".contains(byte)
            // Headers of encrypted keys: "DEK-Info: AES-128-CBC,0123".
            || b"-:,".contains(byte)
    };
    let dense = inner
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .count()
        >= 32;
    let agrees =
        closing.starts_with(label) && tail(closing, label.len() as u64)?.starts_with(b"-----");
    (agrees && dense && inner.iter().all(encoded)).then(|| Found {
        size: Some(body_start + length + 9 + label.len() as u64 + 5),
        confidence: High,
        description: format!("PEM {}", String::from_utf8_lossy(label).to_lowercase()),
    })
}
