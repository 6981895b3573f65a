//! The figures that a measurement printed, kept in the README word for word.

use std::path::Path;

/// Prints the lines, and checks that the README states them between the marks of `name`.
/// `WEIGHBRIDGE_UPDATE_FIGURES=1` writes them there.
pub(crate) fn state(name: &str, lines: &[String]) {
    let stated = lines.join("\n");
    println!("{stated}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&file).unwrap();
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("\n<!-- end of {name} -->"));
    let from = readme.find(&begin).map(|at| at + begin.len()).unwrap();
    let to = from + readme[from..].find(&end).unwrap();
    if std::env::var_os("WEIGHBRIDGE_UPDATE_FIGURES").is_some() {
        std::fs::write(&file, format!("{}{stated}{}", &readme[..from], &readme[to..])).unwrap();
        return;
    }
    assert_eq!(
        &readme[from..to],
        stated,
        "the README states other figures: run with WEIGHBRIDGE_UPDATE_FIGURES=1 --test-threads=1"
    );
}
