//! A deliberately broken embedded engine, for the tests and the benchmark of
//! the worker pool. The payload of a job is a command: the name of what to do,
//! and an argument behind a blank.

use std::hint::black_box;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::process::ExitCode;
use std::time::Duration;

use reversecore_exec::worker::{Context, Mapping, serve};

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("fail") {
        return ExitCode::from(9);
    }
    serve(handle)
}

fn handle(context: &mut Context<'_>, payload: &[u8], files: Vec<OwnedFd>) -> Vec<u8> {
    // Large payloads of the tests are no text.
    let text = std::str::from_utf8(payload).unwrap_or("length");
    let (name, argument) = text.split_once(' ').unwrap_or((text, ""));
    match name {
        "" => Vec::new(),
        "echo" => argument.as_bytes().to_vec(),
        "length" => payload.len().to_string().into_bytes(),
        "pid" => std::process::id().to_string().into_bytes(),
        "fill" => vec![b'x'; argument.parse().unwrap_or(0)],
        "progress" => progress(context),
        "panic" => panic!("a panic that says {argument}"),
        "abort" => std::process::abort(),
        "exit" => leave(argument.parse().unwrap_or(0)),
        "spin" => loop {
            black_box(());
        },
        "sleep" => sleep(argument.parse().unwrap_or(0)),
        "allocate" => {
            let size: usize = argument.parse().unwrap_or(0);
            black_box(vec![1_u8; size]).len().to_string().into_bytes()
        }
        "grow" => grow(),
        "hold" => hold(argument.parse().unwrap_or(0)),
        "overflow" => overflow(0).to_string().into_bytes(),
        "sum" => sum(&files).to_string().into_bytes(),
        "map" => map(&files),
        "map-and-wait" => map_and_wait(context, &files),
        "thread" => std::thread::spawn(|| b"thread".to_vec())
            .join()
            .unwrap_or_default(),
        "send" => send(argument),
        "try" => attempt(argument).into_bytes(),
        _ => format!("unknown: {name}").into_bytes(),
    }
}

fn progress(context: &mut Context<'_>) -> Vec<u8> {
    for step in 0..1000 {
        context.progress(Some(f64::from(step) / 1000.0), "counting\u{1b}[31m");
    }
    b"done".to_vec()
}

#[expect(clippy::exit, reason = "this is what is tested")]
fn leave(code: i32) -> ! {
    std::process::exit(code)
}

#[expect(clippy::disallowed_methods, reason = "a handler that takes its time")]
fn sleep(milliseconds: u64) -> Vec<u8> {
    std::thread::sleep(Duration::from_millis(milliseconds));
    b"slept".to_vec()
}

fn grow() -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        all.push(black_box(vec![1_u8; 1 << 20]));
        sleep(1);
    }
}

/// Keeps memory from one job to the next.
fn hold(size: usize) -> Vec<u8> {
    Box::leak(vec![1_u8; size].into_boxed_slice())
        .len()
        .to_string()
        .into_bytes()
}

#[expect(unconditional_recursion, reason = "this is what is tested")]
fn overflow(depth: u64) -> u64 {
    let space = black_box([depth; 64]);
    overflow(depth + 1) + space[0]
}

fn sum(files: &[OwnedFd]) -> u64 {
    const STEP: usize = 1 << 20;
    let mut sum = 0;
    for file in files {
        let Ok(mapping) = Mapping::of(file) else {
            return u64::MAX;
        };
        for (number, part) in mapping.as_slice().chunks(STEP).enumerate() {
            sum += part.iter().map(|byte| u64::from(*byte)).sum::<u64>();
            mapping.release(number * STEP..number * STEP + part.len());
        }
    }
    sum
}

/// Maps a file and reads its first byte.
fn map(files: &[OwnedFd]) -> Vec<u8> {
    let Some(Ok(mapping)) = files.first().map(Mapping::of) else {
        return b"no file".to_vec();
    };
    mapping.as_slice().first().copied().into_iter().collect()
}

/// Reads a file again and again, so that somebody can make it shorter.
fn map_and_wait(context: &mut Context<'_>, files: &[OwnedFd]) -> Vec<u8> {
    let Some(Ok(mapping)) = files.first().map(Mapping::of) else {
        return b"no file".to_vec();
    };
    loop {
        context.progress(None, "mapped");
        black_box(mapping.as_slice().last().copied());
        mapping.release(0..mapping.size());
    }
}

