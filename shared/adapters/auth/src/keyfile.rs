//! Ed25519 keys in files: PKCS#8 and SPKI in PEM form (RFC 8410).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use wb_files::Access;

use crate::error::AuthError;

/// The largest key file.
const KEY_FILE_MAX_BYTES: u64 = 16 * 1024;

/// What precedes the 32 bytes of an Ed25519 public key in SubjectPublicKeyInfo (RFC 8410, 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Whether a new file holds a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrecy {
    Private,
    Public,
}

/// The key id of a public key: 16 hex digits of the SHA-256 of its SPKI form.
pub(crate) fn key_id(spki_der: &[u8]) -> String {
    faster_hex::hex_string(&Sha256::digest(spki_der)[..8])
}

/// The SPKI form of a public key.
pub(crate) fn spki_of(public_key: &[u8]) -> Vec<u8> {
    [SPKI_PREFIX.as_slice(), public_key].concat()
}

/// The 32 bytes of a public key in PEM, and its SPKI form.
pub(crate) fn read_public_pem(pem: &str, what: &str) -> Result<(Vec<u8>, Vec<u8>), AuthError> {
    let der = from_pem(pem, "PUBLIC KEY", what)?;
    match der.strip_prefix(&SPKI_PREFIX) {
        Some(public_key) if public_key.len() == 32 => Ok((public_key.to_vec(), der)),
        _ => Err(AuthError::KeyForm { what: what.to_owned(), problem: "another algorithm or length" }),
    }
}

/// Writes DER as PEM with lines of 64 characters.
pub(crate) fn to_pem(der: &[u8], label: &str) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for (index, character) in text.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str(&format!("\n-----END {label}-----\n"));
    pem
}

/// Parses a text with one PEM block.
pub(crate) fn from_pem(pem: &str, label: &str, what: &str) -> Result<Vec<u8>, AuthError> {
    let refuse = |problem| AuthError::KeyForm { what: what.to_owned(), problem };
    let body = pem
        .trim()
        .strip_prefix(&format!("-----BEGIN {label}-----"))
        .and_then(|rest| rest.strip_suffix(&format!("-----END {label}-----")))
        .ok_or_else(|| refuse("its BEGIN and END lines are not those of such a key"))?;
    let compact: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(compact).map_err(|_| refuse("its body is not base64"))
}

/// Reads a key file; a private one must not be readable by others.
pub(crate) fn read(path: &Path, secrecy: Secrecy) -> Result<String, AuthError> {
    let fail = |source| AuthError::KeyFile { action: "read", path: path.display().to_string(), source };
    let metadata = fs::metadata(path).map_err(fail)?;
    if metadata.len() > KEY_FILE_MAX_BYTES {
        let what = path.display().to_string();
        return Err(AuthError::KeyForm { what, problem: "the file is larger than any key" });
    }
    if secrecy == Secrecy::Private && metadata.mode() & 0o077 != 0 {
        return Err(AuthError::KeyFileMode { path: path.display().to_string() });
    }
    fs::read_to_string(path).map_err(fail)
}

/// Creates a file atomically; `false` if it already exists. Of two processes only the first succeeds.
pub(crate) fn create(path: &Path, content: &str, secrecy: Secrecy) -> Result<bool, AuthError> {
    let access = if secrecy == Secrecy::Private { Access::Secret } else { Access::Usual };
    let fail = |source| AuthError::KeyFile { action: "create", path: path.display().to_string(), source };
    wb_files::create(path, content.as_bytes(), access).map_err(fail)
}
