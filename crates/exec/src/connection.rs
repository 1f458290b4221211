//! The engine's end of a launcher: starts the process, sends it requests,
//! reads its greeting. What a run's job socket says is [`crate::drive`]'s.

use std::ffi::OsString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair, sockopt};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::OnceCell;

use crate::engine::EngineConfig;
use crate::error::{ExecError, StartError};
use crate::mechanisms::Mechanisms;
use crate::wire::{self, Greeting, MAX_PACKET, Raw, Request, Setup};

/// Between two tries to send while the launcher's socket is full. With the
/// number of runs in flight bounded, it hardly ever is.
const SEND_AGAIN: Duration = Duration::from_millis(1);

/// A launcher process and the way to it.
#[derive(Debug)]
pub(crate) struct Connection {
    control: OwnedFd,
    /// Taken when the connection is dropped.
    process: Mutex<Option<Child>>,
    greeting: OnceCell<Greeting>,
}

impl Connection {
    /// Starts a launcher; does not wait until it is ready.
    pub(crate) fn open(config: &EngineConfig) -> Result<Self, StartError> {
        let failed = |source: io::Error| StartError::Launch {
            program: config.launcher.clone(),
            source,
        };
        let (ours, theirs) = packet_sockets().map_err(|error| failed(error.into()))?;
        // Requests of a burst wait here, with their descriptors.
        sockopt::set_socket_send_buffer_size(&ours, 1 << 20).ok();
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one process that is not started by the launcher"
        )]
        let process = std::process::Command::new(&config.launcher)
            .args(&config.launcher_args)
            .env_clear()
            // Signals that a terminal sends are for the server.
            .process_group(0)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let connection = Self {
            control: ours,
            process: Mutex::new(Some(process)),
            greeting: OnceCell::new(),
        };
        let packet = wire::encode(&setup(config))
            .map_err(|_| failed(io::Error::other("the configuration is too large")))?;
        wire::send(&connection.control, &packet, &[]).map_err(|error| failed(error.into()))?;
        Ok(connection)
    }

    /// What the launcher said when it was ready; waits for it.
    pub(crate) async fn mechanisms(&self) -> Result<Mechanisms, StartError> {
        let Greeting {
            mechanisms,
            refused,
        } = self
            .greeting
            .get_or_try_init(|| async {
                read_greeting(&self.control)
                    .await
                    .ok()
                    .flatten()
                    .ok_or(StartError::NoGreeting)
            })
            .await?;
        match refused {
            None => Ok(mechanisms.clone()),
            Some(missing) => Err(StartError::SandboxUnavailable {
                missing: missing.clone(),
            }),
        }
    }

    /// Hands a run to the launcher. `Ok(false)`: the launcher is gone.
    pub(crate) async fn submit(
        &self,
        request: &Request,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<bool, ExecError> {
        let packet = wire::encode(request).map_err(|size| ExecError::RequestTooLarge {
            size,
            limit: MAX_PACKET,
        })?;
        loop {
            match wire::send(&self.control, &packet, descriptors) {
                Ok(()) => return Ok(true),
                Err(Errno::PIPE | Errno::CONNRESET) => return Ok(false),
                // Too many descriptors are on their way; some will arrive.
                Err(Errno::AGAIN | Errno::TOOMANYREFS | Errno::NOBUFS) => {
                    tokio::time::sleep(SEND_AGAIN).await;
                }
                Err(error) => {
                    return Err(ExecError::system("hand a run to the launcher")(
                        error.into(),
                    ));
                }
            }
        }
    }
}

impl Drop for Connection {
    /// Hangs up, which ends the launcher, and takes its exit status.
    fn drop(&mut self) {
        let process = self.process.get_mut().ok().and_then(Option::take);
        rustix::net::shutdown(&self.control, rustix::net::Shutdown::Both).ok();
        if let Some(mut process) = process {
            // Not waited for here: a drop must not block a runtime's thread.
            // The guard ends within a second of the hang-up.
            std::thread::Builder::new()
                .name("exec-reaper".into())
                .stack_size(64 << 10)
                .spawn(move || process.wait())
                .ok();
        }
    }
}

fn setup(config: &EngineConfig) -> Setup {
    let EngineConfig {
        launcher: _,
        launcher_args: _,
        sandbox,
        containment,
        max_in_flight,
        max_workers,
        scratch_root,
        readable,
        cgroup_parent,
    } = config;
    Setup {
        sandbox: *sandbox,
        containment: *containment,
        places: u32::try_from(max_in_flight.get().saturating_add(*max_workers)).unwrap_or(u32::MAX),
        scratch_root: Raw::path(scratch_root),
        readable: readable.iter().map(|path| Raw::path(path)).collect(),
        cgroup_parent: cgroup_parent.as_deref().map(Raw::path),
    }
}

async fn read_greeting(control: &OwnedFd) -> io::Result<Option<Greeting>> {
    let control = watch(control.try_clone()?)?;
    let mut buffer = vec![0; MAX_PACKET];
    loop {
        let mut ready = control.readable().await?;
        match wire::receive(control.get_ref(), RecvFlags::DONTWAIT, &mut buffer) {
            Err(Errno::AGAIN) => ready.clear_ready(),
            other => return Ok(other?.map(|(greeting, _)| greeting)),
        }
    }
}

/// Registers a socket with the runtime, for reading.
pub(crate) fn watch(socket: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` keeps its descriptor open, and the same, as long as
    // it lives, and the `AsyncFd` owns it.
    unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }.map_err(io::Error::from)
}

/// Two connected sockets that keep packets apart and are closed on exec.
pub(crate) fn packet_sockets() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
}

/// Encodes one variable of an environment.
pub(crate) fn variable((key, value): &(OsString, OsString)) -> Raw {
    let mut pair = key.clone();
    pair.push("=");
    pair.push(value);
    Raw::os(&pair)
}
