//! The form of the file: a golden one, what is no bundle, and every byte of it.
//! `WEIGHBRIDGE_WRITE_GOLDEN=1` writes the golden file where it does not exist yet. It is never edited: a
//! new form gets a new file.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

mod support;

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::{drawn, drawn_of_days, whole, whole_of_days, world, world_of_days};
use wb_evidence::{Builder, Bundle, NamedBlock, SAMPLES_MAX, Sampling, StepName, verify, verify_bundle};
use wb_ledger::{Hash, canonical};

#[test]
fn the_golden_bundles_are_read_and_written() {
    is_golden(&drawn(), "bundle-1.jsonl", 1);
    is_golden(&drawn_of_days(), "bundle-2.jsonl", 2);
}

fn is_golden(made: &Bundle, file: &str, form: u32) {
    let text = made.to_text().unwrap();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    if !path.exists() && std::env::var_os("WEIGHBRIDGE_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(text == golden, "a bundle is written otherwise than the golden one");
    let bundle = Bundle::from_text(&golden).unwrap();
    assert_eq!(&bundle, made);
    assert!(golden.windows(8).any(|window| window == format!("\"form\":{form}").as_bytes()[..8]));
    let report = verify_bundle(&bundle, None);
    assert!(report.valid, "{report}");
    assert!(report.steps[0].text.starts_with(&format!("a bundle of form {form}, ")), "{report}");
    // Of an invoice without sealed days nothing is said of any.
    assert_eq!(report.steps.iter().any(|step| step.step == StepName::Days), form == 2, "{report}");
}

#[test]
fn what_is_written_is_read() {
    for bundle in [drawn(), whole(), drawn_of_days(), whole_of_days()] {
        let packed = bundle.to_bytes().unwrap();
        assert_eq!(Bundle::read(&packed).unwrap(), bundle);
        assert!(packed.len() < bundle.to_text().unwrap().len());
        for cut in [0, 1, packed.len() / 2, packed.len() - 1] {
            assert!(Bundle::read(&packed[..cut]).is_err(), "cut at {cut}");
        }
        let longer = [packed.clone(), vec![0]].concat();
        assert!(Bundle::read(&longer).is_err());
    }
}

/// A text whose last line is right for what stands before it.
fn sealed(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut text = lines.concat();
    let seal = json!({"part": "end", "value": {"sha256": Hash::of(&text).to_string()}});
    text.extend(canonical::write(&seal).unwrap().into_bytes());
    text.push(b'\n');
    text
}

/// The lines of a bundle but the last, each with its line feed.
fn lines(bundle: &Bundle) -> Vec<Vec<u8>> {
    let text = bundle.to_text().unwrap();
    let mut lines: Vec<Vec<u8>> = text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    lines.pop();
    lines
}

#[test]
fn what_is_no_bundle_is_refused() {
    let good = lines(&drawn());
    assert_eq!(Bundle::from_text(&sealed(&good)).unwrap(), drawn());
    let with = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut lines = good.clone();
        change(&mut lines);
        sealed(&lines)
    };
    let header = |sampling: Value, form: u32| {
        let line = json!({"part": "header", "value": {"bundle": "weighbridge-invoice-evidence", "form": form, "sampling": sampling}});
        format!("{}\n", canonical::write(&line).unwrap()).into_bytes()
    };
    for (what, text) in [
        ("nothing", Vec::new()),
        ("no line feed", b"{}".to_vec()),
        ("no part", b"{}\n".to_vec()),
        ("no header", with(&|lines| drop(lines.remove(0)))),
        ("no record", with(&|lines| drop(lines.remove(1)))),
        ("two records", with(&|lines| lines.insert(1, lines[1].clone()))),
        ("no subject", with(&|lines| lines.retain(|line| !line.starts_with(b"{\"part\":\"subject\"")))),
        ("another order", with(&|lines| lines.swap(1, 2))),
        (
            "a block twice",
            with(&|lines| {
                let at = lines.iter().position(|line| line.starts_with(b"{\"part\":\"block\"")).unwrap();
                lines.insert(at, lines[at].clone());
            }),
        ),
        ("an event twice", with(&|lines| lines.push(lines.last().unwrap().clone()))),
        (
            "blocks out of order",
            with(&|lines| {
                let at = lines.iter().position(|line| line.starts_with(b"{\"part\":\"block\"")).unwrap();
                lines.swap(at, at + 1);
            }),
        ),
        ("a newer form", with(&|lines| lines[0] = header(json!({"drawn": 4}), 2))),
        ("no draws", with(&|lines| lines[0] = header(json!({"drawn": 0}), 1))),
        ("too many draws", with(&|lines| lines[0] = header(json!({"drawn": SAMPLES_MAX + 1}), 1))),
        (
            "a member more",
            with(&|lines| {
                let line = String::from_utf8(lines[2].clone()).unwrap();
                lines[2] = line.replacen("\"value\":{", "\"value\":{\"aaa\":1,", 1).into_bytes();
            }),
        ),
        ("white space", with(&|lines| lines[0].insert(1, b' '))),
        (
            "upper case",
            with(&|lines| {
                let at = lines.iter().position(|line| line.starts_with(b"{\"part\":\"name\"")).unwrap();
                let line = String::from_utf8(lines[at].clone()).unwrap();
                let digit = line.find("\"record\":\"").unwrap() + 10;
                let hex = line[digit..].to_uppercase();
                lines[at] = [&line.as_bytes()[..digit], hex.as_bytes()].concat();
            }),
        ),
        ("no end", good.concat()),
        ("more after the end", [sealed(&good), good[0].clone()].concat()),
    ] {
        let error = Bundle::from_text(&text).unwrap_err();
        assert_eq!(error.code(), "WB-5921", "{what}: {error}");
    }
    let mut broken = sealed(&good);
    let at = broken.len() - 20;
    broken[at] = if broken[at] == b'0' { b'1' } else { b'0' };
    assert_eq!(Bundle::from_text(&broken).unwrap_err().code(), "WB-5923");
    let report = verify(b"nothing of the kind", None);
    assert_eq!((report.valid, report.failures[0].code), (false, "WB-5921"));
}

