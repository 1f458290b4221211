//! What is too large for a reader is cut to its head and its tail, and says
//! what is missing. The whole is kept elsewhere ([`super`]).
//!
//! Of a report's JSON, lists lose their middle, and so do long texts; nothing
//! changes its type, so what is left is still a report of its tool.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::ArtifactRef;
use schemars::JsonSchema;

/// Of what is kept of a text or list, the head gets three parts in so many.
const HEAD: (usize, usize) = (3, 4);
/// The least that a list or a text is cut to.
const FEWEST_ITEMS: usize = 2;
const SHORTEST_TEXT: usize = 64;
/// JSON that is so short is not taken apart.
const SHORT: usize = 256;
/// Nor is what lies deeper than any report does.
const DEEPEST: usize = 64;
/// Cuts that are told of.
const MOST_CUTS: usize = 16;
/// What stands for the missing middle of a text.
const GAP: &str = "…";

/// A list or text of the report that is not whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cut {
    /// Where it stands in `data`: `/strings`, `/images/0/symbols`.
    pub path: String,
    /// How much of its beginning is there: items of a list, bytes of a text.
    pub head: usize,
    /// And of its end.
    pub tail: usize,
    /// And how much there is in all.
    pub total: usize,
}

/// Head and tail of a text, of about `budget` bytes, whole lines where there
/// are any; between them stands what is missing and how to get it.
pub(crate) fn text(whole: &str, budget: usize, artifact: Option<&ArtifactRef>) -> String {
    if whole.len() <= budget {
        return whole.to_owned();
    }
    let (head, tail) = ends(whole, budget);
    let missing = whole
        .get(head.len()..whole.len() - tail.len())
        .unwrap_or_default();
    let lines = missing.lines().count();
    let mut out = String::with_capacity(head.len() + tail.len() + 160);
    out.push_str(head);
    if !head.is_empty() && !head.ends_with('\n') {
        out.push('\n');
    }
    let how = match artifact {
        Some(artifact) => format!(
            "read_artifact artifact={} from_line={} continues",
            artifact.id,
            head.lines().count() + 1
        ),
        None => "ask for less".to_owned(),
    };
    out.push_str(&format!(
        "[{lines} lines, {} bytes left out here; {how}]\n",
        missing.len()
    ));
    out.push_str(tail);
    out
}

/// The parts of a text that are kept.
fn ends(whole: &str, budget: usize) -> (&str, &str) {
    let head = budget / HEAD.1 * HEAD.0;
    let tail = budget - head;
    let start = whole.floor_char_boundary(head);
    let end = whole.ceil_char_boundary(whole.len() - tail);
    let (mut first, mut last) = (
        whole.get(..start).unwrap_or_default(),
        whole.get(end..).unwrap_or_default(),
    );
    // Whole lines, unless that would leave little of it.
    if let Some(at) = first.rfind('\n').filter(|at| *at >= first.len() / 2) {
        first = first.get(..=at).unwrap_or_default();
    }
    if let Some(at) = last.find('\n').filter(|at| *at < last.len() / 2) {
        last = last.get(at + 1..).unwrap_or_default();
    }
    (first, last)
}

/// Writes a report's JSON behind `out`, its lists and texts cut until it has at
/// most `budget` bytes, as far as that can be done, and says what was cut.
///
/// # Errors
/// When `whole` is no JSON.
pub(crate) fn tree(whole: &[u8], budget: usize, out: &mut Vec<u8>) -> serde_json::Result<Vec<Cut>> {
    let root = Node::of(serde_json::from_slice(whole)?, 0)?;
    let mut items = 1 << 20;
    let mut bytes = budget;
    while root.size(items, bytes) > budget && (items > FEWEST_ITEMS || bytes > SHORTEST_TEXT) {
        items = (items - items / 4 - 1).max(FEWEST_ITEMS);
        // Texts go first only when they alone are too long.
        if items < 64 {
            bytes = (bytes - bytes / 4).max(SHORTEST_TEXT);
        }
    }
    let mut cuts = Vec::new();
    root.write(items, bytes, &mut String::new(), &mut cuts, out)?;
    Ok(cuts)
}

