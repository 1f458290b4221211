//! The HTTP server as a client sees it: in-process, on a loopback port, spoken
//! to with raw HTTP.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail like the tests themselves"
)]

mod access;
mod cancel;
mod eras;
mod generated;
mod health;
mod limits;
mod resume;
mod support;
mod tls;
mod tokens;
mod uploads;
