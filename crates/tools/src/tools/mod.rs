//! The tools, one module each.

mod binwalk;
mod file;
mod health;
mod list;
mod metrics;
pub(crate) mod radare2;
mod strings;
mod yara;

use crate::catalogue::Erased;

/// All tools, in the order in which clients see them.
pub(crate) fn all() -> Vec<Box<dyn Erased>> {
    vec![
        Box::new(list::ListWorkspace),
        Box::new(file::RunFile),
        Box::new(strings::RunStrings),
        Box::new(binwalk::RunBinwalk),
        Box::new(yara::RunYara),
        Box::new(radare2::RunRadare2),
        Box::new(health::GetServerHealth),
        Box::new(metrics::GetToolMetrics),
    ]
}

#[cfg(test)]
mod tests;
