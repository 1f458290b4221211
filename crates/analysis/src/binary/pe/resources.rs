//! The resource tree: types, names, languages, and the data at its leaves.
//! Called by [`parse`](super::parse). What is in the data is read elsewhere
//! (version, manifest) or not at all.

use object::{LittleEndian as LE, pe};

use super::details::Resource;
use super::headers::Headers;
use super::layout::{Layout, bytes, lossy_utf16};
use crate::Warnings;
use crate::binary::ParseOptions;
use crate::binary::density::Density;
use crate::binary::text::Text;

/// The levels are type, name, language; the loader looks no deeper.
const LEVELS: usize = 3;
/// The highest bit tells a name from a number and a directory from a leaf.
const HIGH: u32 = 0x8000_0000;
/// Names are words; one of more UTF-16 units is cut.
const LONGEST_NAME: u64 = 512;

/// A name or a number.
#[derive(Debug, Clone)]
enum Label {
    Name(String),
    Id(u32),
}

/// The leaves of the tree.
pub(super) fn read(
    layout: &Layout<'_>,
    headers: &Headers,
    options: &ParseOptions,
    budget: (&mut Density, &mut Text),
    warnings: &mut Warnings,
) -> Vec<Resource> {
    let Some(directory) = headers.directory(pe::IMAGE_DIRECTORY_ENTRY_RESOURCE) else {
        return Vec::new();
    };
    let (density, text) = budget;
    let mut walk = Walk {
        layout,
        root: directory.rva,
        most: options.most_items,
        visits: 0,
        density,
        text,
        leaves: Vec::new(),
        warnings,
    };
    walk.directory(0, &mut Vec::new(), &mut Vec::new());
    walk.leaves
}

struct Walk<'w, 'a> {
    layout: &'w Layout<'a>,
    root: u32,
    most: usize,
    /// Entries seen so far: directories may be named again and again.
    visits: usize,
    density: &'w mut Density,
    text: &'w mut Text,
    leaves: Vec<Resource>,
    warnings: &'w mut Warnings,
}

impl Walk<'_, '_> {
    /// Walks the directory at an offset into the tree; `path` holds the
    /// offsets and `labels` the names of those above it.
    fn directory(&mut self, offset: u32, path: &mut Vec<u32>, labels: &mut Vec<Label>) {
        if path.len() >= LEVELS || path.contains(&offset) {
            self.warnings.add(format!(
                "resource directory at RVA 0x{:x} is too deep or contains itself",
                self.root.wrapping_add(offset)
            ));
            return;
        }
        let Some(rva) = self.root.checked_add(offset) else {
            return;
        };
        let Some(header) = self.layout.record::<pe::ImageResourceDirectory>(rva) else {
            self.warnings.add(format!(
                "resource directory at RVA 0x{rva:x} lies outside of the file"
            ));
            return;
        };
        let named = usize::from(header.number_of_named_entries.get(LE));
        let count = named + usize::from(header.number_of_id_entries.get(LE));
        let table = rva.checked_add(16).map(|rva| self.layout.tail(rva));
        let table = table.unwrap_or_default();
        let room = table.len() / size_of::<pe::ImageResourceDirectoryEntry>();
        if count > room {
            self.warnings.add(format!(
                "resource directory at RVA 0x{rva:x} claims {count} entries, the file has room for {room}"
            ));
        }
        let entries = object::pod::slice_from_bytes(table, count.min(room));
        let entries: &[pe::ImageResourceDirectoryEntry] =
            entries.map_or(&[], |(entries, _)| entries);
        path.push(offset);
        for entry in entries {
            self.visits += 1;
            if self.visits > self.most {
                self.warnings.add(format!(
                    "resources at RVA 0x{:x} were cut after {} leaves",
                    self.root,
                    self.leaves.len()
                ));
                break;
            }
            labels.push(self.label(entry.name_or_id.get(LE)));
            let target = entry.offset_to_data_or_directory.get(LE);
            if target & HIGH != 0 {
                self.directory(target & !HIGH, path, labels);
            } else {
                self.leaf(target, labels);
            }
            labels.pop();
        }
        path.pop();
    }

    fn label(&self, value: u32) -> Label {
        if value & HIGH == 0 {
            return Label::Id(value);
        }
        let name = self.root.checked_add(value & !HIGH).map(|rva| {
            let units = u64::from(self.layout.u16(rva).unwrap_or(0));
            let text = self.layout.tail(rva).get(2..).unwrap_or_default();
            bytes(text, 0, units.min(LONGEST_NAME) * 2).unwrap_or_default()
        });
        Label::Name(lossy_utf16(name.unwrap_or_default()))
    }

    fn leaf(&mut self, offset: u32, labels: &[Label]) {
        let rva = self.root.wrapping_add(offset);
        let Some(entry) = self.layout.record::<pe::ImageResourceDataEntry>(rva) else {
            self.warnings.add(format!(
                "resource entry at RVA 0x{rva:x} lies outside of the file"
            ));
            return;
        };
        let rva = entry.offset_to_data.get(LE);
        let size = entry.size.get(LE);
        let content = content(self.layout, rva, size);
        let kind = labels.first().map(|label| self.kind(label));
        let kind = kind.unwrap_or_default();
        let entropy = self.density.of(content);
        let (name, id) = match labels.get(1) {
            Some(Label::Name(name)) => (Some(self.text.own(name.as_bytes())), None),
            Some(Label::Id(id)) => (None, Some(*id)),
            None => (None, None),
        };
        self.leaves.push(Resource {
            kind,
            name,
            id,
            language: match labels.get(2) {
                Some(Label::Id(language)) => *language,
                Some(Label::Name(_)) | None => 0,
            },
            rva,
            offset: self.layout.offset(rva),
            size,
            code_page: entry.code_page.get(LE),
            entropy,
        });
    }

    /// The name of a type.
    fn kind(&mut self, label: &Label) -> String {
        match label {
            Label::Name(name) => self.text.own(name.as_bytes()),
            Label::Id(id) => u16::try_from(*id)
                .ok()
                .and_then(|id| pe::NAMES_RT.name(id))
                .map_or_else(|| id.to_string(), ToOwned::to_owned),
        }
    }
}

/// The bytes of a resource that the file has.
pub(super) fn content<'a>(layout: &Layout<'a>, rva: u32, size: u32) -> &'a [u8] {
    bytes(layout.tail(rva), 0, size.into()).unwrap_or_default()
}
