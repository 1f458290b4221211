//! How the catalogue of tools is reached: MCP over stdio or Streamable HTTP,
//! health and metrics, and the configuration.
//!
//! # Theory of operation
//!
//! ```text
//! stdio ───────────────────────────┐
//!                                  ├─> handler (rmcp) ─> Catalogue::call
//! web thread ─ gates ─┬─ /mcp ─────┘   on the work runtime
//!                     ├─ /health/*     answered on the web thread
//!                     ├─ /metrics, /jobs
//!                     └─ /upload, /files
//! ```
//!
//! Every HTTP connection lives on a thread of its own runtime, which does
//! nothing but HTTP: whatever the tools do to the work runtime, health and
//! metrics answer. A request for `/mcp` is handed over to the work runtime.
//!
//! **Invariants.** This is the only crate that names rmcp, hyper or axum. It
//! starts no process, and reads neither the environment nor the command line. All that
//! it writes is uploaded files, into `uploads/` of the workspace.

pub mod config;

mod calls;
mod handler;
mod http;
mod progress;
mod prompts;
mod resources;
mod serve;
mod shutdown;
mod stdio;
mod tasks;
mod verbatim;

pub use handler::{Handler, Served};
pub use http::{Http, HttpError, HttpSettings, TlsError, TlsFiles, TokenSetupError, UploadLimits};
pub use serve::{ServeError, serve};
pub use shutdown::Shutdown;
