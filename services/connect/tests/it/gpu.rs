//! Slurm's rows and DCGM's exposition, as they arrive at ingest.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use wb_connect::{dcgm, slurm};
use wb_events::wire::event::Body;

use crate::playback::{Guard, web};
use crate::support::{Taken, ingest, stop};

fn data(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name);
    std::fs::read_to_string(path).unwrap()
}

fn options(folder: &tempfile::TempDir, zone: &str) -> slurm::Options {
    slurm::Options {
        cluster: "c1".to_owned(),
        zone: zone.to_owned(),
        nodes: HashMap::from([("tx1-n07".to_owned(), "tx1-r04-n07".to_owned())]),
        position: folder.path().join("deep/slurm.json"),
    }
}

/// The spans that arrived: allocation, node, account, state, GPUs, seconds where it ended.
fn spans(taken: &Taken) -> Vec<String> {
    let mut found = Vec::new();
    for event in &taken.events {
        let Some(Body::GpuSpan(span)) = &event.body else { panic!("{event:?}") };
        let length = span.end_us.map(|end_us| (end_us - span.start_us) / 1_000_000);
        found.push(format!(
            "{} {} {} {} x{} {length:?}",
            span.allocation_id, span.node_id, span.account, span.state, span.gpus
        ));
    }
    found.sort();
    found
}

#[tokio::test]
async fn slurm_rows_arrive_once_and_traps_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder, "UTC");
    let (ingest, taken) = ingest().await;
    let (_tell, stop) = stop();
    let output = data("slurm/sacct.psv");
    let done = slurm::run(&options, &output, &ingest, &stop).await.unwrap();
    let expected = [
        "c1/48101 tx1-r04-n07 slurm:c1/acme COMPLETED x8 Some(99030)",
        "c1/48103 tx1-n08 slurm:c1/birch OUT_OF_MEMORY x1 Some(5)",
        "c1/48104 tx1-n09 slurm:c1/acme RUNNING x2 None",
        "c1/48107 tx1-n09 slurm:c1/acme NODE_FAIL x4 Some(1061)",
        "c1/48108 tx1-n09 slurm:c1/acme PREEMPTED x4 Some(1800)",
    ];
    assert_eq!(spans(&taken.lock().unwrap()), expected);
    // Three steps, one that never started, one without GPUs.
    assert_eq!((done.taken, done.known, done.nothing, done.refused.len()), (5, 0, 5, 0));
    let [suspect] = done.quarantined.as_slice() else { panic!("{:?}", done.quarantined) };
    assert_eq!((suspect.job_id.as_str(), suspect.line), ("48106", 10));
    assert!(suspect.reason.contains("3600"), "{}", suspect.reason);

    let requests = taken.lock().unwrap().requests;
    let again = slurm::run(&options, &output, &ingest, &stop).await.unwrap();
    assert_eq!((again.taken, again.known, taken.lock().unwrap().requests), (0, 5, requests));

    // The running job has ended: one new event. Without its position file all are sent, and all are the same events.
    let closed = output.replace(
        "RUNNING|2026-11-02T08:00:00|Unknown|86400",
        "COMPLETED|2026-11-02T08:00:00|2026-11-03T09:00:00|90000",
    );
    let later = slurm::run(&options, &closed, &ingest, &stop).await.unwrap();
    assert_eq!((later.taken, later.known), (1, 4));
    std::fs::remove_file(&options.position).unwrap();
    let afresh = slurm::run(&options, &closed, &ingest, &stop).await.unwrap();
    assert_eq!((afresh.taken, afresh.known), (5, 0));
    let taken = taken.lock().unwrap();
    let mut contents: BTreeMap<[u8; 16], u64> = BTreeMap::new();
    for event in &taken.events {
        let tag = wb_events::identity::content_tag(event);
        let before = contents.insert(wb_events::identity::event_id(event), tag);
        assert!(before.is_none_or(|before| before == tag), "one identity, two contents: {event:?}");
    }
    assert_eq!((taken.events.len(), contents.len()), (11, 6));
}

