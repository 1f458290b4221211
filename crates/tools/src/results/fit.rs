//! What is too large for a reader is cut to its head and its tail, and says
//! what is missing. The whole is kept elsewhere ([`super`]).
//!
//! Of a report's JSON, lists lose their middle, and so do long texts; nothing
//! changes its type, so what is left is still a report of its tool.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ArtifactRef;
use schemars::JsonSchema;

/// Of what is kept of a text or list, the head gets three parts in so many.
const HEAD: (usize, usize) = (3, 4);
/// The least that a list or a text is cut to.
const FEWEST_ITEMS: usize = 2;
const SHORTEST_TEXT: usize = 64;
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

/// Cuts the lists and texts of a report until its JSON has at most `budget`
/// bytes, as far as that can be done, and says what it cut.
pub(crate) fn tree(value: Value, budget: usize) -> (Value, Vec<Cut>) {
    let mut items = 1 << 20;
    let mut bytes = budget;
    while size(&value, items, bytes) > budget && (items > FEWEST_ITEMS || bytes > SHORTEST_TEXT) {
        items = (items - items / 4 - 1).max(FEWEST_ITEMS);
        // Texts go first only when they alone are too long.
        if items < 64 {
            bytes = (bytes - bytes / 4).max(SHORTEST_TEXT);
        }
    }
    let mut cuts = Vec::new();
    let value = cut(value, items, bytes, &mut String::new(), &mut cuts);
    (value, cuts)
}

/// How many of `total` are kept at either end when at most `most` are.
fn kept(total: usize, most: usize) -> (usize, usize) {
    if total <= most {
        return (total, 0);
    }
    let tail = most / HEAD.1;
    (most - tail, tail)
}

/// Bytes of JSON, about: escapes are not counted one by one.
fn size(value: &Value, items: usize, bytes: usize) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(number) => number.to_string().len(),
        Value::String(text) => text.len().min(bytes) + 2,
        Value::Array(list) => {
            let (head, tail) = kept(list.len(), items);
            let ends = list.iter().take(head).chain(list.iter().rev().take(tail));
            2 + ends.map(|item| size(item, items, bytes) + 1).sum::<usize>()
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            2 + fields
                .map(|(key, item)| key.len() + 4 + size(item, items, bytes))
                .sum::<usize>()
        }
    }
}

fn cut(value: Value, items: usize, bytes: usize, path: &mut String, cuts: &mut Vec<Cut>) -> Value {
    let mut note = |path: &str, head, tail, total| {
        if cuts.len() < MOST_CUTS {
            cuts.push(Cut {
                path: path.to_owned(),
                head,
                tail,
                total,
            });
        }
    };
    match value {
        Value::String(whole) if whole.len() > bytes => {
            let (head, tail) = ends(&whole, bytes.saturating_sub(GAP.len()));
            note(path, head.len(), tail.len(), whole.len());
            Value::String(format!("{head}{GAP}{tail}"))
        }
        Value::Array(list) => {
            let total = list.len();
            let (head, tail) = kept(total, items);
            if head + tail < total {
                note(path, head, tail, total);
            }
            let list = list.into_iter().enumerate();
            Value::Array(
                list.filter(|(number, _)| *number < head || *number >= total - tail)
                    .map(|(number, item)| {
                        within(path, &number.to_string(), |path| {
                            cut(item, items, bytes, path, cuts)
                        })
                    })
                    .collect(),
            )
        }
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(key, item)| {
                    let item = within(path, &key, |path| cut(item, items, bytes, path, cuts));
                    (key, item)
                })
                .collect::<Map<_, _>>(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

fn within<R>(path: &mut String, step: &str, work: impl FnOnce(&mut String) -> R) -> R {
    let before = path.len();
    path.push('/');
    path.push_str(step);
    let done = work(path);
    path.truncate(before);
    done
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
        let (fitted, cuts) = tree(report.clone(), 1000);
        let length = serde_json::to_string(&fitted).unwrap().len();
        assert!((500..=1000).contains(&length), "{length}");
        let [cut] = cuts.as_slice() else {
            panic!("{cuts:?}")
        };
        assert_eq!(
            (cut.path.as_str(), cut.total),
            ("/images/0/symbols", 10_000)
        );
        let symbols = fitted["images"][0]["symbols"].as_array().unwrap();
        assert_eq!(symbols.len(), cut.head + cut.tail);
        assert_eq!(symbols.first(), Some(&json!(0)));
        assert_eq!(symbols.last(), Some(&json!(9999)));
        assert_eq!(fitted["images"][0]["kind"], "elf");
        assert_eq!(tree(report.clone(), 1 << 20), (report, Vec::new()));
    }

    #[test]
    fn a_long_text_is_cut_and_so_is_a_list_of_lists() {
        let (fitted, cuts) = tree(json!({"output": "y".repeat(100_000)}), 2000);
        let output = fitted["output"].as_str().unwrap();
        assert!(
            output.len() <= 2000 && output.contains(GAP),
            "{}",
            output.len()
        );
        assert_eq!(cuts[0].total, 100_000);
        let deep = json!(vec![vec!["z".repeat(500); 100]; 100]);
        let (fitted, cuts) = tree(deep, 4000);
        assert!(serde_json::to_string(&fitted).unwrap().len() <= 4000);
        assert!(cuts.len() <= MOST_CUTS);
    }
}
