//! Undoes defanging: `hxxp`, `[.]`, `(dot)`, `[at]`, `[:]//`, `meow://` and
//! their relatives become what they stand for, with a map back to the original.
//!
//! Called for each piece of text by [`super::scan`]. A bracket is only replaced
//! between two parts of a name, so that code (`array[.]`) stays as it is.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

/// What stands for what. Forms of a word may have a space on both sides.
const FORMS: [(&str, &str); 38] = [
    ("hxxps", "https"),
    ("hxxp", "http"),
    ("h**ps", "https"),
    ("h**p", "http"),
    ("htxps", "https"),
    ("htxp", "http"),
    ("httxs", "https"),
    ("meows", "https"),
    ("meow", "http"),
    ("fxps", "ftps"),
    ("fxp", "ftp"),
    ("[://]", "://"),
    (":[//]", "://"),
    (":[/]/", "://"),
    ("[:/]", ":/"),
    ("[:]", ":"),
    ("(:)", ":"),
    ("[/]", "/"),
    ("[.]", "."),
    ("(.)", "."),
    ("{.}", "."),
    ("<.>", "."),
    ("[dot]", "."),
    ("(dot)", "."),
    ("{dot}", "."),
    ("<dot>", "."),
    ("[d0t]", "."),
    ("_dot_", "."),
    ("[.", "."),
    (".]", "."),
    ("(.", "."),
    (".)", "."),
    ("[at]", "@"),
    ("(at)", "@"),
    ("{at}", "@"),
    ("<at>", "@"),
    ("[@]", "@"),
    ("(@)", "@"),
];

static SEARCH: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .ascii_case_insensitive(true)
        .build(FORMS.map(|(form, _)| form))
        .expect("38 short literals are within every limit")
});

/// Refanged text.
#[derive(Debug)]
pub(super) struct Refanged {
    pub(super) text: String,
    /// For each byte of the text, and for its end, the byte in the original.
    origins: Vec<u32>,
    /// Parts of the text that stand for something else, ascending.
    changes: Vec<Range<usize>>,
}

impl Refanged {
    /// The byte of the original that a byte of the text came from.
    pub(super) fn origin(&self, at: usize) -> usize {
        self.origins
            .get(at)
            .or(self.origins.last())
            .map_or(0, |origin| *origin as usize)
    }

    /// Where the part that ends here ends in the original: the closing bracket
    /// of a form belongs to it.
    pub(super) fn end(&self, at: usize) -> usize {
        self.origin(at)
    }

    /// Whether a part has something that was changed.
    pub(super) fn changed(&self, span: &Range<usize>) -> bool {
        let first = self
            .changes
            .partition_point(|change| change.end <= span.start);
        self.changes
            .get(first)
            .is_some_and(|change| change.start < span.end)
    }
}

/// Whether it is worth to look for defanged forms.
pub(super) fn is_suspect(text: &str) -> bool {
    let bytes = text.as_bytes();
    let bracket = bytes.windows(2).any(|pair| match pair {
        [b'[' | b'(' | b'{' | b'<', next] => {
            matches!(next, b'.' | b':' | b'/' | b'@' | b'd' | b'D' | b'a' | b'A')
        }
        [b'.', next] => matches!(next, b']' | b')'),
        [b':', next] => matches!(next, b'/' | b'['),
        [b'_', next] => matches!(next, b'd' | b'D'),
        _ => false,
    });
    bracket || memchr::memmem::find(bytes, b":\\/\\/").is_some()
}

/// Undoes defanging; `None` when there is none.
pub(super) fn refang(text: &str) -> Option<Refanged> {
    let mut done = Refanged {
        text: String::new(),
        origins: Vec::new(),
        changes: Vec::new(),
    };
    let mut copied = 0_usize;
    // JSON may escape slashes; a URL written so is one all the same.
    let json = memchr::memmem::find(text.as_bytes(), b":\\/\\/").is_some();
    if json {
        for at in memchr::memmem::find_iter(text.as_bytes(), b"\\/") {
            copy(&mut done, text, copied..at);
            copied = at.saturating_add(1);
        }
        copy(&mut done, text, copied..text.len());
        done.origins
            .push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        return Some(done);
    }
    for found in SEARCH.find_iter(text) {
        let Some((form, meaning)) = FORMS.get(found.pattern().as_usize()) else {
            continue;
        };
        let (mut from, mut to) = (found.start(), found.end());
        if from < copied {
            continue;
        }
        if form.starts_with(|first: char| first.is_ascii_alphabetic()) {
            if !is_scheme(text, from, to) {
                continue;
            }
        } else if meaning.starts_with([':', '/']) {
            // `[:]` and the like only in a URL or an address.
            if !part_before(text, from)
                || !text
                    .get(to..)
                    .unwrap_or_default()
                    .starts_with(is_part_or_slash)
            {
                continue;
            }
        } else {
            let word = form.len() > 3;
            if word || form.contains(['[', '(', '{']) {
                // One space on each side belongs to the form: `a [dot] b`.
                let spaced = text.get(..from).unwrap_or_default().ends_with(' ')
                    && text.get(to..).unwrap_or_default().starts_with(' ')
                    && form.len() >= 3;
                if spaced {
                    from = from.saturating_sub(1);
                    to = to.saturating_add(1);
                }
            }
            if !part_before(text, from) || !part_after(text, to) {
                continue;
            }
            // Half a bracket needs a name with another part; `f(.x)` is code.
            if form.len() == 2 && form.contains(['(', ')']) {
                continue;
            }
        }
        copy(&mut done, text, copied..from);
        let start = done.text.len();
        for byte in 0..meaning.len() {
            let place = from.saturating_add(byte);
            done.origins
                .push(u32::try_from(place.min(to)).unwrap_or(u32::MAX));
        }
        done.text.push_str(meaning);
        done.changes.push(start..done.text.len());
        copied = to;
    }
    if done.changes.is_empty() {
        return None;
    }
    copy(&mut done, text, copied..text.len());
    done.origins
        .push(u32::try_from(text.len()).unwrap_or(u32::MAX));
    Some(done)
}

fn copy(done: &mut Refanged, text: &str, part: Range<usize>) {
    let Some(piece) = text.get(part.clone()) else {
        return;
    };
    done.text.push_str(piece);
    done.origins
        .extend(part.map(|at| u32::try_from(at).unwrap_or(u32::MAX)));
}

fn is_part(character: char) -> bool {
    character.is_alphanumeric() || character == '-' || character == '_'
}

fn is_part_or_slash(character: char) -> bool {
    is_part(character) || matches!(character, '/' | '[' | ':')
}

fn part_before(text: &str, at: usize) -> bool {
    text.get(..at)
        .unwrap_or_default()
        .ends_with(|last| is_part(last) || last == ']' || last == ':')
}

fn part_after(text: &str, at: usize) -> bool {
    text.get(at..).unwrap_or_default().starts_with(is_part)
}

/// A scheme begins a word and is followed by what separates it from the host.
fn is_scheme(text: &str, from: usize, to: usize) -> bool {
    let before = text.get(..from).unwrap_or_default();
    let after = text.get(to..).unwrap_or_default();
    !before.ends_with(|last: char| last.is_ascii_alphabetic())
        && [
            "://", "[:]//", "[://]", ":[//]", ":[/]/", "[:/]", "[:]/", "(:)//",
        ]
        .iter()
        .any(|separator| after.starts_with(separator))
}
