//! The form of the file: a golden file, bytes that are no bundle, and every byte of a bundle.
//! `WEIGHBRIDGE_WRITE_GOLDEN=1` writes the golden file where it does not exist yet. It is never edited: a
//! new form gets a new file.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

use std::path::PathBuf;
use std::sync::LazyLock;

use crate::support::{drawn, drawn_of_days, whole, whole_of_days, world, world_of_days};
use proptest::prelude::*;
use serde_json::{Value, json};
use wb_events::commits::encode_commit;
use wb_events::wire::commits_record::Record;
use wb_events::wire::{Commit, CommitsRecord};
use wb_evidence::{
    Builder, Bundle, CommittedBlock, FORM, Material, SAMPLES_MAX, Sampling, StepName, verify, verify_bundle,
};
use wb_ledger::{Hash, canonical};

#[test]
fn the_golden_bundle_is_read_and_written() {
    let made = drawn_of_days();
    let text = made.to_text().unwrap();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bundle.jsonl");
    if !path.exists() && std::env::var_os("WEIGHBRIDGE_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(text == golden, "a bundle is written otherwise than the golden one");
    let bundle = Bundle::from_text(&golden).unwrap();
    assert_eq!(bundle, made);
    let header: Value = serde_json::from_slice(golden.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    assert_eq!(header["value"]["form"], FORM);
    let report = verify_bundle(&bundle, None);
    assert!(report.valid, "{report}");
    assert!(report.steps[0].text.starts_with(&format!("a bundle of form {FORM}, ")), "{report}");
}

#[test]
fn of_an_invoice_without_sealed_days_nothing_is_said_of_any() {
    for (bundle, has_days) in [(drawn(), false), (drawn_of_days(), true)] {
        let report = verify_bundle(&bundle, None);
        assert_eq!(report.steps.iter().any(|step| step.step == StepName::Days), has_days, "{report}");
    }
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

/// A text with the right last line for the lines before it.
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

/// A change of the lines of a bundle.
type Change<'a> = &'a dyn Fn(&mut Vec<Vec<u8>>);

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
        ("a newer form", with(&|lines| lines[0] = header(json!({"drawn": 24}), FORM + 1))),
        ("no form", with(&|lines| lines[0] = header(json!({"drawn": 24}), 0))),
        ("no draws", with(&|lines| lines[0] = header(json!({"drawn": 0}), FORM))),
        ("too many draws", with(&|lines| lines[0] = header(json!({"drawn": SAMPLES_MAX + 1}), FORM))),
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
                let at = lines.iter().position(|line| line.starts_with(b"{\"part\":\"commit\"")).unwrap();
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
    let of_days = lines(&drawn_of_days());
    assert_eq!(Bundle::from_text(&sealed(&of_days)).unwrap(), drawn_of_days());
    let at = of_days.iter().position(|line| line.starts_with(b"{\"part\":\"day_block\"")).unwrap();
    let swap = |lines: &mut Vec<Vec<u8>>, at: usize| lines.swap(at, at + 1);
    let changes: [(&str, Change<'_>); 4] = [
        ("a block of a sealed day twice", &|lines| lines.insert(at, lines[at].clone())),
        ("blocks of sealed days out of order", &|lines| swap(lines, at)),
        ("a block before its seal", &|lines| swap(lines, at - 1)),
        ("a seal among the blocks", &|lines| swap(lines, at - 6)),
    ];
    for (what, change) in changes {
        let mut lines = of_days.clone();
        change(&mut lines);
        let error = Bundle::from_text(&sealed(&lines)).unwrap_err();
        assert_eq!(error.code(), "WB-5921", "{what}: {error}");
    }
    let mut broken = sealed(&good);
    let at = broken.len() - 20;
    broken[at] = if broken[at] == b'0' { b'1' } else { b'0' };
    assert_eq!(Bundle::from_text(&broken).unwrap_err().code(), "WB-5923");
    let report = verify(b"nothing of the kind", None);
    assert_eq!((report.valid, report.failures[0].code), (false, "WB-5921"));
}

fn commit_of(record: &[u8]) -> Commit {
    let record = <CommitsRecord as prost::Message>::decode(record).unwrap().record;
    let Some(Record::Commit(commit)) = record else { panic!("no commit") };
    commit
}

/// What the last line alone protects: nothing that a bill follows from, and nothing that is proven.
fn without_what_is_not_proven(bundle: &Bundle) -> Bundle {
    let mut bare = bundle.clone();
    let mut record: Value = serde_json::from_str(&bundle.record).unwrap();
    for member in ["at_us", "who", "why", "predecessor"] {
        record[member] = Value::Null;
    }
    record["body"]["number"] = Value::Null;
    // Terms that the contract does not state are the operator's.
    for term in ["approvals", "completeness_ppm", "late_fee_ppm"] {
        record["body"]["terms"][term] = Value::Null;
    }
    bare.record = record.to_string();
    for held in &mut bare.subject.machines {
        (held.start_us, held.end_us) = (0, 0);
    }
    bare.subject.sites.clear();
    let heads = record["body"]["evidence"]["chain_heads"].as_array().unwrap();
    let is_head = |commit: &Commit| {
        heads.iter().any(|head| head["topic"] == commit.topic.as_str() && head["block"] == commit.block)
    };
    let commits: Vec<Commit> = bundle.commits.iter().map(|commit| commit_of(&commit.record.0)).collect();
    for (record, commit) in bare.commits.iter_mut().zip(&commits) {
        record.commit_offset = 0;
        let is_next = |next: &Commit| (&next.topic, next.block) == (&commit.topic, commit.block + 1);
        if !is_head(commit) && !commits.iter().any(is_next) {
            // Nothing gives its hash; only the invoice or a sealed day describes the block.
            let (content_hash, merkle_root) = (commit.content_hash.clone(), commit.merkle_root.clone());
            let (topic, partition, block) = (commit.topic.clone(), commit.partition, commit.block);
            let said = Commit { topic, partition, block, content_hash, merkle_root, ..Commit::default() };
            record.record.0 = encode_commit(&said);
        }
    }
    for stretch in &mut bare.stretches {
        for price in &mut stretch.prices {
            (price.valid_to_us, price.order) = (None, 0);
        }
    }
    bare
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6_000))]

    #[test]
    fn a_changed_byte_breaks_the_bundle(
        made in 0..2_usize, at in any::<prop::sample::Index>(), bit in 0_u8..8,
    ) {
        let mut text = MADE[made].to_text().unwrap();
        let at = at.index(text.len());
        text[at] ^= 1 << bit;
        prop_assert!(Bundle::from_text(&text).is_err(), "byte {}", at);
    }

    /// The same by somebody who then writes the last line again.
    #[test]
    fn a_changed_byte_under_a_new_seal_proves_nothing(
        made in 0..2_usize, at in any::<prop::sample::Index>(), bit in 0_u8..7,
    ) {
        let mut lines = LINES[made].clone();
        // Another number of draws in the header is another choice, not a change of what is proven.
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
                without_what_is_not_proven(&changed), without_what_is_not_proven(&MADE[made]),
                "line {} byte {}: {}", line, at, String::from_utf8_lossy(&lines[line])
            );
        }
    }
}

