//! Simulated machines: what the connector makes of each, and what arrives at ingest.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;
use wb_connect::ConnectError;
use wb_connect::miners::{self, Login, Machines, Options, Summary, Target, check};
use wb_events::wire::event::Body;
use wb_events::{Event, identity};
use wb_metering::miner::normalise;

use crate::playback::{Guard, Manner, answers, cgminer, web, whatsminer};
use crate::support::{Taken, ingest, stop};

fn target(address: SocketAddr, machine_id: Option<&str>) -> Target {
    Target { ip: address.ip(), port: Some(address.port()), machine_id: machine_id.map(str::to_owned) }
}

fn options(targets: Vec<Target>) -> Options {
    Options {
        targets,
        machines: Machines::default(),
        login: None,
        poll: Duration::from_millis(20),
        within: Duration::from_millis(1_500),
        concurrency: 64,
        once: true,
    }
}

/// The samples that arrived: by machine id, state and family, or why there is none.
fn samples(taken: &Taken) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for event in &taken.events {
        let Some(Body::MinerSample(sample)) = &event.body else { panic!("{event:?}") };
        let said = match &sample.unreachable {
            Some(why) => format!("unreachable: {why}"),
            None => {
                let reading = normalise(&sample.answers).unwrap();
                format!("{} {}", reading.family.as_str(), reading.state.as_str())
            }
        };
        found.insert(sample.machine_id.clone(), said);
    }
    found
}

fn answers_of(taken: &Taken, machine_id: &str) -> String {
    let sample = |event: &Event| match &event.body {
        Some(Body::MinerSample(sample)) if sample.machine_id == machine_id => Some(sample.answers.clone()),
        _ => None,
    };
    taken.events.iter().find_map(sample).unwrap_or_else(|| panic!("no sample of {machine_id}"))
}

#[tokio::test]
async fn every_family_is_recognised_over_tcp_and_reads_as_its_recording() {
    let names = [
        "antminer-s19j",
        "antminer-l7",
        "whatsminer-m30",
        "whatsminer-m30-off",
        "luxos-s21",
        "luxos-s21-curtailed",
        "avalon-a1466",
        "avalon-q-softoff",
        "auradine-at2880",
        "auradine-at2880-asleep",
    ];
    let mut targets = Vec::new();
    for name in names {
        let machine = cgminer(answers(name), Manner::Nul).await;
        targets.push(target(machine.address, Some(name)));
    }
    let m60 = whatsminer(answers("whatsminer-m60")).await;
    targets.push(target(m60, Some("whatsminer-m60")));
    let (ingest, taken) = ingest().await;
    let (_tell, stop) = stop();
    let done = miners::run(&options(targets), &ingest, &stop).await.unwrap();
    let expected = Summary { rounds: 1, answered: 11, taken: 11, ..Summary::default() };
    assert_eq!(done, expected, "{:?}", samples(&taken.lock().unwrap()));
    let taken = taken.lock().unwrap();
    for name in names.iter().chain(&["whatsminer-m60"]) {
        let recorded = serde_json::to_string(&answers(name)).unwrap();
        let (mut read, mut expected) =
            (normalise(&answers_of(&taken, name)).unwrap(), normalise(&recorded).unwrap());
        // A poll only asks for some of the data, so the rest is not metered either.
        (read.boards, expected.boards) = (None, None);
        (read.system_uptime_s, expected.system_uptime_s) = (None, None);
        assert_eq!(read, expected, "{name}");
    }
}

