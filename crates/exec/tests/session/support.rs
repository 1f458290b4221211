//! Pools whose sessions are the conversing fixture program.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use reversecore_exec::{
    Command, Dialect, Engine, EngineConfig, Limits, Opening, Question, Reply, SessionConfig,
    SessionError, SessionKey, SessionOutcome, SessionPool, SessionStats,
};
use reversecore_testkit::{fixture, processes};
use tempfile::TempDir;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Nothing here takes so long.
pub(crate) const LONG: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(crate) struct TestSessions {
    pub(crate) pool: SessionPool,
    /// In the command line of every session of this pool, and of nothing else.
    pub(crate) mark: String,
    /// Lines that sessions are given first.
    pub(crate) prepare: Vec<String>,
    pub(crate) expected_memory: u64,
    pub(crate) processes: u32,
    /// What sessions are opened on is what it was.
    pub(crate) valid: Arc<AtomicBool>,
    /// Times that `open` was called.
    pub(crate) opened: Arc<AtomicU32>,
    _scratch: Arc<TempDir>,
}

impl TestSessions {
    pub(crate) fn start(adjust: impl FnOnce(&mut SessionConfig)) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let scratch = tempfile::tempdir().unwrap();
        let launcher = env!("CARGO_BIN_EXE_reversecore-launcher");
        let engine = Engine::start(EngineConfig::new(launcher, scratch.path())).unwrap();
        let mut config = SessionConfig::default();
        adjust(&mut config);
        Self {
            pool: SessionPool::start(&engine, config),
            mark: format!("session-mark-{}-{number}-end", std::process::id()),
            prepare: Vec::new(),
            expected_memory: 1 << 20,
            processes: 1,
            valid: Arc::new(AtomicBool::new(true)),
            opened: Arc::default(),
            _scratch: Arc::new(scratch),
        }
    }

    pub(crate) fn new() -> Self {
        Self::start(|_| {})
    }

    pub(crate) fn prepared(mut self, lines: &[&str]) -> Self {
        self.prepare = lines.iter().map(|&line| line.to_owned()).collect();
        self
    }

    pub(crate) fn opening(&self) -> Opening {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let valid = Arc::clone(&self.valid);
        Opening {
            command: Command::new(fixture("hostile"))
                .args(["converse", &self.mark])
                .limits(Limits {
                    processes: self.processes,
                    ..Limits::default()
                }),
            dialect: Dialect {
                print_joined: |first, second| format!("join {first} {second}"),
            },
            prepare: self.prepare.clone(),
            timeout: LONG,
            expected_memory: self.expected_memory,
            still_valid: Box::new(move || valid.load(Ordering::Relaxed)),
        }
    }

    pub(crate) async fn ask(
        &self,
        key: &str,
        question: Question,
        cancel: &CancellationToken,
    ) -> Result<Reply, SessionError> {
        let mut open = || Some(self.opening());
        self.pool
            .run(&SessionKey::new(key), &mut open, question, cancel)
            .await
    }

    /// Expects that the pool does its part.
    pub(crate) async fn reply(&self, key: &str, text: &str) -> Reply {
        self.ask(key, question(text), &CancellationToken::new())
            .await
            .unwrap()
    }

    /// The answer as text.
    pub(crate) async fn answer(&self, key: &str, text: &str) -> String {
        let reply = self.reply(key, text).await;
        assert_eq!(reply.outcome, SessionOutcome::Answered, "{text}: {reply:?}");
        reply.stdout.text()
    }

    /// The outcome of a question with so much time.
    pub(crate) async fn outcome_within(
        &self,
        key: &str,
        text: &str,
        timeout: Duration,
    ) -> SessionOutcome {
        let question = Question {
            timeout,
            ..question(text)
        };
        let reply = self.ask(key, question, &CancellationToken::new()).await;
        reply.unwrap().outcome
    }

    /// Asks on a task of its own.
    pub(crate) fn spawn(
        &self,
        key: &str,
        text: &str,
        cancel: &CancellationToken,
    ) -> tokio::task::JoinHandle<Result<Reply, SessionError>> {
        let (sessions, key, text, cancel) = (
            self.clone(),
            key.to_owned(),
            text.to_owned(),
            cancel.clone(),
        );
        tokio::spawn(async move { sessions.ask(&key, question(&text), &cancel).await })
    }

    /// Waits until the pool is in such a state.
    pub(crate) async fn until(&self, what: &str, reached: impl Fn(SessionStats) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !reached(self.pool.stats()) {
            assert!(Instant::now() < deadline, "{what}: {:?}", self.pool.stats());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(crate) fn processes(&self) -> Vec<u32> {
        processes::marked(&self.mark)
    }
}

pub(crate) fn question(text: &str) -> Question {
    Question {
        text: text.to_owned(),
        after: Vec::new(),
        keep_stdout: 1 << 20,
        keep_stderr: 16 << 10,
        timeout: LONG,
        hold: None,
        last: false,
    }
}
