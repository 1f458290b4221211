//! Code for virtual machines.

use super::super::bytes::{be16, be32, is, le16, le32, u8_at};
use super::super::found::OCTETS;
use super::super::identity::Category::Bytecode;
use super::Signature;

pub(super) const SIGNATURES: &[Signature] = &[
    // Universal Mach-O files were asked before; both begin alike.
    Signature::new(
        b"\xca\xfe\xba\xbe",
        "java-class",
        Bytecode,
        "application/x-java-applet",
        "compiled Java class data",
    )
    .describe(java),
    Signature::new(
        b"\xca\xfe\xd0\x0d",
        "java-pack200",
        Bytecode,
        "application/x-java-pack200",
        "Java module, Pack200 compressed",
    ),
    Signature::new(b"JM\x01\0", "jmod", Bytecode, OCTETS, "Java jmod module"),
    Signature::new(
        b"\0asm",
        "wasm",
        Bytecode,
        "application/wasm",
        "WebAssembly (wasm) binary module",
    )
    .describe(|data| Some(format!(" version {:#x}", le32(data, 4)?))),
    Signature::new(b"dex\n", "dex", Bytecode, OCTETS, "Dalvik dex file")
        .check(|data| u8_at(data, 7) == Some(0)),
    Signature::new(
        b"dey\n",
        "odex",
        Bytecode,
        OCTETS,
        "Dalvik dex file (optimized for host)",
    )
    .check(|data| u8_at(data, 7) == Some(0)),
    Signature::new(b"vdex", "vdex", Bytecode, OCTETS, "Android vdex file"),
    Signature::new(b"oat\n", "oat", Bytecode, OCTETS, "Android ART oat file"),
    Signature::new(
        b"\r\n",
        "python-bytecode",
        Bytecode,
        "application/x-bytecode.python",
        "Byte-compiled Python module",
    )
    .offset(2)
    .describe(python),
    Signature::new(b"\x1bLua", "lua-bytecode", Bytecode, OCTETS, "Lua bytecode").describe(|data| {
        let version = u8_at(data, 4)?;
        Some(format!(", version {}.{}", version >> 4, version & 15))
    }),
    Signature::new(
        b"\x1bLJ",
        "luajit-bytecode",
        Bytecode,
        OCTETS,
        "LuaJIT bytecode",
    )
    .check(|data| matches!(u8_at(data, 3), Some(1 | 2))),
    Signature::new(
        b"BC\xc0\xde",
        "llvm-bitcode",
        Bytecode,
        OCTETS,
        "LLVM IR bitcode",
    ),
    Signature::new(
        b"\xde\xc0\x17\x0b",
        "llvm-bitcode",
        Bytecode,
        OCTETS,
        "LLVM bitcode, wrapper",
    ),
    Signature::new(
        b"\xc6\x1f\xbc\x03\xc1\x03\x19\x1f",
        "hermes",
        Bytecode,
        OCTETS,
        "Hermes JavaScript bytecode",
    ),
    Signature::new(
        b"FOR1",
        "erlang-beam",
        Bytecode,
        "application/x-erlang-binary",
        "Erlang BEAM file",
    )
    .check(|data| is(data, 8, b"BEAM")),
    Signature::new(
        b"RITE0",
        "mruby-bytecode",
        Bytecode,
        OCTETS,
        "mruby bytecode",
    ),
    Signature::new(
        b"FWS",
        "swf",
        Bytecode,
        "application/x-shockwave-flash",
        "Macromedia Flash data",
    )
    .describe(flash),
    Signature::new(
        b"CWS",
        "swf",
        Bytecode,
        "application/x-shockwave-flash",
        "Macromedia Flash data (compressed)",
    )
    .describe(flash),
    Signature::new(
        b"ZWS",
        "swf",
        Bytecode,
        "application/x-shockwave-flash",
        "Macromedia Flash data (lzma compressed)",
    )
    .describe(flash),
    Signature::new(
        b"\xac\xed\0\x05",
        "java-serialized",
        Bytecode,
        OCTETS,
        "Java serialization data, version 5",
    ),
    Signature::new(
        b"\x03\x02\x23\x07",
        "spir-v",
        Bytecode,
        OCTETS,
        "Khronos SPIR-V binary, little-endian",
    ),
    Signature::new(b"DXBC", "dxbc", Bytecode, OCTETS, "DirectX shader bytecode"),
    // An object file has no magic, only a machine; the rest must make sense.
    Signature::new(
        b"\x64\x86",
        "coff",
        super::super::identity::Category::Executable,
        OCTETS,
        "Intel amd64 COFF object file",
    )
    .check(coff),
    Signature::new(
        b"\x4c\x01",
        "coff",
        super::super::identity::Category::Executable,
        OCTETS,
        "Intel 80386 COFF object file",
    )
    .check(coff),
    Signature::new(
        b"\x64\xaa",
        "coff",
        super::super::identity::Category::Executable,
        OCTETS,
        "Aarch64 COFF object file",
    )
    .check(coff),
];

