//! Integers that can only hold what a parameter allows: the bounds are in the
//! type, so they are checked when an argument is read, and stand in the schema.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

/// An integer from `MIN` to `MAX`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounded<const MIN: u64, const MAX: u64>(u64);

/// Seconds that a call may take: 1 to 3600.
pub type TimeoutSeconds = Bounded<1, 3600>;
/// Bytes of output that a call may return: 1 KiB to 100 MB.
pub type OutputBytes = Bounded<1024, 100_000_000>;

impl<const MIN: u64, const MAX: u64> Bounded<MIN, MAX> {
    /// A value known when the program is written; it does not compile outside
    /// the bounds when used in a constant.
    ///
    /// # Panics
    /// When `value` is out of bounds.
    pub const fn new(value: u64) -> Self {
        assert!(MIN <= value && value <= MAX, "value out of bounds");
        Self(value)
    }

    /// The value.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The value as a number of things in memory, of which there are never more
    /// than fit.
    pub fn count(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Bounded<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Within<const MIN: u64, const MAX: u64>;
        impl<const MIN: u64, const MAX: u64> Visitor<'_> for Within<MIN, MAX> {
            type Value = u64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an integer from {MIN} to {MAX}")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<u64, E> {
                if (MIN..=MAX).contains(&value) {
                    Ok(value)
                } else {
                    Err(E::invalid_value(de::Unexpected::Unsigned(value), &self))
                }
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<u64, E> {
                match u64::try_from(value) {
                    Ok(value) => self.visit_u64(value),
                    Err(_) => Err(E::invalid_value(de::Unexpected::Signed(value), &self)),
                }
            }
        }
        deserializer
            .deserialize_u64(Within::<MIN, MAX>)
            .map(Bounded)
    }
}

impl<const MIN: u64, const MAX: u64> serde::Serialize for Bounded<MIN, MAX> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Bounded<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Owned(format!("Integer{MIN}To{MAX}"))
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

/// The `timeout` of a tool whose own default is `DEFAULT` seconds: what the
/// caller gave, else what the configuration gives, else the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timeout<const DEFAULT: u64>(Option<TimeoutSeconds>);

impl<const DEFAULT: u64> Timeout<DEFAULT> {
    /// The time, where `configured` is the configuration's.
    pub fn resolve(self, configured: Option<TimeoutSeconds>) -> Duration {
        let seconds = self.0.or(configured).map_or(DEFAULT, Bounded::get);
        Duration::from_secs(seconds)
    }
}

impl<'de, const DEFAULT: u64> Deserialize<'de> for Timeout<DEFAULT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        TimeoutSeconds::deserialize(deserializer).map(|seconds| Self(Some(seconds)))
    }
}

impl<const DEFAULT: u64> serde::Serialize for Timeout<DEFAULT> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.resolve(None).as_secs().serialize(serializer)
    }
}

impl<const DEFAULT: u64> JsonSchema for Timeout<DEFAULT> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Owned(format!("Timeout{DEFAULT}"))
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": 3600, "default": DEFAULT })
    }
}

/// The default of `max_output_size`: 10 MB.
pub(crate) fn default_output_bytes() -> OutputBytes {
    OutputBytes::new(10_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_the_callers_then_the_configurations_then_the_tools() {
        let given: Timeout<30> = serde_json::from_str("7").unwrap();
        let configured = Some(TimeoutSeconds::new(60));
        assert_eq!(given.resolve(configured).as_secs(), 7);
        assert_eq!(Timeout::<30>::default().resolve(configured).as_secs(), 60);
        assert_eq!(Timeout::<30>::default().resolve(None).as_secs(), 30);
        assert!(serde_json::from_str::<Timeout<30>>("null").is_err());
    }

    #[test]
    fn bounds_are_checked_with_a_message_that_names_them() {
        assert_eq!(
            serde_json::from_str::<TimeoutSeconds>("3600")
                .unwrap()
                .get(),
            3600
        );
        for bad in ["0", "3601", "-1", "1.5", "\"10\"", "null", "1e3"] {
            let error = serde_json::from_str::<TimeoutSeconds>(bad)
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("an integer from 1 to 3600"),
                "{bad}: {error}"
            );
        }
    }
}
