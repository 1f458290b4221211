//! Bytes on a socket, for what no client library would send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::LIMIT;

/// Sends these bytes, and reads all that comes back until the server ends the
/// connection. What the server does not want to read any more is no failure.
pub(crate) async fn exchange(address: SocketAddr, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let exchange = async {
        let (mut reading, mut writing) = stream.split();
        let send = async {
            writing.write_all(sent).await.ok();
        };
        let mut answer = Vec::new();
        let receive = async {
            reading.read_to_end(&mut answer).await.ok();
        };
        tokio::join!(send, receive);
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::time::timeout(LIMIT, exchange)
        .await
        .expect("the server ends the connection")
}

/// The status in an answer; `None` when nothing came.
pub(crate) fn status(answer: &str) -> Option<u16> {
    answer
        .strip_prefix("HTTP/1.1 ")?
        .split(' ')
        .next()?
        .parse()
        .ok()
}
