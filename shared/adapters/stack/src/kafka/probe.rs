//! Checks whether the broker serves clients, with a hand-written Metadata request.
//!
//! An accepted connection is not enough: the listener opens before the broker is unfenced, and another process may
//! hold the port. So the answer must list a broker and have our cluster id. The Kafka protocol is Metadata version 2;
//! all integers are big-endian, strings and arrays have a length prefix.

use crate::net::CONNECT_TIMEOUT;
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const API_METADATA: u16 = 3;
const VERSION: u16 = 2;
const CORRELATION_ID: u32 = 0x5742;
const CLIENT_ID: &[u8] = b"weighbridge-probe";
/// The largest answer. One broker without topics takes about a hundred bytes.
const ANSWER_LIMIT_BYTES: usize = 4096;
/// The time limit of one request; a starting broker is asked again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether a broker of this cluster answers on the address and lists itself as live.
pub(super) async fn serves(address: SocketAddr, cluster_id: &str) -> bool {
    let Ok(Ok(stream)) = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await else {
        return false;
    };
    match timeout(ANSWER_TIMEOUT, ask(stream)).await {
        Ok(Ok(answer)) => accepts(&answer, cluster_id, address.port()),
        _ => false,
    }
}

async fn ask(mut stream: TcpStream) -> io::Result<Vec<u8>> {
    stream.write_all(&request()).await?;
    let length = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
    if length > ANSWER_LIMIT_BYTES {
        return Err(io::Error::other("not a Kafka answer"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn request() -> Vec<u8> {
    let mut body = Vec::with_capacity(64);
    body.extend(API_METADATA.to_be_bytes());
    body.extend(VERSION.to_be_bytes());
    body.extend(CORRELATION_ID.to_be_bytes());
    body.extend(u16::try_from(CLIENT_ID.len()).unwrap_or_default().to_be_bytes());
    body.extend(CLIENT_ID);
    // An empty list of topics returns only the brokers.
    body.extend(0_u32.to_be_bytes());
    let mut framed = u32::try_from(body.len()).unwrap_or_default().to_be_bytes().to_vec();
    framed.extend(body);
    framed
}

fn accepts(answer: &[u8], cluster_id: &str, port: u16) -> bool {
    read_answer(answer)
        .is_some_and(|found| found.cluster_id == cluster_id && found.ports.contains(&u32::from(port)))
}

struct Answer<'a> {
    ports: Vec<u32>,
    cluster_id: &'a str,
}

fn read_answer(bytes: &[u8]) -> Option<Answer<'_>> {
    let mut reader = Reader(bytes);
    if reader.u32()? != CORRELATION_ID {
        return None;
    }
    let mut ports = Vec::new();
    for _ in 0..reader.u32()? {
        let _node_id = reader.u32()?;
        let _host = reader.string()?;
        ports.push(reader.u32()?);
        let _rack = reader.string()?;
    }
    Some(Answer { ports, cluster_id: reader.string()? })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// A nullable string; null (length -1) is read as empty.
    fn string(&mut self) -> Option<&'a str> {
        match i16::from_be_bytes(self.take(2)?.try_into().ok()?) {
            -1 => Some(""),
            length => std::str::from_utf8(self.take(usize::try_from(length).ok()?)?).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(ports: &[u32], cluster_id: Option<&str>) -> Vec<u8> {
        let mut bytes = CORRELATION_ID.to_be_bytes().to_vec();
        let string = |bytes: &mut Vec<u8>, text: &str| {
            bytes.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
            bytes.extend(text.as_bytes());
        };
        bytes.extend(u32::try_from(ports.len()).unwrap().to_be_bytes());
        for port in ports {
            bytes.extend(1_u32.to_be_bytes());
            string(&mut bytes, "127.0.0.1");
            bytes.extend(port.to_be_bytes());
            bytes.extend((-1_i16).to_be_bytes());
        }
        match cluster_id {
            Some(id) => string(&mut bytes, id),
            None => bytes.extend((-1_i16).to_be_bytes()),
        }
        bytes.extend(1_u32.to_be_bytes());
        bytes.extend(0_u32.to_be_bytes());
        bytes
    }

    #[test]
    fn only_our_own_live_broker_is_accepted() {
        assert!(accepts(&answer(&[9092], Some("ours")), "ours", 9092));
        for (refused, why) in [
            (answer(&[], Some("ours")), "no broker is unfenced"),
            (answer(&[9092], Some("theirs")), "another cluster"),
            (answer(&[9093], Some("ours")), "another port"),
            (answer(&[9092], None), "no cluster id"),
            (b"HTTP/1.1 400 Bad Request".to_vec(), "not Kafka"),
            (Vec::new(), "nothing"),
        ] {
            assert!(!accepts(&refused, "ours", 9092), "{why}");
        }
    }

    #[test]
    fn a_torn_answer_is_never_accepted() {
        let whole = answer(&[9092], Some("ours"));
        // The last eight bytes (controller, topics) are not read.
        for length in 0..whole.len() - 8 {
            assert!(!accepts(&whole[..length], "ours", 9092), "{length} bytes");
        }
    }
}
