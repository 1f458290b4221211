//! What each step of a file leads to: the next question, a second reading, or its end
//! with a row.

use std::sync::Arc;

use tokio::time::Instant;

use super::runner::{COMMIT_AFTER, Runner};
use super::step::{self, Step, Work};
use super::{RunError, all_findings, named};
use crate::examine::{Content, Examined, Examiner, Expanded, Trouble, Verdict};
use crate::item::{Found, Item, State};
use crate::ledger::{Ended, Ledger, LedgerError, Sum};
use crate::out::Row;
use crate::spec::Recursion;
use crate::tally::Worst;

/// Findings that are shown while a batch runs.
const LATEST: usize = 10;

impl<L: Ledger, E: Examiner> Runner<'_, L, E> {
    pub(super) fn stepped(&mut self, step: Step) -> Result<(), RunError> {
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
            let elsewhere = match self.spec.recurse {
                Some(_) => self.ledger.opened(holder)?,
                None => None,
            };
            let evidence = twins_evidence(evidence, elsewhere.as_deref());
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
            evidence = Some(step::with(evidence, notes.join("; ")));
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
        let opened = (!files.is_empty()).then_some(work.item.path.as_str());
        let of_twins = twins_evidence(evidence.clone(), opened);
        for mut twin in twins {
            twin.results.clone_from(&results);
            twin.holder = Some(work.item.id);
            self.end(twin, state, of_twins.as_deref(), &[])?;
        }
        work.results = results;
        self.end(work, state, evidence.as_deref(), &files)
    }

    /// A file has ended: its row is written, and what came of it.
    pub(super) fn end(
        &mut self,
        mut work: Work,
        state: State,
        evidence: Option<&str>,
        children: &[Found],
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
}

/// What is said of a file whose content another has, which was opened: what is in it
/// is not listed twice.
fn twins_evidence(evidence: Option<String>, opened: Option<&str>) -> Option<String> {
    let Some(path) = opened else { return evidence };
    let elsewhere = format!("what is in it is listed under `{path}`, which has the same content");
    Some(step::with(evidence, elsewhere))
}