fn java(data: &[u8]) -> Option<String> {
    let (minor, major) = (be16(data, 4)?, be16(data, 6)?);
    let release = match major {
        45 => " (Java 1.1)".to_owned(),
        46..=48 => format!(" (Java 1.{})", major - 44),
        49..=52 => format!(" (Java 1.{})", major - 44),
        53..=99 => format!(" (Java SE {})", major - 44),
        _ => String::new(),
    };
    Some(format!(", version {major}.{minor}{release}"))
}

/// The first two bytes are the release's number, `CPython`'s
/// `importlib/_bootstrap_external.py` lists them; 3.7 and later have flags.
fn python(data: &[u8]) -> Option<String> {
    let version = python_version(le16(data, 0)?)?;
    let flags = le32(data, 4)?;
    let words = match flags {
        0 => ", timestamp-based",
        1 => ", hash-based, check-source flag unset",
        3 => ", hash-based, check-source flag set",
        // Before 3.7 this is the time.
        _ => "",
    };
    Some(format!(" for CPython {version}{words}"))
}

fn python_version(magic: u16) -> Option<&'static str> {
    Some(match magic {
        20121 => "1.5",
        50428 => "1.6",
        50823 => "2.0",
        60202 => "2.1",
        60717 => "2.2",
        62011 | 62021 => "2.3",
        62041..=62061 => "2.4",
        62071..=62131 => "2.5",
        62151..=62161 => "2.6",
        62171..=62211 => "2.7",
        3000..=3131 => "3.0",
        3141..=3151 => "3.1",
        3160..=3180 => "3.2",
        3190..=3230 => "3.3",
        3250..=3310 => "3.4",
        3320..=3351 => "3.5",
        3360..=3379 => "3.6",
        3390..=3394 => "3.7",
        3400..=3413 => "3.8",
        3420..=3425 => "3.9",
        3430..=3439 => "3.10",
        3450..=3495 => "3.11",
        3500..=3531 => "3.12",
        3550..=3571 => "3.13",
        3600..=3627 => "3.14",
        3650..=3699 => "3.15",
        _ => return None,
    })
}

fn flash(data: &[u8]) -> Option<String> {
    let version = u8_at(data, 3).filter(|version| (1..=50).contains(version))?;
    // The length is that of the unpacked file, never more than some megabytes.
    let length = le32(data, 4)?;
    (8..1 << 28)
        .contains(&length)
        .then(|| format!(", version {version}"))
}

fn coff(data: &[u8]) -> bool {
    let sections = le16(data, 2).map_or(0, usize::from);
    let symbols = le32(data, 8).map_or(usize::MAX, |place| place as usize);
    (1..=0x1000).contains(&sections)
        && le16(data, 16) == Some(0)
        && symbols >= 20 + sections * 40
        && symbols < data.len()
        && be32(data, 20).is_some_and(|name| matches!(name >> 24, 0x2e | 0x2f))
}
