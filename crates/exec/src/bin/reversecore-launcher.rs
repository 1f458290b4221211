//! The launcher as a program of its own, for programs that use the engine and
//! are not executables that can be started again, tests among them. The server
//! does not use it: it starts itself.

use std::process::ExitCode;

fn main() -> ExitCode {
    reversecore_exec::launcher::main()
}
