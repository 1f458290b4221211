//! `run`: one tool call without a server, with the envelope of one.
//!
//! The file can be anywhere: whoever types the command may read it anyway. Its
//! directory is the workspace of the call, under which it is known by its name
//! alone; the analysis is confined as ever.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use reversecore_exec::Engine;
use reversecore_jobs::Client;
use reversecore_server::config::{Config, Loaded};
use reversecore_tools::bounded::Bounded;
use reversecore_tools::envelope::{Envelope, Metadata};
use reversecore_tools::error::{ErrorCode, ToolError};
use reversecore_tools::{Caller, Catalogue, Descriptor, Reply, Services};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::{USAGE, report};
use crate::cli::CommonOptions;
use crate::output::Paint;
use crate::parameters::{self, FILE_ARGUMENT, Invocation, ToolSyntax};
use crate::{assemble, logging, output, settings, signals};

/// The parameter that names a file of rules, which can be anywhere too.
const RULES_ARGUMENT: &str = "rule_file";
/// May be left out of a tool's name.
const PREFIX: &str = "run_";

pub(super) fn run(words: &[OsString]) -> anyhow::Result<ExitCode> {
    let Some((name, words)) = words.split_first() else {
        output::note("error: name a tool (`reversecore tools` lists them)");
        return Ok(ExitCode::from(USAGE));
    };
    // What can be typed depends on the tool, so this much is needed before the
    // rest of the command line is understood.
    let Loaded { config, notes: _ } = settings::for_command(&CommonOptions::default())?;
    super::runtime()?.block_on(async {
        let engine = assemble::engine(&config)?;
        let descriptors = assemble::descriptors(&config, &engine)?;
        let done = match interpret(&descriptors, name, words)? {
            Ok((tool, invocation)) => answer(engine.clone(), tool, invocation).await,
            Err(code) => Ok(code),
        };
        assemble::retire(engine).await;
        done
    })
}

/// What was asked for; or else the user has been told what is wrong, and the
/// process ends with this code.
fn interpret(
    descriptors: &[Descriptor],
    name: &OsStr,
    words: &[OsString],
) -> anyhow::Result<Result<(&'static str, Invocation), ExitCode>> {
    let name = name.to_string_lossy();
    let Some(tool) = find(descriptors, &name) else {
        let known: Vec<&str> = descriptors.iter().map(|known| known.name).collect();
        output::note(&format!(
            "error: unknown tool `{}` (known are {})",
            name.escape_debug(),
            known.join(", ")
        ));
        return Ok(Err(ExitCode::from(USAGE)));
    };
    let syntax = ToolSyntax {
        name: tool.name,
        description: tool.description,
        schema: &tool.input_schema,
    };
    match parameters::parse(syntax, words) {
        Ok(invocation) => Ok(Ok((tool.name, invocation))),
        Err(error) => {
            error.print().context("failed to print")?;
            let code = u8::try_from(error.exit_code()).unwrap_or(USAGE);
            Ok(Err(ExitCode::from(code)))
        }
    }
}

