//! Headers: 80 bytes and no others, the same 80 back, and the hash that sha2 gives, alone and on every path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wb_fuzz::sha256d;
use wb_proof::testing::Path;
use wb_proof::{HEADER_BYTES, Header, ShareId, sha256d_headers};

fuzz_target!(|bytes: &[u8]| {
    assert_eq!(Header::from_slice(bytes).is_ok(), bytes.len() == HEADER_BYTES);
    let headers = bytes.as_chunks::<80>().0;
    let expected: Vec<[u8; 32]> = headers.iter().map(|header| sha256d(header)).collect();
    for (bytes, hash) in headers.iter().zip(&expected) {
        let header = Header::from_bytes(bytes);
        assert_eq!(header.to_bytes(), *bytes);
        assert_eq!(header.hash(), *hash);
        assert_eq!(header.share_id().as_bytes()[..], hash[..16]);
        assert_eq!(header.share_id().to_string().parse::<ShareId>(), Ok(header.share_id()));
    }
    let mut found = vec![[0; 32]; headers.len()];
    sha256d_headers(headers, &mut found).expect("as much room as headers");
    assert_eq!(found, expected);
    for path in Path::all() {
        found.fill([0; 32]);
        path.sha256d_headers(headers, &mut found);
        assert_eq!(found, expected, "{}", path.name());
    }
});
