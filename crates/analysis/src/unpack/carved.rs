//! What lies inside a file that is no archive, as the carving engine finds it: an
//! installer's payload behind a program, a file system in a firmware image, a zip
//! behind a picture.

use super::collect::{Collector, Flow};
use crate::carve::{CarveOptions, CarvedObject, Confidence, carve};

/// Objects of one file.
const MOST: usize = 1000;
/// Pictures and keys are no programs, and many programs have many of them.
const LEFT: [&str; 8] = [
    "png",
    "gif",
    "jpeg",
    "der_cert",
    "der_key",
    "pem_cert",
    "pem_key",
    "pem_public_key",
];

/// Where something worth a look of its own lies, and what it is.
pub(super) struct Inside {
    start: usize,
    end: usize,
    kind: String,
}

/// What is inside. The file itself, whatever it is, is not.
pub(super) fn look(bytes: &[u8]) -> Vec<Inside> {
    let options = CarveOptions {
        max_objects: MOST,
        min_confidence: Confidence::Medium,
    };
    let behind = bytes.get(1..).unwrap_or_default();
    let objects = carve(behind, &options).objects;
    let starts = objects.iter().map(|object| object.offset);
    // One that does not say where it ends, ends where the next begins.
    let nexts = starts.skip(1).chain([u64::MAX]);
    let inside = objects.iter().zip(nexts);
    inside
        .filter(|(object, _)| !LEFT.contains(&object.kind.as_str()))
        .filter_map(|(object, next)| within(object, next, bytes.len()))
        .collect()
}

fn within(object: &CarvedObject, next: u64, length: usize) -> Option<Inside> {
    let place =
        |offset: u64| usize::try_from(offset.saturating_add(1)).map_or(length, |at| at.min(length));
    let end = object
        .size
        .map_or(next, |size| object.offset.saturating_add(size));
    let (start, end) = (place(object.offset), place(end));
    (start < end).then(|| Inside {
        start,
        end,
        kind: object.kind.clone(),
    })
}

/// Takes them out, each named by its offset.
pub(super) fn take(bytes: &[u8], found: &[Inside], collector: &mut Collector) {
    for Inside { start, end, kind } in found {
        let mut data = bytes.get(*start..*end).unwrap_or_default();
        let name = format!("{start:#x}.{kind}");
        if collector.take(name.as_bytes(), &mut data) == Flow::Stop {
            return;
        }
    }
}
