//! A scan in which no single rule may take the time of all: yara-x ends whole
//! scans only, so one that is ended is begun again without the rules that took
//! too long. What they would have said is not known; all others have a verdict.

use std::ops::Range;
use std::time::Duration;

use yara_x_parser::Parser;
use yara_x_parser::cst::{Event, SyntaxKind};

use super::compile::{CompileOptions, Compiled, RuleSource, compile};
use super::report::{ScanReport, SlowRule};
use super::scan::{ScanOptions, scan};

/// Scans that are begun again; the next is the last.
const MOST_ROUNDS: usize = 8;

/// Like [`scan`] with a time-out of `left()` in all, which is asked before each
/// scan. When a quarter of that is over, rules that took `each` or longer are
/// given up, and named in [`ScanReport::given_up`]; to the others it is as if
/// those did not match. `define` is what the set was compiled with.
pub fn scan_patiently(
    compiled: &Compiled,
    define: &CompileOptions,
    data: &[u8],
    options: &ScanOptions,
    each: Duration,
    left: &dyn Fn() -> Duration,
) -> ScanReport {
    let mut given_up: Vec<SlowRule> = Vec::new();
    let mut others: Option<Compiled> = None;
    for _ in 0..MOST_ROUNDS {
        let rules = others.as_ref().unwrap_or(compiled);
        let all = left();
        // A rule that has taken too long must be seen to have.
        let part = (all / 4).max(each + each / 4);
        if rules.rule_count() < 2 || part > all / 4 * 3 {
            break;
        }
        let mut report = scan_for(rules, data, options, part);
        if report.timed_out {
            let too_slow = report
                .slow
                .extract_if(.., |rule| rule.patterns + rule.condition >= each);
            let too_slow: Vec<_> = too_slow.collect();
            // When there is none, there is much to do, and no rule to blame.
            let Some(next) = without(rules, &too_slow, define) else {
                break;
            };
            given_up.extend(too_slow);
            others = Some(next);
            continue;
        }
        report.given_up = given_up;
        return report;
    }
    let rules = others.as_ref().unwrap_or(compiled);
    ScanReport {
        given_up,
        ..scan_for(rules, data, options, left())
    }
}

fn scan_for(rules: &Compiled, data: &[u8], options: &ScanOptions, time: Duration) -> ScanReport {
    // yara-x rounds up, and would be overtaken by the end of the whole.
    let time = Duration::from_secs(time.as_secs().max(1));
    let options = ScanOptions {
        timeout: Some(time),
        ..options.clone()
    };
    scan(rules, data, &options)
}

/// The set without these rules; `None` when there are none or they are not
/// found, or the rest makes no set.
fn without(rules: &Compiled, out: &[SlowRule], define: &CompileOptions) -> Option<Compiled> {
    if out.is_empty() {
        return None;
    }
    let mut sources = rules.sources().to_vec();
    for rule in out {
        let silenced = sources
            .iter_mut()
            .any(|source| source.namespace == rule.namespace && silence(source, &rule.rule));
        if !silenced {
            return None;
        }
    }
    compile(&sources, define).ok()
}

/// Puts a rule in the place of the one of that name that never matches, so that
/// those that refer to it still compile. It is private, and no global one: that
/// would have nothing match. Lines stay where they are.
fn silence(source: &mut RuleSource, name: &str) -> bool {
    let Some(place) = declaration(&source.text, name) else {
        return false;
    };
    let lines = source.text.get(place.clone()).unwrap_or_default();
    let lines = "\n".repeat(lines.matches('\n').count());
    let stub = format!("private rule {name} {{ condition: false }}{lines}");
    source.text.replace_range(place, &stub);
    true
}

/// The bytes of the declaration of a rule.
fn declaration(text: &str, name: &str) -> Option<Range<usize>> {
    let mut named = None;
    for event in Parser::new(text.as_bytes()) {
        match event {
            Event::Begin {
                kind: SyntaxKind::RULE_DECL,
                span,
            } => named = Some(span.range()),
            // The first one is the name, later ones are tags.
            Event::Token {
                kind: SyntaxKind::IDENT,
                span,
            } => {
                if let Some(place) = named.take()
                    && text.get(span.range()) == Some(name)
                {
                    return Some(place);
                }
            }
            Event::Begin { .. } | Event::End { .. } | Event::Token { .. } | Event::Error { .. } => {
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_silenced_and_the_lines_stay() {
        let mut source = RuleSource {
            namespace: "default".into(),
            text: "// rule b {}\nrule a { condition: true }\nglobal rule b : tag {\n strings: $a = \"rule c {\" condition: $a }\nrule c { condition: b }\n".into(),
            origin: String::new(),
        };
        assert!(silence(&mut source, "b"));
        assert_eq!(
            source.text,
            "// rule b {}\nrule a { condition: true }\nprivate rule b { condition: false }\n\nrule c { condition: b }\n"
        );
        assert!(!silence(&mut source, "tag"));
        compile(&[source], &CompileOptions::default()).unwrap();
    }
}