/// One of each form.
static MADE: LazyLock<[Bundle; 2]> = LazyLock::new(|| [drawn(), drawn_of_days()]);
static LINES: LazyLock<[Vec<Vec<u8>>; 2]> = LazyLock::new(|| [lines(&MADE[0]), lines(&MADE[1])]);

#[test]
fn a_block_that_is_not_the_invoices_own_makes_no_bundle() {
    let world = world(Sampling::All);
    let build = |change: &dyn Fn(&mut Vec<CommittedBlock>)| {
        let mut blocks = world.blocks.clone();
        change(&mut blocks);
        let mut builder = Builder::new(world.material.clone()).unwrap();
        let taken = blocks.iter().try_for_each(|block| builder.take(block));
        taken.and_then(|()| builder.finish()).map(|_| ()).map_err(|error| error.code())
    };
    assert_eq!(build(&|_| {}), Ok(()));
    // A block that is not needed is left out, and so is a second block at the same place.
    assert_eq!(build(&|blocks| blocks.push(blocks[0].clone())), Ok(()));
    assert_eq!(build(&|blocks| drop(blocks.pop())), Err("WB-5943"));
    assert_eq!(build(&|blocks| blocks[0].stored[0][0] ^= 1), Err("WB-5941"));
    assert_eq!(build(&|blocks| drop(blocks[0].stored.pop())), Err("WB-5941"));
    assert_eq!(build(&|blocks| blocks[0].commit.truncate(1)), Err("WB-5941"));
}

