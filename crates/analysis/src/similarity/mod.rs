//! How alike two files of any kind are: by the similarity hashes of the whole, byte
//! by byte from both ends, and by what two programs have in common. Called by the
//! workers of `compare_files`. What changed within functions is `diff_binaries`'
//! business.

mod ssdeep;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use tlsh::{FuzzyHashType as _, Tlsh};

use crate::binary::{BinaryReport, Details, Image, Section};
use crate::hashes::HashReport;
use crate::{Warnings, Watch};

/// Smaller sections are alike by chance.
const SMALLEST_SECTION: usize = 16;
/// Equal sections that are named.
const MOST_SECTIONS: usize = 100;
/// Between two questions to the watch.
const PIECE: usize = 1 << 20;

/// One of the files.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// All its bytes.
    pub bytes: &'a [u8],
    /// Its ssdeep and TLSH hashes, where it has them.
    pub hashes: &'a HashReport,
    /// What it is, if it is a program.
    pub binary: &'a BinaryReport,
}

/// How alike they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Similarity {
    /// Every byte is the same.
    pub identical: bool,
    /// From 0 (nothing in common that ssdeep can see) to 100; `None` where a hash is
    /// missing or the sizes are too different to be compared.
    pub ssdeep_score: Option<u32>,
    /// From 0 (the same) upwards; below 50 files are alike, above 150 they are not.
    /// `None` where a hash is missing.
    pub tlsh_distance: Option<u32>,
    /// Bytes that are the same from the beginning.
    pub same_start: u64,
    /// Bytes that are the same up to the end, behind those.
    pub same_end: u64,
    /// What both programs have: the kind of fact, and its value.
    pub shared: Vec<Fact>,
    /// Sections with the same bytes, the largest first.
    pub sections: Vec<EqualSection>,
    /// Imported names, when both have some.
    pub imports: Option<Overlap>,
    /// What could not be compared.
    pub warnings: Warnings,
}

/// Something that two programs have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is: `imphash`, `build id`, `Rich header`, `PDB path`, …
    pub kind: String,
    /// Its value.
    pub value: String,
}

/// A section that both programs have, under whatever names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EqualSection {
    /// Its name in the first file.
    pub first: String,
    /// Its name in the second.
    pub second: String,
    /// Its bytes.
    pub size: u64,
}

/// How far two sets are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlap {
    /// In both.
    pub shared: usize,
    /// In the first only.
    pub only_first: usize,
    /// In the second only.
    pub only_second: usize,
}

/// Compares two files. `watch` is told of the bytes that were looked at, and ends the
/// comparison by `false`.
pub fn compare(first: Side<'_>, second: Side<'_>, watch: Watch<'_>) -> Similarity {
    let mut warnings = Warnings::default();
    let (a, b) = (first.bytes, second.bytes);
    let mut goes_on = true;
    let mut watch = |done| {
        goes_on = goes_on && watch(done);
        goes_on
    };
    let same_start = same(a.chunks(PIECE), b.chunks(PIECE), true, &mut watch);
    let [rest_a, rest_b] = [a, b].map(|side| side.get(same_start..).unwrap_or_default());
    let same_end = same(
        rest_a.rchunks(PIECE),
        rest_b.rchunks(PIECE),
        false,
        &mut watch,
    );
    let identical = a.len() == b.len() && same_start == a.len();
    let (one, other) = (first.hashes, second.hashes);
    let ssdeep_score = match (&one.ssdeep, &other.ssdeep) {
        (Some(one), Some(other)) => ssdeep::score(one, other),
        _ => None,
    };
    let images = first.binary.images.iter().zip(&second.binary.images);
    let mut shared = Vec::new();
    for (one, other) in images {
        let theirs = facts(other);
        shared.extend(facts(one).into_iter().filter(|fact| theirs.contains(fact)));
    }
    Similarity {
        identical,
        ssdeep_score,
        tlsh_distance: tlsh_distance(one, other),
        same_start: same_start as u64,
        same_end: same_end as u64,
        shared,
        sections: sections(first, second, &mut warnings),
        imports: imports(&first.binary.images, &second.binary.images),
        warnings,
    }
}

