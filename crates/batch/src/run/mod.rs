//! The loop of a batch: what is examined next, what is tried again, what is written
//! down. It owns the ledger and the row file; the work itself is done in tasks that
//! hand their [`Step`] back.
//!
//! ```text
//! read ──content──> known? ──yes──────────────────────────────> end
//!   ^                 │no                                        ^
//!   │changed          └──> ask tool 1 ─> ask tool 2 ─> unpack ───┘
//!   └──────────────────────────┘
//! ```
//!
//! What it blocks for is SQLite and the row file, some milliseconds at a time, so it
//! runs on a thread of its own where others have to be served.

mod step;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::examine::{Content, Examined, Examiner, Expanded, Trouble, Verdict};
use crate::findings::{Finding, findings};
use crate::item::{Item, ItemId, Listed, State};
use crate::ledger::{Ended, Ledger, LedgerError, Sum};
use crate::out::{Out, Row};
use crate::spec::{Recursion, Spec};
use crate::tally::{Tally, Worst};
use step::{Step, Work};

/// How long results wait to be committed: a process that is killed loses the work of
/// this long.
const COMMIT_AFTER: Duration = Duration::from_millis(50);
/// Files with the same content as one that is being examined, at one time.
const MOST_TWINS: usize = 4096;
/// A file that was begun so often, and was never done, has ended the process.
const MOST_ATTEMPTS: u32 = 10;
/// Findings that are shown while a batch runs.
const LATEST: usize = 10;
/// Files in work that are shown.
const SHOWN: usize = 8;

/// A batch that is to be run.
#[derive(Debug)]
pub struct Run<E> {
    /// What it is.
    pub spec: Spec,
    /// Who examines files.
    pub examiner: Arc<E>,
    /// Files in work at one time.
    pub concurrency: usize,
    /// What is found; ends when all is.
    pub inputs: mpsc::Receiver<Vec<Listed>>,
    /// Ends it early: what is done is kept.
    pub stop: CancellationToken,
    /// Where to say how far it is.
    pub progress: watch::Sender<Progress>,
    /// Where the work is done.
    pub runtime: Handle,
}

/// How far a batch is.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Progress {
    /// Whether all files have been found that are to be found.
    pub listed: bool,
    /// What has come of it so far.
    pub tally: Tally,
    /// Files in work, the first begun first.
    pub running: Vec<String>,
    /// The last findings.
    pub latest: VecDeque<Worst>,
}

/// Why a batch can't go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Nothing more can be written down.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A task of ours has failed.
    #[error("a file's examination failed unexpectedly")]
    Lost(#[source] tokio::task::JoinError),
}

/// Runs a batch to its end, or until it is told to stop; says whether all is done.
///
/// # Errors
/// When nothing more can be written down.
pub async fn run<L: Ledger, E: Examiner>(
    run: Run<E>,
    ledger: &mut L,
    out: &mut Option<Out>,
) -> Result<bool, RunError> {
    // Whatever way this ends, nothing goes on without it.
    let stop = run.stop.child_token();
    let _ends_the_rest = stop.clone().drop_guard();
    let mut runner = Runner::new(run, ledger, out, stop)?;
    let complete = runner.work().await?;
    runner.ledger.close(complete).map_err(RunError::from)?;
    runner.tell();
    Ok(complete)
}

struct Runner<'a, L, E> {
    spec: Spec,
    columns: Vec<String>,
    examiner: Arc<E>,
    concurrency: usize,
    inputs: Option<mpsc::Receiver<Vec<Listed>>>,
    stop: CancellationToken,
    progress: watch::Sender<Progress>,
    runtime: Handle,
    ledger: &'a mut L,
    out: &'a mut Option<Out>,
    tasks: JoinSet<Box<Step>>,
    /// In work, the first begun first.
    running: Vec<(ItemId, String)>,
    /// Contents in work, and the files that wait for what comes of each.
    busy: HashMap<Content, Vec<Work>>,
    twins: usize,
    /// The ledger had nothing more when it was asked last.
    drained: bool,
    commit_at: Option<Instant>,
    /// Not needed any more, once it is written down that they are not.
    discards: Vec<String>,
    tally: Tally,
    latest: VecDeque<Worst>,
}

/// What the loop wakes up for.
enum Event {
    Stepped(Result<Box<Step>, tokio::task::JoinError>),
    Found(Option<Vec<Listed>>),
    Stop,
    Commit,
}

