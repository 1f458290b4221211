//! What `yara -g -m -s -L -e` prints, typed.
//!
//! ```text
//! default:Rule [tag1,tag2] [author="me",n =-5,ok=true] FILE
//! 0x344:3:$a: GNU
//! ```

use std::collections::BTreeMap;

use serde::Serialize;

use crate::text::escaped;

/// How long a rule took.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Slow {
    pub(super) namespace: String,
    pub(super) rule: String,
    /// Milliseconds for finding its patterns.
    pub(super) patterns_ms: f64,
    /// Milliseconds for its condition.
    pub(super) condition_ms: f64,
}

/// A rule that matches.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Match {
    pub(super) rule: String,
    pub(super) namespace: String,
    pub(super) tags: Vec<String>,
    pub(super) meta: BTreeMap<String, Meta>,
    pub(super) strings: Vec<StringMatch>,
}

/// A value of a rule's metadata.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Meta {
    Boolean(bool),
    Integer(i64),
    Text(String),
}

/// Where a string of a rule matches.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct StringMatch {
    pub(super) identifier: String,
    pub(super) offset: u64,
    pub(super) length: u64,
    /// Text with `\xNN` for other bytes, or hexadecimal for hex strings.
    pub(super) data: String,
}

/// Reads the output; also says how many lines were not understood.
pub(super) fn parse(output: &str, cut: bool) -> (Vec<Match>, usize) {
    let mut matches: Vec<Match> = Vec::new();
    let mut strange = 0;
    let mut lines: Vec<&str> = output.split('\n').collect();
    // Either nothing, or the half of a line.
    let last = lines.pop().unwrap_or_default();
    if !cut && !last.is_empty() {
        lines.push(last);
    }
    for line in lines {
        if let Some(found) = string(line)
            && let Some(rule) = matches.last_mut()
        {
            rule.strings.push(found);
        } else if let Some(found) = rule(line) {
            matches.push(found);
        } else {
            strange += 1;
        }
    }
    (matches, strange)
}

fn string(line: &str) -> Option<StringMatch> {
    let (offset, rest) = line.strip_prefix("0x")?.split_once(':')?;
    let (length, rest) = rest.split_once(':')?;
    let (identifier, data) = rest.split_once(": ").or_else(|| {
        // An empty match has nothing after the colon.
        rest.strip_suffix(':').map(|identifier| (identifier, ""))
    })?;
    identifier.starts_with('$').then_some(())?;
    Some(StringMatch {
        identifier: escaped(identifier).into_owned(),
        offset: u64::from_str_radix(offset, 16).ok()?,
        length: length.parse().ok()?,
        data: escaped(data).into_owned(),
    })
}

fn rule(line: &str) -> Option<Match> {
    let (name, rest) = line.split_once(" [")?;
    let (namespace, rule) = name.split_once(':')?;
    let (tags, rest) = rest.split_once("] [")?;
    Some(Match {
        rule: escaped(rule).into_owned(),
        namespace: escaped(namespace).into_owned(),
        tags: tags
            .split(',')
            .filter(|tag| !tag.is_empty())
            .map(|tag| escaped(tag).into_owned())
            .collect(),
        meta: meta(rest)?,
        strings: Vec::new(),
    })
}

/// `author="me",n =-5,ok=true] FILE`. Of a key given twice the first counts.
fn meta(mut rest: &str) -> Option<BTreeMap<String, Meta>> {
    let mut meta = BTreeMap::new();
    if rest.starts_with(']') {
        return Some(meta);
    }
    loop {
        let (key, after) = rest.split_once('=')?;
        let (value, after) = if let Some(text) = after.strip_prefix('"') {
            let (text, after) = unquoted(text)?;
            (Meta::Text(escaped(&text).into_owned()), after)
        } else {
            let end = after.find([',', ']'])?;
            let (word, after) = after.split_at(end);
            let value = match word {
                "true" => Meta::Boolean(true),
                "false" => Meta::Boolean(false),
                number => Meta::Integer(number.trim().parse().ok()?),
            };
            (value, after)
        };
        let key = escaped(key.trim()).into_owned();
        meta.entry(key).or_insert(value);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.starts_with(']') => return Some(meta),
            None => return None,
        }
    }
}

/// The text up to the closing quote, and what follows it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut bytes = Vec::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                return Some((text, chars.as_str()));
            }
            '\\' => {
                let octal = text.get(at + 1..at + 4);
                if let Some(byte) = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
                    bytes.push(byte);
                    chars.nth(2)?;
                } else {
                    let byte = match chars.next()?.1 {
                        'n' => b'\n',
                        't' => b'\t',
                        'r' => b'\r',
                        other => u8::try_from(other).ok()?,
                    };
                    bytes.push(byte);
                }
            }
            c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As yara 4.2.3 prints it.
    const REAL: &str = concat!(
        "default:A [t1,t2] [author=\"me \\\"q\\\" \\\\ \\n \\303\\251\",n =-5,b=true] /proc/self/fd/3\n",
        "0x344:3:$a: GNU\n",
        "0x7:4:$long: 00 03 00 3E\n",
        "0x2:6:$: \\x00\\x00GNU\\x00\n",
        "default:B [] [] /proc/self/fd/3\n",
    );

    #[test]
    fn real_output_is_parsed() {
        let (matches, strange) = parse(REAL, false);
        assert_eq!((matches.len(), strange), (2, 0));
        let a = &matches[0];
        assert_eq!((&*a.namespace, &*a.rule), ("default", "A"));
        assert_eq!(a.tags, ["t1", "t2"]);
        assert_eq!(a.meta["author"], Meta::Text("me \"q\" \\ \\n é".into()));
        assert_eq!(a.meta["n"], Meta::Integer(-5));
        assert_eq!(a.meta["b"], Meta::Boolean(true));
        assert_eq!(a.strings.len(), 3);
        assert_eq!(a.strings[0].offset, 0x344);
        assert_eq!(a.strings[2].identifier, "$");
        assert_eq!(a.strings[2].data, "\\x00\\x00GNU\\x00");
        assert!(matches[1].tags.is_empty() && matches[1].meta.is_empty());
    }

    #[test]
    fn a_cut_line_is_left_out_and_a_strange_one_counted() {
        let (matches, strange) = parse("default:A [] [] f\n0x1:2:$a: x\n0x12:3:$b: G", true);
        assert_eq!((matches[0].strings.len(), strange), (1, 0));
        assert_eq!(parse("who knows\n", false).1, 1);
        assert_eq!(parse("0x1:2:$a: x\n", false), (Vec::new(), 1));
        assert_eq!(parse("", false), (Vec::new(), 0));
    }

    #[test]
    fn metadata_can_not_forge_its_end() {
        let line = "default:A [] [x=\"] /f\",y=1] f\n";
        let (matches, _) = parse(line, false);
        assert_eq!(matches[0].meta["x"], Meta::Text("] /f".into()));
        assert_eq!(matches[0].meta["y"], Meta::Integer(1));
    }
}
