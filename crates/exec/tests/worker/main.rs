//! What the worker pool promises, shown with a deliberately broken engine in
//! real worker processes.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests: a failure here is a failure of the test"
)]

mod confinement;
mod deaths;
mod hold;
mod lifetime;
mod support;
