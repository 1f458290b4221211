//! A server on its standard streams: named pipes lead there and back, one line a
//! message, and all calls in flight share them.
//!
//! Whoever measures starts the server (`server <to >from &`): this side starts
//! nothing. What the server asks by itself is not answered.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe::{OpenOptions, Receiver, Sender};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::client::{ClientError, Era, LARGEST, Reply, call_body, hello, ready};

/// How long the server may take to open its ends.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);
/// Read at once.
const PIECE: usize = 256 << 10;

/// Where a server's standard streams are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipes {
    /// The named pipe that is its standard input.
    pub to: PathBuf,
    /// The one that is its standard output.
    pub from: PathBuf,
}

/// Those who wait, by the number of their call; none any more when the
/// connection is broken.
type Waiting = Mutex<Option<HashMap<u64, oneshot::Sender<Bytes>>>>;

/// A connection that all callers share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    // Held for one line: lines don't mix.
    to: tokio::sync::Mutex<Sender>,
    waiting: Arc<Waiting>,
    next: AtomicU64,
    era: Era,
    // Ends with the last caller.
    _reader: JoinSet<()>,
}

/// What tells an answer's message from others.
#[derive(Deserialize)]
struct Head {
    id: Option<u64>,
    method: Option<IgnoredAny>,
}

impl Shared {
    pub(crate) async fn connect(pipes: &Pipes, era: Era) -> Result<Self, ClientError> {
        let (to, from) = open(pipes).await?;
        Self::over(to, from, era).await
    }

    async fn over(to: Sender, from: Receiver, era: Era) -> Result<Self, ClientError> {
        let waiting: Arc<Waiting> = Arc::new(Mutex::new(Some(HashMap::new())));
        let mut reader = JoinSet::new();
        let answered = Arc::clone(&waiting);
        reader.spawn(async move {
            read(from, &answered).await;
            // Whoever still waits learns that nobody will answer.
            answered
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
        });
        let shared = Self {
            inner: Arc::new(Inner {
                to: tokio::sync::Mutex::new(to),
                waiting,
                next: AtomicU64::new(1),
                era,
                _reader: reader,
            }),
        };
        if era == Era::Session {
            let reply = shared.ask(|id| hello(id).to_string()).await?;
            if let Some(code) = reply.error_code() {
                return Err(ClientError::Refused(code));
            }
            shared.send(&ready().to_string()).await?;
        }
        Ok(shared)
    }

    pub(crate) async fn call(&self, tool: &str, arguments: &str) -> Result<Reply, ClientError> {
        let era = self.inner.era;
        self.ask(|id| call_body(era, id, tool, arguments)).await
    }

    async fn ask(&self, message: impl FnOnce(u64) -> String) -> Result<Reply, ClientError> {
        let id = self.inner.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        // Forgets the call when its caller gives it up.
        let _place = Place::take(&self.inner.waiting, id, sender)?;
        self.send(&message(id)).await?;
        let body = answer.await.map_err(|_| ClientError::Closed)?;
        Ok(Reply { status: 200, body })
    }

    async fn send(&self, message: &str) -> Result<(), ClientError> {
        let mut to = self.inner.to.lock().await;
        to.write_all(format!("{message}\n").as_bytes())
            .await
            .map_err(|_| ClientError::Closed)
    }
}

/// A place among those who wait.
struct Place<'a> {
    waiting: &'a Waiting,
    id: u64,
}

impl<'a> Place<'a> {
    fn take(
        waiting: &'a Waiting,
        id: u64,
        sender: oneshot::Sender<Bytes>,
    ) -> Result<Self, ClientError> {
        waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
            .ok_or(ClientError::Closed)?
            .insert(id, sender);
        Ok(Self { waiting, id })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        answer_of(self.waiting, self.id);
    }
}

fn answer_of(waiting: &Waiting, id: u64) -> Option<oneshot::Sender<Bytes>> {
    waiting
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .as_mut()?
        .remove(&id)
}

/// Opens both ends, in the order in which a shell's redirections do.
async fn open(pipes: &Pipes) -> Result<(Sender, Receiver), ClientError> {
    let failed = |path: &PathBuf, source| ClientError::Connect {
        authority: path.display().to_string(),
        source,
    };
    let until = Instant::now() + PATIENCE;
    let to = loop {
        // Nobody reads there yet: the server is on its way.
        match OpenOptions::new().open_sender(&pipes.to) {
            Ok(to) => break to,
            Err(error) if error.raw_os_error() == Some(ENXIO) && Instant::now() < until => {
                sleep(PAUSE).await;
            }
            Err(error) => return Err(failed(&pipes.to, error)),
        }
    };
    let from = OpenOptions::new()
        .open_receiver(&pipes.from)
        .map_err(|error| failed(&pipes.from, error))?;
    Ok((to, from))
}

