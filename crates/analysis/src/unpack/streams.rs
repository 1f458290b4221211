//! One compressed file. It has no name but what gzip may keep of it.

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::{LzmaReader, XzReader};

use super::collect::{Collector, Flow};

/// What the content is called where nothing says.
const CONTENT: &[u8] = b"content";
/// Of a decoder's dictionary, in KiB.
const MEMORY_KIB: u32 = 256 << 10;

pub(super) fn gzip(bytes: &[u8], collector: &mut Collector) {
    let mut decoder = MultiGzDecoder::new(bytes);
    let name = decoder
        .header()
        .and_then(|header| header.filename())
        .filter(|name| !name.is_empty())
        .map_or_else(|| CONTENT.to_vec(), <[u8]>::to_vec);
    end(collector.take(&name, &mut decoder));
}

pub(super) fn xz(bytes: &[u8], collector: &mut Collector) {
    let mut decoder = XzReader::new_mem_limit(bytes, true, MEMORY_KIB);
    end(collector.take(CONTENT, &mut decoder));
}

pub(super) fn lzma(bytes: &[u8], collector: &mut Collector) {
    match LzmaReader::new_mem_limit(bytes, MEMORY_KIB, None) {
        Ok(mut decoder) => end(collector.take(CONTENT, &mut decoder)),
        Err(error) => collector.damaged(error),
    }
}

pub(super) fn zstd(bytes: &[u8], collector: &mut Collector) {
    match ruzstd::decoding::StreamingDecoder::new(bytes) {
        Ok(mut decoder) => end(collector.take(CONTENT, &mut decoder)),
        Err(error) => collector.damaged(error),
    }
}

/// There is nothing behind it, whatever is said of going on.
fn end(_: Flow) {}
