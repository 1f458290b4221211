//! What stands around the rows of the page: style, script, and the policy that
//! allows these two and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::html::escaped;
use crate::tally::Tally;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const COLUMNS: [&str; 8] = [
    "Severity",
    "File",
    "Kind",
    "Size",
    "Entropy",
    "Along the file",
    "Findings",
    "Worst finding",
];
/// Not sorted by, mostly the same.
const LAST: &str = "State";

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

pub(super) fn head() -> String {
    let heads: String = COLUMNS
        .iter()
        .chain([&LAST])
        .map(|name| format!("<th scope=\"col\"><button type=\"button\">{name}</button></th>"))
        .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Reversecore: scan</title><style>{STYLE}</style></head><body>\n\
         <main><table><thead><tr>{heads}</tr></thead><tbody>\n",
        hash(STYLE),
        hash(SCRIPT),
    )
}

pub(super) fn foot(tally: &Tally) -> String {
    let numbers: String = [
        ("files", tally.total),
        ("seldom innocent", tally.high),
        ("suspicious", tally.suspicious),
        ("not examined", tally.failed),
        ("broke an engine", tally.poison),
        ("passed over", tally.skipped),
        ("bytes", tally.bytes),
    ]
    .map(|(name, number)| format!("<li><b>{number}</b> {name}</li>"))
    .concat();
    format!(
        "</tbody></table></main>\n<header id=\"summary\"><h1>Reversecore {}</h1>\
         <ul class=\"numbers\">{numbers}</ul>\
         <label>Show only <input type=\"search\" placeholder=\"a name, a hash, a finding\"></label>\
         <p>Rows beyond {} MiB are left out of this page; JSON lines have them all. \
         Text from files is shown as it is and means nothing.</p></header>\n\
         <script>{SCRIPT}</script></body></html>\n",
        escaped(env!("CARGO_PKG_VERSION")),
        super::html::MOST_BYTES >> 20,
    )
}
