//! The launcher's loop: takes requests, forks, reaps, watches limits, carries
//! out orders, reports. One thread, no waiting but in `epoll_wait`, and nothing
//! in it that depends on how long a program runs.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use rustix::process::getpid;
use rustix::time::{ClockId, clock_gettime};

use super::board::Board;
use super::cgroup::{Group, Tree};
use super::child::{self, Plan, Streams};
use super::confine::{self, Confinement};
use super::job::{Job, Phase, Timers};
use super::scratch::Scratch;
use super::supervisor::{self, children_of};
use super::sys::{self, Forked, Pid, Reap};
use crate::mechanisms::Containment;
use crate::wire::{self, MAX_PACKET, Order, Report, Request, SpawnFailure, Step};

/// Requests taken before other events get their turn.
const REQUESTS_PER_TURN: usize = 8;

const CONTROL: u64 = u64::MAX;
const CHILDREN: u64 = u64::MAX - 1;

/// The launcher at work.
#[derive(Debug)]
pub(super) struct Launcher {
    control: Option<OwnedFd>,
    children: OwnedFd,
    epoll: OwnedFd,
    null: OwnedFd,
    confinement: Confinement,
    containment: Containment,
    tree: Option<Tree>,
    scratch: Scratch,
    board: Board,
    free: Vec<usize>,
    jobs: HashMap<usize, Job>,
    /// A supervisor died unexpectedly: children that belong to no job are its
    /// orphans.
    orphans: bool,
    buffer: Vec<u8>,
}

/// What the launcher needs to begin.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) control: OwnedFd,
    pub(super) confinement: Confinement,
    pub(super) containment: Containment,
    pub(super) tree: Option<Tree>,
    pub(super) scratch: Scratch,
    pub(super) places: usize,
}

impl Launcher {
    pub(super) fn new(parts: Parts) -> io::Result<Self> {
        let Parts {
            control,
            confinement,
            containment,
            tree,
            scratch,
            places,
        } = parts;
        sys::block_signals(&supervisor::SIGNALS);
        let children = sys::child_signal_descriptor()?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wanted = epoll::EventFlags::IN;
        epoll::add(&epoll, &control, epoll::EventData::new_u64(CONTROL), wanted)?;
        epoll::add(
            &epoll,
            &children,
            epoll::EventData::new_u64(CHILDREN),
            wanted,
        )?;
        Ok(Self {
            control: Some(control),
            children,
            epoll,
            null: child::null_device()?,
            confinement,
            containment,
            tree,
            scratch,
            board: Board::new(places)?,
            free: (0..places).rev().collect(),
            jobs: HashMap::new(),
            orphans: false,
            buffer: vec![0; MAX_PACKET],
        })
    }

