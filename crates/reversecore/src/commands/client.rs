//! `mcp-config`: the few lines that make a client start this server. Written for
//! where it is run: this executable, and the workspace that was named.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::cli::{Client, ClientOptions};
use crate::output;

pub(super) fn run(options: &ClientOptions) -> anyhow::Result<ExitCode> {
    let ClientOptions {
        client,
        workspace,
        url,
    } = options;
    let program = std::env::current_exe().context("failed to find this executable")?;
    let workspace = std::path::absolute(workspace).context("failed to make the path absolute")?;
    output::text(&text(*client, &program, &workspace, url.as_deref()))?;
    Ok(ExitCode::SUCCESS)
}

fn text(client: Client, program: &Path, workspace: &Path, url: Option<&str>) -> String {
    let program = program.to_string_lossy();
    let workspace = workspace.to_string_lossy();
    let local = json!({"command": program, "args": ["serve", "--workspace", workspace]});
    let shown = |value: &Value| format!("{value:#}\n");
    match (client, url) {
        (Client::ClaudeCode, None) => format!(
            "claude mcp add reversecore -- {} serve --workspace {}\n",
            quoted(&program),
            quoted(&workspace)
        ),
        (Client::ClaudeCode, Some(url)) => {
            format!(
                "claude mcp add --transport http reversecore {}\n",
                quoted(url)
            )
        }
        (Client::ClaudeDesktop | Client::Cursor, None) => {
            shown(&json!({"mcpServers": {"reversecore": local}}))
        }
        (Client::ClaudeDesktop | Client::Cursor, Some(url)) => {
            shown(&json!({"mcpServers": {"reversecore": {"url": url}}}))
        }
        (Client::Vscode, None) => shown(&json!({"servers": {"reversecore": {
            "type": "stdio", "command": program, "args": ["serve", "--workspace", workspace],
        }}})),
        (Client::Vscode, Some(url)) => {
            shown(&json!({"servers": {"reversecore": {"type": "http", "url": url}}}))
        }
        (Client::Codex, None) => format!(
            "[mcp_servers.reversecore]\ncommand = {}\nargs = [\"serve\", \"--workspace\", {}]\n",
            json!(program),
            json!(workspace)
        ),
        (Client::Codex, Some(url)) => {
            format!("[mcp_servers.reversecore]\nurl = {}\n", json!(url))
        }
    }
}

/// As a word of a shell.
fn quoted(word: &str) -> String {
    let plain = |character: char| {
        character.is_ascii_alphanumeric() || matches!(character, '/' | '.' | '-' | '_' | ':')
    };
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_gets_what_it_reads() {
        let (program, workspace) = (Path::new("/opt/r"), Path::new("/a b/it's"));
        let of = |client, url| text(client, program, workspace, url);
        assert_eq!(
            of(Client::ClaudeCode, None),
            "claude mcp add reversecore -- /opt/r serve --workspace '/a b/it'\\''s'\n"
        );
        for url in [None, Some("http://h/mcp")] {
            for (client, key) in [
                (Client::ClaudeDesktop, "mcpServers"),
                (Client::Cursor, "mcpServers"),
                (Client::Vscode, "servers"),
            ] {
                let value: Value = serde_json::from_str(&of(client, url)).unwrap();
                let server = &value[key]["reversecore"];
                match url {
                    Some(url) => assert_eq!(server["url"], url),
                    None => assert_eq!(server["args"][2], "/a b/it's"),
                }
            }
        }
        assert!(of(Client::Codex, None).contains("command = \"/opt/r\"\n"));
    }
}
