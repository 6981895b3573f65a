//! Reads request bodies with limits, and decompresses them as they arrive.

use std::time::Duration;

use axum::body::Body;
use axum::body::HttpBody as _;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use bytes::Bytes;
use http_body_util::BodyExt as _;

use crate::codec::BlockDecoder;
use crate::config::EngineConfig;
use crate::exception::{ChException, code};

/// Reads a body chunk by chunk.
pub(super) struct BodyReader {
    body: Body,
    blocks: Option<BlockDecoder>,
    read_bytes: u64,
    max_bytes: u64,
    idle: Duration,
    ended: bool,
}

impl BodyReader {
    pub(super) fn new(
        body: Body,
        config: &EngineConfig,
        decompress: bool,
        headers: &HeaderMap,
    ) -> Result<Self, ChException> {
        if let Some(encoding) = headers.get(CONTENT_ENCODING).filter(|v| *v != "identity") {
            return Err(ChException::new(
                code::UNKNOWN_COMPRESSION_METHOD,
                "UNKNOWN_COMPRESSION_METHOD",
                format!(
                    "Content-Encoding {encoding:?} of a request is not served; send it plain, or in ClickHouse's blocks with decompress=1"
                ),
            ));
        }
        Ok(Self {
            body,
            blocks: decompress.then(BlockDecoder::default),
            read_bytes: 0,
            max_bytes: config.max_body_bytes,
            idle: config.body_idle_timeout,
            ended: false,
        })
    }

    /// A body that was already read.
    pub(super) fn empty(config: &EngineConfig) -> Self {
        Self {
            body: Body::empty(),
            blocks: None,
            read_bytes: 0,
            max_bytes: 0,
            idle: config.body_idle_timeout,
            ended: true,
        }
    }

    pub(super) fn into_body(self) -> Body {
        self.body
    }

    /// Whether more data may come.
    pub(super) fn has_more(&self) -> bool {
        !self.ended && !self.body.is_end_stream()
    }

    /// The next bytes; `None` at the regular end. A lost client, a long pause or an incomplete block is an error.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ChException> {
        loop {
            if let Some(data) = self.blocks.as_mut().map(BlockDecoder::next_block).transpose()?.flatten() {
                return Ok(Some(data));
            }
            let Some(raw) = self.raw().await? else {
                if self.blocks.as_ref().is_some_and(|b| !b.is_at_block_end()) {
                    return Err(ChException::new(
                        code::CANNOT_READ_ALL_DATA,
                        "CANNOT_READ_ALL_DATA",
                        "Cannot read all data: the body ends inside a compressed block",
                    ));
                }
                return Ok(None);
            };
            match self.blocks.as_mut() {
                Some(blocks) => blocks.push(&raw),
                None if raw.is_empty() => {}
                None => return Ok(Some(raw)),
            }
        }
    }

    async fn raw(&mut self) -> Result<Option<Bytes>, ChException> {
        while !self.ended {
            let frame = tokio::time::timeout(self.idle, self.body.frame()).await.map_err(|_| {
                ChException::new(
                    code::TIMEOUT_EXCEEDED,
                    "TIMEOUT_EXCEEDED",
                    format!(
                        "The client sent nothing for {} s in the middle of its body",
                        self.idle.as_secs()
                    ),
                )
            })?;
            match frame {
                None => self.ended = true,
                Some(Err(error)) => {
                    self.ended = true;
                    return Err(ChException::aborted(format!("The request body was cut off: {error}")));
                }
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.read_bytes += u64::try_from(data.len()).unwrap_or(u64::MAX);
                    if self.read_bytes > self.max_bytes {
                        return Err(ChException::new(
                            code::QUERY_IS_TOO_LARGE,
                            "QUERY_IS_TOO_LARGE",
                            format!(
                                "The request body is longer than {} bytes; send it in several inserts",
                                self.max_bytes
                            ),
                        ));
                    }
                    return Ok(Some(data));
                }
            }
        }
        Ok(None)
    }

    /// Reads and discards the rest, up to a limit.
    pub(super) async fn drain(&mut self, max_bytes: u64) {
        self.max_bytes = self.read_bytes.saturating_add(max_bytes);
        self.idle = self.idle.min(Duration::from_secs(2));
        while let Ok(Some(_)) = self.raw().await {}
    }
}
