//! What is known about names: which top-level domains are also extensions of
//! files or words of code, which hosts are everywhere, which words announce a
//! version. Tables and questions about them; the finders decide.

/// Extensions of files that are also top-level domains. A bare `word.ext` of
/// these is a file unless something beside it says otherwise.
const FILE_SUFFIXES: [&str; 31] = [
    "ac",
    "am",
    "bat",
    "bz",
    "cab",
    "cat",
    "dot",
    "download",
    "inc",
    "la",
    "md",
    "mk",
    "mm",
    "mobi",
    "mov",
    "pl",
    "pm",
    "properties",
    "prof",
    "ps",
    "pub",
    "py",
    "rs",
    "save",
    "sh",
    "so",
    "src",
    "st",
    "swift",
    "vi",
    "zip",
];

/// Top-level domains that are likewise names of methods, fields and modules.
const CODE_SUFFIXES: [&str; 58] = [
    "and", "app", "as", "at", "bar", "bind", "blog", "box", "build", "by", "call", "case", "cat",
    "click", "data", "date", "day", "events", "foo", "global", "group", "host", "id", "in", "info",
    "int", "is", "it", "link", "live", "locker", "map", "me", "media", "my", "name", "net", "new",
    "next", "no", "now", "one", "open", "page", "parts", "plus", "pro", "run", "search", "select",
    "services", "site", "so", "style", "support", "to", "top", "zone",
];

/// First parts of dotted identifiers in code.
const CODE_WORDS: [&str; 92] = [
    "app", "args", "arr", "array", "assert", "attr", "base", "body", "button", "cache", "cell",
    "cfg", "chrome", "cls", "config", "console", "const", "context", "core", "ctx", "cursor",
    "data", "dict", "div", "doc", "document", "dom", "elem", "element", "entry", "env", "err",
    "error", "evt", "event", "event_", "field", "file", "foo", "form", "func", "global", "http",
    "img", "index", "input", "instance", "item", "jquery", "json", "key", "lang", "lib", "list",
    "log", "logger", "map", "math", "message", "method", "mod", "model", "module", "msg", "node",
    "np", "obj", "object", "option", "options", "os", "package", "params", "parent", "path", "pkg",
    "process", "props", "query", "re", "req", "request", "res", "response", "result", "row",
    "self", "state", "string", "sys", "this", "window",
];

/// First parts of reversed names (packages, bundles), which end in no suffix
/// other than by accident.
const REVERSED: [&str; 14] = [
    "android", "androidx", "com", "dotnet", "edu", "gov", "groovy", "jakarta", "java", "javax",
    "kotlin", "org", "scala", "sun",
];

/// Hosts of standards, schemas, certificates and updates that stand in most
/// executables and documents; names below them count as well.
const WELL_KNOWN: [&str; 46] = [
    "adobe.com",
    "android.com",
    "apache.org",
    "apple.com",
    "comodoca.com",
    "debian.org",
    "digicert.com",
    "dublincore.org",
    "entrust.net",
    "example.com",
    "gnu.org",
    "globalsign.com",
    "globalsign.net",
    "github.com",
    "golang.org",
    "google.com",
    "googleapis.com",
    "iana.org",
    "icann.org",
    "ietf.org",
    "iso.org",
    "java.com",
    "kernel.org",
    "letsencrypt.org",
    "microsoft.com",
    "mozilla.org",
    "msdn.com",
    "openoffice.org",
    "openssl.org",
    "openxmlformats.org",
    "oracle.com",
    "purl.org",
    "python.org",
    "redhat.com",
    "rust-lang.org",
    "sectigo.com",
    "sourceware.org",
    "sun.com",
    "symantec.com",
    "symcb.com",
    "thawte.com",
    "usertrust.com",
    "verisign.com",
    "w3.org",
    "windows.com",
    "xmlsoap.org",
];

/// Names that nobody has (RFC 2606, RFC 6761).
const RESERVED: [&str; 7] = [
    "example",
    "example.com",
    "example.net",
    "example.org",
    "invalid",
    "localhost",
    "test",
];

/// Words before a number with dots that make it a version or a reference.
const VERSION_WORDS: [&str; 50] = [
    "appendix",
    "article",
    "build",
    "chapter",
    "chrome",
    "clause",
    "culture",
    "driver",
    "edition",
    "fig",
    "figure",
    "firefox",
    "firmware",
    "flash",
    "fileversion",
    "fw",
    "java",
    "jdk",
    "jre",
    "mib",
    "nginx",
    "oid",
    "openssl",
    "paragraph",
    "patch",
    "productversion",
    "python",
    "rel",
    "release",
    "rev",
    "revision",
    "runtime",
    "safari",
    "sdk",
    "sec",
    "sect",
    "section",
    "semver",
    "snmp",
    "table",
    "update",
    "updated",
    "upgrade",
    "upgraded",
    "ver",
    "vers",
    "version",
    "versions",
    "dll",
    "v",
];