/// "No such device or address": a pipe without a reader.
const ENXIO: i32 = 6;

/// Hands out answers until the server's end is closed, or a line has no end.
async fn read(mut from: Receiver, waiting: &Waiting) {
    let mut buffer = BytesMut::new();
    // No line ends before this.
    let mut searched = 0;
    let mut begun = false;
    let until = Instant::now() + PATIENCE;
    while buffer.len() <= LARGEST {
        buffer.reserve(PIECE);
        match from.read_buf(&mut buffer).await {
            // The server has not opened its end yet.
            Ok(0) if !begun && Instant::now() < until => {
                sleep(PAUSE).await;
                continue;
            }
            Ok(0) | Err(_) => return,
            Ok(_) => begun = true,
        }
        while let Some(at) = memchr::memchr(b'\n', buffer.get(searched..).unwrap_or_default()) {
            let line = buffer.split_to(searched + at + 1).freeze();
            searched = 0;
            if let Some(id) = answered(&line)
                && let Some(sender) = answer_of(waiting, id)
            {
                // A caller that has given up does not want it.
                sender.send(line).ok();
            }
        }
        searched = buffer.len();
    }
}

/// The number of the call that a message answers.
fn answered(line: &[u8]) -> Option<u64> {
    // As most servers write it; an answer may be large, and is not read for this.
    if let Some(rest) = line.strip_prefix(br#"{"jsonrpc":"2.0","id":"#) {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let id = std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok();
        if id.is_some() && rest.get(digits..)?.starts_with(br#","result""#) {
            return id;
        }
    }
    let head: Head = serde_json::from_slice(line).ok()?;
    head.id.filter(|_| head.method.is_none())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
    use tokio::net::unix::pipe::pipe;

    use super::*;

    #[test]
    fn answers_are_told_from_other_messages() {
        let cases: [(&str, Option<u64>); 6] = [
            (r#"{"jsonrpc":"2.0","id":12,"result":{"id":3}}"#, Some(12)),
            (
                r#"{"result": {"id": 3}, "id": 7, "jsonrpc": "2.0"}"#,
                Some(7),
            ),
            (r#"{"jsonrpc":"2.0","id":4,"error":{"code":1}}"#, Some(4)),
            // The server asks something.
            (r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#, None),
            (
                r#"{"jsonrpc":"2.0","method":"notifications/message"}"#,
                None,
            ),
            ("starting up", None),
        ];
        for (line, expected) in cases {
            assert_eq!(answered(line.as_bytes()), expected, "{line}");
        }
    }

    type Asked = Lines<BufReader<Receiver>>;

    /// The client's side, and the server's.
    async fn connected() -> (Shared, Asked, Sender) {
        let (to, asked) = pipe().unwrap();
        let (answers, from) = pipe().unwrap();
        let shared = Shared::over(to, from, Era::Stateless).await.unwrap();
        (shared, BufReader::new(asked).lines(), answers)
    }

    /// The number and the argument of the next call.
    async fn next(asked: &mut Asked) -> (u64, String) {
        let line = asked.next_line().await.unwrap().unwrap();
        let message: serde_json::Value = serde_json::from_str(&line).unwrap();
        let argument = message["params"]["arguments"]["n"].to_string();
        (message["id"].as_u64().unwrap(), argument)
    }

    #[tokio::test]
    async fn each_caller_has_its_own_answer_in_whatever_order_they_come() {
        let (shared, mut asked, mut answers) = connected().await;
        let server = async {
            let (one, two) = (next(&mut asked).await, next(&mut asked).await);
            for (id, argument) in [two, one] {
                // In pieces, as pipes give them.
                let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{argument}}}\n");
                for piece in line.as_bytes().chunks(7) {
                    answers.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        };
        let call = |argument| shared.call("t", argument);
        let (first, second, ()) = tokio::join!(call(r#"{"n":10}"#), call(r#"{"n":20}"#), server);
        for (reply, argument) in [(first, "10"), (second, "20")] {
            let body = reply.unwrap().body;
            let expected = format!("\"result\":{argument}}}");
            assert!(
                String::from_utf8_lossy(&body).contains(&expected),
                "{body:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_server_that_goes_leaves_nobody_waiting() {
        let (shared, mut asked, answers) = connected().await;
        let server = async {
            next(&mut asked).await;
            drop((asked, answers));
        };
        let (reply, ()) = tokio::join!(shared.call("t", "{}"), server);
        assert!(matches!(reply, Err(ClientError::Closed)), "{reply:?}");
        let after = shared.call("t", "{}").await;
        assert!(matches!(after, Err(ClientError::Closed)), "{after:?}");
    }
}
