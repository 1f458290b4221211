//! Medians, percentiles and the rows of the table.

use std::fmt;
use std::time::Duration;

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    measure: String,
    result: String,
    /// The target, and whether the result meets it.
    target: Option<(String, bool)>,
}

impl Row {
    /// A number that must not exceed its target.
    pub(crate) fn at_most(measure: &str, value: f64, target: f64, unit: &str) -> Self {
        Self {
            measure: measure.to_owned(),
            result: format!("{value:.2} {unit}"),
            target: Some((format!("≤ {target} {unit}"), value <= target)),
        }
    }

    /// A number that must reach its target.
    pub(crate) fn at_least(measure: &str, value: f64, target: f64) -> Self {
        Self {
            measure: measure.to_owned(),
            result: format!("{value:.2}"),
            target: Some((format!("≥ {target}"), value >= target)),
        }
    }

    /// A number without a target, to understand the others.
    pub(crate) fn note(measure: &str, result: String) -> Self {
        Self {
            measure: measure.to_owned(),
            result,
            target: None,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (target, met) = match &self.target {
            Some((target, met)) => (target.as_str(), if *met { "yes" } else { "**no**" }),
            None => ("-", "-"),
        };
        write!(
            f,
            "| {} | {} | {target} | {met} |",
            self.measure, self.result
        )
    }
}

/// The value below which this part (0 to 1) of the samples lies.
pub(crate) fn percentile(samples: &[f64], part: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1).unwrap();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into a few thousand samples"
    )]
    let index = (last as f64 * part).round() as usize;
    sorted[index]
}

pub(crate) fn median(samples: &[f64]) -> f64 {
    percentile(samples, 0.5)
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