#[tokio::test]
async fn local_times_that_happened_twice_are_told_and_a_refused_span_is_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let (ingest, taken) = ingest().await;
    let (_tell, stop) = stop();
    let header = "JobIDRaw|Account|State|Start|End|ElapsedRaw|AllocTRES|NodeList|JobName\n";
    let output = format!(
        "{header}1|acme|COMPLETED|2026-11-01T01:30:00|2026-11-01T03:00:00|5400|gres/gpu=1|n1|a|b\n\
         2|acme|COMPLETED|2026-11-01T03:00:00|2026-11-01T04:00:00|3600|gres/gpu=1|n1|a|b\n\
         3||COMPLETED|2026-11-01T03:00:00|2026-11-01T04:00:00|3600|gres/gpu=1|n2|a\n"
    );
    let options = options(&folder, "America/Chicago");
    let done = slurm::run(&options, &output, &ingest, &stop).await.unwrap();
    assert!(done.quarantined[0].reason.contains("happened twice"), "{:?}", done.quarantined);
    // A row without an account is refused by ingest and sent again with every run.
    assert!(
        done.refused[0].job_id == "3" && done.refused[0].reason.contains("WB-2001"),
        "{:?}",
        done.refused
    );
    assert_eq!(spans(&taken.lock().unwrap())[0], "c1/2 n1 slurm:c1/acme COMPLETED x1 Some(3600)");
    // A busy ingest, and one whose answer is lost: in the end nothing is missing.
    taken.lock().unwrap().failures = vec![503, 200];
    let more =
        format!("{output}4|acme|COMPLETED|2026-11-01T05:00:00|2026-11-01T06:00:00|3600|gres/gpu=1|n1|a\n");
    let done = slurm::run(&options, &more, &ingest, &stop).await.unwrap();
    assert_eq!((done.taken, done.known, done.refused.len()), (1, 1, 1), "{done:?}");
    let elsewhere = slurm::Options { zone: "Moon/Base".to_owned(), ..options };
    let error = slurm::run(&elsewhere, &output, &ingest, &stop).await.unwrap_err();
    assert_eq!(error.code(), "WB-3114");
}

#[tokio::test]
async fn dcgm_counters_become_readings_and_samples_and_sentinels_do_not() {
    let exporter = |name: &str| BTreeMap::from([("/metrics".to_owned(), data(name))]);
    let h100 = web(exporter("dcgm/h100_node.prom"), Guard::Open).await;
    let a100 = web(exporter("dcgm/a100_mig_node.prom"), Guard::Open).await;
    let broken = web(BTreeMap::from([("/metrics".to_owned(), "a{x=1} 2".to_owned())]), Guard::Open).await;
    let (ingest, taken) = ingest().await;
    let (_tell, stop) = stop();
    let options = dcgm::Options {
        urls: [h100, a100, broken].map(|address| format!("http://{address}/metrics")).to_vec(),
        nodes: HashMap::from([("tx1-r04-n07".to_owned(), "node-7".to_owned())]),
        poll: Duration::from_millis(10),
        once: true,
    };
    let done = dcgm::run(&options, &ingest, &stop).await.unwrap();
    let expected =
        dcgm::Summary { rounds: 1, failed: 1, taken: 6, refused: 0, faults: 1, blanks: done.blanks };
    assert_eq!(done, expected);
    assert!(done.blanks >= 2, "{done:?}");
    let (mut found, mut samples): (Vec<String>, Vec<String>) = Default::default();
    for event in &taken.lock().unwrap().events {
        let reading = match &event.body {
            Some(Body::EnergyReading(reading)) => reading,
            Some(Body::GpuSample(sample)) => {
                samples.push(format!(
                    "{} {}{} {:?} {:?} {:?} {:?} {:?}",
                    sample.node_id,
                    &sample.device[sample.device.len() - 2..],
                    if sample.instance.is_empty() {
                        String::new()
                    } else {
                        format!("/{}/{}", sample.profile, sample.instance)
                    },
                    sample.utilisation_ppm.or(sample.engine_active_ppm),
                    sample.memory_used_mib,
                    sample.power_mw,
                    sample.last_xid,
                    sample.xid_count,
                ));
                continue;
            }
            other => panic!("{other:?}"),
        };
        found.push(format!(
            "{} {} {} {}",
            reading.meter_id, reading.machine_id, reading.register_wh, reading.witness
        ));
    }
    found.sort();
    // 1,894,837,261,554 and 93,201,774,210 mJ.
    let expected = [
        "gpu/GPU-5c1d7a0e-0001-4c1b-9d51-6f0a5f7a1e01 node-7 526343 firmware",
        "gpu/GPU-5c1d7a0e-0002-4c1b-9d51-6f0a5f7a1e02 node-7 25889 firmware",
    ];
    assert_eq!(found, expected);
    samples.sort();
    // The third GPU of the node has only blank values, so it has no sample.
    let expected = [
        "ga2-r01-n02 10/1g.5gb/7 Some(913044) Some(3120) None None None",
        "ga2-r01-n02 10/2g.10gb/3 Some(220117) Some(8800) None None None",
        "node-7 01 Some(970000) Some(71984) Some(688412) Some(0) None",
        "node-7 02 Some(0) None Some(71933) Some(79) None",
    ];
    assert_eq!(samples, expected);
    for (urls, code) in [(vec![], "WB-5716"), (vec!["ftp://x/".to_owned()], "WB-5701")] {
        let wrong = dcgm::Options { urls, ..options.clone() };
        assert_eq!(dcgm::run(&wrong, &ingest, &stop).await.unwrap_err().code(), code);
    }
}
