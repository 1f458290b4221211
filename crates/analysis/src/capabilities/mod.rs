//! What a program could do, by the names of the functions it imports: injection,
//! logging of keys, persistence, encryption of files, … for Windows, Linux and
//! macOS. Called with the imports of any format by the tools that report on
//! executables.
//!
//! A name proves little, so rules ask for combinations: one function of each of
//! their groups. It looks at no code, and knows nothing of what is looked up at
//! run time; that a program does so is a capability of its own.

mod rules;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use rules::RULES;

/// The most names that are kept as evidence for one capability.
const MOST_EVIDENCE: usize = 16;

/// Names longer than this are no functions of a system.
const LONGEST_NAME: usize = 128;

/// Something that a program could do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// A stable name: `process_injection`.
    pub id: String,
    /// What it is, in words.
    pub title: String,
    /// The technique of MITRE ATT&CK (`T1055.001`), where there is one.
    pub attack: Option<String>,
    /// How unusual it is in harmless programs.
    pub severity: Severity,
    /// The same as a number from 1 (everywhere) to 10 (hardly ever harmless), to
    /// be added up.
    pub weight: u8,
    /// The imported functions that speak for it, as they are called in the file,
    /// in the order of the imports; at most 16.
    pub evidence: Vec<String>,
}

/// How unusual a capability is in harmless programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Many harmless programs have it; it matters beside others.
    Low,
    /// Some harmless programs have it.
    Medium,
    /// Harmless programs hardly ever have it.
    High,
}

impl Severity {
    fn of(weight: u8) -> Self {
        match weight {
            0..=3 => Self::Low,
            4..=6 => Self::Medium,
            7..=u8::MAX => Self::High,
        }
    }
}

/// A capability and the functions it takes.
#[derive(Debug)]
struct Rule {
    id: &'static str,
    title: &'static str,
    attack: &'static str,
    weight: u8,
    /// One function of each group, separated by spaces, must be imported. At
    /// most eight groups.
    groups: &'static [&'static str],
}

/// For each name in lower case, the rules and groups it is in.
static INDEX: LazyLock<HashMap<String, Vec<(usize, usize)>>> = LazyLock::new(|| {
    let mut index: HashMap<String, Vec<(usize, usize)>> = HashMap::new();
    for (number, rule) in RULES.iter().enumerate() {
        for (group, names) in rule.groups.iter().enumerate() {
            for name in names.split_ascii_whitespace() {
                index
                    .entry(name.to_ascii_lowercase())
                    .or_default()
                    .push((number, group));
            }
        }
    }
    index
});

/// Says what the imports make possible, the heaviest first. `imports` are pairs
/// of library, where the format names one, and function. The suffixes `A` and
/// `W`, decorations (`_name@8`), versions (`name@GLIBC_2.2`) and the prefix `Zw`
/// of the native interface make no difference. Takes time linear in the number
/// of imports.
pub fn capabilities<'a>(
    imports: impl Iterator<Item = (Option<&'a str>, &'a str)>,
) -> Vec<Capability> {
    let mut states: Vec<State> = RULES.iter().map(|_| State::default()).collect();
    for (library, name) in imports {
        let Some(places) = lookup(library, name) else {
            continue;
        };
        for (rule, group) in places {
            if let Some(state) = states.get_mut(*rule) {
                state.add(*group, name);
            }
        }
    }
    let mut found: Vec<Capability> = RULES
        .iter()
        .zip(states)
        .filter(|(rule, state)| state.has_all(rule.groups.len()))
        .map(|(rule, state)| Capability {
            id: rule.id.to_owned(),
            title: rule.title.to_owned(),
            attack: (!rule.attack.is_empty()).then(|| rule.attack.to_owned()),
            severity: Severity::of(rule.weight),
            weight: rule.weight,
            evidence: state.evidence,
        })
        .collect();
    found.sort_by(|one, two| two.weight.cmp(&one.weight).then(one.id.cmp(&two.id)));
    // Several ways to do the same thing are one capability, the best one.
    let mut seen: Vec<String> = Vec::new();
    found.retain(|capability| {
        let new = !seen.contains(&capability.id);
        if new {
            seen.push(capability.id.clone());
        }
        new
    });
    found
}

/// What was seen of a rule.
#[derive(Debug, Default)]
struct State {
    groups: u8,
    evidence: Vec<String>,
}

impl State {
    fn add(&mut self, group: usize, name: &str) {
        let bit = u32::try_from(group)
            .ok()
            .and_then(|group| 1_u8.checked_shl(group));
        let bit = bit.unwrap_or_default();
        let new_group = self.groups & bit == 0;
        self.groups |= bit;
        // The first of each group is always shown; there are at most eight.
        let room = self.evidence.len()
            < MOST_EVIDENCE.saturating_sub(if new_group { 0 } else { 8 })
            || new_group;
        if room && !self.evidence.iter().any(|known| known == name) {
            self.evidence.push(name.to_owned());
        }
    }

    fn has_all(&self, groups: usize) -> bool {
        usize::try_from(self.groups.count_ones()).is_ok_and(|count| count == groups)
    }
}

/// The rules that a function is in, whatever it was made into by compilers.
fn lookup(library: Option<&str>, name: &str) -> Option<&'static [(usize, usize)]> {
    if name.is_empty() || name.len() > LONGEST_NAME || !name.is_ascii() {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    let plain = lower.split(['@', '$']).find(|part| !part.is_empty())?;
    let bare = plain.trim_start_matches('_');
    let get = |name: &str| INDEX.get(name).map(Vec::as_slice);
    let wide = |name: &str| {
        // `DnsQuery_W` has a line in between.
        let base = name.strip_suffix(['a', 'w'])?;
        get(base.trim_end_matches('_'))
    };
    // glibc's checked forms: `__recv_chk`.
    let unchecked = bare.strip_suffix("_chk").unwrap_or(bare);
    let native = bare
        .strip_prefix("zw")
        .filter(|_| library.is_none_or(|library| !library.to_ascii_lowercase().ends_with(".so")))
        .map(|rest| format!("nt{rest}"));
    get(plain)
        .or_else(|| get(bare))
        .or_else(|| get(unchecked))
        .or_else(|| native.as_deref().and_then(get))
        .or_else(|| wide(bare))
}
