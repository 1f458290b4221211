//! What is asked of the search for indicators, and what it answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Warnings;

/// What to look for, and how much of it to report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IocOptions {
    /// The kinds that are wanted; empty means all.
    pub kinds: Vec<IocKind>,
    /// Indicators below this are only counted.
    pub min_confidence: Confidence,
    /// The most indicators in the report. Of more, the ones with the higher
    /// confidence stay, among equals the ones nearer to the start of the file.
    pub most_items: usize,
    /// The most offsets that are kept of one indicator.
    pub most_offsets: usize,
}

impl Default for IocOptions {
    fn default() -> Self {
        Self {
            kinds: Vec::new(),
            min_confidence: Confidence::Low,
            most_items: 1000,
            most_offsets: 16,
        }
    }
}

/// The indicators in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IocReport {
    /// The indicators, each value once, by falling confidence and then by
    /// offset.
    pub items: Vec<Ioc>,
    /// How many different values of a kind were found, those that are not in
    /// `items` for want of room included.
    pub totals: BTreeMap<IocKind, u64>,
    /// How many places looked like an indicator and were not reported, by
    /// reason.
    pub suppressed: BTreeMap<Reason, u64>,
    /// Some values are missing from `items` for want of room.
    pub truncated: bool,
    /// Where the search was ended by its [`Watch`](crate::Watch); what lies
    /// behind was not searched.
    pub stopped_at: Option<u64>,
    /// What could not be read, and why.
    pub warnings: Warnings,
}

/// One indicator: all places that have the same value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ioc {
    /// What it is.
    pub kind: IocKind,
    /// The value as one would look it up: refanged, host names and hashes in
    /// lower case, paths with single backslashes.
    pub value: String,
    /// The first place as it stands in the file, decoded to UTF-8.
    pub raw: String,
    /// Offset of the first byte of the first place.
    pub offset: u64,
    /// Offsets of the first places, up to a bound; the first is `offset`.
    pub offsets: Vec<u64>,
    /// How many places have this value.
    pub occurrences: u64,
    /// How the first place is encoded.
    pub encoding: Encoding,
    /// How sure it is that this is an indicator of this kind; the best of all
    /// places.
    pub confidence: Confidence,
    /// One of the places was defanged (`hxxp`, `[.]`, …).
    pub defanged: bool,
    /// What is worth knowing about it, of all places together.
    pub flags: Vec<Flag>,
}

/// The kinds of indicators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IocKind {
    /// An IPv4 address in dotted decimal form.
    Ipv4,
    /// An IPv6 address (RFC 4291).
    Ipv6,
    /// A host name below a suffix of the Public Suffix List, `.onion`, `.i2p`.
    Domain,
    /// A URL with a scheme and a host.
    Url,
    /// A mail address.
    Email,
    /// 32 hexadecimal digits.
    Md5,
    /// 40 hexadecimal digits.
    Sha1,
    /// 64 hexadecimal digits.
    Sha256,
    /// 128 hexadecimal digits.
    Sha512,
    /// A Bitcoin address (Base58Check, Bech32, Bech32m).
    Btc,
    /// An Ethereum address (EIP-55 where it has both cases).
    Eth,
    /// A Monero address.
    Xmr,
    /// A CVE identifier.
    Cve,
    /// A key of the Windows registry.
    RegistryKey,
    /// A path of Windows (drive, UNC, pipe, variable) or Unix.
    FilePath,
    /// The name of a kernel object in `Global\` or `Local\`.
    Mutex,
    /// A GUID; malware uses them as names of mutexes, COM gives them to classes.
    Guid,
    /// A user agent of HTTP.
    UserAgent,
}

/// How sure it is.
///
/// - `high`: a checksum or an unmistakable form (a scheme, a hive, a label such
///   as `md5:`), or somebody defanged it;
/// - `medium`: the form is right and nothing around it speaks against it;
/// - `low`: the form is right, but it is most often harmless: private and
///   reserved addresses, names of standards, system paths, templates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Most often harmless.
    #[default]
    Low,
    /// Nothing speaks against it.
    Medium,
    /// Unmistakable.
    High,
}

/// How text is stored in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// One byte a character, all below 128.
    #[serde(rename = "ascii")]
    Ascii,
    /// UTF-8 with characters beyond ASCII.
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-16, low byte first.
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16, high byte first.
    #[serde(rename = "utf-16be")]
    Utf16Be,
}

/// What is worth knowing about an indicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// An address of a private network (RFC 1918, RFC 4193, RFC 6598).
    Private,
    /// The machine itself.
    Loopback,
    /// An address that is valid on one link only.
    LinkLocal,
    /// An address of a group.
    Multicast,
    /// An address or name for examples (RFC 5737, RFC 3849, RFC 2606).
    Documentation,
    /// An address that nobody has: unspecified, broadcast, future use.
    Reserved,
    /// A prefix length follows the address.
    Network,
    /// A port follows the host.
    Port,
    /// It is the host of a URL.
    InUrl,
    /// It is the host of a mail address.
    InEmail,
    /// The URL has a user name or a password.
    Credentials,
    /// A host of standards, certificates or large vendors.
    WellKnown,
    /// An internationalised name.
    Idn,
    /// Tor or I2P.
    Darknet,
    /// It might be a version number.
    VersionLike,
    /// The place has placeholders (`%s`, `{}`).
    Template,
    /// A path or key that makes a program start by itself.
    Autostart,
    /// A place that anybody may write to, which droppers like.
    Writable,
    /// The name begins with a dot.
    Hidden,
    /// A named pipe.
    Pipe,
    /// It has a checksum, and the checksum is right.
    Checksum,
    /// A word beside it names the kind.
    Labelled,
    /// It is the identifier of a revision or of a build.
    Revision,
}

/// Why something that looked like an indicator was not reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A version number or the number of a section.
    Version,
    /// More than four numbers: an object identifier.
    Oid,
    /// Four numbers that are no address: above 255, leading zeros, dates.
    InvalidAddress,
    /// Colons that are no IPv6 address: times, MAC addresses, scopes in code.
    NotIpv6,
    /// A dotted name whose last part is no public suffix.
    UnknownSuffix,
    /// The name of a file whose extension happens to be a top-level domain.
    FileName,
    /// An identifier in source code.
    CodeIdentifier,
    /// The checksum of an address of a currency is wrong.
    BadChecksum,
    /// Hexadecimal digits of one case too many, or with too little variety.
    UnlikelyHash,
    /// A regular expression or a glob.
    Pattern,
    /// Nothing but a root.
    Trivial,
    /// The host of a URL is not valid.
    InvalidHost,
    /// Of a wanted kind, but below the confidence that was asked for.
    BelowConfidence,
}
