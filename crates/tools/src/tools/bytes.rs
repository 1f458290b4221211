//! `read_bytes`: what lies at an offset or address, as a hex dump or as text,
//! decoded first where it is asked for.

use std::fmt::Write as _;

use reversecore_analysis::binary::{self, ParseOptions};
use reversecore_analysis::excerpt::{self, At, End, Excerpt, MOST_STEPS, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::disassemble::number_of;
use crate::arguments::invalid;
use crate::bounded::{Bounded, Timeout};
use crate::embedded::present::Tree;
use crate::embedded::worker::{File, Request, Resident};
use crate::embedded::{Trouble, Work};
use crate::error::ToolError;
use crate::schedule::{Workload, estimates};
use crate::schema::{self, Object};
use crate::text::{needs_escape, quoted};
use crate::tool::{Answer, Call, Tool};

/// Bytes in a line of a dump.
const LINE: usize = 16;

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadBytes;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Path in the workspace.
    file_path: String,
    /// Virtual address, such as 0x401000.
    #[serde(default)]
    address: Option<String>,
    /// Offset in the file, such as 0x400; without both: 0.
    #[serde(default)]
    offset: Option<String>,
    /// Bytes of the result.
    #[serde(default = "length")]
    length: Bounded<1, 4096>,
    /// Bytes of the result to pass over.
    #[serde(default = "nothing")]
    skip: Bounded<0, 16_777_216>,
    /// Decode first, in this order: xor:KEY (hex), base64, hex, zlib, gzip, deflate.
    #[serde(default)]
    decode: Vec<String>,
    /// auto: text where it is text.
    #[serde(default)]
    show: Show,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<60>,
}

/// How bytes are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Show {
    #[default]
    Auto,
    Hex,
}

/// What a worker is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Read {
    request: excerpt::Request,
}

impl Work for Read {
    type Reply = Excerpt;
    const LARGEST: usize = 64 << 10;

    fn request(self) -> Request {
        Request::Read(self)
    }

    fn perform(self, file: &mut File<'_, '_>, _: &mut Resident) -> Result<Excerpt, Trouble> {
        let options = ParseOptions {
            entropy: false,
            ..ParseOptions::default()
        };
        let parsed = binary::parse(file.bytes(), &options);
        let name = match self.request.at {
            At::Offset(_) => "offset",
            At::Address(_) => "address",
        };
        excerpt::read(file.bytes(), &parsed, &self.request).map_err(|error| Trouble::Parameter {
            name: name.to_owned(),
            reason: error.to_string(),
        })
    }
}

/// What is reported.
#[derive(Debug, Serialize, JsonSchema)]
struct Report {
    #[schemars(with = "Object")]
    start: Place,
    section: Option<String>,
    /// The steps of decoding.
    decoded: Vec<String>,
    length: usize,
    /// Sixteen bytes a line, behind their address, their offset or, when decoded,
    /// their place in the result.
    dump: Vec<String>,
    text: Option<String>,
    #[schemars(with = "Option<String>")]
    end: Option<End>,
    /// With this `skip` it goes on.
    next_skip: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Place {
    offset: Option<u64>,
    address: Option<u64>,
}

impl Tool for ReadBytes {
    type Params = Params;
    type Report = Tree;

    const NAME: &'static str = "read_bytes";
    const TITLE: &'static str = "Read bytes";
    const DESCRIPTION: &'static str = "The bytes at a file `offset` or virtual `address` as a hex dump, or as text; `decode` goes through XOR, base64, hexadecimal, zlib, gzip or DEFLATE first, to where the encoded data ends. Says offset, address and section; `next_skip` continues.";

    fn report_schema() -> Value {
        schema::report::<Report>()
    }

    fn workload(params: &Params) -> Workload<'_> {
        Workload::on(&params.file_path, estimates::READ, params.timeout)
    }

    async fn run(&self, call: &Call<'_>, params: Params) -> Result<Answer<Tree>, ToolError> {
        let timeout = params.timeout.resolve(call.services.default_timeout);
        let at = match (&params.offset, &params.address) {
            (Some(_), Some(_)) => {
                return Err(invalid(
                    "address",
                    "is given together with `offset`",
                    "Give one of them, or none for the beginning of the file.",
                ));
            }
            (None, Some(address)) => At::Address(number_of("address", address)?),
            (Some(offset), None) => At::Offset(number_of("offset", offset)?),
            (None, None) => At::Offset(0),
        };
        let steps = steps(&params.decode)?;
        let shown = Shown {
            at,
            decoded: steps.iter().map(ToString::to_string).collect(),
            show: params.show,
        };
        let request = excerpt::Request {
            at,
            length: params.length.count(),
            skip: params.skip.get(),
            steps,
        };
        let work = Read { request };
        let found = call.examine(&params.file_path, timeout, work).await?;
        Ok(found.answer(|excerpt| shown.answer(excerpt)))
    }
}

fn steps(names: &[String]) -> Result<Vec<Step>, ToolError> {
    if names.len() > MOST_STEPS {
        return Err(invalid(
            "decode",
            format!("has {} steps, at most {MOST_STEPS} are taken", names.len()),
            "Decode in fewer steps.",
        ));
    }
    let step = |name: &String| {
        name.parse().map_err(|error| {
            invalid(
                "decode",
                format!("`{}`: {error}", quoted(name)),
                "Such as [\"base64\", \"xor:5a\", \"zlib\"].",
            )
        })
    };
    names.iter().map(step).collect()
}

/// How an excerpt is to be reported.
struct Shown {
    at: At,
    decoded: Vec<String>,
    show: Show,
}

