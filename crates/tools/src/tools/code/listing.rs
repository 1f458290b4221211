//! A whole function for `disassemble`: its blocks, one behind the other.

use std::time::Duration;

use reversecore_analysis::Warnings;
use reversecore_analysis::disassemble::{
    Disassembler, Disassembly, Instruction, MOST_INSTRUCTIONS, Request, Start, Stopped,
};
use reversecore_code::Function;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::models::Model;
use super::question::{Question, Reply, no_such};
use super::{answer, ask};
use crate::embedded::Trouble;
use crate::embedded::present::Tree;
use crate::error::ToolError;
use crate::tool::{Answer, Call};

/// What a worker is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Listing {
    pub(in crate::tools) function: String,
    /// Most instructions.
    pub(in crate::tools) count: u32,
}

impl Listing {
    /// Asks a worker for it.
    pub(in crate::tools) async fn tool_answer(
        self,
        call: &Call<'_>,
        file_path: &str,
        timeout: Duration,
        text: impl FnOnce(&Value) -> String,
    ) -> Result<Answer<Tree>, ToolError> {
        let said = ask(call, file_path, timeout, Question::Listing(self)).await?;
        let Reply::Listing(listing) = said.reply else {
            return Err(crate::embedded::misbehaved("another reply than asked for"));
        };
        let more = listing.stopped == Stopped::Count;
        let mut answer = answer(Tree::new(&listing, text), &said.known, said.warnings);
        if more {
            answer.truncate();
            answer
                .warnings
                .push("the function has more instructions: raise `count`".to_owned());
        }
        Ok(answer)
    }

    pub(super) fn answer(
        self,
        model: &Model,
        bytes: &[u8],
        warnings: &mut Warnings,
    ) -> Result<Disassembly, Trouble> {
        let program = &model.program;
        let function = program
            .find(&self.function)
            .map_err(|error| no_such("function", &error))?;
        let first = Request {
            at: Start::Address(function.address),
            count: 1,
            bytes: None,
            architecture: None,
        };
        let code = Disassembler::new(bytes, Some(&model.image));
        let mut listing = code.list(&first).map_err(|error| Trouble::Parameter {
            name: "function".to_owned(),
            reason: error.to_string(),
        })?;
        listing.instructions.clear();
        listing.symbol = Some(program.name(function).into_owned());
        listing.next = None;
        listing.stopped = Stopped::EndOfSection;
        let most = usize::try_from(self.count).unwrap_or(usize::MAX);
        for block in program.blocks(function) {
            if listing.instructions.len() >= most {
                listing.stopped = Stopped::Count;
                break;
            }
            let of_block = instructions_of(&code, function, block.start, block.size, warnings);
            listing.instructions.extend(of_block);
        }
        if listing.instructions.len() > most {
            listing.stopped = Stopped::Count;
            listing.instructions.truncate(most);
        }
        Ok(listing)
    }
}

/// The instructions of a block of a function.
pub(super) fn instructions_of(
    code: &Disassembler<'_>,
    function: &Function,
    address: u64,
    size: u32,
    warnings: &mut Warnings,
) -> Vec<Instruction> {
    let request = Request {
        at: Start::Address(address | u64::from(function.thumb)),
        count: MOST_INSTRUCTIONS,
        bytes: Some(u64::from(size)),
        architecture: None,
    };
    match code.list(&request) {
        Ok(listing) => listing.instructions,
        Err(error) => {
            warnings.add(format!("block {address:#x}: {error}"));
            Vec::new()
        }
    }
}
