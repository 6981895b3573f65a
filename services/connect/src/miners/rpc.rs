//! The machines' protocols over TCP, with one JSON command per connection.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wb_metering::miner::ANSWERS_MAX_BYTES;
use wb_metering::miner::repair::repaired;

use super::ending::Ending;

/// Why a command got no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The connection failed.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The timeout passed before a whole answer came.
    #[error("no complete answer within {} ms, only {bytes} bytes", within.as_millis())]
    Slow {
        /// The timeout.
        within: Duration,
        /// How many bytes came.
        bytes: usize,
    },
    /// The connection was closed without an answer.
    #[error("the connection was closed without an answer{0}")]
    Closed(String),
    /// The answer is too long.
    #[error("the answer has more than {ANSWERS_MAX_BYTES} bytes")]
    TooLarge,
    /// The answer is not JSON and cannot be repaired.
    #[error("the answer is not JSON: {0:?}")]
    NotJson(String),
    /// A web server answered.
    #[error("a web server answers there")]
    SpeaksHttp,
    /// A web server returned an error status.
    #[error("HTTP status {0}")]
    Status(u16),
    /// A web server requires a login, or refused the given one.
    #[error("it requires a login: set WEIGHBRIDGE_MINER_LOGIN to user:password")]
    Login,
}

impl Fault {
    /// Whether the machine sent nothing at all.
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Slow { bytes: 0, .. } | Self::Closed(_))
    }
}

/// Sends a command to cgminer's interface, which most firmware offers on port 4028.
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
                // Some firmware resets the connection after its answer.
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

/// Sends a command to the third interface of Whatsminers. Every message begins with its length in four bytes,
/// little-endian.
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

/// Whether the address accepts connections.
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
