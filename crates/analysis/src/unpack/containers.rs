//! Formats that libraries read: zip, tar, 7z, cab. What is encrypted stays in.

use std::io::{Cursor as Bytes, Read};

use super::collect::{Collector, Flow};

pub(super) fn zip(bytes: &[u8], collector: &mut Collector) {
    let mut archive = match zip::ZipArchive::new(Bytes::new(bytes)) {
        Ok(archive) => archive,
        Err(error) => return collector.damaged(error),
    };
    for index in 0..archive.len() {
        if collector.is_behind() {
            if collector.pass() == Flow::Stop {
                return;
            }
            continue;
        }
        let flow = match archive.by_index(index) {
            Ok(file) if !file.is_file() => collector.pass(),
            Ok(mut file) => {
                let name = file.name_raw().to_vec();
                collector.take(&name, &mut file)
            }
            Err(error) => {
                collector.note(&format!("entry {index}: {error}"));
                collector.pass()
            }
        };
        if flow == Flow::Stop {
            return;
        }
    }
}

pub(super) fn tar(bytes: &[u8], collector: &mut Collector) {
    let mut archive = tar::Archive::new(bytes);
    let entries = match archive.entries() {
        Ok(entries) => entries,
        Err(error) => return collector.damaged(error),
    };
    for entry in entries {
        let mut entry = match entry {
            Ok(entry) => entry,
            Err(error) => return collector.damaged(error),
        };
        let flow = if entry.header().entry_type().is_file() {
            let name = entry.path_bytes().into_owned();
            collector.take(&name, &mut entry)
        } else {
            collector.pass()
        };
        if flow == Flow::Stop {
            return;
        }
    }
}

pub(super) fn seven_zip(bytes: &[u8], collector: &mut Collector) {
    let password = sevenz_rust2::Password::empty();
    let mut archive = match sevenz_rust2::ArchiveReader::new(Bytes::new(bytes), password) {
        Ok(archive) => archive,
        Err(error) => return collector.damaged(error),
    };
    let mut over = false;
    let read = archive.for_each_entries(|entry, reader| {
        let flow = if entry.is_directory() || !entry.has_stream() {
            collector.pass()
        } else {
            collector.take(entry.name().as_bytes(), reader)
        };
        over = flow == Flow::Stop;
        // What was not read stands before the next in the same stream.
        if !over {
            std::io::copy(&mut reader.take(1 << 30), &mut std::io::sink())?;
        }
        Ok(!over)
    });
    if let Err(error) = read
        && !over
    {
        collector.damaged(error);
    }
}

pub(super) fn cab(bytes: &[u8], collector: &mut Collector) {
    let mut cabinet = match cab::Cabinet::new(Bytes::new(bytes)) {
        Ok(cabinet) => cabinet,
        Err(error) => return collector.damaged(error),
    };
    let names: Vec<String> = cabinet
        .folder_entries()
        .flat_map(cab::FolderEntry::file_entries)
        .map(|file| file.name().to_owned())
        .collect();
    for name in names {
        if collector.is_behind() {
            if collector.pass() == Flow::Stop {
                return;
            }
            continue;
        }
        let flow = match cabinet.read_file(&name) {
            Ok(mut reader) => collector.take(name.as_bytes(), &mut reader),
            Err(error) => {
                collector.note(&format!("`{name}`: {error}"));
                collector.pass()
            }
        };
        if flow == Flow::Stop {
            return;
        }
    }
}
