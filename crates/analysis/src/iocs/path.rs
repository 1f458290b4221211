//! Paths of Windows and Unix, and keys of the registry: where they begin, and
//! where the text around them goes on, which is a guess since spaces may be in
//! them. Paths that are patterns, or nothing but a root, are not reported.

use std::sync::LazyLock;

use regex::Regex;

use super::Claimed;
use super::collect::{Collector, Found};
use super::report::{Confidence, Flag, IocKind, Reason};
use super::text::Text;

/// The longest path that is followed (Windows: 260, or 32767 with `\\?\`).
const LONGEST: usize = 1024;

/// How far a space is looked beyond for the next backslash.
const SPACED: usize = 40;

static KEYS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i-u)\b(?:HKEY_(?:LOCAL_MACHINE|CURRENT_USER|CLASSES_ROOT|USERS|CURRENT_CONFIG|",
        r"PERFORMANCE_DATA)|HKLM|HKCU|HKCR|HKU|HKCC)(?:32|64)?:?\\+",
        r"|\\Registry\\(?:Machine|User)\\+",
        r"|\bSoftware\\+(?:Microsoft|Classes|Policies|Wow6432Node)\\+",
        r"|\bSystem\\+(?:CurrentControlSet|ControlSet00\d)\\+",
    ))
    .expect("the pattern is a constant")
});

static ROOTS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i-u)\b[A-Z]:\\+",
        r"|%(?:AppData|LocalAppData|Temp|Tmp|ProgramData|AllUsersProfile|Public|UserProfile|",
        r"WinDir|SystemRoot|SystemDrive|ProgramFiles|ProgramFiles\(x86\)|CommonProgramFiles|",
        r"HomePath|ComSpec)%\\+",
        r"|\\\\[A-Z0-9?][A-Z0-9._$-]*\\+|\\\\\.\\+",
    ))
    .expect("the pattern is a constant")
});

/// First parts of absolute paths on Unix systems and Android.
const UNIX_ROOTS: [&str; 35] = [
    "Applications",
    "Library",
    "Network",
    "System",
    "Users",
    "Volumes",
    "bin",
    "boot",
    "cores",
    "data",
    "dev",
    "etc",
    "home",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "lost+found",
    "media",
    "mnt",
    "nix",
    "opt",
    "private",
    "proc",
    "root",
    "run",
    "sbin",
    "sdcard",
    "snap",
    "srv",
    "storage",
    "sys",
    "tmp",
    "usr",
    "var",
];

/// Keys of the registry from which programs start, in lower case.
const AUTOSTART_KEYS: [&str; 12] = [
    "\\currentversion\\run",
    "\\currentversion\\policies\\explorer\\run",
    "\\services\\",
    "\\winlogon",
    "\\image file execution options",
    "\\appinit_dlls",
    "\\browser helper objects",
    "\\shellserviceobjectdelayload",
    "\\session manager\\bootexecute",
    "\\active setup\\",
    "\\startupapproved\\",
    "\\currentversion\\windows\\load",
];

/// Places from which programs start, in lower case.
const AUTOSTART_PATHS: [&str; 11] = [
    "\\start menu\\programs\\startup",
    "\\system32\\tasks\\",
    "/etc/cron",
    "/var/spool/cron",
    "/etc/systemd/system/",
    "/etc/init.d/",
    "/etc/rc.local",
    "/launchagents/",
    "/launchdaemons/",
    "/.config/autostart/",
    "/etc/ld.so.preload",
];

/// Places that everybody may write to, in lower case.
const WRITABLE: [&str; 14] = [
    "\\temp\\",
    "\\tmp\\",
    "\\appdata\\",
    "\\users\\public\\",
    "\\programdata\\",
    "%appdata%",
    "%localappdata%",
    "%temp%",
    "%tmp%",
    "%programdata%",
    "%public%",
    "/tmp/",
    "/dev/shm/",
    "/data/local/tmp/",
];

