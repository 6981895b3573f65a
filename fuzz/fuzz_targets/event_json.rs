//! Events as JSON: no text makes the reader panic; what it takes is taken again, unchanged, in the wire form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wb_events::Body;
use wb_events::input::{check, parse_json};

fuzz_target!(|text: &str| {
    match parse_json("source-1", text) {
        Ok(event) => {
            assert_eq!(event.source, "source-1", "a sender cannot set another source");
            if let Some(Body::Share(share)) = &event.body {
                assert_eq!(share.resolution, None, "only ingest resolves a share");
            }
            assert_eq!(check(event.clone()).as_ref(), Ok(&event), "{text:?}");
        }
        Err(error) => {
            // A key of JSON may be empty, and then the reported field is empty.
            assert!(error.code.starts_with("WB-") && !error.reason.is_empty() && !error.field.is_empty());
        }
    }
});
