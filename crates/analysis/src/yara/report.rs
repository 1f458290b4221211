//! What a scan says, as plain data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Warnings;

/// The result of a scan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ScanReport {
    /// The rules that match, in the order of their declaration; private rules
    /// are left out.
    pub matches: Vec<RuleMatch>,
    /// Whether time ran out; there are no matches then, since a rule's verdict
    /// is known at the end only.
    pub timed_out: bool,
    /// The rules that took longer than a tenth of a second, the slowest first;
    /// after a time-out, the one that was being evaluated among them.
    pub slow: Vec<SlowRule>,
    /// Rules that took too long by themselves and have no verdict, with what
    /// they took.
    pub given_up: Vec<SlowRule>,
    /// What was left out, and why.
    pub warnings: Warnings,
}

/// How long a rule took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowRule {
    /// Its name.
    pub rule: String,
    /// Its namespace.
    pub namespace: String,
    /// Time for finding its patterns.
    pub patterns: Duration,
    /// Time for its condition.
    pub condition: Duration,
}

/// A rule that matches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleMatch {
    /// Its name.
    pub rule: String,
    /// Its namespace.
    pub namespace: String,
    /// Its tags, in order.
    pub tags: Vec<String>,
    /// Its metadata, in order; a name may occur more than once.
    pub meta: Vec<Meta>,
    /// Where its patterns match, by pattern and offset. Bounded.
    pub strings: Vec<StringMatch>,
    /// The number of all places, also of those left out.
    pub strings_total: u64,
}

/// A line of a rule's metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// The name.
    pub name: String,
    /// The value.
    pub value: MetaValue,
}

/// A typed value of metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetaValue {
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A text.
    String(String),
    /// A text that is not UTF-8, in lowercase hex.
    Bytes(String),
}

/// A place where a pattern matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StringMatch {
    /// The pattern, with its `$`.
    pub identifier: String,
    /// Where, in bytes from the start of the file.
    pub offset: u64,
    /// How long the match is, in bytes.
    pub length: u64,
    /// Its first bytes in lowercase hex.
    pub data: String,
    /// The same bytes as text: printable ASCII as it is, a dot for the rest.
    pub text: String,
    /// The key of a pattern with the modifier `xor`.
    pub xor_key: Option<u8>,
}
