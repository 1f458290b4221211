//! The judge's end of the protocol. A driver may be slow, silent, dead, or say
//! nonsense; every wait ends, and what is wrong becomes a sentence.

use std::collections::HashMap;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, Rlimit};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::stage::{ORDINARY_USER, Stage};
use super::subject::Subject;
use super::watch;
use crate::protocol::{Ended, Hello, Reply, Request, Run};

/// A driver that needs longer to say who it is has failed.
const START: Duration = Duration::from_secs(15);
/// A longer line is no reply.
const LONGEST_LINE: u64 = 4 << 20;
/// What an ordinary user's driver may add to the user's threads, should its engine
/// not hold a fork bomb. (Root has no such limit.)
const MOST_THREADS: u64 = 600;
/// Carries the stage's word to everything that a driver starts.
const VARIABLE: &str = "ENGINE_CONFORMANCE";

/// How an answer came.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) ended: Ended,
    /// From the request to the reply.
    pub(super) took: Duration,
    pub(super) at: Instant,
}

/// A running driver. Dropping it kills it; what its engine started is ended by
/// [`Stage::end_all`].
#[derive(Debug)]
pub(super) struct Driver {
    child: Child,
    stdin: tokio::sync::Mutex<ChildStdin>,
    inbox: Arc<Mutex<Inbox>>,
    next: AtomicU64,
    directory: PathBuf,
    _reader: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Inbox {
    hello: Option<oneshot::Sender<Hello>>,
    waiting: HashMap<u64, oneshot::Sender<(Ended, Instant)>>,
    /// What was said that nobody asked for, or asked for once.
    surplus: Vec<String>,
    closed: bool,
}

impl Driver {
    /// Starts it, as the ordinary user if asked to. Its working and temporary
    /// directory is a new one.
    pub(super) fn start(
        stage: &Stage,
        subject: &Subject,
        more: &[&str],
        as_user: bool,
    ) -> io::Result<Self> {
        let directory = stage.directory(as_user)?;
        let errors = std::fs::File::create(directory.with_extension("stderr"))?;
        #[expect(
            clippy::disallowed_methods,
            reason = "a driver has no engine to start it"
        )]
        let mut command = std::process::Command::new(&subject.program);
        command
            .args(&subject.arguments)
            .args(more)
            .env(VARIABLE, stage.word())
            .env("TMPDIR", &directory)
            .current_dir(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors);
        if as_user {
            command.gid(ORDINARY_USER).uid(ORDINARY_USER);
        }
        let mut child = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()?;
        limit_threads(&child, as_user);
        let missing = || io::Error::other("a pipe is missing");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let inbox = Arc::new(Mutex::new(Inbox::default()));
        let mut reader = JoinSet::new();
        reader.spawn(read(stdout, Arc::clone(&inbox)));
        Ok(Self {
            child,
            stdin: tokio::sync::Mutex::new(stdin),
            inbox,
            next: AtomicU64::new(1),
            directory,
            _reader: reader,
        })
    }

    pub(super) async fn hello(&self) -> Result<Hello, String> {
        let (sender, receiver) = oneshot::channel();
        self.inbox(|inbox| inbox.hello = Some(sender));
        let answer = async {
            self.send(&Request::Hello).await?;
            receiver.await.map_err(|_| self.last_words())
        };
        timeout(START, answer)
            .await
            .unwrap_or_else(|_| Err(format!("it did not say who it is within {START:?}")))
    }

    /// Has it run something. `patience` is counted on top of the run's own times.
    pub(super) async fn run(&self, mut run: Run, patience: Duration) -> Result<Answer, String> {
        run.id = self.next.fetch_add(1, Ordering::Relaxed);
        let id = run.id;
        let limit = Duration::from_millis(run.timeout_ms + run.grace_ms) + patience;
        let (sender, receiver) = oneshot::channel();
        if self.inbox(|inbox| {
            inbox.waiting.insert(id, sender);
            inbox.closed
        }) {
            return Err(self.last_words());
        }
        let began = Instant::now();
        let answer = async {
            self.send(&Request::Run(Box::new(run))).await?;
            receiver.await.map_err(|_| self.last_words())
        };
        match timeout(limit, answer).await {
            Ok(Ok((ended, at))) => Ok(Answer {
                ended,
                took: at - began,
                at,
            }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(format!("no answer within {:.1} s", limit.as_secs_f32())),
        }
    }

    /// Replies that nobody waited for: a second outcome of one run, or nonsense.
    pub(super) fn surplus(&self) -> Vec<String> {
        self.inbox(|inbox| inbox.surplus.clone())
    }

    /// While it has not been waited for.
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// `SIGKILL` to this one process, and its end.
    pub(super) async fn kill(&mut self) {
        self.child.kill().await.ok();
    }

    async fn send(&self, request: &Request) -> Result<(), String> {
        let mut line = serde_json::to_vec(request).map_err(|error| error.to_string())?;
        line.push(b'\n');
        let mut stdin = self.stdin.lock().await;
        stdin.write_all(&line).await.map_err(|_| self.last_words())
    }

    fn inbox<T>(&self, look: impl FnOnce(&mut Inbox) -> T) -> T {
        look(&mut self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn last_words(&self) -> String {
        let path = self.directory.with_extension("stderr");
        let errors = std::fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&errors);
        let last = text.lines().last().unwrap_or("without a word");
        format!("the driver ended ({last})")
    }
}

fn limit_threads(child: &Child, as_user: bool) {
    let pid = child
        .id()
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(rustix::process::Pid::from_raw);
    let user = if as_user {
        ORDINARY_USER
    } else {
        rustix::process::geteuid().as_raw()
    };
    let most = Some(watch::threads_of(user) + MOST_THREADS);
    let limit = Rlimit {
        current: most,
        maximum: most,
    };
    // A driver that has ended already needs no limit.
    rustix::process::prlimit(pid, Resource::Nproc, limit).ok();
}

/// Reads replies until there are no more.
async fn read(stdout: ChildStdout, inbox: Arc<Mutex<Inbox>>) {
    let mut replies = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        let read = (&mut replies)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .await;
        let at = Instant::now();
        let mut inbox = inbox.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(read, Ok(1..)) || line.last() != Some(&b'\n') {
            inbox.closed = true;
            inbox.waiting.clear();
            inbox.hello = None;
            return;
        }
        match serde_json::from_slice(&line) {
            Ok(Reply::Hello(hello)) => {
                if let Some(sender) = inbox.hello.take() {
                    sender.send(hello).ok();
                }
            }
            Ok(Reply::Ended(ended)) => match inbox.waiting.remove(&ended.id) {
                Some(sender) => {
                    // Whoever asked may have lost patience.
                    sender.send((*ended, at)).ok();
                }
                None => inbox
                    .surplus
                    .push(format!("a second outcome of run {}", ended.id)),
            },
            Err(error) => inbox.surplus.push(format!("no reply: {error}")),
        }
    }
}
