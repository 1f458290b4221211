//! The same questions answered by radare2: what `engine`=external means for
//! `list_functions`, `find_xrefs` and `decompile`. It is there to compare with. The
//! program is analysed once, by a session that `run_radare2` shares.

use std::time::Duration;

use reversecore_code::{Kind, ReferenceKind};
use serde::Deserialize;

use crate::arguments::invalid;
use crate::error::{ErrorCode, ToolError};
use crate::tool::Call;
use crate::tools::radare2::{Share, ask_analysed};

/// Bytes of its answer that are read; 100,000 functions have about 60 MB.
const LARGEST_OUTPUT: usize = 64 << 20;
/// The longest name that is handed to it.
const LONGEST_NAME: usize = 512;

/// A function, in its words.
#[derive(Debug, Deserialize)]
pub(super) struct Function {
    #[serde(alias = "offset")]
    pub(super) addr: u64,
    pub(super) name: String,
    #[serde(default)]
    pub(super) realsz: u64,
    #[serde(default)]
    pub(super) cc: u32,
    #[serde(default)]
    pub(super) nbbs: usize,
    #[serde(default)]
    pub(super) ninstrs: u32,
    #[serde(default)]
    pub(super) indegree: usize,
    #[serde(default)]
    pub(super) outdegree: usize,
    #[serde(default)]
    pub(super) noreturn: bool,
}

/// A reference, in its words.
#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    pub(super) from: u64,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    perm: String,
    #[serde(default)]
    pub(super) opcode: Option<String>,
    #[serde(default)]
    pub(super) fcn_name: Option<String>,
}

impl Function {
    pub(super) fn kind(&self) -> Kind {
        if self.name.starts_with("sym.imp.") {
            Kind::ImportThunk
        } else if self.name == "entry0" {
            Kind::Entry
        } else {
            Kind::Function
        }
    }

    /// Its name without what radare2 puts before it.
    pub(super) fn plain_name(&self) -> &str {
        plain(&self.name)
    }
}

impl Reference {
    pub(super) fn kind(&self) -> ReferenceKind {
        match self.kind.as_str() {
            "CALL" => ReferenceKind::Call,
            "ICALL" => ReferenceKind::IndirectCall,
            "CODE" | "JUMP" => ReferenceKind::Jump,
            "DATA" if self.perm.contains('w') => ReferenceKind::Write,
            "DATA" if self.perm.contains('r') => ReferenceKind::Read,
            _ => ReferenceKind::Address,
        }
    }
}

/// A name of radare2's without its flags' prefixes.
pub(super) fn plain(name: &str) -> &str {
    ["sym.imp.", "sym.", "dbg."]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name)
}

/// All functions.
pub(super) async fn functions(
    call: &Call<'_>,
    file_path: &str,
    timeout: Duration,
) -> Result<Vec<Function>, ToolError> {
    read(call, file_path, timeout, "aflj").await
}

/// What refers to an address, or to a function or import of this name.
pub(super) async fn references(
    call: &Call<'_>,
    file_path: &str,
    timeout: Duration,
    to: &str,
) -> Result<Vec<Reference>, ToolError> {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    if to.is_empty() || to.len() > LONGEST_NAME || !to.bytes().all(safe) {
        return Err(invalid(
            "to",
            "is no address and no plain name, which is what radare2 takes",
            "Leave out `engine`: the embedded engine finds texts too.",
        ));
    }
    let named = format!("axtj {to};axtj sym.imp.{to};axtj sym.{to}");
    let command = if to.starts_with(|first: char| first.is_ascii_digit()) {
        format!("axtj {to}")
    } else {
        named
    };
    let lists: Vec<Vec<Reference>> =
        lines(&output(call, file_path, timeout, command, Share::All).await?);
    Ok(lists.into_iter().flatten().collect())
}

/// The function at an address as its pseudo-C.
pub(super) async fn decompiled(
    call: &Call<'_>,
    file_path: &str,
    timeout: Duration,
    address: u64,
) -> Result<String, ToolError> {
    // What it does not take for a function itself becomes one: not for others.
    let commands = format!("s {address:#x};af;pdc");
    let text = output(call, file_path, timeout, commands, Share::Own).await?;
    if text.trim().is_empty() {
        return Err(ToolError::new(
            ErrorCode::ToolFailed,
            format!("radare2 has no function at {address:#x}"),
            "Leave out `engine`: the embedded engine may have it.",
        ));
    }
    Ok(text)
}

async fn read<T: for<'de> Deserialize<'de>>(
    call: &Call<'_>,
    file_path: &str,
    timeout: Duration,
    command: &str,
) -> Result<Vec<T>, ToolError> {
    let text = output(call, file_path, timeout, command.to_owned(), Share::All).await?;
    let found = lines(&text);
    if found.is_empty() && !text.trim().is_empty() {
        return Err(ToolError::new(
            ErrorCode::ParseError,
            "the answer of radare2 was not understood",
            "Leave out `engine`: the embedded engine answers.",
        ));
    }
    Ok(found.into_iter().flatten().collect())
}

/// The lists in its output, one a line; what is none is left out.
fn lines<T: for<'de> Deserialize<'de>>(text: &str) -> Vec<Vec<T>> {
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

async fn output(
    call: &Call<'_>,
    file_path: &str,
    timeout: Duration,
    commands: String,
    share: Share,
) -> Result<String, ToolError> {
    let printed = ask_analysed(call, file_path, timeout, commands, share, LARGEST_OUTPUT).await?;
    if printed.truncated() {
        return Err(ToolError::new(
            ErrorCode::OutputLimit,
            "radare2 said more than a result may have",
            "Leave out `engine`: the embedded engine answers.",
        ));
    }
    Ok(printed.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_words_are_understood() {
        let functions: Vec<Vec<Function>> = lines(
            "[{\"addr\":16448,\"name\":\"sym.imp.getenv\",\"realsz\":6,\"cc\":1,\"nbbs\":1,\"indegree\":10}]\nnoise\n",
        );
        let function = &functions[0][0];
        assert_eq!(
            (function.kind(), function.plain_name()),
            (Kind::ImportThunk, "getenv")
        );
        let references: Vec<Vec<Reference>> = lines(
            "[]\n[{\"from\":1,\"type\":\"CALL\",\"perm\":\"--x\"},{\"from\":2,\"type\":\"DATA\",\"perm\":\"-w-\"}]",
        );
        let kinds: Vec<_> = references.iter().flatten().map(Reference::kind).collect();
        assert_eq!(kinds, [ReferenceKind::Call, ReferenceKind::Write]);
    }
}
