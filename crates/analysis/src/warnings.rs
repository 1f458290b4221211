//! What an engine could not read, and why: the part of every report that makes
//! it honest. Bounded, since a hostile file can be wrong in a million places.

use serde::{Deserialize, Serialize};

/// More different complaints than this are only counted.
const MOST: usize = 64;

/// Complaints about a file, in the order in which they were met, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Warnings {
    messages: Vec<String>,
}

impl Warnings {
    /// Adds a complaint: a lowercase fragment without a full stop that names
    /// the structure and its offset, such as
    /// ``section table at 0x3c0 claims 65535 entries, the file has room for 12``.
    pub fn add(&mut self, message: impl Into<String>) {
        let message = message.into();
        if self.messages.contains(&message) {
            return;
        }
        match self.messages.len() {
            length if length < MOST => self.messages.push(message),
            MOST => self
                .messages
                .push("further warnings were left out".to_owned()),
            _ => {}
        }
    }

    /// Adds those of a part.
    pub fn extend(&mut self, other: Self) {
        for message in other.messages {
            self.add(message);
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The complaints.
    pub fn messages(&self) -> &[String] {
        &self.messages
    }

    /// The complaints, by value.
    pub fn into_messages(self) -> Vec<String> {
        self.messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_said_once_and_their_number_is_bounded() {
        let mut warnings = Warnings::default();
        for number in 0..1000 {
            warnings.add(format!("warning {number}"));
            warnings.add("twice");
        }
        assert_eq!(warnings.messages().len(), MOST + 1);
        let twice = |message: &&String| *message == "twice";
        assert_eq!(warnings.messages().iter().filter(twice).count(), 1);
    }
}
