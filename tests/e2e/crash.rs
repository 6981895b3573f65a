//! `kill -9` in the middle of the demonstration: of itself, of the broker, of the engine. It ends with the totals and
//! bills of an undisturbed run.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests may fail loudly"
)]

use std::time::Duration;

use crate::support::demo::{DONE, Summary};
use crate::support::place::Place;
use crate::support::random::Random;
use crate::support::running::{Running, signal_to};
use crate::support::{DEMO_LIMIT, END_LIMIT, START_LIMIT, until};
use rustix::process::Signal;

/// When a process is killed: at most this long after the demonstration has written this text.
const MOMENTS: [(&str, Duration); 3] = [
    ("demo 3/6", Duration::from_millis(2_000)),
    ("demo 4/6", Duration::from_millis(1_500)),
    ("demo 5/6", Duration::from_millis(800)),
];

/// One test, because each demonstration has the machine for itself: the effect of a crash must not depend on what
/// else runs.
#[test]
fn what_is_killed_changes_no_total_and_no_bill() {
    let undisturbed = undisturbed();
    let mut random = Random::new("crash");
    the_demonstration_is_killed(&undisturbed, &mut random);
    the_backends_are_killed(&undisturbed, &mut random);
}

fn undisturbed() -> Summary {
    let place = Place::new();
    place.run("demo", &["demo", "--exit"], DEMO_LIMIT).success("the demonstration");
    Summary::read(&place)
}

/// Waits for the moment's text, then for a random part of its time.
fn wait_for_moment(demo: &mut Running, (text, bound): (&str, Duration), random: &mut Random) -> String {
    demo.wait_for(text, START_LIMIT);
    let pause = random.below(bound);
    // This sleep waits for no condition: its end is the moment.
    std::thread::sleep(pause);
    let moment = format!("{} ms after {text:?}", pause.as_millis());
    eprintln!("killing {moment}");
    moment
}

/// Three crashes on the same folders, each on what the one before left.
fn the_demonstration_is_killed(undisturbed: &Summary, random: &mut Random) {
    let place = Place::new();
    for (index, moment) in MOMENTS.into_iter().enumerate() {
        let mut demo = place.start(&format!("killed-{index}"), &["demo"]);
        wait_for_moment(&mut demo, moment, random);
        assert!(demo.runs(), "it is killed in the middle: {}", demo.stderr());
        demo.kill();
        // At once again: the next run has to deal with what still runs of the last one.
    }
    let ended = place.run("restarted", &["demo", "--exit"], DEMO_LIMIT);
    ended.success("the demonstration after three crashes");
    Summary::read(&place).assert_same_totals_and_bills(undisturbed, "after kill -9 of the demonstration");
    place.assert_nothing_runs(END_LIMIT);
}

/// The broker and the engine die under a demonstration that goes on.
fn the_backends_are_killed(undisturbed: &Summary, random: &mut Random) {
    for (name, pid_file) in [("broker", "kafka/kafka.pid"), ("engine", "clickhouse/engine.pid")] {
        let place = Place::new();
        let mut demo = place.start(name, &["demo"]);
        for moment in &MOMENTS[..2] {
            let at = wait_for_moment(&mut demo, *moment, random);
            let pid = place.backend_pid(pid_file);
            signal_to(pid, Signal::KILL);
            until(&format!("the {name} is started again, killed {at}"), START_LIMIT, || {
                assert!(demo.runs(), "the demonstration goes on: {}", demo.stderr());
                let next = place.backend_pid(pid_file);
                if next == pid { Err(format!("pid {pid}")) } else { Ok(()) }
            });
        }
        demo.wait_for(DONE, DEMO_LIMIT);
        demo.send(Signal::INT);
        demo.end(END_LIMIT).success(&format!("a demonstration whose {name} died twice"));
        Summary::read(&place)
            .assert_same_totals_and_bills(undisturbed, &format!("after kill -9 of the {name}"));
        place.assert_nothing_runs(END_LIMIT);
    }
}
