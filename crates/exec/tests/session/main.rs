//! What a pool of sessions promises, shown with a program that converses as
//! badly as it may, through the real launcher.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of a test: a failure here is a failure of the test"
)]

mod ends;
mod framing;
mod room;
mod sharing;
mod support;
