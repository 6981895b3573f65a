//! Real deliveries to a receiver that fails in many ways and checks each signature with its own implementation.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use crate::world;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::world::{Certificate, Receiver, dispatcher, until, write_ledger};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wb_webhooks::{Disabled, EndpointConfig, FAILURES_MAX, Order, StateDir};

/// A dispatcher that ends with the test.
struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(folder: &Path, configs: Vec<EndpointConfig>) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(dispatcher(folder, configs).run(stopped)) }
    }

    async fn end(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }
}

fn states(folder: &Path) -> StateDir {
    StateDir::open(&folder.join("states")).unwrap()
}

/// Everything from the ledger's beginning.
fn from_the_beginning(folder: &Path, endpoint: &str) {
    states(folder).order(endpoint, Order::Replay { from: 0 }).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_hangs_and_redirects_are_followed_by_the_same_message() {
    let folder = tempfile::tempdir().unwrap();
    let winners = write_ledger(&folder.path().join("ledger"), 6);
    let elsewhere = Receiver::start(&folder.path().join("elsewhere"), "200");
    let redirect = format!("307 http://127.0.0.1:{}/hook", elsewhere.port);
    let receiver = Receiver::start(
        &folder.path().join("receiver"),
        &format!("500\nhang\n{redirect}\ndrop\n429 1\n204\n200"),
    );
    from_the_beginning(folder.path(), "books");
    let running = Running::start(folder.path(), vec![receiver.config("books")]);
    // What the endpoint received is delivered once its answer is kept: whoever stops in between sends it again.
    let expected = u64::try_from(winners.len()).unwrap();
    let kept = states(folder.path());
    let delivered = || kept.delivery("books").unwrap().map_or(0, |delivery| delivery.delivered);
    tokio::task::block_in_place(|| until("all are delivered", || delivered() >= expected));
    running.end().await;
    let received = receiver.received();
    assert!(received.iter().all(|entry| entry["good"] == true), "{received:?}");
    let ids: Vec<&str> = received.iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    // Five failed attempts and the successful one are the same message; the others came once, in order.
    assert_eq!(ids[..6].iter().collect::<BTreeSet<_>>().len(), 1, "{ids:?}");
    assert_eq!(receiver.offsets()[5..], winners[..]);
    assert_eq!(ids.len(), 5 + winners.len());
    assert!(elsewhere.received().is_empty(), "a redirect is not followed");
    // The pause of a second that the endpoint asked for was kept.
    let at = |index: usize| received[index]["timestamp"].as_i64().unwrap();
    assert!(at(5) > at(4), "{} and {}", at(4), at(5));
    let body = &received[5]["body"];
    assert_eq!(
        (body["type"].as_str(), body["timestamp"].as_str()),
        (Some("period.closed"), Some("2026-11-01T00:00:00Z"))
    );
    assert_eq!(body["data"]["customer_id"], "acme");
    assert_eq!(body["data"]["period"], "2026-10");
    let delivery = kept.delivery("books").unwrap().unwrap();
    assert_eq!((delivery.failures, delivery.delivered), (0, expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_endpoint_holds_no_other_back_and_each_gets_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let winners = write_ledger(&folder.path().join("ledger"), 8);
    let hanging = Receiver::start(&folder.path().join("hanging"), "hang");
    let working = Receiver::start(&folder.path().join("working"), "200");
    let of_birch = EndpointConfig { customer: Some("birch".to_owned()), ..working.config("birch") };
    let of_invoices = EndpointConfig { events: vec!["invoice.*".to_owned()], ..working.config("invoices") };
    for id in ["hanging", "birch", "invoices", "all"] {
        from_the_beginning(folder.path(), id);
    }
    let configs = vec![hanging.config("hanging"), of_birch, of_invoices, working.config("all")];
    let running = Running::start(folder.path(), configs);
    tokio::task::block_in_place(|| {
        until("the others are served", || working.received().len() >= 4 + winners.len())
    });
    running.end().await;
    let mut offsets = working.offsets();
    offsets.sort_unstable();
    let mut expected: Vec<u64> = winners.iter().chain(winners.iter().skip(1).step_by(2)).copied().collect();
    expected.sort_unstable();
    assert_eq!(offsets, expected);
    assert_eq!(states(folder.path()).delivery("hanging").unwrap().unwrap().delivered, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn gone_disables_at_once_and_failures_in_the_end_until_somebody_orders_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let winners = write_ledger(&folder.path().join("ledger"), 3);
    let gone = Receiver::start(&folder.path().join("gone"), "200\n410");
    let failing = Receiver::start(&folder.path().join("failing"), "500");
    from_the_beginning(folder.path(), "gone");
    from_the_beginning(folder.path(), "failing");
    let running = Running::start(folder.path(), vec![gone.config("gone"), failing.config("failing")]);
    let kept = states(folder.path());
    let state = |id: &str| kept.delivery(id).unwrap().and_then(|delivery| delivery.disabled);
    tokio::task::block_in_place(|| {
        until("both are disabled", || {
            state("gone") == Some(Disabled::Gone) && state("failing") == Some(Disabled::Failed)
        });
    });
    assert_eq!(gone.offsets(), winners[..2]);
    assert_eq!(failing.received().len(), usize::try_from(FAILURES_MAX).unwrap());
    let told = kept.delivery("failing").unwrap().unwrap().last_failure.unwrap();
    assert!(told.contains("500"), "{told}");
    gone.plan("200");
    failing.plan("200");
    kept.order("gone", Order::Retry).unwrap();
    kept.order("failing", Order::Replay { from: winners[1] }).unwrap();
    tokio::task::block_in_place(|| {
        until("both go on", || {
            gone.offsets().last() == winners.last() && failing.offsets().last() == winners.last()
        });
    });
    running.end().await;
    let (gone_offsets, failing_offsets) = (gone.offsets(), failing.offsets());
    assert_eq!(gone_offsets[2..], winners[1..], "a retry goes on with what was not taken");
    assert_eq!(failing_offsets[failing_offsets.len() - 2..], winners[1..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_endpoint_is_not_flooded_with_the_past_and_one_folder_has_one_messenger() {
    let folder = tempfile::tempdir().unwrap();
    let before = write_ledger(&folder.path().join("ledger"), 4);
    let receiver = Receiver::start(&folder.path().join("receiver"), "200");
    let running = Running::start(folder.path(), vec![receiver.config("books")]);
    let kept = states(folder.path());
    tokio::task::block_in_place(|| {
        until("the endpoint is known", || kept.delivery("books").unwrap().is_some())
    });
    let endpoints = vec![wb_webhooks::Endpoint::new(receiver.config("books")).unwrap()];
    let ports = (world::FileLedger(folder.path().join("ledger")), world::WallClock, world::NoJitter);
    let second = wb_webhooks::Dispatcher::new(
        endpoints,
        states(folder.path()),
        wb_webhooks::Post::new().unwrap(),
        world::pace(),
        ports,
    );
    assert_eq!(second.map(|_| ()).unwrap_err().code(), "WB-6207");
    // The longer ledger begins with the same records.
    let after = write_ledger(&folder.path().join("ledger.new"), 6);
    std::fs::rename(folder.path().join("ledger.new"), folder.path().join("ledger")).unwrap();
    tokio::task::block_in_place(|| until("what is new is told", || receiver.received().len() >= 2));
    running.end().await;
    assert_eq!(receiver.offsets(), after[before.len()..]);
}

/// Set for the process that is killed.
const CHILD: &str = "WEBHOOKS_TEST_CHILD";

/// The process that is killed: a dispatcher that never ends. Without its variable the test does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_delivers() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let mut told = told.split(' ');
    let folder = told.next().unwrap();
    let config = |endpoint: &str| {
        let (id, url) = endpoint.split_once('=').unwrap();
        EndpointConfig {
            id: id.to_owned(),
            url: url.to_owned(),
            secret: world::SECRET.to_owned(),
            events: Vec::new(),
            customer: None,
        }
    };
    let (_stop, stopped) = watch::channel(false);
    dispatcher(Path::new(folder), told.map(config).collect()).run(stopped).await;
}

/// A process that delivers to some endpoints until it is killed.
fn child(folder: &Path, endpoints: &[(&str, &Receiver)]) -> Command {
    let endpoints = endpoints.iter().map(|(id, receiver)| format!("{id}={}", receiver.url()));
    let told: Vec<String> = std::iter::once(folder.display().to_string()).chain(endpoints).collect();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "delivery::child_that_delivers", "--nocapture"]).env(CHILD, told.join(" "));
    command.stdout(Stdio::null());
    command
}

#[test]
fn over_https_nothing_is_told_to_whom_nobody_vouches_for() {
    let folder = tempfile::tempdir().unwrap();
    let winners = write_ledger(&folder.path().join("ledger"), 6);
    let (own, elsewhere) = (Certificate::of("127.0.0.1"), Certificate::of("127.0.0.2"));
    let start =
        |name: &str, certificate| Receiver::start_secure(&folder.path().join(name), "200", certificate);
    let known = start("known", &own);
    // One certificate is unknown, and one is for another address.
    let (stranger, moved) = (start("stranger", &Certificate::of("127.0.0.1")), start("moved", &elsewhere));
    let authorities = folder.path().join("authorities");
    std::fs::write(&authorities, format!("{}{}", own.certificate, elsewhere.certificate)).unwrap();
    let endpoints = [("known", &known), ("stranger", &stranger), ("moved", &moved)];
    for (id, _) in endpoints {
        from_the_beginning(folder.path(), id);
    }
    // Trusted certificates come from the process's environment; they are not a setting of the dispatcher.
    let mut child = child(folder.path(), &endpoints).env("SSL_CERT_FILE", &authorities).spawn().unwrap();
    let kept = states(folder.path());
    let failure = |id: &str| kept.delivery(id).unwrap().and_then(|delivery| delivery.last_failure);
    until("the known one has all, the others were tried", || {
        known.received().len() >= winners.len() && failure("stranger").is_some() && failure("moved").is_some()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(known.offsets(), winners);
    assert!(known.received().iter().all(|entry| entry["good"] == true));
    for (id, receiver) in [("stranger", &stranger), ("moved", &moved)] {
        assert!(receiver.received().is_empty(), "{id} was told something");
        let failure = failure(id).unwrap();
        assert!(failure.contains("certificate verify failed"), "{id}: {failure}");
    }
}

#[test]
fn whoever_is_killed_sends_everything_at_least_once_with_the_same_ids() {
    let folder = tempfile::tempdir().unwrap();
    let winners = write_ledger(&folder.path().join("ledger"), 300);
    let receiver = Receiver::start(&folder.path().join("receiver"), "200");
    from_the_beginning(folder.path(), "books");
    let mut kills = 0;
    for round in 1.. {
        let mut child = child(folder.path(), &[("books", &receiver)]).spawn().unwrap();
        let goal = winners.len().min(round * 40);
        until("the child gets on", || {
            receiver.received().iter().map(|entry| entry["id"].to_string()).collect::<BTreeSet<_>>().len()
                >= goal
        });
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        child.wait().unwrap();
        kills += 1;
        if goal == winners.len() {
            break;
        }
    }
    assert!(kills >= 5, "{kills} kills");
    let received = receiver.received();
    assert!(received.iter().all(|entry| entry["good"] == true));
    // In the order of first arrival nothing is missing or out of place, and repeats have the same id.
    let mut seen = BTreeSet::new();
    let first: Vec<u64> = receiver.offsets().into_iter().filter(|offset| seen.insert(*offset)).collect();
    assert_eq!(first, winners);
    let ids: BTreeSet<String> = received.iter().map(|entry| entry["id"].to_string()).collect();
    assert_eq!(ids.len(), winners.len());
    assert!(received.len() < winners.len() + kills * 2, "{} for {} messages", received.len(), winners.len());
}