#[test]
fn samplings_have_their_text() {
    for (sampling, text) in [(Sampling::Drawn(7), r#"{"drawn":7}"#), (Sampling::All, r#""all""#)] {
        assert_eq!(serde_json::to_string(&sampling).unwrap(), text);
    }
}

#[test]
fn blocks_that_are_not_those_of_a_sealed_day_make_no_bundle() {
    let world = world_of_days(Sampling::All);
    let wanted: Vec<(String, u32, u64)> = {
        let builder = Builder::new(world.material.clone()).unwrap();
        builder.wanted().map(|(topic, partition, block)| (topic.to_owned(), partition, block)).collect()
    };
    // All but the three with others' events alone; the block that lies in two days once.
    let place = |topic: &str, block| (topic.to_owned(), 0, block);
    let mut expected = [0, 2, 3].map(|block| place("energy", block)).to_vec();
    expected.push(place("reference", 0));
    expected.extend([0, 1, 2, 3, 4, 5, 6, 9].map(|block| place("shares", block)));
    assert_eq!(wanted, expected);
    let begun = |change: &dyn Fn(&mut Material)| {
        let mut material = world.material.clone();
        change(&mut material);
        Builder::new(material).map(|_| ()).map_err(|error| error.code())
    };
    assert_eq!(begun(&|_| {}), Ok(()));
    // The order in which days come does not matter.
    assert_eq!(begun(&|material| material.days.reverse()), Ok(()));
    assert_eq!(begun(&|material| drop(material.days[1].blocks.pop())), Err("WB-5944"));
    assert_eq!(begun(&|material| material.days[1].blocks.swap(0, 1)), Err("WB-5944"));
    assert_eq!(begun(&|material| material.days[1].own.extend([99])), Err("WB-5944"));
    let taken = |change: &dyn Fn(&mut CommittedBlock)| {
        let mut builder = Builder::new(world.material.clone()).unwrap();
        let taken = world.blocks.iter().try_for_each(|block| {
            let mut block = block.clone();
            if block.commit_offset == 6 {
                change(&mut block);
            }
            builder.take(&block)
        });
        taken.and_then(|()| builder.finish()).map(|_| ()).map_err(|error| error.code())
    };
    assert_eq!(taken(&|_| {}), Ok(()));
    assert_eq!(taken(&|block| block.stored[0][0] ^= 1), Err("WB-5941"));
    assert_eq!(taken(&|block| block.commit = world.blocks[0].commit.clone()), Err("WB-5943"));
    // The commit has another content hash than the day.
    let other = |block: &mut CommittedBlock| {
        let said = &world.material.days[1].blocks[1];
        let at = block.commit.windows(32).position(|window| window == said.content_hash.as_bytes());
        block.commit[at.unwrap()] ^= 1;
    };
    assert_eq!(taken(&other), Err("WB-5941"));
}