impl<'a, L: Ledger, E: Examiner> Runner<'a, L, E> {
    fn new(
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

    async fn work(&mut self) -> Result<bool, RunError> {
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

    fn read(&mut self, work: Work) {
        let step = step::read(Arc::clone(&self.examiner), work, self.stop.clone());
        self.begin(step);
    }

    fn begin(&mut self, step: impl Future<Output = Step> + Send + 'static) {
        let boxed = async { Box::new(step.await) };
        self.tasks.spawn_on(boxed, &self.runtime);
    }

    fn stepped(&mut self, step: Step) -> Result<(), RunError> {
        match step {
            Step::Read(work, Ok(content)) => self.identified(work, content),
            Step::Read(work, Err(Trouble::Unreadable(why))) => {
                self.end(work, State::Failed, Some(&why), &[])
            }
            Step::Answered(work, tool, examined) => self.answered(work, tool, examined),
            Step::Expanded(work, Ok(expanded)) => self.expanded(work, expanded),
            Step::Expanded(mut work, Err(Trouble::Unreadable(why))) => {
                work.worsen(State::Failed, why);
                self.expanded(work, Expanded::default())
            }
            // It stays what it is: running, and so interrupted.
            Step::Read(work, Err(Trouble::Cancelled))
            | Step::Expanded(work, Err(Trouble::Cancelled)) => {
                self.forget(&work);
                Ok(())
            }
        }
    }

    /// Its content is known: perhaps from another file.
    fn identified(&mut self, mut work: Work, content: Content) -> Result<(), RunError> {
        work.item.content = Some(content);
        if let Some(twins) = self.busy.get_mut(&content) {
            self.twins += 1;
            twins.push(work);
            return Ok(());
        }
        if let Some(ended) = self.ledger.ended(content)? {
            let Ended {
                holder,
                state,
                evidence,
            } = ended;
            work.take(self.ledger.results(holder)?, self.spec.tools.len());
            work.holder = Some(holder);
            return self.end(work, state, evidence.as_deref(), &[]);
        }
        // What was answered before the process ended is not asked again, unless it is
        // about another content: each answer names the one that it is about.
        if work.item.attempts > 1 && !work.changed {
            let earlier = self.ledger.results(work.item.id)?;
            let digits = content.to_string();
            if earlier
                .iter()
                .all(|(_, envelope)| envelope.contains(&digits))
            {
                work.take(earlier, self.spec.tools.len());
            } else {
                self.ledger.begin_anew(&work.item)?;
            }
        }
        self.busy.insert(content, Vec::new());
        self.ask(work)
    }

    /// Asks the next tool that has not answered yet.
    fn ask(&mut self, work: Work) -> Result<(), RunError> {
        let Some(content) = work.item.content else {
            return Ok(());
        };
        let next = (0..self.spec.tools.len()).find(|tool| !work.has(*tool));
        if let Some((index, tool)) =
            next.and_then(|index| Some((index, self.spec.tools.get(index)?.clone())))
        {
            let (examiner, stop) = (Arc::clone(&self.examiner), self.stop.clone());
            let step = step::ask(examiner, work, content, index, tool, stop);
            self.begin(step);
            return Ok(());
        }
        match self.budget(&work.item)? {
            Some(left) => {
                let (examiner, stop) = (Arc::clone(&self.examiner), self.stop.clone());
                let step = step::expand(examiner, work, left, stop);
                self.begin(step);
                Ok(())
            }
            None => self.expanded(work, Expanded::default()),
        }
    }

    /// What may still come out of a file; `None` when it is not to be opened.
    fn budget(&mut self, item: &Item) -> Result<Option<Recursion>, RunError> {
        let Some(recursion) = self.spec.recurse.filter(|all| item.depth < all.depth) else {
            return Ok(None);
        };
        let (files, bytes) = match item.root {
            Some(root) => self.ledger.unpacked(root)?,
            None => (0, 0),
        };
        Ok(Some(Recursion {
            depth: recursion.depth - item.depth,
            files: recursion.files.saturating_sub(files),
            bytes: recursion.bytes.saturating_sub(bytes),
            ratio: recursion.ratio,
        }))
    }

    fn answered(
        &mut self,
        mut work: Work,
        tool: usize,
        examined: Examined,
    ) -> Result<(), RunError> {
        let Examined { envelope, verdict } = examined;
        match verdict {
            Verdict::Answered => {}
            Verdict::Failed { message } => work.worsen(State::Failed, message),
            Verdict::Crashed { message } => work.worsen(State::Poison, message),
            Verdict::Busy { .. } => work.worsen(State::Failed, "there was no room".to_owned()),
            Verdict::Cancelled => {
                self.release(&work)?;
                self.forget(&work);
                return Ok(());
            }
            Verdict::Changed => return self.changed(work),
        }
        self.ledger.result(&work.item, tool, &envelope)?;
        work.results.push((tool, envelope));
        self.ask(work)
    }

    /// The file is not what was read. It is read anew, once.
    fn changed(&mut self, mut work: Work) -> Result<(), RunError> {
        self.release(&work)?;
        if work.changed {
            let why = "the file kept changing while it was examined";
            return self.end(work, State::Failed, Some(why), &[]);
        }
        work.begin_anew();
        self.ledger.begin_anew(&work.item)?;
        self.read(work);
        Ok(())
    }

    /// The files that waited for this content have to be asked about themselves.
    fn release(&mut self, work: &Work) -> Result<(), RunError> {
        let Some(content) = work.item.content else {
            return Ok(());
        };
        let mut twins = self.busy.remove(&content).unwrap_or_default();
        self.twins = self.twins.saturating_sub(twins.len());
        if self.stop.is_cancelled() {
            return Ok(());
        }
        // The first goes ahead, the others wait for it.
        if let Some(first) = twins.pop() {
            self.twins += twins.len();
            self.busy.insert(content, twins);
            self.ask(first)?;
        }
        Ok(())
    }

    fn expanded(&mut self, mut work: Work, expanded: Expanded) -> Result<(), RunError> {
        let Expanded { files, notes, bomb } = expanded;
        if bomb {
            // Not all of it has been looked at, and nobody should think so.
            work.worsen(State::Failed, "not all of it was unpacked".to_owned());
        }
        let (state, mut evidence) = work.sum();
        if !notes.is_empty() {
            let notes = notes.join("; ");
            evidence = Some(match evidence {
                Some(evidence) => format!("{evidence}; {notes}"),
                None => notes,
            });
        }
        self.tally.total += u64::try_from(files.len()).unwrap_or_default();
        if !files.is_empty() {
            self.drained = false;
        }
        let twins = match work.item.content {
            Some(content) => self.busy.remove(&content).unwrap_or_default(),
            None => Vec::new(),
        };
        self.twins = self.twins.saturating_sub(twins.len());
        let results = std::mem::take(&mut work.results);
        for mut twin in twins {
            twin.results.clone_from(&results);
            twin.holder = Some(work.item.id);
            self.end(twin, state, evidence.as_deref(), &[])?;
        }
        work.results = results;
        self.end(work, state, evidence.as_deref(), &files)
    }

    /// A file has ended: its row is written, and what came of it.
    fn end(
        &mut self,
        mut work: Work,
        state: State,
        evidence: Option<&str>,
        children: &[crate::item::Found],
    ) -> Result<(), RunError> {
        self.forget(&work);
        work.results.sort_unstable_by_key(|(tool, _)| *tool);
        let item = &work.item;
        let results = named(&self.columns, &work.results);
        let found = all_findings(&self.spec, &work.results);
        let parent = match item.parent {
            Some(parent) if self.out.is_some() => self.ledger.path_of(parent)?,
            Some(_) | None => None,
        };
        if let Some(out) = self.out.as_mut() {
            out.row(&Row {
                path: &item.path,
                parent: parent.as_deref(),
                content: item.content,
                size: item.size,
                state,
                evidence,
                results: &results,
                findings: &found,
            })
            .map_err(LedgerError::from)?;
        }
        self.ledger.finish(&Sum {
            item,
            state,
            evidence,
            findings: &found,
            children,
            holder: work.holder,
        })?;
        self.tally
            .take(&item.path, item.size, state, evidence, &found);
        if let Some(worst) = Worst::of(&item.path, &found) {
            self.latest.push_back(worst);
            if self.latest.len() > LATEST {
                self.latest.pop_front();
            }
        }
        self.discards.extend(work.item.place);
        // Without a journal nothing else gives the turn to write.
        if !self.ledger.is_dirty() && self.commit_at.is_none() {
            self.commit_at = Some(Instant::now() + COMMIT_AFTER);
        }
        Ok(())
    }

    fn forget(&mut self, work: &Work) {
        self.running.retain(|(id, _)| *id != work.item.id);
    }

    fn commit(&mut self) -> Result<(), RunError> {
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

    fn tell(&self) {
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

/// The answers under the names of their columns.
pub(crate) fn named<'a>(
    columns: &'a [String],
    results: &'a [(usize, String)],
) -> Vec<(&'a str, &'a str)> {
    results
        .iter()
        .filter_map(|(tool, envelope)| Some((columns.get(*tool)?.as_str(), envelope.as_str())))
        .collect()
}

/// What all tools have found, the worst first.
pub(crate) fn all_findings(spec: &Spec, results: &[(usize, String)]) -> Vec<Finding> {
    let mut all: Vec<Finding> = results
        .iter()
        .filter_map(|(tool, envelope)| Some(findings(&spec.tools.get(*tool)?.name, envelope)))
        .flatten()
        .collect();
    all.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    all
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
