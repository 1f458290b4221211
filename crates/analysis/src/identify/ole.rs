//! OLE compound files (Microsoft [MS-CFB]) by the names in their directory:
//! Word, Excel, PowerPoint, installer packages, messages. Reads the sectors of
//! the directory through the file's own chain, at most a few; streams are not
//! opened.

use std::collections::BTreeSet;

use super::bytes::{at, index, is, le16, le32};
use super::found::Found;
use super::identity::Category;

const MAGIC: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
/// Directory sectors that are looked at.
const MOST_SECTORS: usize = 256;
const END: u32 = 0xffff_fffa;

/// The names of storages and streams, and the class of the root.
pub(super) struct Directory {
    pub(super) names: BTreeSet<String>,
    class: Option<[u8; 16]>,
}

pub(super) fn recognise(data: &[u8]) -> Option<Found> {
    if !is(data, 0, MAGIC) {
        return None;
    }
    let directory = directory(data);
    let has = |name: &str| directory.names.contains(name);
    let office = |kind, mime: &str, text: &str| {
        let text = format!("Composite Document File V2 Document, {text}");
        Some(Found::new(kind, Category::Document, mime, text))
    };
    if has("WordDocument") {
        return office("doc", "application/msword", "Microsoft Word");
    }
    if has("Workbook") || has("Book") {
        return office("xls", "application/vnd.ms-excel", "Microsoft Excel");
    }
    if has("PowerPoint Document") {
        return office(
            "ppt",
            "application/vnd.ms-powerpoint",
            "Microsoft PowerPoint",
        );
    }
    if has("VisioDocument") {
        return office("vsd", "application/vnd.visio", "Microsoft Visio");
    }
    if has("EncryptedPackage") {
        return office(
            "ooxml-encrypted",
            "application/encrypted",
            "encrypted OOXML",
        );
    }
    if directory
        .names
        .iter()
        .any(|name| name.starts_with("__substg1.0_"))
        || has("__properties_version1.0")
    {
        return office(
            "msg",
            "application/vnd.ms-outlook",
            "Microsoft Outlook Message",
        );
    }
    // {000C1084-0000-0000-C000-000000000046} and its neighbours: Windows
    // Installer packages, transforms (1082) and patches (1086).
    let installer = match directory.class {
        Some([0x84 | 0x82 | 0x86, 0x10, 0x0c, 0, 0, 0, 0, 0, 0xc0, ..]) => true,
        // Table names are stored in a private range of characters.
        _ => has("\u{4840}\u{3f3f}\u{4577}\u{446c}\u{3e6a}\u{44b2}\u{482f}"),
    };
    if installer {
        let text = "Composite Document File V2 Document, MSI Installer";
        return Some(Found::new(
            "msi",
            Category::Archive,
            "application/x-msi",
            text,
        ));
    }
    if has("VBA") && has("PROJECT") {
        return office("ole-vba", "application/x-ole-storage", "VBA project");
    }
    office(
        "ole",
        "application/x-ole-storage",
        "no application that is known here",
    )
}

/// Reads the directory.
pub(super) fn directory(data: &[u8]) -> Directory {
    let mut directory = Directory {
        names: BTreeSet::new(),
        class: None,
    };
    let (Some(shift @ 7..=16), Some(mut sector)) = (le16(data, 30), le32(data, 48)) else {
        return directory;
    };
    let size = 1_usize << shift;
    let place = |sector: u32| index(sector).saturating_add(1).saturating_mul(size);
    for number in 0..MOST_SECTORS {
        if sector >= END {
            break;
        }
        let start = place(sector);
        for entry in 0..size / 128 {
            let Some(entry) = at(data, start.saturating_add(entry * 128), 128) else {
                break;
            };
            let length = usize::from(le16(entry, 64).unwrap_or(0)).min(64);
            if entry.get(66) == Some(&0) || length < 2 {
                continue;
            }
            if entry.get(66) == Some(&5) && number == 0 {
                directory.class = at(entry, 80, 16).and_then(|class| class.try_into().ok());
            }
            let units: Vec<u16> = (0..length / 2 - 1)
                .filter_map(|unit| le16(entry, unit * 2))
                .collect();
            directory.names.insert(String::from_utf16_lossy(&units));
        }
        // The allocation table's first 109 sectors are listed in the header;
        // a directory whose chain leaves them is read as far as that.
        let per_sector = size / 4;
        let slot = index(sector) / per_sector;
        if slot >= 109 {
            break;
        }
        let Some(table) = le32(data, 76 + slot * 4).filter(|sector| *sector < END) else {
            break;
        };
        let link = place(table).saturating_add(index(sector) % per_sector * 4);
        match le32(data, link) {
            Some(next) => sector = next,
            None => break,
        }
    }
    directory
}