/// Sends what no worker sends.
fn send(what: &str) -> Vec<u8> {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    // SAFETY: a worker has its socket there, open as long as it lives.
    let socket = unsafe { BorrowedFd::borrow_raw(3) };
    // As in `frame`: version, kind, reserved, length, job, numbers.
    let frame = |version: u8, kind: u8, length: u32, job: u64| {
        let mut bytes = vec![version, kind, 0, 0];
        bytes.extend(length.to_ne_bytes());
        bytes.extend(job.to_ne_bytes());
        bytes.extend([0; 32]);
        bytes
    };
    let packet = match what {
        "garbage" => b"garbage".to_vec(),
        "long-garbage" => vec![0xa5; 4096],
        "version" => frame(2, 5, 0, 1),
        "kind" => frame(1, 77, 0, 1),
        "not-ours" => frame(1, 3, 0, 1),
        "other-job" => frame(1, 5, 0, 99),
        "huge-claim" => frame(1, 5, u32::MAX, 1),
        "huge-packet" => vec![1; 100_000],
        "surplus" => [frame(1, 5, 3, 1), vec![0; 9]].concat(),
        "second-reply" => frame(1, 5, 0, 1),
        "files" => frame(1, 5, 0, 1),
        "empty" => Vec::new(),
        "flood" => {
            let body = [0, 0];
            let packet = [frame(1, 4, 2, 1), body.to_vec()].concat();
            for _ in 0..1000 {
                let slices = [std::io::IoSlice::new(&packet)];
                let mut none = SendAncillaryBuffer::default();
                sendmsg(socket, &slices, &mut none, SendFlags::empty()).ok();
            }
            return b"flooded".to_vec();
        }
        _ => return b"unknown".to_vec(),
    };
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let handed = [socket];
    if what == "files" {
        control.push(SendAncillaryMessage::ScmRights(&handed));
    }
    let slices = [std::io::IoSlice::new(&packet)];
    sendmsg(socket, &slices, &mut control, SendFlags::empty()).ok();
    b"sent".to_vec()
}

/// Tries something that a worker can't do; says `ok` or the error number.
fn attempt(what: &str) -> String {
    let (name, argument) = what.split_once(' ').unwrap_or((what, ""));
    let number = || argument.parse().unwrap_or(0);
    let path = std::ffi::CString::new(argument).unwrap_or_default();
    let null = std::ptr::null::<u8>();
    // SAFETY: each call gets strings that end and live long enough, live
    // structures of the right size, or null pointers where the kernel takes or
    // refuses them. A forked child ends at once.
    let result: libc::c_long = unsafe {
        match name {
            "open" => libc::open(path.as_ptr(), libc::O_RDONLY).into(),
            "write" => libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CREAT, 0o600).into(),
            "stat" => libc::access(path.as_ptr(), libc::F_OK).into(),
            "inet" => libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0).into(),
            "unix" => libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0).into(),
            "fork" => match libc::fork() {
                0 => libc::_exit(0),
                child if child > 0 => libc::waitpid(child, std::ptr::null_mut(), 0).into(),
                failed => failed.into(),
            },
            "exec" => {
                let arguments = [path.as_ptr(), std::ptr::null()];
                libc::execv(path.as_ptr(), arguments.as_ptr()).into()
            }
            "kill" => libc::kill(number(), 0).into(),
            "kill-parent" => libc::kill(libc::getppid(), libc::SIGKILL).into(),
            "tgkill" => libc::syscall(libc::SYS_tgkill, libc::getppid(), libc::getppid(), 0),
            "ptrace" => libc::ptrace(libc::PTRACE_SEIZE, libc::getppid(), 0, 0),
            "read-memory" => libc::syscall(
                libc::SYS_process_vm_readv,
                libc::getppid(),
                null,
                0,
                null,
                0,
                0,
            ),
            "io-uring" => {
                let mut parameters = [0_u64; 16];
                libc::syscall(libc::SYS_io_uring_setup, 4, parameters.as_mut_ptr())
            }
            "bpf" => libc::syscall(libc::SYS_bpf, 0, null, 0),
            "clone3" => libc::syscall(libc::SYS_clone3, null, 0),
            "memfd" => libc::memfd_create(c"x".as_ptr(), 0).into(),
            "pidfd" => libc::syscall(libc::SYS_pidfd_open, libc::getppid(), 0),
            "unshare" => libc::unshare(libc::CLONE_NEWNS).into(),
            "chroot" => libc::chroot(c"/".as_ptr()).into(),
            "capabilities" => libc::setuid(1).into(),
            "write-3" => libc::write(3, null.cast(), 0) as libc::c_long,
            "dumpable" => libc::prctl(libc::PR_SET_DUMPABLE, 1).into(),
            "executable-memory" => libc::mmap(
                std::ptr::null_mut(),
                4096,
                libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            ) as libc::c_long,
            _ => return "unknown".into(),
        }
    };
    if result >= 0 {
        return "ok".into();
    }
    let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
    match errno {
        libc::ENOSYS => "ENOSYS".into(),
        libc::EACCES => "EACCES".into(),
        libc::EPERM => "EPERM".into(),
        other => other.to_string(),
    }
}
