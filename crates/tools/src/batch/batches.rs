//! The batches of a server: begun by clients, worked on beside their calls, found
//! again after a restart. Each runs its loop on a thread of its own, because that
//! waits for the journal; the work is done like any call's.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use reversecore_batch::{
    Batch, BatchId, Filter, HoldError, Journal, JournalError, LedgerError, Opened, Progress,
    Reader, Run, Spec, Stored, Written, run,
};
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::BatchExaminer;
use super::inputs::{Bounds, Input, find};
use crate::error::{ErrorCode, ToolError};
use crate::schedule::{Caller, processors};
use crate::services::Services;

/// Batches that are worked on at one time.
const MOST: usize = 4;
/// Files of one batch in work, as a multiple of the processors.
const IN_WORK: usize = 2;
/// Chunks of files that are found before anybody looks at them.
const FOUND_AHEAD: usize = 16;
/// What the names of batches begin with.
const PREFIX: &str = "batch-";

/// The batches of a server.
#[derive(Debug, Default)]
pub struct Batches {
    /// Where the journal is; `None` where nothing is kept.
    directory: Option<PathBuf>,
    // Std mutexes: the last is held for map operations only, since calls that wait for
    // nothing take it; none across an await.
    journal: Mutex<Option<Journal>>,
    /// Held while a batch is begun, which waits for the journal.
    beginning: Mutex<()>,
    running: Mutex<HashMap<BatchId, InWork>>,
    services: OnceLock<Weak<Services>>,
}

/// A batch that is worked on.
#[derive(Debug)]
struct InWork {
    stop: CancellationToken,
    progress: watch::Receiver<Progress>,
    thread: std::thread::JoinHandle<()>,
}

/// How a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It is worked on.
    Running,
    /// All is done.
    Done,
    /// The server ended before it was done; submitting the same goes on with it.
    Interrupted,
    /// Its client had enough of it.
    Cancelled,
}

/// What is known of a batch.
#[derive(Debug, Clone)]
pub struct BatchView {
    /// How it stands.
    pub standing: Standing,
    /// What the journal has.
    pub written: Written,
    /// What is happening; empty when nothing is.
    pub progress: Progress,
}

impl Batches {
    /// With a journal in this directory, which is opened when it is needed.
    #[must_use]
    pub fn new(directory: Option<PathBuf>) -> Self {
        Self {
            directory,
            ..Self::default()
        }
    }

    /// Whose tools it uses.
    pub(crate) fn serve(&self, services: &Arc<Services>) {
        // More than one catalogue over the same services changes nothing.
        self.services.set(Arc::downgrade(services)).ok();
    }

    /// The batch that somebody names, if that is the name of one.
    #[must_use]
    pub fn named(name: &str) -> Option<BatchId> {
        name.trim().strip_prefix(PREFIX)?.parse().ok()
    }

    /// What a batch is called.
    #[must_use]
    pub fn name(id: BatchId) -> String {
        format!("{PREFIX}{id}")
    }

    /// Begins a batch, or goes on with an equal one that was interrupted; says which.
    /// Blocking.
    pub(crate) fn submit(
        &self,
        spec: Spec,
        inputs: Vec<Input>,
        bounds: Bounds,
        caller: &Caller,
    ) -> Result<(BatchId, bool), ToolError> {
        let services = self.services.get().and_then(Weak::upgrade);
        let services = services.ok_or_else(|| internal("the server is ending"))?;
        let journal = self.journal()?;
        let _one_at_a_time = self.one_begins();
        let unfinished = journal.unfinished(&spec).map_err(unusable)?;
        let (goes_on, in_work) = {
            let mut running = self.lock();
            running.retain(|_, work| !work.thread.is_finished());
            let goes_on = unfinished.filter(|id| running.contains_key(id));
            (goes_on, running.len())
        };
        if let Some(id) = goes_on {
            return Ok((id, true));
        }
        if in_work >= MOST {
            return Err(ToolError::new(
                ErrorCode::QueueFull,
                format!("{MOST} batches are being worked on"),
                "Submit it when one of them is done; `get_job` says how far each is.",
            )
            .retry_after_ms(10_000));
        }
        let resumed = match unfinished {
            Some(_) => journal.resume(&spec, None).map_err(unusable)?,
            None => None,
        };
        let (batch, resumed) = match resumed {
            Some(batch) => (batch, true),
            None => (journal.begin(&spec, None).map_err(unusable)?, false),
        };
        let id = batch.id();
        let work = begin(&services, spec, batch, inputs, bounds, caller.clone())?;
        self.lock().insert(id, work);
        Ok((id, resumed))
    }

    /// What is known of a batch of this caller's. Blocking.
    pub(crate) fn look(&self, id: BatchId, caller: &Caller) -> Result<BatchView, ToolError> {
        // First: of a batch that is not worked on any more, the journal has the end.
        let progress = self
            .lock()
            .get(&id)
            .filter(|work| !work.thread.is_finished())
            .map(|work| work.progress.borrow().clone());
        let written = self.written(id, caller)?;
        let standing = match (&progress, written.cancelled, written.ended) {
            (_, true, _) => Standing::Cancelled,
            (Some(_), false, _) => Standing::Running,
            (None, false, Some(_)) => Standing::Done,
            (None, false, None) => Standing::Interrupted,
        };
        Ok(BatchView {
            standing,
            written,
            progress: progress.unwrap_or_default(),
        })
    }

    /// What is happening to a batch that is worked on.
    pub(crate) fn watch(&self, id: BatchId) -> Option<watch::Receiver<Progress>> {
        let running = self.lock();
        let work = running.get(&id)?;
        (!work.thread.is_finished()).then(|| work.progress.clone())
    }

