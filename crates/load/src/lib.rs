//! The client side of an MCP server, for asking: one request on a connection
//! that stays open, or many of them at once with a clock beside. Used by the
//! commands `jobs` and `bench load`; works with any server that speaks
//! Streamable HTTP, or on its standard streams.
//!
//! It reads as little of an answer as it can (whether the call failed, and with
//! which code), so that it does not become the slower side.

mod client;
mod pipes;
mod process;
mod run;
mod template;

pub use hyper::Method;

pub use client::{Client, ClientError, Era, Reply, Target};
pub use pipes::Pipes;
pub use run::{Latency, Load, Pace, Report, Way, run};
pub use template::{Template, TemplateError};
