//! The page "A first month of GPU hosting" is run as it stands: each command in its order, none refused, and what they
//! print is what the page shows, but for dates and hashes. With WEIGHBRIDGE_DOCS_WRITE set, what they print is written
//! into the page.

use std::path::Path;
use std::process::Command;

use crate::support::place::Place;
use crate::support::running::{Ended, Running};
use crate::support::{DEMO_LIMIT, END_LIMIT, START_LIMIT, root};

const PAGE: &str = "docs/src/gpu-month.md";
/// What a reader may be asked to do.
const STEPS_MAX: usize = 10;
/// The line that starts the stack, which then runs on.
const UP: &str = "weighbridge up";

/// A fenced block of the page.
struct Block {
    info: String,
    text: String,
    /// Where its text lies.
    range: std::ops::Range<usize>,
}

fn blocks(page: &str) -> Vec<Block> {
    let (mut found, mut at, mut open) = (Vec::new(), 0, None::<(String, usize)>);
    for line in page.split_inclusive('\n') {
        let after = at + line.len();
        if let Some(info) = line.strip_prefix("```") {
            open = match open.take() {
                Some((info, from)) => {
                    found.push(Block { info, text: page[from..at].to_owned(), range: from..at });
                    None
                }
                None => Some((info.trim().to_owned(), after)),
            };
        }
        at = after;
    }
    found
}

/// Runs a script in the place's folder, with the variables that earlier ones exported.
fn run(place: &Place, number: usize, script: &str) -> Ended {
    let folder = place.folder();
    let whole =
        format!("if [ -f exported.env ]; then . ./exported.env; fi\n{script}\nexport -p > exported.env\n");
    let mut command = Command::new("bash");
    command.args(["-e", "-o", "pipefail", "-c", &format!("exec 2>&1\n{whole}")]);
    for (name, value) in place.command(&[]).get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", folder.display())).current_dir(folder);
    Running::start(&format!("block-{number}"), command, folder).end(DEMO_LIMIT)
}

/// A line with counts that differ from run to run, because they depend on where blocks end.
fn is_of_blocks(line: &str) -> bool {
    ["at cut", " blocks", " draws ", " bytes"].iter().any(|words| line.contains(words))
}

/// A text whose dates, hashes and numbers of blocks are those of no run.
fn timeless(text: &str) -> String {
    let mut timeless = String::new();
    for line in text.lines() {
        for word in line.split(' ') {
            let digits: Vec<bool> = word.bytes().take(10).map(|byte| byte.is_ascii_digit()).collect();
            let is_date = digits == [true, true, true, true, false, true, true, false, true, true];
            let last = word.rsplit('_').next().unwrap_or_default().trim_end_matches(',');
            let is_hash = last.len() >= 16 && last.bytes().all(|byte| byte.is_ascii_hexdigit());
            match word {
                // The page's own month stays.
                _ if is_date && !word.starts_with("2025-0") => timeless.push_str("DATE"),
                _ if is_hash => timeless.push_str("HASH"),
                _ if is_of_blocks(line) => {
                    timeless.extend(word.chars().filter(|letter| !letter.is_ascii_digit()))
                }
                _ => timeless.push_str(word),
            }
            if !word.is_empty() {
                timeless.push(' ');
            }
        }
        timeless.push('\n');
    }
    timeless
}

