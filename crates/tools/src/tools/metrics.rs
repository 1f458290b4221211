//! `get_tool_metrics`: the figures of the calls so far.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arguments::invalid;
use crate::error::ToolError;
use crate::schema;
use crate::telemetry::ToolMetrics;
use crate::text::quoted;
use crate::tool::{Answer, Call, Report, Tool};

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct GetToolMetrics;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Only this tool.
    #[serde(default)]
    tool: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct MetricsReport {
    /// By name.
    tools: Vec<ToolMetrics>,
}

impl Report for MetricsReport {
    fn text(&self) -> String {
        let mut text = String::new();
        for tool in &self.tools {
            let ms =
                |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.1}"));
            // Writing to a String can't fail.
            writeln!(
                text,
                "{}: {} calls, {} errors, ms avg {} min {} max {} p50 {} p95 {} p99 {}",
                tool.tool,
                tool.calls,
                tool.errors.values().sum::<u64>(),
                ms(tool.avg_ms),
                ms(tool.min_ms),
                ms(tool.max_ms),
                ms(tool.p50_ms),
                ms(tool.p95_ms),
                ms(tool.p99_ms),
            )
            .ok();
        }
        text
    }
}

impl Tool for GetToolMetrics {
    type Params = Params;
    type Report = MetricsReport;

    const NAME: &'static str = "get_tool_metrics";
    const TITLE: &'static str = "Tool metrics";
    const DESCRIPTION: &'static str = "Per tool since the server's start: calls, errors by code, and total, min, max, average, P50, P95, P99 times in milliseconds.";
    const QUEUED: bool = false;
    const REMEMBERED: bool = false;
    const IDEMPOTENT: bool = true;

    fn report_schema() -> Value {
        schema::report::<MetricsReport>()
    }

    async fn run(
        &self,
        call: &Call<'_>,
        params: Params,
    ) -> Result<Answer<MetricsReport>, ToolError> {
        let tools = call.services.telemetry.metrics(params.tool.as_deref());
        if let Some(name) = params.tool
            && tools.is_empty()
        {
            return Err(invalid(
                "tool",
                format!("there is no tool `{}`", quoted(&name)),
                "Leave it out for all tools.",
            ));
        }
        let total = u64::try_from(tools.len()).ok();
        let mut answer = Answer::complete(MetricsReport { tools });
        answer.total = total;
        Ok(answer)
    }
}
