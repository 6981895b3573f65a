//! Compiles `schemas/events/weighbridge.proto`, the contract with everyone else.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new("../../../schemas/events");
    println!("cargo:rerun-if-changed=../../../schemas/events/weighbridge.proto");
    let descriptors = protox::compile([root.join("weighbridge.proto")], [root])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
