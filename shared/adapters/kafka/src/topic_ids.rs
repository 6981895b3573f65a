//! The broker's own ids of topics. A topic that was deleted and made again has another one, although its name, its
//! partitions and even its length may be the same.
//!
//! The client library does not give them out, so one Metadata request (Kafka protocol, version 12, flexible encoding:
//! lengths are unsigned varints of one more) is made by hand, over a plain connection only: where the cluster wants TLS or
//! SASL the ids stay unknown, and a topic that was made again is found by the hash of its last committed record instead.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::LogSettings;

/// Ids by topic; a topic that is not known, or not to be asked for, has none.
pub type TopicIds = BTreeMap<String, [u8; 16]>;

const API_METADATA: u16 = 3;
const VERSION: u16 = 12;
const CORRELATION_ID: u32 = 0x5742;
const CLIENT_ID: &[u8] = b"weighbridge";
/// The partitions of our topics, each described in some fifty bytes and its replicas.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long one broker may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the brokers in their order until one answers.
pub(crate) async fn ask(settings: &LogSettings, topics: &[&str]) -> io::Result<TopicIds> {
    let is_plain = |(name, value): &(String, String)| {
        name != "security.protocol" || value.eq_ignore_ascii_case("plaintext")
    };
    if !settings.properties.iter().all(is_plain) {
        return Ok(TopicIds::new());
    }
    let mut last = io::Error::other("no broker is committed");
    for broker in settings.brokers.split(',') {
        let broker = broker.trim().trim_start_matches("PLAINTEXT://");
        match timeout(ANSWER_TIMEOUT, ask_one(broker, topics)).await {
            Ok(Ok(answer)) => {
                return read_answer(&answer)
                    .ok_or_else(|| io::Error::other("the broker's answer cannot be read"));
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

async fn ask_one(broker: &str, topics: &[&str]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(broker).await?;
    stream.write_all(&request(topics)).await?;
    let length = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
    if length > ANSWER_BYTES_MAX {
        return Err(io::Error::other("the answer is too long for one of Kafka's"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn request(topics: &[&str]) -> Vec<u8> {
    let mut body = Vec::with_capacity(256);
    body.extend(API_METADATA.to_be_bytes());
    body.extend(VERSION.to_be_bytes());
    body.extend(CORRELATION_ID.to_be_bytes());
    body.extend(u16::try_from(CLIENT_ID.len()).unwrap_or_default().to_be_bytes());
    body.extend(CLIENT_ID);
    // No tagged fields, here and below.
    body.push(0);
    write_length(&mut body, topics.len());
    for topic in topics {
        // Asked for by its name, not by its id.
        body.extend([0; 16]);
        write_length(&mut body, topic.len());
        body.extend(topic.as_bytes());
        body.push(0);
    }
    // No topic is to be made, and nobody's rights are asked for.
    body.extend([0, 0, 0]);
    let mut framed = u32::try_from(body.len()).unwrap_or_default().to_be_bytes().to_vec();
    framed.extend(body);
    framed
}

/// A length of the flexible encoding: one more, as an unsigned varint.
fn write_length(body: &mut Vec<u8>, length: usize) {
    let mut rest = length.saturating_add(1);
    loop {
        let low = u8::try_from(rest & 0x7f).unwrap_or_default();
        rest >>= 7;
        if rest == 0 {
            body.push(low);
            return;
        }
        body.push(low | 0x80);
    }
}

fn read_answer(bytes: &[u8]) -> Option<TopicIds> {
    let mut reader = Reader(bytes);
    let correlation = reader.take(4)?;
    if correlation != CORRELATION_ID.to_be_bytes() {
        return None;
    }
    reader.tags()?;
    let _throttle_ms = reader.take(4)?;
    for _ in 0..reader.length()? {
        let _node_id = reader.take(4)?;
        let _host = reader.text()?;
        let _port = reader.take(4)?;
        let _rack = reader.text()?;
        reader.tags()?;
    }
    let _cluster_id = reader.text()?;
    let _controller_id = reader.take(4)?;
    let mut ids = TopicIds::new();
    for _ in 0..reader.length()? {
        let error = reader.take(2)?;
        let name = std::str::from_utf8(reader.text()?).ok()?.to_owned();
        let id: [u8; 16] = reader.take(16)?.try_into().ok()?;
        let _is_internal = reader.take(1)?;
        for _ in 0..reader.length()? {
            // Error, index, leader and its epoch; then replicas, those in sync and those offline.
            let _partition = reader.take(2 + 4 + 4 + 4)?;
            for _ in 0..3 {
                let nodes = reader.length()?;
                let _nodes = reader.take(nodes.checked_mul(4)?)?;
            }
            reader.tags()?;
        }
        let _operations = reader.take(4)?;
        reader.tags()?;
        if error == [0, 0] && id != [0; 16] {
            ids.insert(name, id);
        }
    }
    Some(ids)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<usize> {
        let mut value = 0_usize;
        for place in 0..5 {
            let byte = self.take(1)?[0];
            value |= usize::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A length; null reads as zero.
    fn length(&mut self) -> Option<usize> {
        Some(self.varint()?.saturating_sub(1))
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    fn tags(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            let _tag = self.varint()?;
            let length = self.varint()?;
            let _value = self.take(length)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &mut Vec<u8>, text: &str) {
        write_length(bytes, text.len());
        bytes.extend(text.as_bytes());
    }

    /// An answer with one broker and these topics: name, error, id.
    fn answer(topics: &[(&str, u16, [u8; 16])]) -> Vec<u8> {
        let mut bytes = CORRELATION_ID.to_be_bytes().to_vec();
        bytes.push(0);
        bytes.extend([0; 4]);
        write_length(&mut bytes, 1);
        bytes.extend(1_u32.to_be_bytes());
        text(&mut bytes, "127.0.0.1");
        bytes.extend(9_092_u32.to_be_bytes());
        bytes.extend([0, 0]);
        text(&mut bytes, "cluster");
        bytes.extend(1_u32.to_be_bytes());
        write_length(&mut bytes, topics.len());
        for (name, error, id) in topics {
            bytes.extend(error.to_be_bytes());
            text(&mut bytes, name);
            bytes.extend(id);
            bytes.push(0);
            write_length(&mut bytes, 2);
            for _ in 0..2 {
                bytes.extend([0; 14]);
                for nodes in [1, 1, 0] {
                    write_length(&mut bytes, nodes);
                    bytes.extend(vec![0; nodes * 4]);
                }
                bytes.push(0);
            }
            bytes.extend([0; 4]);
            bytes.push(0);
        }
        bytes.push(0);
        bytes
    }

    #[test]
    fn ids_are_read_where_there_are_any() {
        let long = "t".repeat(200);
        let bytes = answer(&[("shares", 0, [7; 16]), ("gone", 3, [0; 16]), (&long, 0, [9; 16])]);
        let ids = read_answer(&bytes).unwrap();
        assert_eq!(ids, TopicIds::from([("shares".to_owned(), [7; 16]), (long, [9; 16])]));
        for length in 0..bytes.len() - 1 {
            assert_eq!(read_answer(&bytes[..length]), None, "torn after {length} bytes");
        }
        assert_eq!(read_answer(b"HTTP/1.1 400 Bad Request"), None);
    }
}