/// Places of the system itself, in lower case.
const WELL_KNOWN: [&str; 22] = [
    "c:\\windows\\",
    "%windir%\\",
    "%systemroot%\\",
    "c:\\program files\\common files\\",
    "/bin/",
    "/dev/",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/lib/",
    "/lib32/",
    "/lib64/",
    "/proc/",
    "/sbin/",
    "/sys/",
    "/system/",
    "/usr/bin/",
    "/usr/include/",
    "/usr/lib",
    "/usr/local/lib",
    "/usr/sbin/",
    "/usr/share/",
    "/usr/src/",
];

/// Words after which a sentence goes on behind a path.
const JOINING: [&str; 14] = [
    "and", "as", "at", "by", "for", "from", "in", "into", "is", "on", "or", "then", "to", "with",
];

/// Finds keys of the registry.
pub(super) fn find_keys(text: &Text<'_>, claimed: &mut Claimed, collector: &mut Collector<'_>) {
    let mut past = 0_usize;
    for root in KEYS.find_iter(text.text) {
        if root.start() < past || text.byte_before(root.start()) == Some(b'\\') {
            continue;
        }
        let end = end_of(text, root.start(), root.end());
        past = end;
        claimed.add(root.start()..end);
        if end <= root.end() {
            collector.suppress(text, root.start(), Reason::Trivial);
            continue;
        }
        let span = root.start()..end;
        let raw = text.get(span.clone());
        if is_pattern(raw) {
            collector.suppress(text, span.start, Reason::Pattern);
            continue;
        }
        let hive = raw
            .get(..2)
            .is_some_and(|first| first.eq_ignore_ascii_case("hk"));
        let mut value = single(raw);
        if hive && let Some((front, behind)) = value.split_once(":\\") {
            value = format!("{front}\\{behind}");
        }
        let lower = value.to_lowercase();
        let mut flags = Vec::new();
        let mut confidence = if hive {
            Confidence::High
        } else {
            Confidence::Medium
        };
        if AUTOSTART_KEYS.iter().any(|key| lower.contains(key)) {
            flags.push(Flag::Autostart);
            confidence = Confidence::High;
        }
        template(&value, &mut flags, &mut confidence);
        collector.add(
            text,
            Found {
                kind: IocKind::RegistryKey,
                value,
                span,
                confidence,
                flags,
                whole: None,
            },
        );
    }
}

/// Finds paths with a drive, a server or a variable in front.
pub(super) fn find_windows(text: &Text<'_>, claimed: &mut Claimed, collector: &mut Collector<'_>) {
    let mut past = 0_usize;
    for root in ROOTS.find_iter(text.text) {
        let start = root.start();
        let before = text.byte_before(start);
        let network = root.as_str().starts_with('\\');
        // Inside of another path, or of an escape (`\\x41\\x42`).
        if start < past
            || claimed.end_of(start).is_some()
            || before.is_some_and(|byte| byte == b'\\' || byte == b':' && network)
            || network && before.is_some_and(|byte| byte.is_ascii_alphanumeric())
        {
            continue;
        }
        let end = end_of(text, start, root.end());
        past = end;
        let span = start..end;
        let raw = text.get(span.clone());
        let name = text.get(root.end()..end);
        if name.len() < 2 || name.bytes().all(|byte| !byte.is_ascii_alphanumeric()) {
            collector.suppress(text, start, Reason::Trivial);
            continue;
        }
        if is_pattern(raw) || matches!(text.byte(end), Some(b'*' | b'?' | b'^')) {
            claimed.add(span);
            collector.suppress(text, start, Reason::Pattern);
            continue;
        }
        let value = if network {
            format!("\\\\{}", single(raw.trim_start_matches('\\')))
        } else {
            single(raw)
        };
        // `\\a\b` alone is more often an escape than a share.
        if network && value.len() < 10 {
            continue;
        }
        claimed.add(span.clone());
        let (mut confidence, mut flags) = judge(&value);
        if network {
            if value.to_lowercase().starts_with("\\\\.\\pipe\\") {
                flags.push(Flag::Pipe);
                confidence = Confidence::High;
            } else if value.starts_with("\\\\.\\") {
                confidence = Confidence::Low;
            }
        }
        collector.add(
            text,
            Found {
                kind: IocKind::FilePath,
                value,
                span,
                confidence,
                flags,
                whole: None,
            },
        );
    }
}

