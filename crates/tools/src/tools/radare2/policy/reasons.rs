//! Names the rule that refuses a command word, with what to use instead.
//!
//! `super::check` calls [`refuse`] only for words that `families` does not list:
//! nothing here can let a command through.

use super::Refusal;

/// Shell-like commands radare2 brings along; they touch files, processes or the
/// environment.
const SHELL_WORDS: &str = "ls cat cd mkdir rm cp mv pwd env sleep less uname sh sort tail tac head uniq test touch git \
    pkill pushd popd open echo exit export date diff du kill man md5 mount mktemp print printf println \
    clear cls more join wget curl ed vi which whoami uid";

/// Names why a word that is not listed is refused.
pub(super) fn refuse(word: &str) -> Refusal {
    let letters = word.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
    let mut chars = word.chars();
    let (first, second) = (chars.next().unwrap_or_default(), chars.next());
    let graph_output = word.starts_with("ag") && word.len() > 3;
    let (rule, hint) = match first {
        _ if !letters.is_empty()
            && SHELL_WORDS
                .split_whitespace()
                .any(|listed| listed == letters) =>
        {
            (
                "shell-word",
                "only the analysed file can be read; there is no shell, file or environment access",
            )
        }
        '.' | '-' | ',' => (
            "script",
            "scripts are not run; send the commands themselves, separated by `;`",
        ),
        '=' | ':' => ("io-command", "remote and IO-plugin commands are refused"),
        '%' => ("environment", "the environment is out of reach"),
        '$' => ("alias", "aliases are refused; send the command itself"),
        'w' | '*' | 'r' | 'y' => (
            "write",
            "the file is read-only; read bytes with `px`, `p8` or `pd`",
        ),
        'i' if second == Some('O') => ("write", "the file is read-only; list sections with `iS`"),
        'p' if matches!(second, Some('y' | 'w')) => (
            "interpreter",
            "no scripting languages; print with `px`, `pd`, `ps`",
        ),
        'o' | 'L' | 'm' | 'P' | 'l' => (
            "file-open",
            "only the analysed file is open; list its maps with `om`",
        ),
        'd' => (
            "debugger",
            "nothing is executed; read code with `pd` and `pdf`",
        ),
        'a' if matches!(second, Some('e' | 'r')) => (
            "emulation",
            "emulation and registers are refused; read code with `pd` and `aoe`",
        ),
        'a' if graph_output && word.ends_with('w') => {
            ("write", "use a text format: `agfd`, `agfj`, `agfm`")
        }
        'a' if graph_output && word.ends_with('v') => {
            ("interactive", "use a text format: `agfd`, `agfj`, `agfm`")
        }
        'v' | 'V' => (
            "interactive",
            "visual modes need a terminal; use `pd`, `px` or `agf`",
        ),
        '?' if matches!(second, Some('i' | 'y' | 'k')) => {
            ("interactive", "nobody can answer a prompt")
        }
        '?' if matches!(second, Some('?' | 't' | '_' | '=')) => {
            ("nested", "send the command itself; evaluate with `?v`")
        }
        'e' if word.len() > 1 => ("config", "read with `e asm.bits`, set with `e asm.bits=32`"),
        'q' | 'k' | '_' => ("session", "the session is managed by the tool"),
        'a' | 'b' | 'C' | 'e' | 'f' | 'i' | 'p' | 's' | 't' | 'x' | 'z' | '/' | '?' => (
            "unlisted-command",
            "not among the read-only commands; put a space before arguments (`pd 20`), and see the family's help, as in `pd?`",
        ),
        _ => (
            "unknown-family",
            "use the read-only families: a, p, i, s, f, /, ?, t, z, C, x, b, om, e",
        ),
    };
    Refusal::new(rule, word, hint)
}
