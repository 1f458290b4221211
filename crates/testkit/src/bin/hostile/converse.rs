//! `converse`: reads commands from its standard input, a line each, and answers
//! as badly as a tool with a prompt may. Unknown commands are not answered.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::time::Duration;

use crate::output::{self, Stream, line};
use crate::processes::{self, hang};
use crate::{Failure, memory, signals};

/// Reads until the end of the input.
pub(crate) fn converse() -> Result<ExitCode, Failure> {
    let mut input = io::stdin().lock();
    let (mut seen, mut number) = (Vec::<String>::new(), 0_u64);
    loop {
        let mut text = String::new();
        if input.read_line(&mut text)? == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        let text = text.trim_end_matches('\n');
        seen.push(text.to_owned());
        let (command, rest) = text.split_once(' ').unwrap_or((text, ""));
        match command {
            // What frames an answer: two words as one.
            "join" => line(&rest.replace(' ', ""))?,
            "say" => line(rest)?,
            "mutter" => Stream::Out.file().write_all(rest.as_bytes())?,
            "complain" => output::complain(rest),
            "count" => {
                number += 1;
                line(&number.to_string())?;
            }
            "pid" => line(&std::process::id().to_string())?,
            "nuls" => Stream::Out.file().write_all(&vec![0; amount(rest)?])?,
            "flood" => output::flood(Stream::Out, amount(rest)? as u64)?,
            "flood-errors" => output::flood(Stream::Err, amount(rest)? as u64)?,
            // All that it has ever read, the command itself included.
            "history" => line(&seen.join("\n"))?,
            // What it is to read next, instead of doing it.
            "swallow" => {
                let mut next = String::new();
                input.read_line(&mut next)?;
                Stream::Out.file().write_all(next.as_bytes())?;
            }
            "grow" => memory::touch(amount(rest)?)?,
            "shrug-off-term" => signals::ignore(libc::SIGTERM),
            "fork" => processes::fork_quietly()?,
            "hang" => hang(),
            "spin" => processes::spin(),
            "crash" => {
                Stream::Out.file().write_all(b"half an ans")?;
                signals::segv();
            }
            "leave" => return Ok(ExitCode::from(3)),
            // Has hung up for a while before it leaves.
            "leave-slowly" => {
                processes::close_standard_streams();
                processes::pause_for(Duration::from_millis(100));
                return Ok(ExitCode::from(3));
            }
            _ => {}
        }
    }
}

fn amount(text: &str) -> Result<usize, Failure> {
    text.parse()
        .map_err(|_| Failure::Usage("an argument is no number in range"))
}