/// Where a path of Windows ends. `from` is the first byte behind its root.
fn end_of(text: &Text<'_>, start: usize, from: usize) -> usize {
    let doubled = text.get(start..from).ends_with("\\\\");
    let quote = text
        .byte_before(start)
        .filter(|byte| matches!(byte, b'"' | b'\''));
    let rest = text.right(from);
    let quoted = quote.is_some_and(|quote| rest.bytes().take(LONGEST).any(|byte| byte == quote));
    let mut length = rest.len();
    let mut component = 0_usize;
    let mut checked = 0_usize;
    for (at, character) in rest.char_indices() {
        let stop = match character {
            '"' | '\'' | '`' | '<' | '>' | '|' | '?' | '*' | ':' | ';' | '^' | '/' => true,
            ',' => !quoted,
            ' ' if !quoted => {
                if at < checked {
                    false
                } else if let Some(next) = beyond_space(rest, component, at) {
                    checked = next;
                    false
                } else {
                    true
                }
            }
            '\\' => {
                let after = rest.get(at.saturating_add(1)..).unwrap_or_default();
                let escape = doubled
                    && !after.starts_with('\\')
                    && !rest.get(..at).unwrap_or_default().ends_with('\\');
                component = at.saturating_add(1);
                escape
            }
            _ => character.is_control(),
        };
        if stop || at >= LONGEST {
            length = at;
            break;
        }
    }
    let path = rest.get(..length).unwrap_or_default();
    let mut path = path.trim_end_matches(['.', ' ', ',', '!', '\\', '=']);
    for (open, close) in [('(', ')'), ('[', ']'), ('{', '}')] {
        if path.ends_with(close) && path.matches(close).count() > path.matches(open).count() {
            path = path.strip_suffix(close).unwrap_or(path);
        }
    }
    from.saturating_add(path.len())
}

/// Where the next backslash is, if what is between it and the space looks like
/// the rest of a name (`Program Files\`) and not like a sentence.
fn beyond_space(rest: &str, component: usize, at: usize) -> Option<usize> {
    let name = rest.get(component..at)?;
    if name
        .rsplit_once('.')
        .is_some_and(|(_, extension)| matches!(extension.len(), 1..=4))
    {
        return None;
    }
    let ahead = rest.get(at.saturating_add(1)..)?;
    let length = ahead.bytes().take(SPACED).position(|byte| byte == b'\\')?;
    let between = ahead.get(..length)?;
    let valid = between.starts_with(|first: char| first.is_alphanumeric() || first == '(')
        && between.chars().all(|character| {
            character.is_alphanumeric()
                || matches!(character, ' ' | '(' | ')' | '.' | '-' | '_' | '&')
        });
    let sentence = between.split(' ').any(|word| {
        let word = word.to_ascii_lowercase();
        JOINING.contains(&word.as_str())
            || word.starts_with("hk")
            || word.is_empty()
            || matches!(word.as_str(), "global" | "local") && length < 8
    });
    (valid && !sentence).then(|| at.saturating_add(length))
}

