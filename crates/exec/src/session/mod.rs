//! Programs that stay and are spoken to in lines of text over pipes.
//!
//! A *session* is a long-lived run of the engine, like a worker, of a program
//! that reads commands from its standard input: opened and prepared once, asked
//! often. It is contained, limited and killed by the launcher like any run.
//!
//! ```text
//! SessionPool::run ── key ──> slot ──(its turn)──> Console::ask ──command──> program
//!                              ^                        <──answer, terminator──
//!  keeper: who may be opened, who has to go;   live: one session's run, from start to end
//! ```
//!
//! | file | knows |
//! |---|---|
//! | `question` | what a caller gives and gets |
//! | `pool` | one call: joining a session, its turn, the end of either |
//! | `roster` | which sessions there are, and which go first |
//! | `live` | one session's process: room, start, preparation, end |
//! | `console` | one command and its answer, over the three pipes |
//! | `frame` | where an answer begins and ends |
//!
//! Who owns what: the pool owns one task a session, which drives the run, and
//! the keeper. A call owns the session's console while it asks. Whoever lets go
//! of a console other than by putting it back has the session killed, so a
//! dropped future, a time-out and a cancelled call are one case, and end this
//! session alone.
//!
//! # Framing
//!
//! The program is made to print a fresh random word before and after each
//! answer, in two halves, so that the word is not in what it reads either: no
//! output can imitate it, whatever it holds, and an echo of the input neither.
//!
//! # What a hostile file can gain
//!
//! A session that has parsed a hostile file may be the file's, and can lie in
//! later answers about what it was opened on. It is up to the callers to open
//! sessions on one file each, and to have the content of the file in the key.

mod console;
mod frame;
mod live;
mod pool;
mod question;
mod roster;

pub use frame::word;
pub use pool::SessionPool;
pub use question::{
    Dialect, Opening, Question, Reply, SessionConfig, SessionError, SessionKey, SessionOutcome,
};
pub use roster::{Gone, SessionStats};
