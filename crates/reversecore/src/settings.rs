//! Collects the layers of the configuration from the process: the environment
//! is read here and nowhere else.

use std::path::PathBuf;

use reversecore_server::config::{Config, ConfigError, Flag, Loaded, Sources, load};

use crate::cli::{CommonOptions, ServeOptions};

/// The configuration for `serve`.
pub(crate) fn for_serve(options: &ServeOptions) -> Result<Loaded, ConfigError> {
    let ServeOptions {
        http,
        read_dirs,
        settings,
    } = options;
    let mut flags = Vec::new();
    if let Some(address) = http {
        flags.push(flag("--http", "server.transport", "http"));
        flags.push(flag("--http", "server.http", address));
    }
    let mut loaded = load_with(settings, Vec::new(), flags)?;
    add_read_dirs(&mut loaded.config, read_dirs);
    Ok(loaded)
}

/// The configuration for commands that answer one question: their logs would
/// be in the way.
pub(crate) fn for_command(options: &CommonOptions) -> Result<Loaded, ConfigError> {
    let quiet = vec![flag("--log-level", "log.level", "warn")];
    load_with(options, quiet, Vec::new())
}

/// Directories of the command line come on top of the configured ones.
fn add_read_dirs(config: &mut Config, directories: &[PathBuf]) {
    config.workspace.read_dirs.extend_from_slice(directories);
}

fn load_with(
    options: &CommonOptions,
    command: Vec<Flag>,
    mut flags: Vec<Flag>,
) -> Result<Loaded, ConfigError> {
    let CommonOptions {
        workspace,
        config,
        log_level,
    } = options;
    if let Some(level) = log_level {
        flags.push(flag("--log-level", "log.level", level));
    }
    let mut loaded = load(Sources {
        command,
        file: config.clone(),
        environment: std::env::vars_os().collect(),
        flags,
    })?;
    // Not through the text layers: a directory's name need not be UTF-8.
    if workspace.is_some() {
        loaded.config.workspace.path.clone_from(workspace);
    }
    Ok(loaded)
}

fn flag(name: &'static str, key: &'static str, value: &str) -> Flag {
    Flag {
        name,
        key,
        value: value.to_owned(),
    }
}
