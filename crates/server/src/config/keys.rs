//! Keys by which clients are known: one in the clear from the environment, or
//! names with hashes. No `Debug` form and no message shows one.

use std::fmt;
use std::io::{self, Read as _};
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{self, Deserializer};
use sha2::{Digest as _, Sha256};

/// Bytes of a new key: as hard to guess as its hash.
const NEW_KEY_BYTES: usize = 32;
/// Longest name of a client.
const LONGEST_NAME: usize = 64;

/// The key that requests must carry. Its `Debug` form does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// A new one, from the system's random numbers.
    ///
    /// # Errors
    /// When the system has none to give.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; NEW_KEY_BYTES];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(Self(hex(&bytes)))
    }

    /// The key itself, for its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What the configuration holds of it.
    pub fn hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(&self.0).into())
    }
}

impl FromStr for ApiKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(
                "expected visible ASCII characters without spaces (a request header must hold it)",
            );
        }
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for ApiKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        secret(deserializer)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// SHA-256 of a key. A plain hash is enough where keys are long and random; one
/// that a person chose could be found by trying.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash, for the comparison.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for KeyHash {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The value is not repeated: it may be the key itself, by mistake.
        const EXPECTED: &str = "expected the SHA-256 of the key in hexadecimal, as `reversecore key NAME` prints it, and not the key itself";
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        unhex(digits).map(Self).ok_or(EXPECTED)
    }
}

impl<'de> Deserialize<'de> for KeyHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        secret(deserializer)
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex(&self.0))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

/// What a key's owner is called in logs, lists of jobs and quotas.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientName(String);

impl ClientName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'@');
        if text.is_empty() || text.len() > LONGEST_NAME || !text.bytes().all(plain) {
            return Err("expected a name of 1 to 64 letters, digits, `.`, `_`, `-` and `@`");
        }
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for ClientName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// Reads a text that must not stand in the message when it is no text.
fn secret<'de, D: Deserializer<'de>, T: FromStr<Err = &'static str>>(
    deserializer: D,
) -> Result<T, D::Error> {
    match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => text.parse().map_err(de::Error::custom),
        toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_)
        | toml::Value::Array(_)
        | toml::Value::Table(_) => Err(de::Error::custom("expected a string")),
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// The 32 bytes that are written so, in either case.
pub(crate) fn unhex(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = u8::try_from(digit(high)? << 4 | digit(low)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_long_and_its_hash_is_what_the_configuration_takes() {
        let (one, other) = (ApiKey::random().unwrap(), ApiKey::random().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.expose().len(), 64);
        let written = one.hash().to_string();
        assert_eq!(written.parse::<KeyHash>().unwrap(), one.hash());
        assert!(!format!("{one:?}{:?}", one.hash()).contains(one.expose()));
    }

    #[test]
    fn a_key_in_place_of_its_hash_is_refused_and_not_repeated() {
        for wrong in ["open-sesame", "sha256:abc", "", "sha256:", &"g".repeat(64)] {
            let error = wrong.parse::<KeyHash>().unwrap_err();
            assert!(error.contains("SHA-256"), "{wrong}");
        }
    }

    #[test]
    fn names_are_plain() {
        assert!("alice@example.org".parse::<ClientName>().is_ok());
        for wrong in ["", "a b", "a:b", "ä", &"a".repeat(65)] {
            assert!(wrong.parse::<ClientName>().is_err(), "{wrong}");
        }
    }
}