/// A report as far as it has to be taken apart to be cut.
enum Node<'a> {
    /// Short: it is kept or left out as it is, so it is not even read.
    Short(&'a str),
    Text(String),
    List(Vec<Self>),
    Fields(Vec<(Cow<'a, str>, Self)>),
}

impl<'a> Node<'a> {
    fn of(raw: &'a RawValue, depth: usize) -> serde_json::Result<Self> {
        let raw = raw.get();
        if raw.len() <= SHORT || depth >= DEEPEST {
            return Ok(Self::Short(raw));
        }
        let within = |raw| Self::of(raw, depth + 1);
        Ok(match raw.as_bytes().first() {
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(raw)?;
                Self::List(items.into_iter().map(within).collect::<Result<_, _>>()?)
            }
            Some(b'{') => {
                let Fields(fields) = serde_json::from_str(raw)?;
                let fields = fields.into_iter();
                let fields = fields.map(|(key, item)| Ok((key, within(item)?)));
                Self::Fields(fields.collect::<serde_json::Result<_>>()?)
            }
            Some(b'"') => Self::Text(serde_json::from_str(raw)?),
            Some(_) | None => Self::Short(raw),
        })
    }

    /// Bytes of JSON, about: escapes of texts are not counted one by one.
    fn size(&self, items: usize, bytes: usize) -> usize {
        match self {
            Self::Short(raw) => raw.len(),
            Self::Text(text) => text.len().min(bytes) + 2,
            Self::List(list) => {
                let (head, tail) = kept(list.len(), items);
                let ends = list.iter().take(head).chain(list.iter().rev().take(tail));
                2 + ends.map(|item| item.size(items, bytes) + 1).sum::<usize>()
            }
            Self::Fields(fields) => {
                let fields = fields.iter();
                2 + fields
                    .map(|(key, item)| key.len() + 4 + item.size(items, bytes))
                    .sum::<usize>()
            }
        }
    }

    /// Writes what is kept of it.
    fn write(
        &self,
        items: usize,
        bytes: usize,
        path: &mut String,
        cuts: &mut Vec<Cut>,
        out: &mut Vec<u8>,
    ) -> serde_json::Result<()> {
        match self {
            Self::Short(raw) => out.extend_from_slice(raw.as_bytes()),
            Self::Text(whole) if whole.len() > bytes => {
                let (head, tail) = ends(whole, bytes.saturating_sub(GAP.len()));
                note(cuts, path, (head.len(), tail.len()), whole.len());
                serde_json::to_writer(out, &format!("{head}{GAP}{tail}"))?;
            }
            Self::Text(whole) => serde_json::to_writer(out, whole)?,
            Self::List(list) => {
                let total = list.len();
                let (head, tail) = kept(total, items);
                if head + tail < total {
                    note(cuts, path, (head, tail), total);
                }
                let numbered = || list.iter().enumerate();
                let ends = numbered().take(head).chain(numbered().skip(total - tail));
                out.push(b'[');
                for (number, item) in ends {
                    if number > 0 {
                        out.push(b',');
                    }
                    within(path, number, |path| {
                        item.write(items, bytes, path, cuts, out)
                    })?;
                }
                out.push(b']');
            }
            Self::Fields(fields) => {
                out.push(b'{');
                for (place, (key, item)) in fields.iter().enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    serde_json::to_writer(&mut *out, key)?;
                    out.push(b':');
                    within(path, key, |path| item.write(items, bytes, path, cuts, out))?;
                }
                out.push(b'}');
            }
        }
        Ok(())
    }
}

/// The fields of an object in their order.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Fields<'de>;

            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Reading)
    }
}

fn note(cuts: &mut Vec<Cut>, path: &str, (head, tail): (usize, usize), total: usize) {
    if cuts.len() < MOST_CUTS {
        cuts.push(Cut {
            path: path.to_owned(),
            head,
            tail,
            total,
        });
    }
}

/// How many of `total` are kept at either end when at most `most` are.
fn kept(total: usize, most: usize) -> (usize, usize) {
    if total <= most {
        return (total, 0);
    }
    let tail = most / HEAD.1;
    (most - tail, tail)
}

