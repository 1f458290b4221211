//! What a worker is asked about the code of a program, and what it says.

use reversecore_analysis::Warnings;
use reversecore_analysis::disassemble::Disassembly;
use reversecore_code::{CallGraph, Coverage, Diff, Found, NotFound};
use reversecore_decompile::Decompiled;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::models::{Key, Model};
use super::{decompile, diff, functions, graphs, listing, search, xrefs};
use crate::embedded::worker::{File, Request, Resident};
use crate::embedded::{Trouble, Work};

/// A question about one file, or two.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ask {
    /// Of the files that come with it, in their order.
    keys: Vec<Key>,
    question: Question,
}

/// The questions.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Question {
    Functions(functions::Listing),
    References(xrefs::Search),
    CallGraph(graphs::Calls),
    FlowGraph(graphs::Flow),
    Search(search::Search),
    Listing(listing::Listing),
    Diff(diff::Comparison),
    Decompile(decompile::Wanted),
    Which(decompile::Which),
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(super) reply: Reply,
    /// What of the program is known, and what was strange.
    pub(super) known: Coverage,
    pub(super) warnings: Warnings,
}

/// Its reply; as the question.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Functions(functions::Listed),
    References(xrefs::Listed),
    CallGraph(CallGraph),
    FlowGraph(graphs::Flowing),
    Search(Found),
    Listing(Disassembly),
    Diff(Diff),
    Decompiled(Decompiled),
    Which(decompile::Found),
}

impl Ask {
    pub(super) fn new(keys: Vec<Key>, question: Question) -> Self {
        Self { keys, question }
    }
}

impl Work for Ask {
    type Reply = Said;

    fn request(self) -> Request {
        Request::Code(self)
    }

    fn affinity(&self) -> Option<Key> {
        // Not the key of a rule set, which prefers another worker.
        let mut digest = Sha256::new();
        digest.update(b"model");
        digest.update(self.keys.first()?);
        Some(digest.finalize().into())
    }

    fn perform(self, file: &mut File<'_, '_>, resident: &mut Resident) -> Result<Said, Trouble> {
        let models = resident.models.of(&self.keys, file)?;
        let [first, rest @ ..] = models.as_slice() else {
            return Err(Trouble::Unreadable {
                message: "no file came with the question".to_owned(),
            });
        };
        let mut warnings = first.warnings.clone();
        let known = first.program.coverage().clone();
        let reply = match (self.question, rest) {
            (Question::Diff(question), [second, ..]) => {
                Reply::Diff(question.answer(first, second, file))
            }
            (question, _) => one(question, first, file, &mut warnings)?,
        };
        Ok(Said {
            reply,
            known,
            warnings,
        })
    }
}

fn one(
    question: Question,
    model: &Model,
    file: &mut File<'_, '_>,
    warnings: &mut Warnings,
) -> Result<Reply, Trouble> {
    Ok(match question {
        Question::Functions(question) => Reply::Functions(question.answer(model)?),
        Question::References(question) => Reply::References(question.answer(model, file.bytes())?),
        Question::CallGraph(question) => Reply::CallGraph(question.answer(model)?),
        Question::FlowGraph(question) => {
            Reply::FlowGraph(question.answer(model, file.bytes(), warnings)?)
        }
        Question::Search(question) => Reply::Search(question.answer(model, file)?),
        Question::Listing(question) => {
            Reply::Listing(question.answer(model, file.bytes(), warnings)?)
        }
        Question::Decompile(question) => Reply::Decompiled(question.answer(model, file)?),
        Question::Which(question) => Reply::Which(question.answer(model)?),
        // A comparison comes with two files.
        Question::Diff(_) => {
            return Err(Trouble::Unreadable {
                message: "one of the two files did not come".to_owned(),
            });
        }
    })
}

/// A function that is not there, as the caller's mistake.
pub(super) fn no_such(parameter: &str, error: &NotFound) -> Trouble {
    Trouble::Parameter {
        name: parameter.to_owned(),
        reason: error.to_string(),
    }
}
