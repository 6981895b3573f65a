//! The published schema equals the served one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

#[test]
fn the_published_schema_is_the_one_that_is_served() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/graphql/schema.graphql");
    let served = format!(
        "# The GraphQL API, written by `WEIGHBRIDGE_UPDATE_SDL=1 cargo test -p wb-api --test sdl`.\n\n{}\n",
        wb_api::sdl().trim()
    );
    if std::env::var_os("WEIGHBRIDGE_UPDATE_SDL").is_some() {
        std::fs::write(&file, &served).unwrap();
    }
    let published = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(served, published, "regenerate it with WEIGHBRIDGE_UPDATE_SDL=1 and look at the difference");
}