#[tokio::test]
async fn every_family_is_recognised_over_http_and_reads_as_its_recording() {
    let pages = |name: &str, path: &dyn Fn(&str) -> String| -> BTreeMap<String, String> {
        answers(name).into_iter().map(|(command, answer)| (path(&command), answer.to_string())).collect()
    };
    let rest = |command: &str| format!("/api/v1/{}", command.replacen('_', "/", 1));
    let cgi = |command: &str| format!("/cgi-bin/{command}.cgi");
    let sites = [
        ("epic-s19xp", pages("epic-s19xp", &|command| format!("/{command}")), Guard::Open),
        ("bitaxe-gamma", pages("bitaxe-gamma", &|_| "/api/system/info".to_owned()), Guard::Open),
        ("antminer-s21-web", pages("antminer-s21-web", &cgi), Guard::Digest),
        ("elphapex-dg2", pages("elphapex-dg2", &cgi), Guard::Digest),
        ("braiins-s19xp", pages("braiins-s19xp", &rest), Guard::Token),
        ("braiins-s19xp-paused", pages("braiins-s19xp-paused", &rest), Guard::Token),
        (
            "braiins-s17-graphql",
            pages("braiins-s17-graphql", &|command| format!("/graphql {command}")),
            Guard::Open,
        ),
    ];
    let mut targets = Vec::new();
    let names: Vec<&str> = sites.iter().map(|(name, _, _)| *name).collect();
    for (name, pages, guard) in sites {
        targets.push(target(web(pages, guard).await, Some(name)));
    }
    let (ingest, taken) = ingest().await;
    let (_tell, stop) = stop();
    let with_login = Options { login: Login::parse("root:secret"), ..options(targets.clone()) };
    let done = miners::run(&with_login, &ingest, &stop).await.unwrap();
    let shown = samples(&taken.lock().unwrap());
    assert_eq!(done, Summary { rounds: 1, answered: 7, taken: 7, ..Summary::default() }, "{shown:?}");
    for name in names {
        let recorded = serde_json::to_string(&answers(name)).unwrap();
        let read = normalise(&answers_of(&taken.lock().unwrap(), name)).unwrap();
        let mut expected = normalise(&recorded).unwrap();
        expected.boards = read.boards;
        assert_eq!(read, expected, "{name}");
    }
    // Without a login the protected ones report that they require one, and none counts as unreachable.
    let done = miners::run(&options(targets), &ingest, &stop).await.unwrap();
    assert_eq!((done.answered, done.unread, done.unreachable), (3, 4, 0));
}

#[tokio::test]
async fn bad_manners_are_borne_and_what_cannot_be_read_is_no_sample() {
    let readable =
        [Manner::Nul, Manner::HalfClosing, Manner::Lingering, Manner::Pieces, Manner::Twice, Manner::Commas];
    let unreadable = [Manner::Garbage, Manner::Huge, Manner::Stuck];
    let mut targets = Vec::new();
    let mut expected = BTreeMap::new();
    for manner in readable.into_iter().chain(unreadable).chain([Manner::Mute]) {
        let machine = cgminer(answers("antminer-s19j"), manner).await;
        targets.push(target(machine.address, Some(&format!("{manner:?}"))));
        if readable.contains(&manner) {
            expected.insert(format!("{manner:?}"), "antminer hashing".to_owned());
        }
    }
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    targets.push(target(gone.local_addr().unwrap(), Some("Gone")));
    drop(gone);
    let (ingest, taken) = ingest().await;
    let (_tell, stop) = stop();
    let started = Instant::now();
    let done = miners::run(&options(targets), &ingest, &stop).await.unwrap();
    // All at once, and each command within its time limit: on the mute one every interface is tried in turn.
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    let mut found = samples(&taken.lock().unwrap());
    for (machine, why) in [("Gone", "cannot connect"), ("Mute", "no complete answer")] {
        let said = found.remove(machine).unwrap_or_else(|| panic!("{machine} is not reported: {found:?}"));
        assert!(said.starts_with("unreachable: ") && said.contains(why), "{machine}: {said}");
    }
    assert_eq!(found, expected);
    let counts = (done.answered, done.unread, done.unreachable, done.taken, done.refused);
    assert_eq!(counts, (6, 3, 2, 8, 0), "{done:?}");
}