/// What the page imported sends nothing again; what contradicts it, or refers to nothing, is told and not sent.
fn imports_are_repeated_and_contradicted(place: &Place) {
    let files = "parties.csv sites.csv machines.csv assignments.csv acme.toml outages.csv";
    let again = run(place, 900, &format!("weighbridge import {files}")).success("the same import");
    assert!(again.stdout.ends_with("0 facts sent, 9 recorded before\n"), "{}", again.stdout);
    let wrong = "sed 's/HGX H100/HGX H200/; s/odessa,HGX H200,10200000,8/odesa,HGX H200,ten,8/' machines.csv > machines-2.csv
        sed -i 's/node-2,2025-05-01,odesa/node-2,2025-05-02,odesa/' machines-2.csv
        sed 's/3.99/4.99/' acme.toml > acme-2.toml
        printf 'entity,valid_from,site_id,model,rated_power_mw\\nn,2025-05-01,odesa,HGX,1\\n' > machines-3.csv
        weighbridge import machines-2.csv no-such.csv machines-3.csv acme-2.toml sites.csv";
    let refused = run(place, 901, wrong);
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
    for words in [
        "machines-2.csv:2: [WB-2001] rated_power_mw: is \"ten\"; right would be whole number, milliwatts",
        "no-such.csv:1: [WB-8018] cannot be read: No such file",
        "machines-3.csv:2: [WB-8022] site_id: is \"odesa\", and no site of that id is recorded or in these files; \
         did you mean odessa?",
        "acme-2.toml:1: [WB-5124] version: version 1 of contract acme-gpus is recorded with other terms",
        "[WB-8023] 5 mistakes in 4 files, so nothing was sent",
    ] {
        assert!(refused.stdout.contains(words), "no {words:?} in\n{}", refused.stdout);
    }
    let other = "sed 's/HGX H100/HGX H200/' machines.csv > machines-4.csv; weighbridge import machines-4.csv";
    let refused = run(place, 902, other);
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
    let words = "machines-4.csv:2: [WB-8021] machine node-1 is recorded from 2025-05-01T00:00:00Z with other content: \
                 model \"HGX H100\" -> \"HGX H200\"";
    assert!(refused.stdout.contains(words), "{}", refused.stdout);
    let known = run(place, 903, &format!("weighbridge import {files} --dry-run")).success("a dry run");
    assert!(
        known.stdout.contains("0 facts would be sent, 9 are recorded already"),
        "nothing was sent: {}",
        known.stdout
    );
    run(place, 904, "rm machines-2.csv acme-2.toml machines-3.csv machines-4.csv").success("rm");
}

#[test]
fn a_first_month_of_gpu_hosting_goes_as_its_page_says() {
    let path = root().join(PAGE);
    let page = std::fs::read_to_string(&path).unwrap();
    let steps = page.lines().filter(|line| line.starts_with("## ")).count();
    assert!(steps <= STEPS_MAX, "{steps} steps");
    let mut place = Place::new();
    place.set("INGEST_URL", &place.events_url().replace("/v1/events", ""));
    let config = place.folder().join("weighbridge.toml");
    let mut up: Option<Running> = None;
    let mut written = page.clone();
    let mut shown = Vec::new();
    let all = blocks(&page);
    let (last, before) = all.split_last().unwrap();
    for (number, block) in before.iter().enumerate().filter(|(_, block)| block.info == "sh") {
        let script = block.text.strip_suffix(&format!("{UP}\n")).unwrap_or(&block.text);
        let ended = run(&place, number, script).success(&block.text);
        if script.len() < block.text.len() {
            place.set("CONFIG", config.to_str().unwrap());
            let mut started = place.start("up", &["up"]);
            started.wait_for("ready; Ctrl-C ends", START_LIMIT);
            up = Some(started);
        }
        if let Some(expected) = before.get(number + 1).filter(|next| next.info == "text") {
            shown.push((expected, ended.stdout));
        }
    }
    imports_are_repeated_and_contradicted(&place);
    let up = up.unwrap();
    up.send(rustix::process::Signal::INT);
    up.end(END_LIMIT).success("weighbridge up, told to end");
    place.assert_nothing_runs(END_LIMIT);
    run(&place, before.len(), &last.text).success(&last.text);
    assert!(!Path::new(&config).exists(), "the last block removes what the page made");
    if std::env::var_os("WEIGHBRIDGE_DOCS_WRITE").is_some() {
        for (expected, printed) in shown.iter().rev() {
            written.replace_range(expected.range.clone(), printed);
        }
        std::fs::write(&path, written).unwrap();
        return;
    }
    for (expected, printed) in shown {
        assert_eq!(timeless(&expected.text), timeless(&printed), "run with WEIGHBRIDGE_DOCS_WRITE=1");
    }
}
