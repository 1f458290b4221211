//! The imphash: MD5 of `library.function` of all imports in order (Mandiant,
//! "Tracking Malware with Import Hashing", 2014), as pefile and VirusTotal
//! compute it. Delayed imports are not part of it.

use super::checksum::md5;
use super::ordinals;
use crate::binary::Import;

/// What pefile puts for a library without a readable name.
const INVALID: &str = "*invalid*";

/// The imphash; `None` without imports.
pub(super) fn imphash(imports: &[Import]) -> Option<String> {
    let mut text = String::new();
    for import in imports.iter().filter(|import| !import.delayed) {
        let library = import.library.as_deref().unwrap_or(INVALID);
        let library = library.to_lowercase();
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(without_extension(&library));
        text.push('.');
        match (import.ordinal, &import.name) {
            (Some(number), _) => {
                // Its own table: of wsock32 the report has other names.
                let number = u16::try_from(number).unwrap_or(u16::MAX);
                match ordinals::imphash_name(&library, number) {
                    Some(name) => text.push_str(&name.to_lowercase()),
                    None => text.push_str(&format!("ord{number}")),
                }
            }
            (None, Some(name)) => text.push_str(&name.to_lowercase()),
            (None, None) => {}
        }
    }
    (!text.is_empty()).then(|| md5(text.as_bytes()))
}

/// A library's name without one of the three extensions that do not count.
fn without_extension(library: &str) -> &str {
    match library.rsplit_once('.') {
        Some((name, "dll" | "ocx" | "sys")) => name,
        Some(_) | None => library,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(library: &str, name: Option<&str>, ordinal: Option<u32>) -> Import {
        Import {
            library: Some(library.to_owned()),
            name: name.map(ToOwned::to_owned),
            ordinal,
            version: None,
            address: None,
            delayed: false,
        }
    }

    #[test]
    fn names_numbers_and_extensions() {
        let imports = [
            import("KERNEL32.dll", Some("ExitProcess"), None),
            import("WS2_32.dll", Some("send"), Some(19)),
            import("wsock32.dll", Some("inet_addr"), Some(10)),
            import("winspool.drv", Some("OpenPrinterA"), None),
            import("MFC42.DLL", None, Some(1168)),
        ];
        let text = "kernel32.exitprocess,ws2_32.send,wsock32.ioctlsocket,\
                    winspool.drv.openprintera,mfc42.ord1168";
        assert_eq!(imphash(&imports), Some(md5(text.as_bytes())));
        assert_eq!(imphash(&[]), None);
    }
}
