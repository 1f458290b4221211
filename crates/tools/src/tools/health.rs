//! `get_server_health`: what the server is, can and does at the moment.

use std::fmt::Write as _;
use std::time::Duration;

use reversecore_exec::{Containment, Mechanism, StartError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::timeout;

use crate::error::ToolError;
use crate::programs::{Program, ProgramState};
use crate::schedule::processors;
use crate::schema;
use crate::tool::{Answer, Call, Report, Tool};

/// How long an answer waits for what is not known yet.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct GetServerHealth;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct HealthReport {
    /// `ok`, or `degraded` when a program is missing or the engine is down.
    state: State,
    version: &'static str,
    uptime_seconds: u64,
    /// Calls in progress, those that answer from memory left out.
    running: usize,
    /// Calls that wait for a slot.
    waiting: usize,
    max_concurrent: usize,
    queue: usize,
    /// How processes are kept together; `null` when the engine is down.
    containment: Option<String>,
    mechanisms: Vec<MechanismReport>,
    programs: Vec<ProgramReport>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Degraded,
}

#[derive(Debug, Serialize, JsonSchema)]
struct MechanismReport {
    name: String,
    holds: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ProgramReport {
    name: &'static str,
    found: bool,
    version: Option<String>,
    /// What can't be done without it, when it is missing.
    lost_without: Option<&'static str>,
}

impl Report for HealthReport {
    fn text(&self) -> String {
        let state = match self.state {
            State::Ok => "ok",
            State::Degraded => "degraded",
        };
        let mut text = format!(
            "{state}: reversecore {}, up {} s, {} of {} calls in progress, {} of {} waiting\n",
            self.version,
            self.uptime_seconds,
            self.running,
            self.max_concurrent,
            self.waiting,
            self.queue
        );
        let containment = self.containment.as_deref().unwrap_or("engine is down");
        let mechanisms: Vec<String> = self
            .mechanisms
            .iter()
            .map(|mechanism| {
                let holds = if mechanism.holds { "yes" } else { "no" };
                format!("{} {holds}", mechanism.name)
            })
            .collect();
        // Writing to a String can't fail.
        writeln!(
            text,
            "containment: {containment} ({})",
            mechanisms.join(", ")
        )
        .ok();
        for program in &self.programs {
            let state = match (&program.version, program.found) {
                (Some(version), _) => version.as_str(),
                (None, true) => "found, does not run",
                (None, false) => "missing",
            };
            writeln!(text, "{}: {state}", program.name).ok();
        }
        text
    }
}

impl Tool for GetServerHealth {
    type Params = Params;
    type Report = HealthReport;

    const NAME: &'static str = "get_server_health";
    const TITLE: &'static str = "Server health";
    const DESCRIPTION: &'static str = "Whether the server is well: version, uptime, calls in progress and waiting, which external programs are installed, and which isolation mechanisms hold. Ask when a tool reports TOOL_NOT_FOUND or QUEUE_FULL.";
    const QUEUED: bool = false;
    const REMEMBERED: bool = false;

    fn report_schema() -> Value {
        schema::report::<HealthReport>()
    }

    async fn run(&self, call: &Call<'_>, _: Params) -> Result<Answer<HealthReport>, ToolError> {
        let services = call.services;
        let stats = services.schedule.scheduler.stats();
        let waiting = stats.queued.iter().sum::<usize>();
        let programs = async {
            let (programs, engine) = (&services.programs, &services.engine);
            // A version is asked of the program itself, and health must not wait
            // behind work.
            if stats.running.saturating_add(waiting) >= processors() {
                return programs.known();
            }
            let asked = timeout(LONGEST_WAIT, programs.status(engine)).await;
            asked.unwrap_or_else(|_| programs.known())
        };
        let (mechanisms, programs) = tokio::select! {
            biased;
            () = call.cancel.cancelled() => return Err(ToolError::cancelled()),
            both = async {
                tokio::join!(
                    timeout(LONGEST_WAIT, services.engine.mechanisms()),
                    programs,
                )
            } => both,
        };
        let mechanisms = mechanisms.unwrap_or(Err(StartError::NoGreeting));
        let (containment, mechanisms) = match mechanisms {
            Ok(found) => (Some(found.containment), found.list),
            Err(error) => {
                tracing::warn!(%error, "the mechanisms are not known");
                (None, Vec::new())
            }
        };
        let programs: Vec<_> = programs
            .into_iter()
            .map(|status| program(status.program, status.state))
            .collect();
        let well =
            containment.is_some() && programs.iter().all(|program| program.version.is_some());
        Ok(Answer::complete(HealthReport {
            state: if well { State::Ok } else { State::Degraded },
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: services.started.elapsed().as_secs(),
            running: stats.running,
            waiting,
            max_concurrent: stats.slots,
            queue: services.schedule.scheduler.queue(),
            containment: containment.as_ref().map(Containment::to_string),
            mechanisms: mechanisms.into_iter().map(mechanism).collect(),
            programs,
        }))
    }
}

fn mechanism(found: Mechanism) -> MechanismReport {
    MechanismReport {
        name: found.name,
        holds: found.holds,
    }
}

fn program(program: Program, state: ProgramState) -> ProgramReport {
    let (found, version) = match state {
        ProgramState::Found { version } => (true, Some(version)),
        ProgramState::Broken => (true, None),
        ProgramState::Missing => (false, None),
    };
    ProgramReport {
        name: program.name(),
        lost_without: version.is_none().then(|| program.lost_without()),
        found,
        version,
    }
}