    /// Ends a batch; says whether it was worked on. What is done is kept. Blocking.
    pub(crate) fn cancel(&self, id: BatchId, caller: &Caller) -> Result<bool, ToolError> {
        self.written(id, caller)?;
        let work = self.lock().remove(&id);
        let Some(work) = work.filter(|work| !work.thread.is_finished()) else {
            return Ok(false);
        };
        // Written down first: whoever waits for its end is to see why it came.
        let noted = self
            .reader()
            .and_then(|reader| reader.cancel(id).map_err(unreadable));
        work.stop.cancel();
        // It ends its calls, writes down what is done, and goes.
        work.thread.join().ok();
        noted.map(|()| true)
    }

    /// Files of a batch, behind this one. Blocking.
    pub(crate) fn page(
        &self,
        id: BatchId,
        caller: &Caller,
        after: i64,
        filter: Filter,
        most: usize,
    ) -> Result<(Spec, Vec<Stored>), ToolError> {
        let written = self.written(id, caller)?;
        let reader = self.reader()?;
        let page = reader.page(id, after, filter, most).map_err(unreadable)?;
        Ok((written.spec, page))
    }

    /// Ends all of them, to be gone on with another time. Blocking.
    pub fn stop_all(&self) {
        // One that is being begun is there first.
        let _none_begins = self.one_begins();
        let all: Vec<InWork> = self.lock().drain().map(|(_, work)| work).collect();
        for work in &all {
            work.stop.cancel();
        }
        for work in all {
            // One that has failed has said so in the log.
            work.thread.join().ok();
        }
    }

    fn written(&self, id: BatchId, caller: &Caller) -> Result<Written, ToolError> {
        let reader = self.reader()?;
        let written = reader.batch(id).map_err(unreadable)?;
        written
            .filter(|written| written.spec.owner.as_deref() == caller.named.as_deref())
            .ok_or_else(|| {
                ToolError::new(
                    ErrorCode::ValidationError,
                    format!("parameter `job_id`: there is no batch `{}` of yours", Self::name(id)),
                    "`submit_batch` says the names of batches; the last 20 that ended are remembered.",
                )
            })
    }

    fn reader(&self) -> Result<Reader, ToolError> {
        self.journal()?.reader().map_err(unusable)
    }

    fn journal(&self) -> Result<Journal, ToolError> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(journal) = &*journal {
            return Ok(journal.clone());
        }
        let directory = self.directory.as_deref().ok_or_else(|| {
            ToolError::new(
                ErrorCode::ResourceLimit,
                "this server has no data directory, so no batch can be kept",
                "Ask its operator to set `data.dir` (REVERSECORE_DATA_DIR).",
            )
        })?;
        let Opened {
            journal: opened,
            set_aside: _,
        } = Journal::open(directory).map_err(unusable)?;
        opened.interrupt_all().map_err(unusable)?;
        Ok(journal.insert(opened).clone())
    }

    fn one_begins(&self) -> MutexGuard<'_, ()> {
        self.beginning
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BatchId, InWork>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn begin(
    services: &Arc<Services>,
    spec: Spec,
    mut batch: Batch,
    inputs: Vec<Input>,
    bounds: Bounds,
    caller: Caller,
) -> Result<InWork, ToolError> {
    let runtime = tokio::runtime::Handle::try_current().map_err(internal)?;
    let (listed, _) = batch.standing().map_err(unreadable)?;
    let stop = CancellationToken::new();
    let (to, from) = mpsc::channel(FOUND_AHEAD);
    if !listed {
        let (workspace, stop) = (services.workspace.clone(), stop.clone());
        runtime.spawn_blocking(move || find(&workspace, inputs, bounds, &to, &stop));
    }
    let (say, progress) = watch::channel(Progress::default());
    let work = Run {
        spec,
        examiner: Arc::new(BatchExaminer::new(Arc::clone(services), caller)),
        concurrency: processors() * IN_WORK,
        inputs: from,
        stop: stop.clone(),
        progress: say,
        runtime: runtime.clone(),
    };
    let thread = std::thread::Builder::new()
        .name("batch".to_owned())
        .spawn(move || {
            let ended = runtime.block_on(run(work, &mut batch, &mut None));
            if let Err(error) = ended {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, batch = batch.id(), "a batch could not go on");
            }
        })
        .map_err(internal)?;
    Ok(InWork {
        stop,
        progress,
        thread,
    })
}

fn unusable(error: JournalError) -> ToolError {
    if let JournalError::Hold(HoldError::Held { pid, .. }) = &error {
        let who = pid.map_or_else(
            || "another process".to_owned(),
            |pid| format!("process {pid}"),
        );
        return ToolError::new(
            ErrorCode::ResourceLimit,
            format!("{who} uses the server's data directory"),
            "A scan on the command line has it; submit the batch when that has ended.",
        );
    }
    unavailable().log_detail(format!("{error:?}"))
}

fn unreadable(error: LedgerError) -> ToolError {
    unavailable().log_detail(format!("{error:?}"))
}

fn unavailable() -> ToolError {
    ToolError::new(
        ErrorCode::Internal,
        "the journal of batches could not be used",
        "Call again; if it persists, the server's log has the reason.",
    )
}

fn internal(error: impl std::fmt::Display) -> ToolError {
    ToolError::new(
        ErrorCode::Internal,
        "the batch could not be begun",
        "Call again; if it persists, the server's log has the reason.",
    )
    .log_detail(error)
}
