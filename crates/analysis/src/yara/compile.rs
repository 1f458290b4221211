//! From the text of rules to a compiled set. All errors of all sources are
//! gathered, so that an author mends them in one go.

use serde::{Deserialize, Serialize};
use yara_x::errors::VariableError;
use yara_x::{Compiler, Rules, SourceCode};

use super::diagnostic::{Diagnostic, diagnostic};
use super::id::{RuleSetId, rule_set_id};

/// The text of rules, with its includes resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSource {
    /// Rules see those of their own namespace; global rules govern it only.
    pub namespace: String,
    /// The rules.
    pub text: String,
    /// What messages call the source, such as the name of its file.
    pub origin: String,
}

/// The type and value of an external variable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExternalValue {
    /// A truth value.
    Bool(bool),
    /// A signed integer of 64 bits.
    Int(i64),
    /// A floating-point number of 64 bits.
    Float(f64),
    /// A text.
    String(String),
}

impl ExternalValue {
    /// The name of its type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::String(_) => "string",
        }
    }
}

/// How rules are compiled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CompileOptions {
    /// External variables that the rules may name, with the values that hold
    /// where a scan sets no others.
    pub externals: Vec<(String, ExternalValue)>,
}

/// A compiled set of rules.
#[derive(Debug)]
pub struct Compiled {
    pub(super) rules: Rules,
    id: RuleSetId,
    warnings: Vec<Diagnostic>,
    /// Kept for a set with fewer rules to be made from it.
    sources: Vec<RuleSource>,
    rule_count: u64,
}

impl Compiled {
    /// What identifies the set.
    pub fn id(&self) -> &RuleSetId {
        &self.id
    }

    /// What the compiler advises against, such as slow patterns.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Size of the sources in bytes: a measure of what the set costs to keep.
    pub fn source_bytes(&self) -> u64 {
        let sources = self.sources.iter();
        sources.map(|source| source.text.len() as u64).sum()
    }

    /// What it was compiled from.
    pub(super) fn sources(&self) -> &[RuleSource] {
        &self.sources
    }

    /// The number of rules, private ones included.
    pub fn rule_count(&self) -> u64 {
        self.rule_count
    }
}

/// Why there is no compiled set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The rules are wrong.
    #[error("failed to compile the rules: {} errors, the first is {}", errors.len(), first(errors))]
    Rules {
        /// All errors, in the order of the sources.
        errors: Vec<Diagnostic>,
    },
    /// An external variable can't be defined.
    #[error("failed to define the external variable `{name}`: {reason}")]
    External {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
}

fn first(errors: &[Diagnostic]) -> String {
    errors.first().map(ToString::to_string).unwrap_or_default()
}

/// Compiles `sources`. Those of one namespace are compiled one after another,
/// wherever they stand in the list.
pub fn compile(sources: &[RuleSource], options: &CompileOptions) -> Result<Compiled, CompileError> {
    let mut compiler = Compiler::new();
    compiler
        .relaxed_re_syntax(true)
        .enable_includes(false)
        .colorize_errors(false);
    for (name, value) in &options.externals {
        define(&mut compiler, name, value).map_err(|error| CompileError::External {
            name: name.clone(),
            reason: error.to_string(),
        })?;
    }
    let mut namespaces: Vec<&str> = Vec::new();
    for source in sources {
        if !namespaces.contains(&source.namespace.as_str()) {
            namespaces.push(&source.namespace);
        }
    }
    let mut errors = Vec::new();
    for namespace in namespaces {
        compiler.new_namespace(namespace);
        for source in sources
            .iter()
            .filter(|source| source.namespace == namespace)
        {
            let before = compiler.errors().len();
            let code = SourceCode::from(source.text.as_str()).with_origin(&source.origin);
            if compiler.add_source(code).is_err() {
                let new = compiler.errors().iter().skip(before);
                errors.extend(new.map(|error| diagnostic(error, sources)));
            }
        }
    }
    if !errors.is_empty() {
        return Err(CompileError::Rules { errors });
    }
    let rules = compiler.build();
    Ok(Compiled {
        id: rule_set_id(sources, options),
        warnings: rules
            .warnings()
            .iter()
            .map(|warning| diagnostic(warning, sources))
            .collect(),
        sources: sources.to_vec(),
        rule_count: rules.iter().len() as u64,
        rules,
    })
}

fn define(
    compiler: &mut Compiler<'_>,
    name: &str,
    value: &ExternalValue,
) -> Result<(), VariableError> {
    match value {
        ExternalValue::Bool(value) => compiler.define_global(name, *value)?,
        ExternalValue::Int(value) => compiler.define_global(name, *value)?,
        ExternalValue::Float(value) => compiler.define_global(name, *value)?,
        ExternalValue::String(value) => compiler.define_global(name, value.as_str())?,
    };
    Ok(())
}
