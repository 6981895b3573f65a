//! What the binary is built from, by its features: a release that leaves the demonstration out has nothing of it, and a
//! build without documents does not compile the typesetter.

use std::collections::{BTreeMap, BTreeSet};

use crate::texts;

const BINARY: &str = "weighbridge";

/// The manifests of the workspace, by package.
fn manifests() -> BTreeMap<String, toml::Table> {
    let files = texts(&["toml"]).into_iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    files
        .map(|file| {
            let manifest: toml::Table = file.text.parse().unwrap();
            (manifest["package"]["name"].as_str().unwrap().to_owned(), manifest)
        })
        .collect()
}

/// The packages in a manifest's section of dependencies; optional ones, which only a feature brings, are separate.
fn dependencies(manifest: &toml::Table) -> (BTreeSet<String>, BTreeSet<String>) {
    let named = manifest.get("dependencies").and_then(toml::Value::as_table).into_iter().flatten();
    let (optional, always): (Vec<_>, Vec<_>) =
        named.partition(|(_, value)| value.get("optional").and_then(toml::Value::as_bool).unwrap_or(false));
    let names =
        |found: Vec<(&String, &toml::Value)>| found.into_iter().map(|(name, _)| name.clone()).collect();
    (names(always), names(optional))
}

/// All packages that the binary is built from with some features: own ones, and the third-party ones that they depend
/// on.
fn built_from(features: &[&str]) -> BTreeSet<String> {
    let manifests = manifests();
    let binary = &manifests[BINARY];
    let (mut open, optional) = dependencies(binary);
    for feature in features {
        for enabled in binary["features"][*feature].as_array().unwrap() {
            let package = enabled.as_str().and_then(|text| text.strip_prefix("dep:")).unwrap();
            assert!(optional.contains(package), "{package} is not optional");
            open.insert(package.to_owned());
        }
    }
    let mut found = BTreeSet::new();
    while let Some(package) = open.pop_first() {
        if let Some(manifest) = manifests.get(&package).filter(|_| !found.contains(&package)) {
            // Any feature of a part could be on.
            let (always, optional) = dependencies(manifest);
            open.extend(always.into_iter().chain(optional));
        }
        found.insert(package);
    }
    assert!(found.contains("wb-ledger") && found.contains("tokio"), "{found:?}");
    found
}

#[test]
fn the_default_build_has_everything() {
    let binary = &manifests()[BINARY];
    let features: BTreeSet<&str> =
        binary["features"]["default"].as_array().unwrap().iter().filter_map(toml::Value::as_str).collect();
    assert_eq!(features, BTreeSet::from(["demo", "documents"]));
    let built = built_from(&["demo", "documents"]);
    assert!(
        built.contains("wb-demo") && built.contains("wb-testkit") && built.contains("typst"),
        "{built:?}"
    );
}

#[test]
fn a_release_without_the_demonstration_has_no_test_kit() {
    let built = built_from(&["documents"]);
    assert!(built.contains("typst"), "{built:?}");
    let wrong: Vec<&str> =
        ["wb-demo", "wb-testkit", "wb-torture"].into_iter().filter(|it| built.contains(*it)).collect();
    assert!(wrong.is_empty(), "a release that an operator runs is built from {wrong:?}");
}

#[test]
fn without_documents_there_is_no_typesetter() {
    let built = built_from(&["demo"]);
    let typesetter = built.iter().filter(|name| name.starts_with("typst") || *name == "wb-document");
    assert_eq!(typesetter.collect::<Vec<_>>(), Vec::<&String>::new());
}
