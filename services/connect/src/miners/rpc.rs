//! The machines' own protocols over TCP: one JSON command a connection.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wb_metering::miner::ANSWERS_MAX_BYTES;

use super::json::{Ending, repaired};

/// Why a command got no answer that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// Nobody takes the connection.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The time is over, and nothing or only a part has come.
    #[error("no whole answer within {} ms, {bytes} bytes of it", within.as_millis())]
    Slow {
        /// The time that was given.
        within: Duration,
        /// What had come.
        bytes: usize,
    },
    /// The connection ended without a byte.
    #[error("the connection was closed without an answer{0}")]
    Closed(String),
    /// More than is read.
    #[error("the answer has more than {ANSWERS_MAX_BYTES} bytes")]
    TooLarge,
    /// It is no JSON, nor near it.
    #[error("the answer is no JSON: {0:?}")]
    NotJson(String),
    /// A web server answered.
    #[error("a web server answers there")]
    SpeaksHttp,
    /// A web server refuses.
    #[error("HTTP status {0}")]
    Status(u16),
    /// A web server wants a login that was not given, or does not take the one that was.
    #[error("it asks for a login: give it as WEIGHBRIDGE_MINER_LOGIN, user:password")]
    Login,
}

impl Fault {
    /// Whether nothing at all came from the machine.
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Slow { bytes: 0, .. } | Self::Closed(_))
    }
}

/// Sends a command to cgminer's interface, which most firmware has on port 4028, and reads its answer.
pub(crate) async fn cgminer(address: SocketAddr, command: &str, within: Duration) -> Result<String, Fault> {
    let request = format!("{}\n", json!({"command": command}));
    let mut taken = Vec::new();
    let asked = async {
        let mut stream = connect(address).await?;
        stream.write_all(request.as_bytes()).await.map_err(|error| Fault::Closed(format!(": {error}")))?;
        let mut ending = Ending::default();
        let mut piece = vec![0; 16 * 1024];
        loop {
            let size = match stream.read(&mut piece).await {
                Ok(0) => break,
                Ok(size) => size,
                // Firmware that resets the connection behind its answer has answered.
                Err(error) if taken.is_empty() => return Err(Fault::Closed(format!(": {error}"))),
                Err(_) => break,
            };
            let piece = piece.get(..size).unwrap_or_default();
            if taken.len() + piece.len() > ANSWERS_MAX_BYTES {
                return Err(Fault::TooLarge);
            }
            taken.extend_from_slice(piece);
            if ending.reached(piece) {
                break;
            }
        }
        Ok(())
    };
    let asked = tokio::time::timeout(within, asked).await;
    asked.map_err(|_| Fault::Slow { within, bytes: taken.len() })??;
    if taken.is_empty() {
        return Err(Fault::Closed(String::new()));
    }
    if taken.starts_with(b"HTTP/") {
        return Err(Fault::SpeaksHttp);
    }
    repaired(&taken).ok_or_else(|| Fault::NotJson(beginning(&taken)))
}

/// Sends a command to the Whatsminers' third interface: every message is preceded by its length, four bytes, least
/// significant first.
pub(crate) async fn whatsminer(
    address: SocketAddr,
    command: &str,
    param: Option<&str>,
    within: Duration,
) -> Result<String, Fault> {
    let request = match param {
        Some(param) => json!({"cmd": command, "param": param}),
        None => json!({"cmd": command}),
    };
    let text = request.to_string();
    let closed = |error: std::io::Error| Fault::Closed(format!(": {error}"));
    let asked = async {
        let mut stream = connect(address).await?;
        let size = u32::try_from(text.len()).map_err(|_| Fault::TooLarge)?;
        let mut message = size.to_le_bytes().to_vec();
        message.extend_from_slice(text.as_bytes());
        stream.write_all(&message).await.map_err(closed)?;
        let mut size = [0; 4];
        stream.read_exact(&mut size).await.map_err(closed)?;
        if &size == b"HTTP" {
            return Err(Fault::SpeaksHttp);
        }
        let size = usize::try_from(u32::from_le_bytes(size)).unwrap_or(usize::MAX);
        if size > ANSWERS_MAX_BYTES {
            return Err(Fault::TooLarge);
        }
        let mut answer = vec![0; size];
        stream.read_exact(&mut answer).await.map_err(closed)?;
        Ok(answer)
    };
    let answer =
        tokio::time::timeout(within, asked).await.map_err(|_| Fault::Slow { within, bytes: 0 })??;
    repaired(&answer).ok_or_else(|| Fault::NotJson(beginning(&answer)))
}

/// Whether somebody takes connections there.
pub(crate) async fn is_open(address: SocketAddr, within: Duration) -> Result<(), Fault> {
    tokio::time::timeout(within, connect(address)).await.map_err(|_| Fault::Slow { within, bytes: 0 })??;
    Ok(())
}

async fn connect(address: SocketAddr) -> Result<TcpStream, Fault> {
    TcpStream::connect(address).await.map_err(|error| Fault::Connect(error.to_string()))
}

pub(crate) fn beginning(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(60).collect()
}
