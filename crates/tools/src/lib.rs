//! The catalogue of tools: typed parameters in, typed reports out, each tool
//! one module that carries its name, description, parameters and report.
//!
//! ```text
//! server ── Catalogue::call(name, arguments)
//!             parse and check the arguments      arguments, bounded
//!             open the file beneath a root       workspace
//!             become a job, wait for its turn    schedule ── jobs
//!             run the tool                       tools::<name>
//!               have a worker examine it         embedded ── exec, analysis
//!                or run the external program      external ── exec
//!               put the answer into its report   tools::<name>
//!             cut and keep what is too large     results
//!             count and log                      telemetry
//!             put it in the envelope             envelope
//!             not done in time: goes on alone    handles
//! ```
//!
//! This crate knows neither MCP nor HTTP, reads no environment, and starts no
//! process except through the crate `exec`.

mod arguments;
mod batch;
mod catalogue;
mod embedded;
mod external;
mod handles;
mod programs;
mod results;
mod schedule;
mod schema;
mod services;
mod telemetry;
mod text;
mod tool;
mod tools;
mod workspace;

pub mod bounded;
pub mod envelope;
pub mod error;

pub use batch::{BatchExaminer, BatchView, Batches, Standing, check_tool, spelled};
pub use catalogue::running::POLL_AFTER_MS;
pub use catalogue::{Annotations, Called, Catalogue, Descriptor, Reply};
pub use embedded::worker::main as worker_main;
pub use handles::{HandleSettings, HandleView, Handles};
pub use programs::{Program, ProgramSettings, ProgramState, ProgramStatus, Programs};
pub use results::{ArtifactRef, ResultSettings, Results};
pub use schedule::{Caller, Mode, Schedule, ScheduleSettings, Workload};
pub use services::Services;
pub use telemetry::{Telemetry, ToolMetrics};
pub use text::timestamp;
pub use tool::{Answer, Call, Report, Tool};
pub use tools::jobs::described;
pub use tools::radare2::policy::PolicyMode;
pub use tools::yara::configured::ConfiguredRules;
pub use workspace::{Workspace, WorkspaceError, WorkspaceSettings};
