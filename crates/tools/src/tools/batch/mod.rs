//! `submit_batch` and `get_batch_results`: the same tools over many files, beside the
//! client's other calls. `get_job` says how far a batch is, `cancel_job` ends it.

mod progress;
mod results;
mod submit;

use crate::arguments::invalid;
use crate::batch::Batches;
use crate::error::{ErrorCode, ToolError};
use crate::schedule::Caller;
use crate::text::escaped;
use crate::tool::Call;

pub(super) use progress::{BatchReport, BatchShape};
pub(super) use results::GetBatchResults;
pub(super) use submit::SubmitBatch;

fn shown(text: &str) -> String {
    escaped(text).into_owned()
}

pub(super) fn no_batch(name: &str) -> ToolError {
    invalid(
        "job_id",
        format!("`{}` is the name of no batch", crate::text::quoted(name)),
        "`submit_batch` says the names of batches.",
    )
}

/// Asks the batches for this caller, on a thread that may wait for the disk.
pub(super) async fn apart<T: Send + 'static>(
    call: &Call<'_>,
    work: impl FnOnce(&Batches, &Caller) -> Result<T, ToolError> + Send + 'static,
) -> Result<T, ToolError> {
    let (batches, caller) = (call.services.batches.clone(), call.caller.clone());
    let working = tokio::task::spawn_blocking(move || work(&batches, &caller));
    working.await.unwrap_or_else(|error| {
        let failed = ToolError::new(
            ErrorCode::Internal,
            "the batch could not be looked at",
            "Call again; if it persists, the server's log has the reason.",
        );
        Err(failed.log_detail(error))
    })
}