/// Words that may stand between such a word and the number.
const CONNECTORS: [&str; 14] = [
    "and", "for", "from", "is", "no", "nr", "number", "of", "or", "string", "than", "through",
    "to", "was",
];

/// Words before a name that make it a host.
const HOST_WORDS: [&str; 34] = [
    "beacon", "beacons", "c2", "callback", "cname", "connect", "connects", "cnc", "curl", "dig",
    "dns", "domain", "domains", "fqdn", "host", "hostname", "http", "https", "idn", "lookup", "mx",
    "ns", "nslookup", "panel", "ping", "proxy", "query", "resolve", "resolved", "resolves",
    "server", "sinkhole", "url", "whois",
];

/// First parts of host names that say what they are.
const HOST_LABELS: [&str; 18] = [
    "api", "blog", "cdn", "c2", "dl", "download", "ftp", "imap", "m", "mail", "mx", "ns1", "ns2",
    "panel", "pop", "smtp", "webmail", "www",
];

/// First parts of the names of sections of object files.
const SECTION_WORDS: [&str; 15] = [
    "bss", "comment", "data", "debug", "fini", "gnu", "got", "init", "note", "plt", "rel", "rela",
    "rodata", "tdata", "text",
];

/// Programs of DOS whose extension is `.com`.
const DOS_PROGRAMS: [&str; 14] = [
    "chcp.com",
    "command.com",
    "diskcomp.com",
    "diskcopy.com",
    "edit.com",
    "eicar.com",
    "format.com",
    "io.com",
    "keyb.com",
    "mode.com",
    "more.com",
    "ntdetect.com",
    "tree.com",
    "win.com",
];

/// Suffixes under which most malicious names are; nobody uses them in code.
const COMMON_SUFFIXES: [&str; 22] = [
    "biz", "br", "cc", "club", "cn", "com", "de", "fr", "io", "jp", "kr", "net", "online", "org",
    "ru", "shop", "su", "tk", "ua", "uk", "vip", "xyz",
];

pub(super) fn is_file_suffix(suffix: &str) -> bool {
    FILE_SUFFIXES.contains(&suffix)
}

pub(super) fn is_code_suffix(suffix: &str) -> bool {
    CODE_SUFFIXES.contains(&suffix)
}

pub(super) fn is_code_word(label: &str) -> bool {
    CODE_WORDS.contains(&label)
}

pub(super) fn is_reversed(label: &str) -> bool {
    REVERSED.contains(&label)
}

pub(super) fn is_section_word(label: &str) -> bool {
    SECTION_WORDS.contains(&label)
}

pub(super) fn is_host_label(label: &str) -> bool {
    HOST_LABELS.contains(&label)
}

pub(super) fn is_dos_program(name: &str) -> bool {
    DOS_PROGRAMS.contains(&name)
}

pub(super) fn is_common_suffix(suffix: &str) -> bool {
    COMMON_SUFFIXES.contains(&suffix)
}

/// Whether a host is one of the table or below one.
pub(super) fn is_well_known(host: &str) -> bool {
    is_below(host, &WELL_KNOWN)
}

/// Whether a host is reserved for examples.
pub(super) fn is_reserved(host: &str) -> bool {
    is_below(host, &RESERVED)
}

fn is_below(host: &str, table: &[&str]) -> bool {
    let mut rest = host;
    loop {
        if table.contains(&rest) {
            return true;
        }
        match rest.split_once('.') {
            Some((_, parent)) => rest = parent,
            None => return false,
        }
    }
}

/// Whether the words before a number make it a version.
pub(super) fn announces_version(before: &str) -> bool {
    let mut words = words_backwards(before);
    let Some(mut word) = words.next() else {
        return before.trim_end().ends_with(['\u{a7}', '#']);
    };
    for _ in 0..2 {
        if !CONNECTORS.contains(&word.as_str()) {
            break;
        }
        match words.next() {
            Some(next) => word = next,
            None => return false,
        }
    }
    word.ends_with("version") || VERSION_WORDS.contains(&word.as_str())
}

/// Whether one of the last words before a name makes it a host.
pub(super) fn announces_host(before: &str) -> bool {
    words_backwards(before)
        .take(2)
        .any(|word| HOST_WORDS.contains(&word.as_str()))
}

/// The words before a place, the nearest first, in lower case. Stops at what
/// ends a statement.
fn words_backwards(before: &str) -> impl Iterator<Item = String> + '_ {
    let mut rest = before;
    std::iter::from_fn(move || {
        rest = rest.trim_end_matches(|character: char| {
            matches!(
                character,
                ' ' | '\t' | ':' | '=' | '"' | '\'' | '(' | '[' | '<' | '>' | '.' | '_' | '|'
            )
        });
        let start = rest
            .char_indices()
            .rev()
            .find(|(_, character)| !character.is_alphanumeric())
            .map_or(0, |(at, character)| at.saturating_add(character.len_utf8()));
        let word = rest.get(start..).unwrap_or_default();
        rest = rest.get(..start).unwrap_or_default();
        (!word.is_empty()).then(|| word.to_lowercase())
    })
}