async fn answer(
    mut engine: Engine,
    tool: &'static str,
    invocation: Invocation,
) -> anyhow::Result<ExitCode> {
    let Loaded { mut config, notes } = settings::for_command(&invocation.settings)?;
    let _writes_the_last_lines = logging::start(config.log);
    for note in notes {
        tracing::info!(%note, "configuration");
    }
    if invocation.settings.config.is_some() {
        engine = assemble::engine(&config)?;
    }
    let json = invocation.json;
    // One that is needed is started; most calls need none or one.
    config.workers.min = Bounded::new(0);
    // Who reads it has a pager, and may want it anew.
    config.results.budget_tokens = Bounded::new(0);
    config.results.cache_memory_mib = Bounded::new(0);
    let reply = match place(&mut config, invocation) {
        Ok(arguments) => call(assemble::services(&config, engine)?, tool, arguments).await?,
        Err(error) => refused(tool, error)?,
    };
    show(&reply, json)?;
    Ok(if reply.is_error {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn find<'a>(descriptors: &'a [Descriptor], name: &str) -> Option<&'a Descriptor> {
    descriptors.iter().find(|descriptor| {
        descriptor.name == name || descriptor.name.strip_prefix(PREFIX) == Some(name)
    })
}

async fn call(
    services: Arc<Services>,
    tool: &str,
    arguments: Map<String, Value>,
) -> anyhow::Result<Reply> {
    let catalogue = Catalogue::new(services);
    let cancel = CancellationToken::new();
    let caller = Caller::new(Client::new("cli"));
    let answer = catalogue.call(tool, arguments, &caller, &cancel);
    tokio::pin!(answer);
    let reply = tokio::select! {
        reply = &mut answer => reply,
        failed = signals::on_each(|| cancel.cancel()) => {
            failed.context("failed to listen for signals")?;
            answer.await
        }
    };
    reply.context("the tool is listed and not there")
}

/// Makes the directories of the named files readable, and the files' names
/// relative to them.
fn place(config: &mut Config, invocation: Invocation) -> Result<Map<String, Value>, ToolError> {
    let Invocation {
        mut arguments,
        file,
        json: _,
        settings: _,
    } = invocation;
    let read_dirs = &mut config.workspace.read_dirs;
    if let Some(Value::String(rules)) = arguments.get_mut(RULES_ARGUMENT)
        && let Some(real) = std::fs::canonicalize(&*rules).ok()
        && let (Some(directory), Some(text)) = (real.parent(), real.to_str())
    {
        config.workspace.rule_dirs.push(directory.to_path_buf());
        *rules = text.to_owned();
    }
    if let Some(file) = file {
        let (directory, name) = split(&file)?;
        let workspace = config.workspace.path.replace(directory);
        read_dirs.extend(workspace);
        arguments.insert(FILE_ARGUMENT.to_owned(), Value::String(name));
    }
    Ok(arguments)
}

/// The file's directory and its name there. A link is followed, because the
/// user could as well have named what it leads to.
fn split(file: &Path) -> Result<(PathBuf, String), ToolError> {
    let real = std::fs::canonicalize(file).map_err(|error| {
        ToolError::new(
            ErrorCode::FileNotFound,
            format!("`{}` can't be read: {error}", file.display()),
            "check the path",
        )
    })?;
    let name = real.file_name().unwrap_or_else(|| OsStr::new("."));
    let name = name.to_str().ok_or_else(|| {
        ToolError::new(
            ErrorCode::ValidationError,
            "the file's name is not valid UTF-8",
            "rename the file, or make a hard link to it with another name",
        )
    })?;
    let directory = real.parent().unwrap_or(Path::new("/"));
    Ok((directory.to_path_buf(), name.to_owned()))
}

fn refused(tool: &str, error: ToolError) -> anyhow::Result<Reply> {
    let text = format!(
        "{}: {} ({})",
        error.code.as_str(),
        error.message,
        error.hint
    );
    let metadata = Metadata {
        tool: tool.to_owned(),
        ..Metadata::default()
    };
    Ok(Reply {
        is_error: true,
        json: serde_json::to_string(&Envelope::<()>::error(error, metadata))?,
        text,
    })
}

fn show(reply: &Reply, json: bool) -> std::io::Result<()> {
    if json {
        output::json(&serde_json::from_str(&reply.json)?)
    } else if reply.is_error {
        output::note(&reply.text);
        Ok(())
    } else {
        output::text(&report::coloured(&reply.text, Paint::for_stdout()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use reversecore_server::config::{Sources, load};
    use reversecore_tools::Annotations;
    use serde_json::json;

    use super::*;

    fn invocation(file: PathBuf, arguments: Value) -> Invocation {
        Invocation {
            arguments: arguments.as_object().unwrap().clone(),
            file: Some(file),
            json: false,
            settings: CommonOptions::default(),
        }
    }

    fn config() -> Config {
        load(Sources::default()).unwrap().config
    }

    #[test]
    fn the_file_is_known_by_its_name_in_its_own_directory() {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("in")).unwrap();
        std::fs::write(real.join("in/a.bin"), "").unwrap();
        std::fs::write(real.join("r.yar"), "").unwrap();
        std::os::unix::fs::symlink("in/a.bin", real.join("link")).unwrap();
        for given in ["in/a.bin", "link", "in/../in/a.bin"] {
            let mut config = config();
            config.workspace.path = Some(PathBuf::from("/configured"));
            let rules = real.join("r.yar").to_str().unwrap().to_owned();
            let given = invocation(real.join(given), json!({"rule_file": rules}));
            let arguments = place(&mut config, given).unwrap();
            assert_eq!(
                Value::Object(arguments),
                json!({"file_path": "a.bin", "rule_file": rules})
            );
            assert_eq!(config.workspace.path, Some(real.join("in")));
            assert_eq!(config.workspace.read_dirs, [PathBuf::from("/configured")]);
            assert_eq!(config.workspace.rule_dirs, std::slice::from_ref(&real));
        }
    }

    #[test]
    fn a_missing_file_is_an_error_of_the_tool() {
        let given = invocation(PathBuf::from("/nowhere/a.bin"), json!({}));
        let error = place(&mut config(), given).unwrap_err();
        assert_eq!(error.code, ErrorCode::FileNotFound);
        assert!(error.message.contains("`/nowhere/a.bin`"), "{error}");
    }

    #[test]
    fn a_name_that_is_no_text_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let name = OsString::from_vec(b"a\xff".to_vec());
        let file = directory.path().join(name);
        std::fs::write(&file, "").unwrap();
        let error = place(&mut config(), invocation(file, json!({}))).unwrap_err();
        assert_eq!(error.code, ErrorCode::ValidationError);
    }

    #[test]
    fn tools_are_found_by_their_short_names_too() {
        let descriptors = ["run_strings", "list_workspace"].map(|name| Descriptor {
            name,
            title: "",
            description: "",
            input_schema: Arc::default(),
            output_schema: Arc::default(),
            annotations: Annotations {
                read_only: true,
                destructive: false,
                idempotent: true,
                open_world: false,
            },
        });
        for name in ["run_strings", "strings"] {
            assert_eq!(find(&descriptors, name).unwrap().name, "run_strings");
        }
        assert!(find(&descriptors, "run_").is_none());
        assert!(find(&descriptors, "workspace").is_none());
    }
}
