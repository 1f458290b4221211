//! Which language a text is in: by its first line where that names an
//! interpreter, then by markup, then by its tokens. No file name is known here,
//! so a `.ps1` or `.vbs` has to give itself away.

mod markup;
mod tokens;

use super::identity::Category;

/// A kind of text.
#[derive(Clone, Copy)]
pub(super) struct Script {
    pub(super) kind: &'static str,
    pub(super) category: Category,
    pub(super) mime: &'static str,
    pub(super) words: &'static str,
}

impl Script {
    const fn new(
        kind: &'static str,
        category: Category,
        mime: &'static str,
        words: &'static str,
    ) -> Self {
        Self {
            kind,
            category,
            mime,
            words,
        }
    }
}

/// Recognises a kind of text.
pub(super) fn recognise(text: &str) -> Option<Script> {
    let first = text.lines().next().unwrap_or_default();
    if first.starts_with("#!")
        && let Some(script) = by_interpreter(first)
    {
        return Some(script);
    }
    markup::recognise(text).or_else(|| tokens::recognise(text))
}

/// By the program that a first line names.
pub(super) fn by_interpreter(line: &str) -> Option<Script> {
    let mut words = line.strip_prefix("#!")?.split_whitespace();
    let mut program = words.next()?;
    if program.ends_with("/env") {
        program = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
    }
    let name = program.rsplit('/').next()?;
    // python3.11, lua5.4
    let name = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    // perl5.36-x86_64-linux-gnu
    let name = ["perl", "python", "ruby", "lua"]
        .into_iter()
        .find(|known| {
            name.strip_prefix(known)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
        .unwrap_or(name);
    let script = |kind, mime, words| Some(Script::new(kind, Category::Script, mime, words));
    match name {
        "sh" | "dash" | "ash" => script("shell-script", "text/x-shellscript", "POSIX shell script"),
        "bash" | "rbash" => script(
            "shell-script",
            "text/x-shellscript",
            "Bourne-Again shell script",
        ),
        "ksh" | "mksh" | "pdksh" => {
            script("shell-script", "text/x-shellscript", "Korn shell script")
        }
        "zsh" => script(
            "shell-script",
            "text/x-shellscript",
            "Paul Falstad's zsh script",
        ),
        "csh" | "tcsh" => script("shell-script", "text/x-shellscript", "C shell script"),
        "fish" => script("shell-script", "text/x-shellscript", "fish shell script"),
        "busybox" => script("shell-script", "text/x-shellscript", "busybox script"),
        "openrc-run" | "runscript" => script("shell-script", "text/x-shellscript", "OpenRC script"),
        "python" | "pypy" => script("python-script", "text/x-script.python", "Python script"),
        "perl" => script("perl-script", "text/x-perl", "Perl script"),
        "ruby" | "jruby" => script("ruby-script", "text/x-ruby", "Ruby script"),
        "node" | "nodejs" | "deno" | "bun" => {
            script("javascript", "application/javascript", "Node.js script")
        }
        "php" => script("php-script", "text/x-php", "PHP script"),
        "lua" | "luajit" => script("lua-script", "text/x-lua", "Lua script"),
        "awk" | "gawk" | "mawk" | "nawk" => script("awk-script", "text/x-awk", "awk script"),
        "tclsh" | "wish" | "expect" => script("tcl-script", "text/x-tcl", "Tcl script"),
        "pwsh" | "powershell" => script("powershell", "text/plain", "PowerShell script"),
        "make" => script("makefile", "text/x-makefile", "makefile script"),
        "sed" => script("sed-script", "text/plain", "sed script"),
        "osascript" => script("applescript", "text/plain", "AppleScript script"),
        "Rscript" => script("r-script", "text/plain", "R script"),
        "guile" | "racket" | "sbcl" => script("lisp-script", "text/plain", "Lisp script"),
        _ => script("script", "text/plain", "script for another interpreter"),
    }
}
