//! `tools`: what the catalogue holds, from the same descriptions that MCP
//! clients get.

use std::fmt::Write as _;
use std::process::ExitCode;

use reversecore_server::config::Loaded;
use reversecore_tools::{Annotations, Descriptor};
use serde_json::{Value, json};

use crate::cli::CommonOptions;
use crate::{assemble, output, parameters, settings};

pub(super) fn run(as_json: bool) -> anyhow::Result<ExitCode> {
    let Loaded { config, notes: _ } = settings::for_command(&CommonOptions::default())?;
    let descriptors = super::runtime()?.block_on(async {
        let engine = assemble::engine(&config)?;
        let descriptors = assemble::descriptors(&config, &engine);
        assemble::retire(engine).await;
        descriptors
    })?;
    if as_json {
        output::json(&Value::Array(descriptors.iter().map(describe).collect()))?;
    } else {
        output::text(&list(&descriptors)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(descriptor: &Descriptor) -> Value {
    let Annotations {
        read_only,
        destructive,
        idempotent,
        open_world,
    } = descriptor.annotations;
    json!({
        "name": descriptor.name,
        "title": descriptor.title,
        "description": descriptor.description,
        "inputSchema": *descriptor.input_schema,
        "outputSchema": *descriptor.output_schema,
        "annotations": {
            "readOnlyHint": read_only, "destructiveHint": destructive,
            "idempotentHint": idempotent, "openWorldHint": open_world,
        },
    })
}

fn list(descriptors: &[Descriptor]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for descriptor in descriptors {
        let file = if parameters::takes_file(&descriptor.input_schema) {
            " FILE"
        } else {
            ""
        };
        writeln!(
            text,
            "{}{file}\n    {}",
            descriptor.name, descriptor.description
        )?;
    }
    text.push_str("\n`reversecore run TOOL --help` shows the parameters of one tool.\n");
    Ok(text)
}
