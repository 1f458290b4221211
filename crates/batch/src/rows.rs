//! Taking up a row file again: what nobody vouches for is cut off, and rows that are
//! owed are written.

use std::path::Path;

use crate::journal::Batch;
use crate::ledger::{Ledger as _, LedgerError};
use crate::out::{Format, Out, Row};
use crate::run::{all_findings, named};
use crate::spec::Spec;

/// Files whose rows are written together.
const TOGETHER: usize = 256;

/// The row file of a batch, with a row for each of its files that has ended.
///
/// # Errors
/// When it can't be written, or the journal can't.
pub fn take_up(
    batch: &mut Batch,
    spec: &Spec,
    path: &Path,
    format: Format,
) -> Result<Out, LedgerError> {
    let (_, length) = batch.standing()?;
    let mut out = match Out::resume(path, format, length)? {
        Some(out) => out,
        None => {
            batch.owe_all()?;
            Out::create(path, format)?
        }
    };
    let columns = spec.columns();
    let mut after = 0;
    loop {
        let owed = batch.owed(after, TOGETHER)?;
        let Some(last) = owed.last() else { break };
        after = last.item.id;
        for stored in &owed {
            out.row(&Row {
                path: &stored.item.path,
                parent: stored.parent_path.as_deref(),
                content: stored.item.content,
                size: stored.item.size,
                state: stored.state,
                evidence: stored.evidence.as_deref(),
                results: &named(&columns, &stored.results),
                findings: &all_findings(spec, &stored.results),
            })?;
        }
        let written: Vec<_> = owed.iter().map(|stored| stored.item.id).collect();
        batch.wrote(&written)?;
        let length = out.flush()?;
        batch.commit(length)?;
    }
    let length = out.flush()?;
    batch.commit(length)?;
    Ok(out)
}