/// Finds absolute paths of Unix systems.
pub(super) fn find_unix(text: &Text<'_>, claimed: &mut Claimed, collector: &mut Collector<'_>) {
    let bytes = text.text.as_bytes();
    let mut at = 0_usize;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr(b'/', rest)) {
        let slash = at.saturating_add(found);
        at = slash.saturating_add(1);
        let start = match text.byte_before(slash) {
            Some(b'~') => slash.saturating_sub(1),
            _ => slash,
        };
        let begins = text.byte_before(start).is_none_or(|byte| {
            matches!(
                byte,
                b' ' | b'\t'
                    | b'"'
                    | b'\''
                    | b'`'
                    | b'('
                    | b'['
                    | b'{'
                    | b'='
                    | b':'
                    | b','
                    | b';'
                    | b'>'
                    | b'<'
                    | b'|'
                    | b'&'
                    | b'!'
                    | b'@'
            )
        });
        if let Some(end) = claimed.end_of(slash) {
            at = at.max(end);
            continue;
        }
        if !begins {
            continue;
        }
        let rest = text.right(slash);
        let length = rest
            .char_indices()
            .find(|(place, character)| {
                *place >= LONGEST
                    || !(character.is_alphanumeric()
                        || matches!(
                            character,
                            '/' | '.'
                                | '_'
                                | '-'
                                | '+'
                                | '@'
                                | '%'
                                | '~'
                                | '#'
                                | '$'
                                | '{'
                                | '}'
                                | '='
                        ))
            })
            .map_or(rest.len(), |(place, _)| place);
        let path = rest.get(..length).unwrap_or_default();
        let next = rest.get(length..).unwrap_or_default();
        at = at.max(slash.saturating_add(length));
        let path = path.trim_end_matches(['.', '=', '}', '/', '#']);
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let first = parts.next().unwrap_or_default();
        let second = parts.next();
        let home = start < slash;
        if !home && !UNIX_ROOTS.contains(&first) || home && first.len() < 2 {
            continue;
        }
        if second.is_none() && !home {
            collector.suppress(text, start, Reason::Trivial);
            continue;
        }
        let escape = ["\\n", "\\t", "\\r", "\\0", "\\x", "\\\"", "\\'"];
        let pattern = next.starts_with(['*', '?', '[', '^'])
            || next.starts_with('(') && rest.get(..length).is_some_and(|path| path.ends_with('/'))
            || next.starts_with('\\') && !escape.iter().any(|escape| next.starts_with(escape));
        let span = start..slash.saturating_add(path.len());
        claimed.add(span.clone());
        if pattern {
            collector.suppress(text, start, Reason::Pattern);
            continue;
        }
        let value = text.get(span.clone()).to_owned();
        let (confidence, flags) = judge(&value);
        collector.add(
            text,
            Found {
                kind: IocKind::FilePath,
                value,
                span,
                confidence,
                flags,
                whole: None,
            },
        );
    }
}

/// What a path says about itself.
fn judge(path: &str) -> (Confidence, Vec<Flag>) {
    let lower = path.to_lowercase();
    let mut flags = Vec::new();
    let mut confidence = Confidence::Medium;
    if WELL_KNOWN.iter().any(|known| lower.starts_with(known)) {
        flags.push(Flag::WellKnown);
        confidence = Confidence::Low;
    }
    if lower.contains("/.") {
        flags.push(Flag::Hidden);
        confidence = Confidence::High;
    }
    if WRITABLE.iter().any(|place| lower.contains(place)) {
        flags.push(Flag::Writable);
        confidence = Confidence::High;
    }
    if AUTOSTART_PATHS.iter().any(|place| lower.contains(place)) {
        flags.push(Flag::Autostart);
        confidence = Confidence::High;
    }
    template(path, &mut flags, &mut confidence);
    (confidence, flags)
}

/// Whether a path or key has parts to be filled in.
fn template(path: &str, flags: &mut Vec<Flag>, confidence: &mut Confidence) {
    let printf = [
        "%s", "%d", "%u", "%x", "%ls", "%S", "%ws", "{}", "{0}", "${", "%02", "%08",
    ];
    if printf.iter().any(|form| path.contains(form)) {
        flags.push(Flag::Template);
        *confidence = Confidence::Low;
    }
}

/// Whether it is a regular expression.
fn is_pattern(path: &str) -> bool {
    [
        "[^", "\\d", "\\w", "\\s", ".+", "]+", ")+", "(?", "[a-z", "[A-Z", "[0-9",
    ]
    .iter()
    .any(|form| {
        path.match_indices(form).any(|(at, found)| {
            // `\download` and `\windows` are names, `\d+` and `\w{` are not.
            let next = path
                .get(at.saturating_add(found.len())..)
                .unwrap_or_default();
            !found.starts_with('\\') || next.starts_with(['+', '*', '{', ']'])
        })
    })
}

/// Escaped backslashes become single ones.
fn single(path: &str) -> String {
    let mut value = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '\\' || !value.ends_with('\\') {
            value.push(character);
        }
    }
    value
}