impl Shown {
    fn answer(self, excerpt: Excerpt) -> Answer<Tree> {
        let Excerpt {
            start,
            mapped,
            section,
            skipped,
            bytes,
            end,
            warnings,
        } = excerpt;
        let readable = match self.show {
            Show::Auto => readable(&bytes),
            Show::Hex => None,
        };
        let first = match (self.decoded.is_empty(), self.at) {
            (true, At::Offset(_)) => start.offset.unwrap_or_default(),
            (true, At::Address(_)) => start.address,
            (false, _) => 0,
        };
        let report = Report {
            dump: match readable {
                Some(_) => Vec::new(),
                None => dump(&bytes, first.saturating_add(skipped)),
            },
            text: readable.map(ToOwned::to_owned),
            start: Place {
                offset: start.offset,
                address: mapped.then_some(start.address),
            },
            section,
            decoded: self.decoded,
            length: bytes.len(),
            end,
            next_skip: end
                .is_none()
                .then(|| skipped.saturating_add(bytes.len() as u64)),
        };
        let mut answer = Answer::complete(Tree::new(&report, text));
        answer.add_warnings(warnings);
        answer
    }
}

/// The bytes as text, when they are text that can be shown. The last character
/// may be cut.
fn readable(bytes: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            let whole = bytes.get(..error.valid_up_to())?;
            std::str::from_utf8(whole).ok()?
        }
        Err(_) => return None,
    };
    let shown = |c: char| matches!(c, '\t' | '\n' | '\r') || !needs_escape(c);
    (!text.is_empty() && text.chars().all(shown)).then_some(text)
}

/// Lines of a dump, the first of which begins at `first`.
fn dump(bytes: &[u8], first: u64) -> Vec<String> {
    let mut at = first;
    let lines = bytes.chunks(LINE).map(|line| {
        let dumped = dump_line(line, at);
        at = at.saturating_add(line.len() as u64);
        dumped
    });
    lines.collect()
}

fn dump_line(bytes: &[u8], at: u64) -> String {
    let mut line = format!("{at:08x} ");
    for byte in bytes {
        // Writing to a String can't fail.
        write!(line, " {byte:02x}").ok();
    }
    line.extend(std::iter::repeat_n("   ", LINE.saturating_sub(bytes.len())));
    line.push_str("  |");
    line.extend(bytes.iter().map(|byte| match byte {
        b' '..=b'~' => char::from(*byte),
        _ => '.',
    }));
    line.push('|');
    line
}

fn text(value: &Value) -> String {
    let mut text = String::new();
    let hex = |text: &mut String, name: &str, value: &Value| {
        if let Some(number) = value.as_u64() {
            // Writing to a String can't fail.
            write!(text, "{name} {number:#x}, ").ok();
        }
    };
    hex(&mut text, "offset", &value["start"]["offset"]);
    hex(&mut text, "address", &value["start"]["address"]);
    if let Some(section) = value["section"].as_str() {
        write!(text, "section {section}, ").ok();
    }
    for step in value["decoded"].as_array().into_iter().flatten() {
        write!(text, "{}, ", step.as_str().unwrap_or_default()).ok();
    }
    writeln!(text, "{} bytes", value["length"]).ok();
    for line in value["dump"].as_array().into_iter().flatten() {
        writeln!(text, "{}", line.as_str().unwrap_or_default()).ok();
    }
    if let Some(shown) = value["text"].as_str() {
        writeln!(text, "{shown}").ok();
    }
    if let Some(end) = value["end"].as_str() {
        writeln!(text, "[ends: {end}]").ok();
    }
    if let Some(next) = value["next_skip"].as_u64() {
        writeln!(text, "[continue with skip={next}]").ok();
    }
    text
}

fn length() -> Bounded<1, 4096> {
    Bounded::new(256)
}

fn nothing() -> Bounded<0, 16_777_216> {
    Bounded::new(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_is_aligned_and_says_where_each_line_lies() {
        let bytes: Vec<u8> = (0x39..0x50).collect();
        assert_eq!(
            dump(&bytes, 0x40_1008),
            [
                "00401008  39 3a 3b 3c 3d 3e 3f 40 41 42 43 44 45 46 47 48  |9:;<=>?@ABCDEFGH|",
                "00401018  49 4a 4b 4c 4d 4e 4f                             |IJKLMNO|",
            ]
        );
        assert!(dump(&[0], u64::MAX)[0].starts_with("ffffffffffffffff  00"));
        assert!(dump(&[], 0).is_empty());
    }

    #[test]
    fn text_is_what_can_be_shown_and_its_last_character_may_be_cut() {
        assert_eq!(readable(b"a\tline\r\n"), Some("a\tline\r\n"));
        assert_eq!(
            readable("gr\u{fc}n\u{fc}".as_bytes()),
            Some("gr\u{fc}n\u{fc}")
        );
        assert_eq!(readable(b"gr\xc3"), Some("gr"));
        for no in [
            &b""[..],
            b"\xc3",
            b"a\0",
            b"\x1b[31m",
            b"\xff\xfe",
            "\u{202e}".as_bytes(),
        ] {
            assert_eq!(readable(no), None, "{no:?}");
        }
    }

    #[test]
    fn steps_are_checked_with_the_one_that_is_wrong() {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(steps(&names(&["base64", "xor:5a"])).unwrap().len(), 2);
        let error = steps(&names(&["base64", "rot13"])).unwrap_err();
        assert!(error.message.contains("`decode`: `rot13`"), "{error}");
        let error = steps(&names(&["hex"; 9])).unwrap_err();
        assert!(error.message.contains("9 steps"), "{error}");
    }
}
