//! The parts of the work that take time, each a task of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::examine::{Content, Examined, Examiner, Expanded, Trouble, Verdict};
use crate::item::{Item, ItemId, State};
use crate::spec::{Recursion, ToolCall};

/// How often a file is tried that crashes an engine.
const CRASHES: u32 = 2;
/// How often a file asks again that finds no room.
const WAITS: u32 = 1000;
/// Bounds on the time between two such questions.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(5);

/// A file in work.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) item: Item,
    /// The tool's place in the specification, and its envelope.
    pub(super) results: Vec<(usize, String)>,
    /// It has changed once.
    pub(super) changed: bool,
    /// The file with the same content that has the answers.
    pub(super) holder: Option<ItemId>,
    state: State,
    evidence: Option<String>,
}

/// A part that is done.
#[derive(Debug)]
pub(super) enum Step {
    Read(Work, Result<Content, Trouble>),
    Answered(Work, usize, Examined),
    Expanded(Work, Result<Expanded, Trouble>),
}

impl Work {
    pub(super) fn new(item: Item) -> Self {
        Self {
            item,
            results: Vec::new(),
            changed: false,
            holder: None,
            state: State::Done,
            evidence: None,
        }
    }

    /// Takes answers that there are already, as far as there are questions.
    pub(super) fn take(&mut self, results: Vec<(usize, String)>, tools: usize) {
        for (tool, envelope) in results {
            if tool >= tools || self.has(tool) {
                continue;
            }
            if envelope.starts_with(r#"{"status":"error""#) {
                self.worsen(State::Failed, message(&envelope));
            }
            self.results.push((tool, envelope));
        }
    }

    pub(super) fn has(&self, tool: usize) -> bool {
        self.results.iter().any(|(there, _)| *there == tool)
    }

    /// Something is wrong with it; the worst is what it ends as.
    pub(super) fn worsen(&mut self, state: State, why: String) {
        if state == State::Poison || self.state == State::Done {
            self.state = state;
        }
        self.evidence = Some(with(self.evidence.take(), why));
    }

    /// As what it ends, and why.
    pub(super) fn sum(&self) -> (State, Option<String>) {
        (self.state, self.evidence.clone())
    }

    /// Whatever is known of it is of another content.
    pub(super) fn begin_anew(&mut self) {
        self.results.clear();
        self.changed = true;
        self.state = State::Done;
        self.evidence = None;
        self.item.content = None;
    }
}

/// What was wrong before, and this too.
pub(super) fn with(evidence: Option<String>, more: String) -> String {
    match evidence {
        Some(before) => format!("{before}; {more}"),
        None => more,
    }
}

fn message(envelope: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Error {
        #[serde(default)]
        message: String,
    }
    serde_json::from_str::<Error>(envelope).map_or_else(|_| String::new(), |error| error.message)
}

pub(super) async fn read<E: Examiner>(
    examiner: Arc<E>,
    work: Work,
    stop: CancellationToken,
) -> Step {
    let content = examiner.content(&work.item, &stop).await;
    Step::Read(work, content)
}

/// Asks a tool, again when there is no room, and once more when it crashes.
pub(super) async fn ask<E: Examiner>(
    examiner: Arc<E>,
    work: Work,
    content: Content,
    index: usize,
    tool: ToolCall,
    stop: CancellationToken,
) -> Step {
    let (mut crashes, mut waits) = (0, 0);
    loop {
        let mut examined = examiner.examine(&work.item, content, &tool, &stop).await;
        match &mut examined.verdict {
            Verdict::Crashed { message } => {
                crashes += 1;
                if crashes >= CRASHES {
                    *message = format!("{message} ({crashes} times)");
                    return Step::Answered(work, index, examined);
                }
            }
            Verdict::Busy { after } => {
                waits += 1;
                if waits >= WAITS {
                    return Step::Answered(work, index, examined);
                }
                let pause = tokio::time::sleep((*after).clamp(SHORTEST, LONGEST));
                tokio::select! {
                    () = stop.cancelled() => {
                        examined.verdict = Verdict::Cancelled;
                        return Step::Answered(work, index, examined);
                    }
                    () = pause => {}
                }
            }
            Verdict::Answered | Verdict::Failed { .. } | Verdict::Changed | Verdict::Cancelled => {
                return Step::Answered(work, index, examined);
            }
        }
    }
}

pub(super) async fn expand<E: Examiner>(
    examiner: Arc<E>,
    work: Work,
    left: Recursion,
    stop: CancellationToken,
) -> Step {
    let expanded = examiner.expand(&work.item, left, &stop).await;
    Step::Expanded(work, expanded)
}