/// How many bytes of two sequences of pieces are the same from their beginning, or
/// when they are read backwards, from their end.
fn same<'a>(
    one: impl Iterator<Item = &'a [u8]>,
    other: impl Iterator<Item = &'a [u8]>,
    forwards: bool,
    watch: Watch<'_>,
) -> usize {
    let mut total = 0;
    for (one, other) in one.zip(other) {
        if one == other {
            total += one.len();
            if !watch(total as u64) {
                break;
            }
            continue;
        }
        let equal = |(one, other): &(&u8, &u8)| one == other;
        total += if forwards {
            one.iter().zip(other).take_while(equal).count()
        } else {
            one.iter()
                .rev()
                .zip(other.iter().rev())
                .take_while(equal)
                .count()
        };
        break;
    }
    total
}

fn tlsh_distance(one: &HashReport, other: &HashReport) -> Option<u32> {
    let parsed = |hash: &HashReport| hash.tlsh.as_ref()?.parse::<Tlsh>().ok();
    Some(parsed(one)?.compare(&parsed(other)?))
}

/// What tells programs of one origin: facts that two unrelated programs hardly share.
fn facts(image: &Image) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |kind: &str, value: Option<&String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.push(Fact {
                kind: kind.to_owned(),
                value: value.clone(),
            });
        }
    };
    match &image.details {
        Details::Elf(details) => {
            add("build id", details.build_id.as_ref());
            add("soname", details.soname.as_ref());
        }
        Details::Pe(details) => {
            add("imphash", details.imphash.as_ref());
            add("Authenticode hash", details.authentihash_sha256.as_ref());
            add("export name", details.export_name.as_ref());
            let rich = details.rich_header.as_ref();
            add("Rich header", rich.map(|rich| &rich.hash));
            for link in details
                .debug
                .iter()
                .filter_map(|entry| entry.codeview.as_ref())
            {
                add("PDB path", Some(&link.path));
            }
        }
        Details::MachO(details) => add("UUID", details.uuid.as_ref()),
    }
    facts
}

/// The bytes of a section that the file has.
fn bytes_of<'a>(file: &'a [u8], image: &Image, section: &Section) -> Option<&'a [u8]> {
    let start = usize::try_from(image.offset.checked_add(section.offset)?).ok()?;
    let end = start.checked_add(usize::try_from(section.file_size).ok()?)?;
    file.get(start..end)
        .filter(|bytes| bytes.len() >= SMALLEST_SECTION)
}

/// The sections with bytes of a file, as long as they have no more of them than the
/// file: headers can claim any number of times the same bytes.
fn claimed<'a>(side: Side<'a>, warnings: &mut Warnings) -> Vec<(&'a str, &'a [u8])> {
    let mut left = side.bytes.len().saturating_mul(2);
    let mut found = Vec::new();
    for image in &side.binary.images {
        for section in &image.sections {
            let Some(bytes) = bytes_of(side.bytes, image, section) else {
                continue;
            };
            let Some(rest) = left.checked_sub(bytes.len()) else {
                warnings.add("sections overlap; not all of them were compared");
                return found;
            };
            left = rest;
            found.push((section.name.as_str(), bytes));
        }
    }
    found
}

fn sections(first: Side<'_>, second: Side<'_>, warnings: &mut Warnings) -> Vec<EqualSection> {
    let mine = claimed(first, warnings);
    let mut theirs: HashMap<(usize, u32), (&str, &[u8])> = HashMap::new();
    for (name, bytes) in claimed(second, warnings) {
        theirs
            .entry((bytes.len(), crc32fast::hash(bytes)))
            .or_insert((name, bytes));
    }
    let mut equal: Vec<EqualSection> = mine
        .into_iter()
        .filter_map(|(name, bytes)| {
            let (other, found) = theirs.get(&(bytes.len(), crc32fast::hash(bytes)))?;
            (*found == bytes).then(|| EqualSection {
                first: name.to_owned(),
                second: (*other).to_owned(),
                size: bytes.len() as u64,
            })
        })
        .collect();
    equal.sort_by_key(|section| std::cmp::Reverse(section.size));
    if equal.len() > MOST_SECTIONS {
        warnings.add(format!(
            "{} sections are the same; the largest {MOST_SECTIONS} are named",
            equal.len()
        ));
        equal.truncate(MOST_SECTIONS);
    }
    equal
}

fn imports(first: &[Image], second: &[Image]) -> Option<Overlap> {
    let names = |images: &'_ [Image]| -> BTreeSet<String> {
        let imports = images.iter().flat_map(|image| &image.imports);
        imports.filter_map(|import| import.name.clone()).collect()
    };
    let (one, other) = (names(first), names(second));
    let shared = one.intersection(&other).count();
    (!one.is_empty() && !other.is_empty()).then(|| Overlap {
        shared,
        only_first: one.len() - shared,
        only_second: other.len() - shared,
    })
}
