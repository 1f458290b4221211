//! The loop itself: begins with files as there is room for them, waits for what comes
//! next, and commits. What a step leads to is said in `outcome`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::step::{self, Step, Work};
use super::{Progress, Run, RunError};
use crate::examine::{Content, Examiner};
use crate::item::{ItemId, Listed, State};
use crate::ledger::{Ledger, LedgerError};
use crate::out::Out;
use crate::spec::Spec;
use crate::tally::{Tally, Worst};

/// How long results wait to be committed: a process that is killed loses the work of
/// this long.
pub(super) const COMMIT_AFTER: Duration = Duration::from_millis(50);
/// Files with the same content as one that is being examined, at one time.
const MOST_TWINS: usize = 4096;
/// A file that was begun so often, and was never done, has ended the process.
const MOST_ATTEMPTS: u32 = 10;
/// Files in work that are shown.
const SHOWN: usize = 8;

/// What a run has in work.
pub(super) struct Runner<'a, L, E> {
    pub(super) spec: Spec,
    pub(super) columns: Vec<String>,
    pub(super) examiner: Arc<E>,
    pub(super) concurrency: usize,
    pub(super) inputs: Option<mpsc::Receiver<Vec<Listed>>>,
    pub(super) stop: CancellationToken,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) runtime: Handle,
    pub(super) ledger: &'a mut L,
    pub(super) out: &'a mut Option<Out>,
    pub(super) tasks: JoinSet<Box<Step>>,
    /// In work, the first begun first.
    pub(super) running: Vec<(ItemId, String)>,
    /// Contents in work, and the files that wait for what comes of each.
    pub(super) busy: HashMap<Content, Vec<Work>>,
    pub(super) twins: usize,
    /// The ledger had nothing more when it was asked last.
    pub(super) drained: bool,
    pub(super) commit_at: Option<Instant>,
    /// Not needed any more, once it is written down that they are not.
    pub(super) discards: Vec<String>,
    pub(super) tally: Tally,
    pub(super) latest: VecDeque<Worst>,
}

/// What the loop wakes up for.
enum Event {
    Stepped(Result<Box<Step>, tokio::task::JoinError>),
    Found(Option<Vec<Listed>>),
    Stop,
    Commit,
}

impl<'a, L: Ledger, E: Examiner> Runner<'a, L, E> {
    pub(super) fn new(
        run: Run<E>,
        ledger: &'a mut L,
        out: &'a mut Option<Out>,
        stop: CancellationToken,
    ) -> Result<Self, RunError> {
        let Run {
            spec,
            examiner,
            concurrency,
            inputs,
            stop: _,
            progress,
            runtime,
        } = run;
        let tally = ledger.tally()?;
        Ok(Self {
            columns: spec.columns(),
            spec,
            examiner,
            concurrency: concurrency.max(1),
            inputs: Some(inputs),
            stop,
            progress,
            runtime,
            ledger,
            out,
            tasks: JoinSet::new(),
            running: Vec::new(),
            busy: HashMap::new(),
            twins: 0,
            drained: false,
            commit_at: None,
            discards: Vec::new(),
            tally,
            latest: VecDeque::new(),
        })
    }

    pub(super) async fn work(&mut self) -> Result<bool, RunError> {
        let mut stopping = false;
        self.tell();
        loop {
            stopping = stopping || self.stop.is_cancelled();
            if !stopping {
                self.fill()?;
            }
            if self.tasks.is_empty() && (stopping || (self.inputs.is_none() && self.drained)) {
                self.commit()?;
                return Ok(!stopping);
            }
            match self.event(stopping).await {
                Event::Stepped(step) => self.stepped(*step.map_err(RunError::Lost)?)?,
                Event::Found(found) => self.found(found)?,
                Event::Stop => stopping = true,
                Event::Commit => self.commit()?,
            }
            if self.ledger.is_dirty() && self.commit_at.is_none() {
                self.commit_at = Some(Instant::now() + COMMIT_AFTER);
            }
        }
    }

    async fn event(&mut self, stopping: bool) -> Event {
        let Self {
            inputs,
            tasks,
            stop,
            commit_at,
            ..
        } = self;
        let due = *commit_at;
        tokio::select! {
            biased;
            () = stop.cancelled(), if !stopping => Event::Stop,
            () = at(due), if due.is_some() => Event::Commit,
            Some(step) = tasks.join_next(), if !tasks.is_empty() => Event::Stepped(step),
            found = from(inputs), if inputs.is_some() && !stopping => Event::Found(found),
        }
    }

    /// Begins with as many files as there is room for.
    fn fill(&mut self) -> Result<(), RunError> {
        let room = self.concurrency.saturating_sub(self.tasks.len());
        if room == 0 || self.drained || self.twins >= MOST_TWINS {
            return Ok(());
        }
        let items = self.ledger.next(room)?;
        self.drained = items.len() < room;
        for item in items {
            self.running.push((item.id, item.path.clone()));
            let work = Work::new(item);
            if work.item.attempts > MOST_ATTEMPTS {
                let why = format!(
                    "the process ended {} times while this file was examined",
                    work.item.attempts - 1
                );
                self.end(work, State::Poison, Some(&why), &[])?;
            } else {
                self.read(work);
            }
        }
        Ok(())
    }

    fn found(&mut self, found: Option<Vec<Listed>>) -> Result<(), RunError> {
        let Some(listed) = found else {
            self.inputs = None;
            self.ledger.listed()?;
            return Ok(());
        };
        for listed in &listed {
            match listed {
                Listed::File(_) | Listed::Refused { .. } => self.tally.total += 1,
                Listed::Skipped(count) => self.tally.skipped += count,
            }
        }
        let refused = self.ledger.add(&listed)?;
        self.drained = false;
        for (item, reason) in refused {
            self.end(Work::new(item), State::Failed, Some(&reason), &[])?;
        }
        Ok(())
    }

    pub(super) fn read(&mut self, work: Work) {
        let step = step::read(Arc::clone(&self.examiner), work, self.stop.clone());
        self.begin(step);
    }

    pub(super) fn begin(&mut self, step: impl Future<Output = Step> + Send + 'static) {
        let boxed = async { Box::new(step.await) };
        self.tasks.spawn_on(boxed, &self.runtime);
    }

    pub(super) fn forget(&mut self, work: &Work) {
        self.running.retain(|(id, _)| *id != work.item.id);
    }

    pub(super) fn commit(&mut self) -> Result<(), RunError> {
        self.commit_at = None;
        let length = match self.out.as_mut() {
            Some(out) => out.flush().map_err(LedgerError::from)?,
            None => 0,
        };
        self.ledger.commit(length)?;
        for place in self.discards.drain(..) {
            self.examiner.discard(&place);
        }
        self.tell();
        Ok(())
    }

    pub(super) fn tell(&self) {
        self.progress.send_modify(|progress| {
            progress.listed = self.inputs.is_none();
            progress.tally.clone_from(&self.tally);
            progress.running.clear();
            let shown = self.running.iter().take(SHOWN);
            progress.running.extend(shown.map(|(_, path)| path.clone()));
            progress.latest.clone_from(&self.latest);
        });
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

async fn from(inputs: &mut Option<mpsc::Receiver<Vec<Listed>>>) -> Option<Vec<Listed>> {
    match inputs {
        Some(inputs) => inputs.recv().await,
        None => std::future::pending().await,
    }
}
