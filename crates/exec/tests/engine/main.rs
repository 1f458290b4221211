//! What the engine promises, shown with real processes on the real kernel: the
//! cases E1 to E12, confinement, and recovery. One executable, so that it links
//! once.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests: a failure here is a failure of the test"
)]

mod confinement;
mod containment;
mod ends;
mod hold;
mod limits;
mod output;
mod recovery;
mod spawn;
mod support;
