//! What systems and their tools write: databases, logs, captures, dumps,
//! debug information.

use super::super::bytes::{is, le32};
use super::super::found::OCTETS;
use super::super::identity::Category::{Data, Database};
use super::Signature;

pub(super) const SIGNATURES: &[Signature] = &[
    Signature::new(
        b"SQLite format 3\0",
        "sqlite",
        Database,
        "application/vnd.sqlite3",
        "SQLite 3.x database",
    ),
    Signature::new(
        b"regf",
        "registry-hive",
        Database,
        OCTETS,
        "MS Windows registry file, NT/2000 or above",
    ),
    Signature::new(
        b"ElfFile\0",
        "evtx",
        Database,
        "application/x-ms-evtx",
        "MS Windows Event Log (EVTX)",
    ),
    Signature::new(b"LfLe", "evt", Database, OCTETS, "MS Windows Event Log").offset(4),
    Signature::new(
        b"\xef\xcd\xab\x89",
        "ese",
        Database,
        "application/x-ms-ese",
        "Extensible storage engine database",
    )
    .offset(4),
    Signature::new(
        b"\0\x01\0\0Standard Jet DB",
        "access",
        Database,
        "application/x-msaccess",
        "Microsoft Access Database",
    ),
    Signature::new(
        b"\0\x01\0\0Standard ACE DB",
        "access",
        Database,
        "application/x-msaccess",
        "Microsoft Access Database",
    ),
    Signature::new(
        b"\xd4\xc3\xb2\xa1",
        "pcap",
        Database,
        "application/vnd.tcpdump.pcap",
        "pcap capture file, microsecond ts (little-endian)",
    ),
    Signature::new(
        b"\xa1\xb2\xc3\xd4",
        "pcap",
        Database,
        "application/vnd.tcpdump.pcap",
        "pcap capture file, microsecond ts (big-endian)",
    ),
    Signature::new(
        b"\x4d\x3c\xb2\xa1",
        "pcap",
        Database,
        "application/vnd.tcpdump.pcap",
        "pcap capture file, nanosecond ts (little-endian)",
    ),
    Signature::new(
        b"\xa1\xb2\x3c\x4d",
        "pcap",
        Database,
        "application/vnd.tcpdump.pcap",
        "pcap capture file, nanosecond ts (big-endian)",
    ),
    Signature::new(
        b"\n\r\r\n",
        "pcapng",
        Database,
        OCTETS,
        "pcapng capture file",
    )
    .check(|data| is(data, 8, b"\x4d\x3c\x2b\x1a") || is(data, 8, b"\x1a\x2b\x3c\x4d")),
    Signature::new(
        b"MDMP\x93\xa7",
        "minidump",
        Database,
        "application/x-dmp",
        "Mini DuMP crash report",
    ),
    Signature::new(
        b"PAGEDUMP",
        "windows-dump",
        Database,
        "application/x-dmp",
        "MS Windows 32bit crash dump",
    ),
    Signature::new(
        b"PAGEDU64",
        "windows-dump",
        Database,
        "application/x-dmp",
        "MS Windows 64bit crash dump",
    ),
    Signature::new(
        b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0",
        "pdb",
        Database,
        "application/x-ms-pdb",
        "MSVC program database ver 7.00",
    ),
    Signature::new(
        b"bplist0",
        "bplist",
        Data,
        OCTETS,
        "Apple binary property list",
    ),
    Signature::new(
        b"SCCA",
        "prefetch",
        Database,
        OCTETS,
        "Windows prefetch file",
    )
    .offset(4),
    Signature::new(
        b"MAM\x04",
        "prefetch",
        Database,
        OCTETS,
        "Windows prefetch file, compressed",
    ),
    Signature::new(
        b"PMOCCMOC",
        "prefetch",
        Database,
        OCTETS,
        "Windows prefetch log",
    ),
    Signature::new(
        b"\x03\0\x08\0",
        "android-xml",
        Data,
        OCTETS,
        "Android binary XML",
    )
    .check(|data| le32(data, 8) == Some(0x001c_0001)),
    Signature::new(
        b"\x02\0\x0c\0",
        "android-resources",
        Data,
        OCTETS,
        "Android package resource table (ARSC)",
    )
    .check(|data| le32(data, 8).is_some_and(|packages| (1..16).contains(&packages))),
    Signature::new(
        b"GVariant",
        "gvariant",
        Data,
        OCTETS,
        "GVariant Database file",
    ),
    Signature::new(
        b"\xde\x12\x04\x95",
        "gettext",
        Data,
        "application/x-gettext-translation",
        "GNU message catalog (little endian)",
    ),
    Signature::new(
        b"\x95\x04\x12\xde",
        "gettext",
        Data,
        "application/x-gettext-translation",
        "GNU message catalog (big endian)",
    ),
    Signature::new(b"TZif", "tzif", Data, OCTETS, "timezone data"),
    Signature::new(b"LPKSHHRH", "journal", Database, OCTETS, "Journal file"),
    Signature::new(
        b"DIRC\0\0\0",
        "git-index",
        Data,
        "application/x-git",
        "Git index",
    ),
    Signature::new(
        b"PACK\0\0\0",
        "git-pack",
        Data,
        "application/x-git",
        "Git pack",
    ),
    Signature::new(b"GGUF", "gguf", Data, OCTETS, "GGUF model"),
];
