//! What kind of file this is, with what it was made, and what else it is: the
//! first look of an analyst.
//!
//! [`identify`] asks recognisers in order of how sure their formats are:
//! executables, containers that need a look inside (ZIP, OLE), a table of
//! signatures by family, text, and the crate `file-format` for the long tail
//! of media formats. It reads the first megabyte and the last 64 KiB at most,
//! whatever the size of the file, and unpacks nothing: what is inside an
//! archive beyond its directory is the business of other engines.

mod bytes;
mod executable;
mod fallback;
mod found;
mod hints;
mod identity;
mod ole;
mod packing;
mod script;
mod signatures;
mod text;
mod zip;

#[cfg(test)]
mod tests;

use crate::binary::BinaryReport;
use found::{Found, OCTETS};

pub use identity::*;

/// Says what kind of file this is.
///
/// `binary` is the report of the same file by [`crate::binary::parse`]; with
/// it, executables have their linkage, their makers and a judgement on
/// packing. Without it they are known by their header alone.
pub fn identify(data: &[u8], binary: Option<&BinaryReport>) -> Identity {
    let found = recognise(data, binary);
    let hints = hints::collect(data, &found, binary);
    let packing = packing::judge(data, &found, binary, &hints);
    Identity {
        kind: found.kind.to_owned(),
        category: found.category,
        description: found.description,
        mime: found.mime,
        charset: found.charset.map(str::to_owned),
        executable: found.executable,
        hints,
        packing,
    }
}

fn recognise(data: &[u8], binary: Option<&BinaryReport>) -> Found {
    if data.is_empty() {
        return Found::new("empty", Category::Data, "inode/x-empty", "empty");
    }
    executable::recognise(data, binary)
        .or_else(|| zip::recognise(data))
        .or_else(|| ole::recognise(data))
        .or_else(|| signatures::recognise(data))
        .or_else(|| text::recognise(data))
        .or_else(|| text::shebang(data))
        .or_else(|| fallback::recognise(data))
        .unwrap_or_else(|| Found::new("data", Category::Data, OCTETS, "data"))
}
