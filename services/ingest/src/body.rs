//! Reads a request's body, with limits on its size before and after decompression.

use std::io::Read;

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt;

use crate::answer::Refusal;
use crate::limits;

/// The decoder refuses larger windows; zstd frames may ask for up to 2^27 bytes.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Reads the body as it was sent.
pub(crate) async fn read(body: Body) -> Result<Bytes, Refusal> {
    let mut stream = body.into_data_stream();
    let mut taken = Vec::new();
    let all = async {
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| Refusal::Malformed(error.to_string()))?;
            if taken.len() + chunk.len() > limits::BODY_BYTES_MAX {
                return Err(Refusal::BodyTooLarge);
            }
            taken.extend_from_slice(&chunk);
        }
        Ok(())
    };
    tokio::time::timeout(limits::BODY_TIMEOUT, all).await.map_err(|_| Refusal::TooSlow)??;
    Ok(Bytes::from(taken))
}

/// Decompresses by the Content-Encoding.
pub(crate) fn decompress(encoding: Option<&str>, body: Bytes) -> Result<Bytes, Refusal> {
    match encoding.map(str::trim) {
        None | Some("" | "identity") => Ok(body),
        Some("gzip") => bounded(flate2::read::MultiGzDecoder::new(body.as_ref()), "gzip"),
        Some("zstd") => {
            let undecodable = |error: std::io::Error| Refusal::Undecompressable {
                encoding: "zstd",
                detail: error.to_string(),
            };
            let mut decoder = zstd::stream::read::Decoder::new(body.as_ref()).map_err(undecodable)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(undecodable)?;
            bounded(decoder, "zstd")
        }
        Some(other) => Err(Refusal::UnknownEncoding(other.chars().take(64).collect())),
    }
}

/// Decompresses at most one byte more than the limit.
fn bounded(decoder: impl Read, encoding: &'static str) -> Result<Bytes, Refusal> {
    let limit = u64::try_from(limits::DECOMPRESSED_BYTES_MAX).unwrap_or(u64::MAX);
    let mut taken = Vec::new();
    decoder
        .take(limit.saturating_add(1))
        .read_to_end(&mut taken)
        .map_err(|error| Refusal::Undecompressable { encoding, detail: error.to_string() })?;
    if taken.len() > limits::DECOMPRESSED_BYTES_MAX {
        return Err(Refusal::DecompressedTooLarge);
    }
    Ok(Bytes::from(taken))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn what_is_compressed_comes_back() {
        let text = b"[{\"kind\":\"share\"}]".repeat(50);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&text).unwrap();
        let gzip = Bytes::from(gzip.finish().unwrap());
        assert_eq!(decompress(Some("gzip"), gzip).unwrap(), text);
        let zstd = Bytes::from(zstd::encode_all(text.as_slice(), 3).unwrap());
        assert_eq!(decompress(Some("zstd"), zstd).unwrap(), text);
        assert_eq!(decompress(None, Bytes::from(text.clone())).unwrap(), text);
    }

    #[test]
    fn bombs_are_stopped_at_the_bound() {
        let gigabyte = std::io::repeat(0).take(1 << 30);
        let bomb = Bytes::from(zstd::encode_all(gigabyte, 3).unwrap());
        assert!(bomb.len() < limits::BODY_BYTES_MAX, "the bomb passes the first bound: {}", bomb.len());
        assert!(matches!(decompress(Some("zstd"), bomb), Err(Refusal::DecompressedTooLarge)));
    }

    #[test]
    fn what_is_not_compressed_is_named() {
        for encoding in ["gzip", "zstd"] {
            let broken = decompress(Some(encoding), Bytes::from_static(b"hello"));
            assert!(matches!(broken, Err(Refusal::Undecompressable { .. })), "{encoding}");
        }
        assert!(matches!(decompress(Some("br"), Bytes::new()), Err(Refusal::UnknownEncoding(_))));
    }
}
