//! The version resource (`VS_VERSIONINFO`) and the application manifest: what a
//! file says of itself, to people and to the loader. Called by
//! [`parse`](super::parse) with the leaves of the resource tree.
//!
//! The manifest is searched as text, not parsed as XML: two attributes are
//! wanted of it, and the loader's own parser is lenient too.

use super::details::{Manifest, Resource, Version, VersionString};
use super::layout::{Layout, lossy, lossy_utf16, u16_at, u32_at};
use super::resources::content;
use crate::Warnings;
use crate::binary::text::Text;
use crate::binary::{ParseOptions, Range};

/// `VS_FIXEDFILEINFO` begins with it.
const SIGNATURE: u32 = 0xfeef_04bd;
/// A larger manifest is read up to here only.
const LONGEST_MANIFEST: usize = 1 << 20;

/// A node of the tree that a version resource is: a length, a key, a value and
/// children, each at a multiple of 4.
struct Node<'a> {
    key: String,
    /// Length of the value, in the unit of the node's type.
    value_length: usize,
    /// Everything behind the key.
    rest: &'a [u8],
}

/// The version of the first version resource that has one.
pub(super) fn version(
    layout: &Layout<'_>,
    resources: &[Resource],
    options: &ParseOptions,
    budget: &mut Text,
    warnings: &mut Warnings,
) -> Option<Version> {
    let resource = resources.iter().find(|leaf| leaf.kind == "RT_VERSION")?;
    let data = content(layout, resource.rva, resource.size);
    let Some((root, _)) = node(data) else {
        warnings.add(format!(
            "version resource at RVA 0x{:x} cannot be read",
            resource.rva
        ));
        return None;
    };
    let mut version = Version::default();
    let fixed = root.rest.get(..root.value_length).unwrap_or_default();
    if u32_at(fixed, 0) == Some(SIGNATURE) {
        let number = |offset| {
            let (high, low) = (u32_at(fixed, offset)?, u32_at(fixed, offset + 4)?);
            let (major, minor) = (high >> 16, high & 0xffff);
            Some(format!("{major}.{minor}.{}.{}", low >> 16, low & 0xffff))
        };
        version.file_version = number(8);
        version.product_version = number(16);
        let mask = u32_at(fixed, 24).unwrap_or(0);
        version.flags = u32_at(fixed, 28).unwrap_or(0) & mask;
        version.file_type = u32_at(fixed, 36).unwrap_or(0);
    }
    for info in children(root.rest, root.value_length) {
        if info.key != "StringFileInfo" {
            continue;
        }
        for table in children(info.rest, 0) {
            for string in children(table.rest, 0) {
                if version.strings.len() >= options.most_items {
                    warnings.add(format!(
                        "version resource at RVA 0x{:x} was cut after {} strings",
                        resource.rva,
                        version.strings.len()
                    ));
                    return Some(version);
                }
                version.strings.push(VersionString {
                    table: budget.own(table.key.as_bytes()),
                    value: text(string.rest),
                    key: string.key,
                });
            }
        }
    }
    Some(version)
}

/// Reads the node at the beginning; with it the number of bytes up to the next.
fn node(data: &[u8]) -> Option<(Node<'_>, usize)> {
    let length = usize::from(u16_at(data, 0)?);
    let value_length = usize::from(u16_at(data, 2)?);
    if length < 6 {
        return None;
    }
    let own = data.get(..length).unwrap_or(data);
    let key = own.get(6..)?;
    let units = key.chunks_exact(2).position(|unit| *unit == [0, 0])?;
    let value = aligned(6 + (units + 1) * 2);
    Some((
        Node {
            key: lossy_utf16(key.get(..units * 2)?),
            value_length,
            rest: own.get(value..).unwrap_or_default(),
        },
        aligned(length),
    ))
}

/// The nodes behind a value. Each is at least 6 bytes long, so that there is an
/// end.
fn children(rest: &[u8], value_length: usize) -> impl Iterator<Item = Node<'_>> {
    let mut rest = rest.get(aligned(value_length)..).unwrap_or_default();
    std::iter::from_fn(move || {
        // Some compilers leave words of zeros between nodes.
        while u16_at(rest, 0) == Some(0) {
            rest = rest.get(2..)?;
        }
        let (found, next) = node(rest)?;
        rest = rest.get(next..).unwrap_or_default();
        Some(found)
    })
}

/// A node's value as text. Its length is not looked at: compilers disagree
/// whether it counts bytes or UTF-16 units.
fn text(value: &[u8]) -> String {
    let units = value.chunks_exact(2);
    let end = units.clone().position(|unit| *unit == [0, 0]);
    let end = end.unwrap_or(units.len());
    lossy_utf16(value.get(..end * 2).unwrap_or_default())
}

/// The next multiple of 4.
fn aligned(offset: usize) -> usize {
    offset.saturating_add(3) & !3
}

/// The manifest of the first manifest resource.
pub(super) fn manifest(layout: &Layout<'_>, resources: &[Resource]) -> Option<Manifest> {
    let resource = resources.iter().find(|leaf| leaf.kind == "RT_MANIFEST")?;
    let data = content(layout, resource.rva, resource.size);
    let data = data.get(..LONGEST_MANIFEST).unwrap_or(data);
    let text = match data.strip_prefix(b"\xff\xfe") {
        Some(utf16) => lossy_utf16(utf16),
        None => lossy(data),
    };
    let element = text
        .split_once("requestedExecutionLevel")
        .and_then(|(_, behind)| behind.split_once('>'))
        .map_or("", |(element, _)| element);
    Some(Manifest {
        range: resource.offset.map(|offset| Range {
            offset,
            size: resource.size.into(),
        }),
        execution_level: attribute(element, "level").map(ToOwned::to_owned),
        ui_access: attribute(element, "uiAccess") == Some("true"),
    })
}

/// The value of an attribute of an XML element.
fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let (_, behind) = element.split_once(name)?;
    let behind = behind.trim_start().strip_prefix('=')?.trim_start();
    let quote = behind
        .chars()
        .next()
        .filter(|quote| "\"'".contains(*quote))?;
    behind.strip_prefix(quote)?.split(quote).next()
}
