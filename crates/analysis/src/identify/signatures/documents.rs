//! Documents that are no ZIP and no OLE file, and the test virus.

use super::super::bytes::{find, is, le16, le32, text, u8_at};
use super::super::found::OCTETS;
use super::super::identity::Category::{Data, Document, Text};
use super::Signature;

/// PDF readers accept a header anywhere in the first kilobyte.
const PDF_WINDOW: usize = 1024;

pub(super) const SIGNATURES: &[Signature] = &[
    Signature::new(
        b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR",
        "eicar",
        Text,
        "text/plain",
        "EICAR virus test files",
    ),
    Signature::new(b"%PDF-", "pdf", Document, "application/pdf", "PDF document").describe(pdf),
    Signature::new(
        b"\xef\xbb\xbf%PDF-",
        "pdf",
        Document,
        "application/pdf",
        "PDF document, behind a byte order mark",
    ),
    Signature::new(
        b"%FDF-",
        "fdf",
        Document,
        "application/vnd.fdf",
        "FDF document",
    ),
    Signature::new(
        b"%!PS",
        "postscript",
        Document,
        "application/postscript",
        "PostScript document text",
    ),
    Signature::new(
        b"\xc5\xd0\xd3\xc6",
        "eps",
        Document,
        "image/x-eps",
        "DOS EPS Binary File",
    ),
    Signature::new(
        b"{\\rt",
        "rtf",
        Document,
        "text/rtf",
        "Rich Text Format data",
    ),
    Signature::new(
        b"ITSF\x03\0\0\0",
        "chm",
        Document,
        "application/vnd.ms-htmlhelp",
        "MS Windows HtmlHelp Data",
    ),
    Signature::new(
        b"?_\x03\0",
        "hlp",
        Document,
        "application/winhlp",
        "MS Windows help",
    ),
    Signature::new(
        b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d",
        "onenote",
        Document,
        "application/onenote",
        "Microsoft OneNote section",
    ),
    Signature::new(
        b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F",
        "lnk",
        Data,
        "application/x-ms-shortcut",
        "MS Windows shortcut",
    )
    .describe(shortcut),
    Signature::new(
        b"\x09\x08",
        "xls",
        Document,
        "application/vnd.ms-excel",
        "Microsoft Excel worksheet (BIFF)",
    )
    .check(|data| {
        matches!(le16(data, 2), Some(8 | 16)) && matches!(le16(data, 4), Some(0x500 | 0x600))
    }),
    Signature::new(
        b"AT&TFORM",
        "djvu",
        Document,
        "image/vnd.djvu",
        "DjVu document",
    ),
    Signature::new(
        b"BOOKMOBI",
        "mobi",
        Document,
        "application/x-mobipocket-ebook",
        "Mobipocket E-book",
    )
    .offset(60),
    Signature::new(
        b"\xffWPC",
        "wordperfect",
        Document,
        "application/vnd.wordperfect",
        "WordPerfect document",
    ),
    Signature::new(
        b"\x78\x9f\x3e\x22",
        "tnef",
        Data,
        "application/vnd.ms-tnef",
        "Transport Neutral Encapsulation Format (TNEF)",
    ),
    Signature::new(
        b"!BDN",
        "pst",
        Data,
        "application/vnd.ms-outlook",
        "Microsoft Outlook Personal Storage",
    ),
    Signature::new(
        b"",
        "pdf",
        Document,
        "application/pdf",
        "PDF document, behind other data",
    )
    .check(|data| {
        !is(data, 0, b"%PDF-")
            && find(data, PDF_WINDOW, b"\n%PDF-1.")
                .is_some_and(|_| u8_at(data, 0).is_some_and(|b| !b.is_ascii()))
    }),
    Signature::new(
        b"\x31\xbe\0\0",
        "write",
        Document,
        OCTETS,
        "Microsoft Write document",
    ),
];

fn pdf(data: &[u8]) -> Option<String> {
    Some(text(data, 5, 3).map_or_else(String::new, |version| format!(", version {version}")))
}

/// [MS-SHLLINK] 2.1.1, the flags that say what the link carries.
fn shortcut(data: &[u8]) -> Option<String> {
    let flags = le32(data, 20)?;
    let words = [
        (1, ", Item id list present"),
        (2, ", Points to a file or directory"),
        (4, ", Has Description string"),
        (8, ", Has Relative path"),
        (0x10, ", Has Working directory"),
        (0x20, ", Has command line arguments"),
    ];
    Some(
        words
            .iter()
            .filter(|(bit, _)| flags & bit != 0)
            .map(|(_, word)| *word)
            .collect(),
    )
}
