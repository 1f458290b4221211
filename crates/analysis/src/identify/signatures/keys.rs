//! Certificates and keys in DER, by the outer shape of the ASN.1 (X.690, X.509,
//! PKCS #7, #8, #12). Their text forms are known by `text`.

use super::super::bytes::{at, find, from, is, u8_at};
use super::super::found::{Found, OCTETS};
use super::super::identity::Category;

pub(super) fn recognise(data: &[u8]) -> Option<Found> {
    let found = |kind, text: &str| Some(Found::new(kind, Category::Certificate, OCTETS, text));
    if is(data, 0, b"\xfe\xed\xfe\xed\0\0\0") {
        return found("java-keystore", "Java KeyStore");
    }
    if is(data, 0, b"\xce\xce\xce\xce\0\0\0") {
        return found("java-keystore", "Java JCE KeyStore");
    }
    let body = sequence(data)?;
    // SignedData: OID 1.2.840.113549.1.7.2.
    if is(body, 0, b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02") {
        return found("pkcs7", "DER Encoded PKCS#7 Signed Data");
    }
    if is(body, 0, b"\x02\x01\x03\x30")
        && find(body, 64, b"\x2a\x86\x48\x86\xf7\x0d\x01\x07").is_some()
    {
        return found("pkcs12", "PKCS#12 key store");
    }
    // A private key: version 0, then an algorithm (PKCS #8) or integers (RSA).
    if is(body, 0, b"\x02\x01\0\x30") {
        return found("private-key", "DER Encoded PKCS#8 private key");
    }
    if is(body, 0, b"\x02\x01\0\x02\x82") || is(body, 0, b"\x02\x01\0\x02\x81") {
        return found("private-key", "DER Encoded RSA private key");
    }
    if is(body, 0, b"\x02\x01\x01\x04") {
        return found("private-key", "DER Encoded EC private key");
    }
    if is(
        body,
        0,
        b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01",
    ) || is(body, 0, b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01")
    {
        return found("public-key", "DER Encoded Public Key");
    }
    let inner = sequence(body)?;
    // [0] version, then the serial number: a certificate of version 2 or 3.
    if is(inner, 0, b"\xa0\x03\x02\x01") && u8_at(inner, 5) == Some(2) {
        let version = u8_at(inner, 4).unwrap_or(0).saturating_add(1);
        return found("certificate", &format!("Certificate, Version={version}"));
    }
    // Version 0, then a name: a request.
    if is(inner, 0, b"\x02\x01\0\x30") {
        return found("certificate-request", "DER Encoded Certificate request");
    }
    None
}

/// The inside of a SEQUENCE of more than 127 bytes, or of a short one.
fn sequence(data: &[u8]) -> Option<&[u8]> {
    if u8_at(data, 0)? != 0x30 {
        return None;
    }
    match u8_at(data, 1)? {
        0x81 => Some(from(data, 3)),
        0x82 => at(data, 2, 2).map(|_| from(data, 4)),
        0x83 => Some(from(data, 5)),
        0x84 => Some(from(data, 6)),
        length if length < 0x80 => Some(from(data, 2)),
        _ => None,
    }
}