#[tokio::test]
async fn a_retry_changes_no_identity_and_every_round_is_a_sample_of_its_own() {
    let machine = cgminer(answers("luxos-s21"), Manner::Nul).await;
    let (ingest, taken) = ingest().await;
    // Busy, then accepted with a lost answer, then accepted again.
    taken.lock().unwrap().failures = vec![503, 429, 200];
    let (tell, stop) = stop();
    let options = Options { once: false, ..options(vec![target(machine.address, Some("m1"))]) };
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { miners::run(&options, &ingest, &stop).await.unwrap() }
    });
    let three = |taken: &Taken| {
        taken.events.iter().map(identity::event_id).collect::<std::collections::BTreeSet<_>>().len() >= 3
    };
    let deadline = Instant::now() + Duration::from_secs(120);
    while !three(&taken.lock().unwrap()) {
        assert!(Instant::now() < deadline, "three rounds did not arrive");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tell.send_replace(true);
    running.await.unwrap();
    let taken = taken.lock().unwrap();
    let mut by_identity: BTreeMap<[u8; 16], Vec<u64>> = BTreeMap::new();
    for event in &taken.events {
        by_identity.entry(identity::event_id(event)).or_default().push(identity::content_tag(event));
        assert_eq!((event.key.as_str(), event.source_epoch > 0), ("m1", true));
    }
    assert!(by_identity.values().any(|tags| tags.len() > 1), "the lost answer led to no repeat");
    for tags in by_identity.values() {
        assert!(tags.iter().all(|tag| *tag == tags[0]), "one identity, two contents");
    }
    let sequences: std::collections::BTreeSet<u64> =
        taken.events.iter().map(|event| event.sequence).collect();
    assert!((0..3).all(|sequence| sequences.contains(&sequence)), "{sequences:?}");
}

#[tokio::test]
async fn a_machine_is_known_by_mac_counted_once_and_missed_when_it_goes() {
    let with_mac = |mac: &str| {
        let mut answers = answers("luxos-s21");
        answers.insert(
            "config".to_owned(),
            json!({"CONFIG": [{"MACAddr": mac, "CurtailMode": "None"}], "id": 1}),
        );
        answers
    };
    let first = cgminer(with_mac("02:00:00:00:00:01"), Manner::Nul).await;
    let again = cgminer(with_mac("02:00:00:00:00:01"), Manner::Nul).await;
    let second = cgminer(with_mac("02:00:00:00:00:02"), Manner::Nul).await;
    let stranger = cgminer(with_mac("02:00:00:00:00:03"), Manner::Nul).await;
    let all = [&first, &again, &second, &stranger];
    let targets = all.map(|machine| target(machine.address, None)).to_vec();
    let machines =
        r#"{"02:00:00:00:00:01":"one","02-00-00-00-00-02":"two","02:00:00:00:00:04":"never seen"}"#;
    let (ingest, taken) = ingest().await;
    let (tell, stop) = stop();
    let options = Options { machines: Machines::parse(machines).unwrap(), once: false, ..options(targets) };
    let running = tokio::spawn(async move { miners::run(&options, &ingest, &stop).await.unwrap() });
    let wait_for = async |what: &str, wanted: &dyn Fn(&Taken) -> bool| {
        let deadline = Instant::now() + Duration::from_secs(120);
        while !wanted(&taken.lock().unwrap()) {
            assert!(Instant::now() < deadline, "{what} did not come");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    wait_for("the first round", &|taken| samples(taken).len() == 2).await;
    let found = samples(&taken.lock().unwrap());
    assert_eq!(found.into_keys().collect::<Vec<_>>(), ["one", "two"]);
    *second.manner.lock().unwrap() = Manner::Mute;
    let missed = |taken: &Taken| samples(taken)["two"].starts_with("unreachable: ");
    wait_for("the report of the missing machine", &missed).await;
    // No answer at all says nothing about the machines.
    for machine in all {
        *machine.manner.lock().unwrap() = Manner::Mute;
    }
    let asked = stranger.connections.load(Ordering::SeqCst);
    wait_for("two more rounds", &|_| stranger.connections.load(Ordering::SeqCst) > asked + 9).await;
    tell.send_replace(true);
    let done = running.await.unwrap();
    let last = samples(&taken.lock().unwrap());
    assert!(last["one"].starts_with("luxos"), "{last:?}");
    assert!(done.unnamed > 0 && done.unreachable > 0 && done.taken > 2, "{done:?}");
}

#[tokio::test]
async fn no_more_are_asked_at_once_than_may_be() {
    let machine = cgminer(answers("luxos-s21"), Manner::Pieces).await;
    // One server under many addresses of this host.
    let targets: Vec<Target> = (1..=40)
        .map(|last: u8| Target {
            ip: std::net::IpAddr::from([127, 0, 0, 1]),
            port: Some(machine.address.port()),
            machine_id: Some(format!("m{last}")),
        })
        .collect();
    let (ingest, _taken) = ingest().await;
    let (_tell, stop) = stop();
    let options = Options { concurrency: 3, ..options(targets) };
    let done = miners::run(&options, &ingest, &stop).await.unwrap();
    assert_eq!(done.answered, 40, "{done:?}");
    let busiest = machine.busiest.load(Ordering::SeqCst);
    // A connection may outlive its answer by a moment; three addresses at a time get one command after another.
    assert!((2..=9).contains(&busiest), "{busiest} at once");
}

#[tokio::test]
async fn a_collector_that_ingest_refuses_ends() {
    let machine = cgminer(answers("luxos-s21"), Manner::Nul).await;
    let (ingest, taken) = ingest().await;
    taken.lock().unwrap().failures = vec![403; 10];
    let (_tell, stop) = stop();
    let options = Options { once: false, ..options(vec![target(machine.address, Some("m1"))]) };
    let error = miners::run(&options, &ingest, &stop).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { status: 403, .. }), "{error}");
}

