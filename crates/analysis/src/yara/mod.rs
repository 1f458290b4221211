//! YARA rules, compiled and run by yara-x. Called by the workers of `tools`,
//! which keep compiled sets in a [`Cache`].
//!
//! ```text
//! RuleSource… ─ compile ─> Compiled ─ scan(data) ─> ScanReport
//!                             │          └─ again without the rules that take too long
//!                             └─ Cache, by RuleSetId
//! ```
//!
//! `include` is an error here: the caller resolves includes, since this crate
//! opens no file. Output of `console.log` is dropped. What a match means is not
//! judged.

mod cache;
mod compile;
mod diagnostic;
mod id;
mod patience;
mod report;
mod scan;

#[cfg(test)]
mod tests;

pub use cache::Cache;
pub use compile::{CompileError, CompileOptions, Compiled, ExternalValue, RuleSource, compile};
pub use diagnostic::Diagnostic;
pub use id::{RuleSetId, rule_set_id};
pub use patience::scan_patiently;
pub use report::{Meta, MetaValue, RuleMatch, ScanReport, SlowRule, StringMatch};
pub use scan::{ScanOptions, scan};
