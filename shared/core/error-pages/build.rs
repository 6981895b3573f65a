//! Embeds the pages of `schemas/errors`, sorted by code.
#![allow(clippy::print_stdout, reason = "a build script speaks to cargo on standard output")]

use std::fmt::Write as _;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../../../schemas/errors");
    println!("cargo:rerun-if-changed={}", folder.display());
    let entries = std::fs::read_dir(&folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut files: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).collect();
    files.sort();
    let mut table = String::from("&[\n");
    for file in files {
        let code = file.file_stem().and_then(|stem| stem.to_str()).ok_or("a page's name is no text")?;
        writeln!(table, "    Page {{ code: {code:?}, text: include_str!({:?}) }},", file.canonicalize()?)?;
    }
    table.push(']');
    std::fs::write(PathBuf::from(std::env::var("OUT_DIR")?).join("pages.rs"), table)?;
    Ok(())
}
