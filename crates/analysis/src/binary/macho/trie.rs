//! The export trie of a Mach-O image: names as paths through a tree of
//! prefixes (`mach-o/loader.h`, at `LC_DYLD_INFO`).
//!
//! `object` can walk it too, but follows shared branches again and again, which
//! takes a hostile trie of some hundred bytes for ever. This visits each node
//! once: in a real trie each has one parent.

use std::collections::HashSet;

use crate::Warnings;

/// An exported symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exported<'d> {
    pub(super) name: Vec<u8>,
    /// Its offset from the image's base, or its value when it is absolute.
    pub(super) address: u64,
    pub(super) absolute: bool,
    /// The library's ordinal and the name there, when it is exported again.
    pub(super) reexport: Option<(u64, &'d [u8])>,
}

const KIND_MASK: u64 = 3;
const KIND_ABSOLUTE: u64 = 2;
const REEXPORT: u64 = 8;
/// A longer name is left out, with all that begin with it.
const LONGEST: usize = 16 << 10;
/// What all names together may hold, and the trie itself, in bytes.
const MOST_BYTES: usize = 64 << 20;

/// Walks the trie, depth first, children in file order.
pub(super) fn walk<'d>(trie: &'d [u8], most: usize, warnings: &mut Warnings) -> Vec<Exported<'d>> {
    let trie = trie.get(..MOST_BYTES).unwrap_or(trie);
    let mut exports = Vec::new();
    if trie.is_empty() {
        return exports;
    }
    let mut seen = HashSet::from([0]);
    let mut stack = vec![(0, Vec::new())];
    let mut bytes = 0_usize;
    // Said once each: there can be one for every two bytes.
    let mut bad_node = None;
    let mut bad_branch = None;
    // Nodes may overlap, but those of a real trie don't.
    let mut budget = trie.len().saturating_mul(2);
    while let Some((offset, name)) = stack.pop() {
        if exports.len() >= most || bytes > MOST_BYTES {
            warnings.add(format!("exports end after {}", exports.len()));
            break;
        }
        let Some(node) = Node::read(trie, offset) else {
            bad_node.get_or_insert(offset);
            continue;
        };
        budget = budget.saturating_sub(node.size);
        if budget == 0 {
            warnings.add("nodes of the export trie overlap, it was not read to its end".to_owned());
            break;
        }
        let mut children = Vec::new();
        for (edge, child) in node.children {
            let length = name.len().saturating_add(edge.len());
            if length > LONGEST || !seen.insert(child) {
                bad_branch.get_or_insert(child);
                continue;
            }
            // What a node itself takes counts too, names may be empty.
            bytes = bytes.saturating_add(length).saturating_add(32);
            let mut whole = Vec::with_capacity(length);
            whole.extend_from_slice(&name);
            whole.extend_from_slice(edge);
            children.push((child, whole));
        }
        stack.extend(children.into_iter().rev());
        if let Some(terminal) = node.terminal {
            exports.extend(export(name, terminal));
        }
    }
    if let Some(offset) = bad_node {
        warnings.add(format!("export trie has a bad node at 0x{offset:x}"));
    }
    if let Some(offset) = bad_branch {
        warnings.add(format!("export trie has a bad branch to 0x{offset:x}"));
    }
    exports
}

struct Node<'d> {
    /// Its own size in bytes.
    size: usize,
    terminal: Option<&'d [u8]>,
    children: Vec<(&'d [u8], usize)>,
}

impl<'d> Node<'d> {
    fn read(trie: &'d [u8], offset: usize) -> Option<Self> {
        let whole = trie.get(offset..)?;
        let mut rest = whole;
        let size = usize::try_from(leb128(&mut rest)?).ok()?;
        let terminal = rest.get(..size)?;
        rest = rest.get(size..)?;
        let (&count, mut rest) = rest.split_first()?;
        let mut children = Vec::new();
        for _ in 0..count {
            let edge = crate::binary::text::until_nul(rest);
            rest = rest.get(edge.len().checked_add(1)?..)?;
            let child = usize::try_from(leb128(&mut rest)?).ok()?;
            children.push((edge, child));
        }
        Some(Self {
            size: whole.len().saturating_sub(rest.len()),
            terminal: (size > 0).then_some(terminal),
            children,
        })
    }
}

fn export(name: Vec<u8>, mut terminal: &[u8]) -> Option<Exported<'_>> {
    let flags = leb128(&mut terminal)?;
    let first = leb128(&mut terminal)?;
    let again = flags & REEXPORT != 0;
    Some(Exported {
        name,
        address: if again { 0 } else { first },
        absolute: flags & KIND_MASK == KIND_ABSOLUTE,
        reexport: again.then(|| (first, crate::binary::text::until_nul(terminal))),
    })
}

/// An unsigned LEB128 number of up to 64 bits.
pub(super) fn leb128(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_paths() {
        // "_" leads to a node with "a" (0x10) and "b" (exported again).
        let trie = b"\0\x01_\0\x05\0\x02a\0\x0db\0\x11\x02\0\x10\0\x05\x08\x01_z\0\0";
        let mut warnings = Warnings::default();
        let exports = walk(trie, 10, &mut warnings);
        assert!(warnings.is_empty(), "{warnings:?}");
        let names: Vec<&[u8]> = exports.iter().map(|export| &export.name[..]).collect();
        assert_eq!(names, [b"_a", b"_b"]);
        assert_eq!(exports[0].address, 0x10);
        assert_eq!(exports[1].reexport, Some((1, &b"_z"[..])));
    }

    #[test]
    fn a_cycle_ends() {
        let trie = b"\0\x02a\0\0b\0\0";
        let mut warnings = Warnings::default();
        assert!(walk(trie, 10, &mut warnings).is_empty());
        assert!(!warnings.is_empty());
    }
}