/// What the last line alone protects: of the rest, nothing that a bill follows from, and nothing that is proven.
fn without_what_is_not_proven(bundle: &Bundle) -> Bundle {
    let mut bare = bundle.clone();
    let mut record: Value = serde_json::from_str(&bundle.record).unwrap();
    for member in ["at_us", "who", "why", "predecessor"] {
        record[member] = Value::Null;
    }
    record["body"]["number"] = Value::Null;
    bare.record = record.to_string();
    for held in &mut bare.subject.machines {
        (held.start_us, held.end_us) = (0, 0);
    }
    bare.subject.sites.clear();
    for name in &mut bare.names {
        name.names_offset = 0;
    }
    for stretch in &mut bare.stretches {
        for price in &mut stretch.prices {
            (price.valid_to_us, price.order) = (None, 0);
        }
    }
    bare
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn a_changed_byte_breaks_the_bundle(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut text = std::sync::LazyLock::force(&TEXT).clone();
        let at = at.index(text.len());
        text[at] ^= 1 << bit;
        prop_assert!(Bundle::from_text(&text).is_err(), "byte {}", at);
    }

    /// The same by one who writes the last line anew.
    #[test]
    fn a_changed_byte_under_a_new_seal_proves_nothing(at in any::<prop::sample::Index>(), bit in 0_u8..7) {
        let mut lines = std::sync::LazyLock::force(&LINES).clone();
        // Of the header, another number of draws is another choice, and not a change of what is proven.
        let mut at = lines[0].len() + at.index(lines.iter().skip(1).map(Vec::len).sum());
        let line = lines.iter().position(|line| {
            let is_here = at < line.len();
            if !is_here {
                at -= line.len();
            }
            is_here
        }).unwrap();
        lines[line][at] ^= 1 << bit;
        if let Ok(changed) = Bundle::from_text(&sealed(&lines)) && verify_bundle(&changed, None).valid {
            prop_assert_eq!(
                without_what_is_not_proven(&changed), without_what_is_not_proven(&drawn()),
                "line {} byte {}: {}", line, at, String::from_utf8_lossy(&lines[line])
            );
        }
    }
}

static TEXT: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| drawn().to_text().unwrap());
static LINES: std::sync::LazyLock<Vec<Vec<u8>>> = std::sync::LazyLock::new(|| lines(&drawn()));

#[test]
fn a_block_that_is_not_the_invoices_own_makes_no_bundle() {
    let world = world(Sampling::All);
    let build = |change: &dyn Fn(&mut Vec<NamedBlock>)| {
        let mut blocks = world.blocks.clone();
        change(&mut blocks);
        let mut builder = Builder::new(world.material.clone()).unwrap();
        let taken = blocks.iter().try_for_each(|block| builder.take(block));
        taken.and_then(|()| builder.finish()).map(|_| ()).map_err(|error| error.code())
    };
    assert_eq!(build(&|_| {}), Ok(()));
    // A block that is not wanted is left out, and so is a second one of the same place.
    assert_eq!(build(&|blocks| blocks.push(blocks[0].clone())), Ok(()));
    assert_eq!(build(&|blocks| drop(blocks.pop())), Err("WB-5943"));
    assert_eq!(build(&|blocks| blocks[0].stored[0][0] ^= 1), Err("WB-5941"));
    assert_eq!(build(&|blocks| drop(blocks[0].stored.pop())), Err("WB-5941"));
    assert_eq!(build(&|blocks| blocks[0].name.truncate(1)), Err("WB-5941"));
}

#[test]
fn samplings_have_their_text() {
    for (sampling, text) in [(Sampling::Drawn(7), r#"{"drawn":7}"#), (Sampling::All, r#""all""#)] {
        assert_eq!(serde_json::to_string(&sampling).unwrap(), text);
    }
}