    /// Works until the engine has hung up and everything is gone.
    pub(super) fn run(mut self) {
        let mut events = Vec::with_capacity(64);
        while self.control.is_some() || !self.jobs.is_empty() || self.scratch.busy() {
            let timeout = self.until_next_event();
            events.clear();
            let spare = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&self.epoll, spare, timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => {
                    super::note(format_args!("waiting for events failed: {error}"));
                    self.hang_up();
                }
            }
            for event in &events {
                let data = event.data;
                match data.u64() {
                    CONTROL => self.take_requests(),
                    CHILDREN => self.reap(),
                    place => self.obey(usize::try_from(place).unwrap_or(usize::MAX)),
                }
            }
            self.on_time();
        }
        self.scratch.finish();
        if let Some(tree) = &mut self.tree {
            tree.remove();
        }
    }

    fn until_next_event(&self) -> Option<Timespec> {
        let next = self.jobs.values().map(Job::next_event).min()?;
        let wait = next.saturating_sub(now());
        Some(Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: wait.subsec_nanos().into(),
        })
    }

    fn on_time(&mut self) {
        let now = now();
        for job in self.jobs.values_mut() {
            if job.next_event() <= now {
                job.on_time(now);
            }
        }
        self.finish_jobs();
    }

    // === Requests and orders ===

    fn take_requests(&mut self) {
        for _ in 0..REQUESTS_PER_TURN {
            let Some(control) = &self.control else {
                return;
            };
            match wire::receive::<Request>(control, RecvFlags::DONTWAIT, &mut self.buffer) {
                Ok(Some((request, descriptors))) => self.take(&request, descriptors),
                Err(Errno::AGAIN) => return,
                Ok(None) => return self.hang_up(),
                Err(error) => {
                    super::note(format_args!("a request can't be read: {error}"));
                    return self.hang_up();
                }
            }
        }
    }

    /// The engine is gone, or there is no talking to it: everything ends.
    fn hang_up(&mut self) {
        self.control = None;
        let now = now();
        for job in self.jobs.values_mut() {
            job.kill(now);
        }
    }

    fn take(&mut self, request: &Request, descriptors: Vec<OwnedFd>) {
        let mut descriptors = descriptors.into_iter();
        let Some(socket) = descriptors.next() else {
            return;
        };
        if let Err(failure) = self.start(request, descriptors, &socket) {
            send_report(&socket, &Report::SpawnFailed(failure));
        }
    }

    fn start(
        &mut self,
        request: &Request,
        descriptors: std::vec::IntoIter<OwnedFd>,
        socket: &OwnedFd,
    ) -> Result<(), SpawnFailure> {
        let streams = self.streams(request, descriptors)?;
        let place = self.free.pop().ok_or(failure(Step::Fork, Errno::AGAIN))?;
        let started = self.fork_into(place, request, &streams, socket);
        if started.is_err() {
            self.free.push(place);
        }
        started
    }

    fn streams(
        &self,
        request: &Request,
        mut descriptors: std::vec::IntoIter<OwnedFd>,
    ) -> Result<Streams, SpawnFailure> {
        let missing = failure(Step::Descriptors, Errno::BADF);
        let stdout = descriptors.next().ok_or(missing)?;
        let stderr = descriptors.next().ok_or(missing)?;
        let stdin = if request.stdin {
            descriptors.next().ok_or(missing)?
        } else {
            self.null
                .try_clone()
                .map_err(|error| io_failure(Step::Descriptors, &error))?
        };
        let handed: Vec<_> = descriptors.collect();
        if handed.iter().any(confine::is_directory) {
            return Err(failure(Step::Descriptors, Errno::ISDIR));
        }
        Ok(Streams {
            stdin,
            stdout,
            stderr,
            handed,
        })
    }

    fn fork_into(
        &mut self,
        place: usize,
        request: &Request,
        streams: &Streams,
        socket: &OwnedFd,
    ) -> Result<(), SpawnFailure> {
        let scratch = match &request.scratch {
            Some(name) => Some(
                self.scratch
                    .make(name)
                    .map_err(|error| io_failure(Step::WorkingDirectory, &error))?,
            ),
            None => None,
        };
        let group = self.take_group(request)?;
        let note = self.board.note(place);
        note.clear();
        let plan = Plan {
            request,
            streams,
            confinement: &self.confinement,
            scratch,
            note,
        };
        let namespace = self.containment == Containment::PidNamespace;
        let forked = sys::fork(namespace, group.as_ref().map(Group::directory));
        let main = match forked {
            Ok(Forked::Child) if group.is_some() => child::become_program(&plan),
            Ok(Forked::Child) => supervisor::supervise(&plan, namespace),
            Ok(Forked::Parent(pid)) => pid,
            Err(error) => {
                if let Some(scratch) = &plan.scratch {
                    self.scratch.remove(scratch);
                }
                if let (Some(tree), Some(group)) = (&mut self.tree, group) {
                    tree.put(group);
                }
                return Err(io_failure(Step::Fork, &error));
            }
        };
        let job = Job {
            socket: socket
                .try_clone()
                .map_err(|error| io_failure(Step::Descriptors, &error))?,
            note,
            main,
            events_before: group.as_ref().map_or((0, 0), Group::limit_events),
            group,
            bounds: request.bounds.clone(),
            scratch: plan.scratch,
            timers: Timers::starting(now()),
            phase: Phase::Running,
            limit: None,
            held: false,
            told: request.tell_memory.then_some(0),
            exited: None,
        };
        let data = epoll::EventData::new_u64(place as u64);
        if let Err(error) = epoll::add(&self.epoll, &job.socket, data, epoll::EventFlags::IN) {
            super::note(format_args!("a job socket can't be watched: {error}"));
        }
        if request.announce {
            let pid = u32::try_from(main).unwrap_or_default();
            send_report(&job.socket, &Report::Started { pid });
        }
        self.jobs.insert(place, job);
        Ok(())
    }

    fn take_group(&mut self, request: &Request) -> Result<Option<Group>, SpawnFailure> {
        let Some(tree) = self.tree.as_mut() else {
            return Ok(None);
        };
        let limits = (
            tree.memory.then_some(request.bounds.memory),
            tree.pids.then_some(request.bounds.processes),
        );
        let group = tree
            .take()
            .and_then(|group| group.limit(limits.0, limits.1).map(|()| group))
            .map_err(|error| io_failure(Step::ResourceLimits, &error))?;
        Ok(Some(group))
    }

    /// Reads what the engine wants of a run; hanging up means that nobody
    /// waits for it any more.
    fn obey(&mut self, place: usize) {
        let Some(job) = self.jobs.get_mut(&place) else {
            return;
        };
        match wire::receive::<Order>(&job.socket, RecvFlags::DONTWAIT, &mut self.buffer) {
            Ok(Some((Order::End { grace }, _))) => job.ask(now(), grace),
            Ok(Some((Order::Hold(held), _))) => job.hold(held),
            Err(Errno::AGAIN) => {}
            Ok(None) | Err(_) => {
                job.kill(now());
                // It would be readable for ever.
                epoll::delete(&self.epoll, &job.socket).ok();
            }
        }
    }

    // === Ends ===

    fn reap(&mut self) {
        drain(self.children.as_fd());
        while let Reap::Ended(ended) = sys::reap() {
            match self.jobs.values_mut().find(|job| job.main == ended.pid) {
                Some(job) if job.group.is_some() => {
                    job.program_exited(ended.status, ended.usage, now());
                }
                Some(job) => {
                    job.supervisor_exited(ended.status, ended.usage);
                    self.orphans |= job.note.finding().is_none();
                }
                None => self.scratch.ended(ended.pid),
            }
        }
        self.finish_jobs();
    }

    /// Reports the runs of which nothing is left.
    fn finish_jobs(&mut self) {
        if self.orphans {
            let strangers = self.strangers();
            self.orphans = !strangers.is_empty();
            for pid in strangers {
                sys::kill(pid, libc::SIGKILL);
            }
        }
        let orphans = self.orphans;
        let done: Vec<usize> = self
            .jobs
            .iter()
            .filter(|(_, job)| {
                job.exited.is_some()
                    && match &job.group {
                        Some(group) => !group.populated(),
                        None => job.note.finding().is_some() || !orphans,
                    }
            })
            .map(|(place, _)| *place)
            .collect();
        for place in done {
            if let Some(job) = self.jobs.remove(&place) {
                self.finish(job);
                self.free.push(place);
            }
        }
    }

    fn finish(&mut self, job: Job) {
        if let Some(exited) = &job.exited {
            let report = match job.note.failure() {
                Some(failure) => Report::SpawnFailed(failure),
                None => Report::Ended(job.report(exited)),
            };
            send_report(&job.socket, &report);
        }
        if let Some(scratch) = &job.scratch {
            self.scratch.remove(scratch);
        }
        if let (Some(tree), Some(group)) = (&mut self.tree, job.group) {
            tree.put(group);
        }
    }

    /// Children that are neither a job nor a helper.
    fn strangers(&self) -> Vec<Pid> {
        let mut children = children_of(getpid().as_raw_nonzero().get());
        children.retain(|pid| {
            !self.scratch.is_helper(*pid) && self.jobs.values().all(|job| job.main != *pid)
        });
        children
    }
}

pub(super) fn send_report(socket: impl AsFd, report: &Report) {
    let Ok(packet) = wire::encode(report) else {
        super::note(format_args!("a report is too large to be sent"));
        return;
    };
    // When nobody listens any more, nobody needs it.
    wire::send(socket, &packet, &[]).ok();
}

/// Empties the signal descriptor; `wait4` tells what happened.
fn drain(descriptor: BorrowedFd<'_>) {
    let mut buffer = [0_u8; 1024];
    while rustix::io::read(descriptor, &mut buffer).is_ok_and(|length| length > 0) {}
}

fn failure(step: Step, errno: Errno) -> SpawnFailure {
    SpawnFailure {
        step,
        errno: errno.raw_os_error(),
    }
}

fn io_failure(step: Step, error: &io::Error) -> SpawnFailure {
    SpawnFailure {
        step,
        errno: error.raw_os_error().unwrap_or(libc::EIO),
    }
}

/// Monotonic time. The launcher has no runtime, hence no runtime's clock.
pub(super) fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}
