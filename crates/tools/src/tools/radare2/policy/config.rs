//! Which configuration variables `e` may read and set.
//!
//! `grammar` calls [`check_config`] with what follows `e`. A variable may name a
//! path, a command to run after an event or a program, so both lists are closed.

use super::Refusal;

/// Variables that may be set. None names a path, a command, a program or a
/// plugin directory; `asm.assembler` and `asm.dwarf` are left out on purpose.
const SETTABLE: &str = "asm.arch asm.bits asm.bytes asm.bytes.space asm.cmt.col asm.cmt.right asm.comments asm.cpu \
    asm.demangle asm.describe asm.emu.str asm.flags asm.functions asm.lines asm.lines.bb asm.lines.call \
    asm.lines.fcn asm.lines.jmp asm.lines.width asm.meta asm.nbytes asm.offset asm.addr asm.os asm.pseudo \
    asm.refptr asm.section asm.size asm.sub.jmp asm.sub.names asm.sub.reg asm.sub.var asm.symbol asm.syntax \
    asm.ucase asm.var asm.xrefs anal.depth anal.hasnext anal.in anal.jmp.tbl anal.nopskip anal.strings \
    bin.demangle bin.lang bin.str.enc bin.str.max bin.str.min cfg.bigendian emu.str hex.cols io.va \
    search.align search.badpages search.chunk search.contiguous search.flags search.from search.in \
    search.kwidx search.maxhits search.overlap search.to search.verbose scr.color str.search.encoding";

/// Families whose variables may be read; the others may hold paths or commands.
const READABLE: [&str; 7] = ["asm.", "anal.", "arch.", "bin.", "search.", "hex.", "io."];

/// Checks what follows `e`: exactly one variable, read or set.
pub(super) fn check_config(arguments: &str) -> Result<(), Refusal> {
    let refuse = |hint: &str| Err(Refusal::new("config", arguments, hint));
    let settable = |name: &str| SETTABLE.split_whitespace().any(|listed| listed == name);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    let Some((name, value)) = arguments.split_once('=') else {
        let readable =
            settable(arguments) || READABLE.iter().any(|prefix| arguments.starts_with(prefix));
        return if readable && arguments.chars().all(plain) {
            Ok(())
        } else {
            refuse(
                "give one variable of asm., anal., arch., bin., search., hex. or io., as in `e asm.bits`",
            )
        };
    };
    if !settable(name) {
        return refuse(
            "this variable cannot be set; settable are asm.*, search.* and bin.str.* display choices",
        );
    }
    // A dotted architecture names a plugin that may start an external program.
    let bounded = |c: char| {
        c.is_ascii_alphanumeric() || c == '_' || (matches!(c, '.' | '-') && name != "asm.arch")
    };
    if value == "?" || (!value.is_empty() && value.chars().all(bounded)) {
        return Ok(());
    }
    refuse("give a plain value: letters, digits, `_`, `.` and `-`")
}
