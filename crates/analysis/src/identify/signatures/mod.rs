//! The table of signatures, one file per family, and how an entry is compared.
//! Families are asked in the order of how hard it is to mistake them.

mod archives;
mod bytecode;
mod documents;
mod filesystems;
mod firmware;
mod keys;
mod media;
mod system;

use super::bytes::is;
use super::found::Found;
use super::identity::Category;

/// A kind known by constant bytes, and where the constant is short by a look
/// at what follows it.
pub(super) struct Signature {
    /// Where the bytes stand.
    offset: usize,
    magic: &'static [u8],
    kind: &'static str,
    category: Category,
    mime: &'static str,
    text: &'static str,
    look: Look,
}

/// What is looked at behind the magic.
enum Look {
    /// Nothing: the magic is proof enough.
    Nothing,
    /// Whether the rest makes sense.
    Check(fn(&[u8]) -> bool),
    /// The same, and what to add to the text.
    Describe(fn(&[u8]) -> Option<String>),
}

/// Recognises what the tables know.
pub(super) fn recognise(data: &[u8]) -> Option<Found> {
    [
        documents::SIGNATURES,
        archives::SIGNATURES,
        filesystems::SIGNATURES,
        firmware::SIGNATURES,
        system::SIGNATURES,
        bytecode::SIGNATURES,
        media::SIGNATURES,
    ]
    .into_iter()
    .flatten()
    .find_map(|signature| signature.compare(data))
    .or_else(|| keys::recognise(data))
}

/// What an archive or document would be that starts here; for polyglots.
pub(super) fn container(data: &[u8]) -> Option<Found> {
    [archives::SIGNATURES, documents::SIGNATURES]
        .into_iter()
        .flatten()
        .find_map(|signature| signature.compare(data))
}

impl Signature {
    const fn new(
        magic: &'static [u8],
        kind: &'static str,
        category: Category,
        mime: &'static str,
        text: &'static str,
    ) -> Self {
        Self {
            offset: 0,
            magic,
            kind,
            category,
            mime,
            text,
            look: Look::Nothing,
        }
    }

    const fn offset(mut self, offset: usize) -> Self {
        self.offset = offset;
        self
    }

    const fn check(mut self, check: fn(&[u8]) -> bool) -> Self {
        self.look = Look::Check(check);
        self
    }

    const fn describe(mut self, describe: fn(&[u8]) -> Option<String>) -> Self {
        self.look = Look::Describe(describe);
        self
    }

    fn compare(&self, data: &[u8]) -> Option<Found> {
        if !is(data, self.offset, self.magic) {
            return None;
        }
        let text = match self.look {
            Look::Nothing => self.text.to_owned(),
            Look::Check(check) => check(data).then(|| self.text.to_owned())?,
            Look::Describe(describe) => format!("{}{}", self.text, describe(data)?),
        };
        Some(Found::new(self.kind, self.category, self.mime, text))
    }
}
