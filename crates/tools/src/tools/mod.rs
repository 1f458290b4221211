//! The tools, one module each.

mod artifact;
mod batch;
pub(crate) mod binwalk;
pub(crate) mod bytes;
pub(crate) mod code;
pub(crate) mod compare;
pub(crate) mod disassemble;
pub(crate) mod file;
pub(crate) mod file_info;
mod health;
pub(crate) mod iocs;
pub(crate) mod jobs;
mod list;
mod metrics;
pub(crate) mod parse;
pub(crate) mod radare2;
pub(crate) mod strings;
pub(crate) mod triage;
pub(crate) mod yara;

use crate::catalogue::Erased;
use crate::catalogue::running::GetJobResult;

/// All tools, in the order in which clients see them.
pub(crate) fn all() -> Vec<Box<dyn Erased>> {
    vec![
        Box::new(triage::TriageFile),
        Box::new(list::ListWorkspace),
        Box::new(file_info::GetFileInfo),
        Box::new(parse::ParseBinary),
        Box::new(bytes::ReadBytes),
        Box::new(disassemble::DisassembleCode),
        Box::new(code::functions::ListFunctions),
        Box::new(code::xrefs::FindXrefs),
        Box::new(code::graphs::GetCallGraph),
        Box::new(code::graphs::GetFlowGraph),
        Box::new(code::decompile::Decompile),
        Box::new(code::search::SearchCode),
        Box::new(code::diff::DiffBinaries),
        Box::new(compare::CompareFiles),
        Box::new(iocs::ExtractIocs),
        Box::new(file::RunFile),
        Box::new(strings::RunStrings),
        Box::new(binwalk::RunBinwalk),
        Box::new(yara::RunYara),
        Box::new(radare2::RunRadare2),
        Box::new(artifact::ReadArtifact),
        Box::new(batch::SubmitBatch),
        Box::new(batch::GetBatchResults),
        Box::new(jobs::ListJobs),
        Box::new(jobs::GetJob),
        Box::new(GetJobResult),
        Box::new(jobs::CancelJob),
        Box::new(health::GetServerHealth),
        Box::new(metrics::GetToolMetrics),
    ]
}

#[cfg(test)]
mod tests;
