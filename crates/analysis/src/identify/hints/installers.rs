//! Installers, self-extracting archives, and interpreters with a program
//! appended.

use crate::binary::Image;

use super::{Hints, Marker, overlay};
use crate::identify::bytes::{HEAD, TAIL, find, is, tail};
use crate::identify::identity::Confidence::{High, Low, Medium};
use crate::identify::identity::HintCategory::{Framework, Installer, Language};

const MARKERS: &[Marker] = &[
    Marker {
        bytes: b"\xef\xbe\xad\xdeNullsoftInst",
        category: Installer,
        name: "NSIS",
        confidence: High,
    },
    Marker {
        bytes: b"Nullsoft.NSIS.exehead",
        category: Installer,
        name: "NSIS",
        confidence: High,
    },
    Marker {
        bytes: b"Inno Setup Setup Data (",
        category: Installer,
        name: "Inno Setup",
        confidence: High,
    },
    Marker {
        bytes: b"rDlPtS\xcd\xe6\xd7\x7b\x0b\x2a",
        category: Installer,
        name: "Inno Setup",
        confidence: High,
    },
    Marker {
        bytes: b"JR.Inno.Setup",
        category: Installer,
        name: "Inno Setup",
        confidence: Medium,
    },
    Marker {
        bytes: b";!@Install@!UTF-8!",
        category: Installer,
        name: "7-Zip SFX",
        confidence: High,
    },
    Marker {
        bytes: b"WinRAR SFX",
        category: Installer,
        name: "RAR SFX",
        confidence: Medium,
    },
    Marker {
        bytes: b".wixburn",
        category: Installer,
        name: "WiX Burn",
        confidence: High,
    },
    Marker {
        bytes: b"InstallShield",
        category: Installer,
        name: "InstallShield",
        confidence: Low,
    },
    Marker {
        bytes: b"Wise Installation Wizard",
        category: Installer,
        name: "Wise",
        confidence: Medium,
    },
    Marker {
        bytes: b"AU3!EA06",
        category: Language,
        name: "AutoIt",
        confidence: High,
    },
    Marker {
        bytes: b"AU3!EA05",
        category: Language,
        name: "AutoIt",
        confidence: High,
    },
    Marker {
        bytes: b"\xa3\x48\x4b\xbe\x98\x6c\x4a\xa9\x99\x4c\x53\x0a\x86\xd6\x48\x7d",
        category: Language,
        name: "AutoIt",
        confidence: High,
    },
    Marker {
        bytes: b"NUITKA_ONEFILE_PARENT",
        category: Framework,
        name: "Nuitka",
        confidence: High,
    },
    Marker {
        bytes: b"NUITKA_PACKAGE_",
        category: Framework,
        name: "Nuitka",
        confidence: Medium,
    },
    Marker {
        bytes: b"PYTHONSCRIPT",
        category: Framework,
        name: "py2exe",
        confidence: Low,
    },
    Marker {
        bytes: b"pkg/prelude/bootstrap.js",
        category: Framework,
        name: "Node pkg",
        confidence: High,
    },
    Marker {
        bytes: b"NODE_SEA_BLOB",
        category: Framework,
        name: "Node.js single executable",
        confidence: Medium,
    },
    Marker {
        bytes: b"NODE_SEA_FUSE_",
        category: Framework,
        name: "Node.js",
        confidence: Medium,
    },
    Marker {
        bytes: b"electron.asar",
        category: Framework,
        name: "Electron",
        confidence: High,
    },
    Marker {
        bytes: b"Electron Framework",
        category: Framework,
        name: "Electron",
        confidence: Medium,
    },
    Marker {
        bytes: b"Fatal error in launcher",
        category: Framework,
        name: "distlib launcher (Python)",
        confidence: High,
    },
    Marker {
        bytes: b"-script.pyw",
        category: Framework,
        name: "Setuptools launcher (Python)",
        confidence: Medium,
    },
    Marker {
        bytes: b"-script.py\0",
        category: Framework,
        name: "Setuptools launcher (Python)",
        confidence: Medium,
    },
];

/// The magic of the cookie at the end of a PyInstaller archive.
const PYINSTALLER: &[u8] = b"MEI\x0c\x0b\x0a\x0b\x0e";

pub(super) fn collect(hints: &mut Hints<'_>, image: Option<&Image>) {
    hints.add_texts(MARKERS);
    pyinstaller(hints);
    let Some((offset, bytes)) = overlay(hints.data, image) else {
        return;
    };
    for (magic, name) in [
        (&b"7z\xbc\xaf\x27\x1c"[..], "7-Zip SFX"),
        (b"Rar!\x1a\x07", "RAR SFX"),
        (b"PK\x03\x04", "ZIP SFX"),
        (b"MSCF\0\0\0\0", "Cabinet SFX"),
    ] {
        if is(bytes, 0, magic) {
            hints.add(
                Installer,
                name,
                None,
                High,
                "an archive begins right behind the image",
                Some(offset),
            );
        }
    }
}

fn pyinstaller(hints: &mut Hints<'_>) {
    let (start, end) = tail(hints.data, TAIL);
    // The loader itself looks for these bytes, so it has them too; the cookie is
    // followed by the version and the library's name.
    let cookie = memchr::memmem::rfind(end, PYINSTALLER);
    if let Some(place) = cookie {
        let cookie = crate::identify::bytes::from(end, place);
        if let Some(version) =
            crate::identify::bytes::be32(cookie, 20).filter(|v| (20..=400).contains(v))
        {
            let python = if version < 100 {
                format!("Python {}.{}", version / 10, version % 10)
            } else {
                format!("Python {}.{}", version / 100, version % 100)
            };
            let place = start.saturating_add(place);
            hints.add(
                Framework,
                "PyInstaller",
                Some(python),
                High,
                "archive cookie `MEI`",
                Some(place),
            );
            return;
        }
    }
    for text in [
        &b"_PYI_APPLICATION_HOME_DIR"[..],
        b"_MEIPASS2",
        b"PyInstaller",
    ] {
        if let Some(place) = find(hints.data, HEAD, text) {
            let words = format!("text `{}` of the boot loader", text.escape_ascii());
            hints.add(Framework, "PyInstaller", None, Medium, words, Some(place));
            return;
        }
    }
}
