//! Puts one layer over another and reads the result after each, so that the
//! layer whose addition made the configuration bad is the one that is named.

use std::path::Path;

use serde::Deserialize as _;
use toml::{Table, Value};

use super::error::ConfigError;
use super::{Config, DEFAULTS, Flag};

/// The layers so far, and what they amount to.
#[derive(Debug)]
pub(super) struct Layers {
    table: Table,
    config: Config,
}

impl Layers {
    /// The embedded defaults.
    pub(super) fn defaults() -> Self {
        let table: Table = DEFAULTS.parse().expect("a test reads the defaults");
        let config = read(&table, "the defaults").expect("a test reads the defaults");
        Self { table, config }
    }

    /// A whole file.
    pub(super) fn file(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let table = text.parse::<Table>().map_err(|error| ConfigError::Syntax {
            path: path.to_path_buf(),
            detail: error.to_string(),
        })?;
        self.add(&format!("file `{}`", path.display()), table)
    }

    /// One key, written with dots.
    pub(super) fn setting(
        &mut self,
        layer: String,
        key: &str,
        value: Value,
    ) -> Result<(), ConfigError> {
        let mut parts = key.rsplit('.');
        let mut table = Table::new();
        if let Some(last) = parts.next() {
            table.insert(last.to_owned(), value);
        }
        for part in parts {
            table = Table::from_iter([(part.to_owned(), Value::Table(table))]);
        }
        self.add(&layer, table)
    }

    /// Settings from the command line.
    pub(super) fn flags(&mut self, flags: Vec<Flag>) -> Result<(), ConfigError> {
        for Flag { name, key, value } in flags {
            self.setting(format!("flag `{name}`"), key, Value::String(value))?;
        }
        Ok(())
    }

    /// What all layers amount to.
    pub(super) fn finish(self) -> Config {
        self.config
    }

    fn add(&mut self, layer: &str, over: Table) -> Result<(), ConfigError> {
        merge(&mut self.table, over);
        self.config = read(&self.table, layer)?;
        Ok(())
    }
}

/// Tables are merged key by key; everything else, lists included, is replaced.
/// TOML's parser bounds the depth.
fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

fn read(table: &Table, layer: &str) -> Result<Config, ConfigError> {
    // Keeping the path costs the start of every server more than the reading, so it
    // is read once more where there is a mistake to be named.
    if let Ok(config) = Config::deserialize(table.clone()) {
        return Ok(config);
    }
    serde_path_to_error::deserialize(table.clone()).map_err(|error| ConfigError::Setting {
        key: error.path().to_string(),
        layer: layer.to_owned(),
        reason: error.inner().message().to_owned(),
    })
}
