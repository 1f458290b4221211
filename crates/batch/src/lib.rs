//! Batches: many files, the same questions of each. Knows what is to be done, what
//! has been done and what came of it; how a file is examined is the caller's
//! affair ([`Examiner`]).
//!
//! ```text
//! walk ──Listed──> run ──content? which tool?──> Examiner (the catalogue of tools)
//!                   │ <──────── envelope ─────────────┘
//!                   ├──> Ledger: the journal, or memory with --no-journal
//!                   └──> Out: a row a file, as JSON lines, CSV, SARIF or HTML
//! ```
//!
//! | module | knows |
//! |---|---|
//! | `walk` | which files lie where; follows no link, opens nothing |
//! | `run` | what is examined next, what is tried again, when to stop |
//! | `journal` | the SQLite file that outlives the process |
//! | `unrecorded` | the same without a file |
//! | `out` | rows for people and for other programs |
//! | `findings` | what in an envelope is worth a look |
//!
//! It is a crate of its own because SQLite comes with it: a C library, built from
//! source, that nothing else needs. `jobs` decides who runs next and must not know
//! files; this crate decides nothing of the kind.
//!
//! # What survives what
//!
//! Whatever is done to the journal and to the row file happens in steps: rows are
//! written and flushed, then the transaction is committed that says how long the
//! row file is. A process that is killed in between leaves rows behind that nobody
//! vouches for; they are cut off when the batch is taken up again. So a row is in the
//! file exactly once, and a result that was recorded is never computed again.

mod examine;
mod findings;
mod hold;
mod item;
mod journal;
mod ledger;
mod out;
mod rows;
mod run;
mod spec;
mod tally;
mod turns;
mod unrecorded;
mod walk;

pub use examine::{Content, Examined, Examiner, Expanded, Trouble, Verdict};
pub use findings::{Finding, Severity, findings};
pub use hold::{HoldError, holder};
pub use item::{Found, Item, ItemId, Listed, State};
pub use journal::{Batch, BatchId, Filter, Journal, JournalError, Opened, Reader, Stored, Written};
pub use ledger::{Ended, Ledger, LedgerError, Sum};
pub use out::{Format, Out, OutError, Row};
pub use rows::take_up;
pub use run::{Progress, Run, RunError, run};
pub use spec::{Recursion, Spec, ToolCall};
pub use tally::{Tally, Worst};
pub use unrecorded::Unrecorded;
pub use walk::{Walk, WalkError, walk};