fn within<R>(path: &mut String, step: impl fmt::Display, work: impl FnOnce(&mut String) -> R) -> R {
    let before = path.len();
    // Writing to a string can't fail.
    write!(path, "/{step}").ok();
    let done = work(path);
    path.truncate(before);
    done
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fitted(report: &Value, budget: usize) -> (Value, usize, Vec<Cut>) {
        let mut out = Vec::new();
        let cuts = tree(&serde_json::to_vec(report).unwrap(), budget, &mut out).unwrap();
        (serde_json::from_slice(&out).unwrap(), out.len(), cuts)
    }

    #[test]
    fn a_text_keeps_whole_lines_at_both_ends() {
        let whole: String = (1..=1000).map(|line| format!("line {line}\n")).collect();
        let artifact = ArtifactRef::of(&whole);
        let fitted = text(&whole, 400, Some(&artifact));
        assert!(fitted.starts_with("line 1\nline 2\n"), "{fitted}");
        assert!(fitted.ends_with("line 999\nline 1000\n"), "{fitted}");
        assert!(fitted.len() < 600, "{}", fitted.len());
        let next = fitted
            .lines()
            .position(|line| line.starts_with('['))
            .unwrap()
            + 1;
        assert!(
            fitted.contains(&format!("from_line={next} continues")),
            "{fitted}"
        );
        assert_eq!(text("short", 5, None), "short");
        // One line without an end, of letters of two bytes.
        let fitted = text(&"é".repeat(1000), 101, None);
        assert!(
            fitted.starts_with("éé") && fitted.ends_with("éé"),
            "{fitted}"
        );
    }

    #[test]
    fn a_report_keeps_its_shape_and_says_what_it_lost() {
        let report = json!({
            "name": "x",
            "images": [{"symbols": (0..10_000).collect::<Vec<_>>(), "kind": "elf"}],
        });
        let (cut_down, length, cuts) = fitted(&report, 1000);
        assert!((500..=1000).contains(&length), "{length}");
        let [cut] = cuts.as_slice() else {
            panic!("{cuts:?}")
        };
        assert_eq!(
            (cut.path.as_str(), cut.total),
            ("/images/0/symbols", 10_000)
        );
        let symbols = cut_down["images"][0]["symbols"].as_array().unwrap();
        assert_eq!(symbols.len(), cut.head + cut.tail);
        assert_eq!(symbols.first(), Some(&json!(0)));
        assert_eq!(symbols.last(), Some(&json!(9999)));
        assert_eq!(cut_down["images"][0]["kind"], "elf");
        let (same, _, cuts) = fitted(&report, 1 << 20);
        assert_eq!((same, cuts), (report, Vec::new()));
    }

    #[test]
    fn a_long_text_is_cut_and_so_is_a_list_of_lists() {
        let (cut_down, _, cuts) = fitted(&json!({"output": "y".repeat(100_000)}), 2000);
        let output = cut_down["output"].as_str().unwrap();
        assert!(
            output.len() <= 2000 && output.contains(GAP),
            "{}",
            output.len()
        );
        assert_eq!(cuts[0].total, 100_000);
        let deep = json!(vec![vec!["z".repeat(500); 100]; 100]);
        let (_, length, cuts) = fitted(&deep, 4000);
        assert!(length <= 4000, "{length}");
        assert!(cuts.len() <= MOST_CUTS);
    }

    #[test]
    fn names_and_texts_that_need_escapes_come_back_as_they_were() {
        let report = json!({
            "quote\" and \u{1f600}": ["line\nbreak \u{7f}".repeat(20), null, true, 1.5e300],
            "empty": {"list": [], "object": {}, "text": ""},
            "long": "\\\"\t".repeat(200),
        });
        let (same, _, cuts) = fitted(&report, 1 << 20);
        assert_eq!((same, cuts), (report, Vec::new()));
    }

    #[test]
    fn what_lies_too_deep_is_not_taken_apart() {
        let deep = format!("{}{}{}", "[".repeat(100), "1".repeat(300), "]".repeat(100));
        let mut out = Vec::new();
        assert_eq!(tree(deep.as_bytes(), 64, &mut out).unwrap(), []);
        assert_eq!(out, deep.as_bytes());
        assert!(tree(b"[1, 2", 64, &mut out).is_err());
    }
}
