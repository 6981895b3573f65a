//! Several aggregators share the partitions: they come, go, are killed or stopped, and every reading counts once.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests may fail loudly"
)]

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::events::{self, Meter, Source};
use crate::support::place::Place;
use crate::support::running::Running;
use crate::support::{COUNT_LIMIT, END_LIMIT, START_LIMIT, until};
use rustix::process::Signal;

/// Partitions of the event topics, with the default configuration.
const PARTITIONS: usize = 4 + 2 + 2 + 2 + 1;
/// The shortest session that the broker of this machine allows.
const SESSION_TIMEOUT_MS: &str = "1000";

/// An aggregator in a process of its own.
struct Member {
    place: Place,
    running: Running,
}

impl Member {
    fn start(stack: &Place, state_dir: &Path) -> Self {
        let mut place = Place::beside(stack);
        place.set("AGGREGATOR_SESSION_TIMEOUT_MS", SESSION_TIMEOUT_MS);
        place.set("AGGREGATOR_STATE_DIR", state_dir.to_str().unwrap());
        let running = place.start("aggregator", &["serve", "aggregator"]);
        Self { place, running }
    }

    /// Started again with the data folder it had.
    fn restart(self) -> Self {
        let Self { place, running } = self;
        running.kill();
        let running = place.start("aggregator-again", &["serve", "aggregator"]);
        Self { place, running }
    }

    /// The partitions that it says it holds.
    fn holds(&self) -> BTreeSet<String> {
        let mut held = BTreeSet::new();
        for line in self.running.stderr().lines() {
            let Some((_, fields)) = line.split_once("a partition is ") else { continue };
            let partition = fields.split_once("topic=").unwrap().1.to_owned();
            if fields.starts_with("taken up") {
                held.insert(partition);
            } else {
                held.remove(&partition);
            }
        }
        held
    }
}

fn held_by(members: &[&Member]) -> Vec<usize> {
    members.iter().map(|member| member.holds().len()).collect()
}

/// Waits until the members hold all partitions between them, and each has some.
fn assert_shared(members: &[&Member], what: &str) {
    until(what, START_LIMIT, || {
        let held = held_by(members);
        let all: BTreeSet<String> = members.iter().flat_map(|member| member.holds()).collect();
        let whole = all.len() == PARTITIONS && held.iter().sum::<usize>() == PARTITIONS;
        if whole && held.iter().all(|count| *count > 0) { Ok(()) } else { Err(format!("they hold {held:?}")) }
    });
}

#[test]
fn aggregators_that_come_go_die_and_stand_still_count_once() {
    let stack = Place::new();
    let mut up = stack.start("up", &["up"]);
    up.wait_for("ready; Ctrl-C ends", START_LIMIT);
    let ours = Place::beside(&stack);
    let operator = Source::draw(&ours, "operator", "operator");
    let meters = Source::draw(&ours, "meters", "meter");
    let file = events::configure(&ours, &[&operator, &meters]);
    let mut ingest = ours.start("ingest", &["--config", file.to_str().unwrap(), "serve", "ingest"]);
    ingest.wait_for("ready", START_LIMIT);
    // The stack's own aggregator is stopped; the broker and the engine go on.
    up.send(Signal::STOP);
    events::send_good(&ours, &operator.key, &events::facts());
    let mut meter = Meter::new("yard/meter-1");
    let mut count_some = |when: &str| {
        eprintln!("counting {when}");
        for _ in 0..4 {
            meter.send(&ours, &meters.key, 5);
        }
        meter.assert_counted(&stack);
    };

    let state = ours.folder().join("state");
    let first = Member::start(&stack, &state);
    assert_shared(&[&first], "one holds all");
    count_some("by one");

    let (second, third) = (Member::start(&stack, &state), Member::start(&stack, &state));
    assert_shared(&[&first, &second, &third], "three share");
    count_some("by three");

    // Killed and started again, a member has its partitions back: the others keep theirs.
    let before = (second.holds(), third.holds());
    let first = first.restart();
    assert_shared(&[&first, &second, &third], "the killed one is back");
    assert_eq!((second.holds(), third.holds()), before, "nothing of the others moved");
    count_some("after a kill");

    // One is stopped for longer than its session: the others take over, and it wakes as a stale writer.
    second.running.send(Signal::STOP);
    until("the others hold what the sleeper held", START_LIMIT, || {
        let held = held_by(&[&first, &third]);
        if held.iter().sum::<usize>() == PARTITIONS { Ok(()) } else { Err(format!("{held:?}")) }
    });
    count_some("while one sleeps");
    second.running.send(Signal::CONT);
    count_some("after it woke");
    until("the sleeper is a member again", COUNT_LIMIT, || {
        let held = held_by(&[&first, &second, &third]);
        let whole = held.iter().sum::<usize>() == PARTITIONS && held.iter().all(|count| *count > 0);
        if whole { Ok(()) } else { Err(format!("{held:?}")) }
    });
    count_some("with the sleeper back");

    // An aggregator that is asked to end drains; the rest take its partitions once its session is over.
    third.running.send(Signal::TERM);
    third.running.end(END_LIMIT).success("an aggregator told to end");
    assert_shared(&[&first, &second], "two share");
    count_some("by two");

    up.send(Signal::CONT);
    count_some("beside one that takes all");
    for member in [first, second] {
        member.running.send(Signal::TERM);
        member.running.end(END_LIMIT).success("an aggregator told to end");
        member.place.assert_nothing_runs(END_LIMIT);
    }
    ingest.send(Signal::TERM);
    ingest.end(END_LIMIT).success("ingest told to end");
    up.send(Signal::INT);
    up.end(END_LIMIT).success("weighbridge up, told to end");
}
