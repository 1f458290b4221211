//! The long tail of media, document and other formats, by the signatures of the
//! crate `file-format`. Asked last, for what is no text either. Containers and
//! file systems of our own tables are not taken from it: what those refused
//! has the magic alone.

use file_format::{FileFormat, Kind};

use super::bytes::head;
use super::found::Found;
use super::identity::Category;

/// Its signatures reach this far (ISO 9660 has its own at 32 KiB).
const WINDOW: usize = 40 << 10;

/// Recognises what the crate knows and the tables do not.
pub(super) fn recognise(data: &[u8]) -> Option<Found> {
    let format = FileFormat::from_bytes(head(data, WINDOW));
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the enum is another crate's, and may grow"
    )]
    let (kind, category) = match format.kind() {
        Kind::Archive | Kind::Compressed | Kind::Package => ("archive", Category::Archive),
        Kind::Audio => ("audio", Category::Media),
        Kind::Video => ("video", Category::Media),
        Kind::Image => ("image", Category::Image),
        Kind::Font => ("font", Category::Font),
        Kind::Disk => ("disk-image", Category::Filesystem),
        Kind::Rom => ("rom", Category::Firmware),
        Kind::Database => ("database", Category::Database),
        Kind::Document | Kind::Ebook | Kind::Presentation | Kind::Spreadsheet => {
            ("document", Category::Document)
        }
        Kind::Executable => ("console-executable", Category::Executable),
        Kind::Diagram | Kind::Formula | Kind::Geospatial | Kind::Metadata | Kind::Model => {
            ("other", Category::Data)
        }
        Kind::Playlist | Kind::Subtitle => ("other", Category::Data),
        // Among the others is its word for what it does not know.
        _ => return None,
    };
    let tables = matches!(
        format.kind(),
        Kind::Archive | Kind::Compressed | Kind::Package | Kind::Disk | Kind::Executable
    );
    if tables && !is_missing_from_tables(format) {
        return None;
    }
    // Some of its signatures are two or three bytes, which random data has once
    // in some thousand files. Where so few suffice, this is no evidence.
    if FileFormat::from_bytes(head(data, 3)) == format || is_short(format) {
        return None;
    }
    let description = format.name();
    Some(Found::new(kind, category, format.media_type(), description))
}

/// Containers that our tables do not have.
fn is_missing_from_tables(format: FileFormat) -> bool {
    matches!(
        format,
        FileFormat::Alz
            | FileFormat::AmigaDiskFile
            | FileFormat::AppleDiskImage
            | FileFormat::Bzip3
            | FileFormat::Larc
            | FileFormat::Pmarc
            | FileFormat::Rzip
            | FileFormat::Stuffit
            | FileFormat::StuffitX
            | FileFormat::Zoo
            | FileFormat::Zpaq
            | FileFormat::NintendoSwitchExecutable
            | FileFormat::Xbox360Executable
            | FileFormat::XboxExecutable
    )
}

/// Two bytes that are not the first ones, or one that repeats.
fn is_short(format: FileFormat) -> bool {
    matches!(
        format,
        FileFormat::AutodeskAnimator
            | FileFormat::AutodeskAnimatorPro
            | FileFormat::Mpeg2TransportStream
    )
}