#[test]
fn a_folder_of_recordings_is_checked_file_by_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    assert_eq!(check::folder(folder.path()).unwrap_err().code(), "WB-5715");
    write("a/good.json", serde_json::to_string(&answers("luxos-s21")).unwrap().as_bytes());
    assert_eq!(check::folder(folder.path()).unwrap().refused, 0);
    write("a/notes.txt", b"not asked for");
    write("b/cut.json", b"{\"version\":");
    write("b/binary.json", b"\xff\xfe\x00");
    write("c/huge.json", &vec![b' '; 300_000]);
    // The bytes as they came over the wire are read as the poller reads them.
    write(
        "d/wire.json",
        br#"{"STATUS":[{"Description":"FluxOS-1"}],"SUMMARY":[,{"MHS 5s":95.0"Elapsed":nan}]}"#,
    );
    let checked = check::folder(folder.path()).unwrap();
    assert_eq!((checked.files, checked.refused), (5, 3));
    let table = checked.table();
    for (line, words) in [
        ("a/good.json", "luxos hashing"),
        ("b/binary.json", "NOT READ: invalid utf-8"),
        ("b/cut.json", "NOT READ: [WB-3103]"),
        ("c/huge.json", "NOT READ: [WB-3101]"),
        ("d/wire.json", "auradine hashing"),
    ] {
        let found = table.lines().find(|text| text.starts_with(line)).unwrap_or_else(|| panic!("{table}"));
        assert!(found.contains(words), "{found}");
    }
}

#[test]
fn the_given_recordings_are_all_read() {
    let Some(root) = std::env::var_os("WEIGHBRIDGE_RECORDINGS") else {
        println!("WEIGHBRIDGE_RECORDINGS is not set: no recordings to check");
        return;
    };
    let checked = check::folder(std::path::Path::new(&root)).unwrap();
    println!("{}", checked.table());
    assert!(checked.files > 0 && checked.refused == 0, "{} of {} files", checked.refused, checked.files);
}
