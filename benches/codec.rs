//! What an event costs on its way: read, encoded, framed, opened, folded, written as a row.

use std::collections::HashMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use prost::Message as _;
use wb_events::frame::{self, FRAME_EVENTS_MAX, FrameKey};
use wb_events::{Body, Event, input, topics, u128_bytes, wire};
use wb_fold::assemble::BLOCK_EVENTS_MAX;
use wb_fold::{Assembler, BlockId, ClosedBlock, FoldedBlock, LogRecord, MemoryArchive, State};
use wb_proof::stratum_v1::{Submit, rebuild};
use wb_testkit::{STREAM_ASSIGNED_Q32, ShareStream, share_stream};

type Bench = Result<(), Box<dyn std::error::Error>>;

const SEED: u64 = 7;
const MACHINES: u32 = 64;
const ENERGY: &str = r#"{"kind":"energy_reading","key":"meter-1","sequence":1,"event_time_us":1790000000000000,"body":{"machine_id":"m-0001","meter_id":"meter-1","register_wh":123456,"witness":"meter"}}"#;

fn key() -> FrameKey {
    FrameKey::new([9; 32])
}

/// The stream's shares as ingest stores them: header rebuilt, resolution set.
fn resolved(stream: &ShareStream) -> Result<Vec<Event>, Box<dyn std::error::Error>> {
    let mut job = None;
    let mut sessions = HashMap::new();
    for value in &stream.sessions_and_jobs {
        let event = input::parse_json("bench", &value.to_string())?;
        let Some(Body::Fact(fact)) = event.body else { continue };
        match wb_events::facts::FactBody::parse(&fact.kind, &fact.entity, &fact.body)? {
            wb_events::facts::FactBody::Job(body) => job = Some((body.parameters()?, body.height)),
            wb_events::facts::FactBody::Session(body) => {
                sessions.insert(fact.entity, (body.parameters()?, body.machine_id));
            }
            _ => {}
        }
    }
    let (job, height) = job.ok_or("the stream has no job")?;
    let one = |share: &wb_testkit::StreamShare| {
        let (session, machine_id) = sessions.get(&share.session_id).ok_or("a share without session")?;
        let submit = Submit {
            job_id: share.job_id.clone(),
            extranonce2: share.extranonce2.clone(),
            ntime: share.ntime,
            nonce: share.nonce,
            version_bits: None,
        };
        let header = rebuild(session, &job, &submit)?;
        let mut event = input::parse_json("bench-pool", &share.to_json().to_string())?;
        if let Some(Body::Share(share)) = &mut event.body {
            let mut resolution = wire::Resolution {
                site_id: "bench-1".to_owned(),
                machine_id: machine_id.clone(),
                chain: "main".to_owned(),
                height,
                network_nbits: header.nbits,
                subsidy_sat: 312_500_000,
                assigned_q32: u128_bytes::encode(STREAM_ASSIGNED_Q32),
                job_ntime: job.ntime,
                ..wire::Resolution::default()
            };
            resolution.set_outcome(wire::resolution::Outcome::Rebuilt);
            share.header = header.to_bytes().to_vec();
            share.resolution = Some(resolution);
        }
        Ok(event)
    };
    stream.shares.iter().map(one).collect()
}

fn closed_block(events: &[Event]) -> Result<ClosedBlock, &'static str> {
    let mut assembler = Assembler::new(0, key());
    for (offset, frame) in (0..).zip(events.chunks(FRAME_EVENTS_MAX)) {
        let encoded = frame.iter().map(Event::encode_to_vec).collect();
        let payload = frame::encode_events("bench", encoded, &key());
        if let Some(block) = assembler.push(LogRecord { offset, append_time_us: 0, payload }) {
            return Ok(block);
        }
    }
    Err("too few events for a block")
}

fn events(c: &mut Criterion, stream: &ShareStream, event: &Event) {
    let mut group = c.benchmark_group("event");
    group.throughput(Throughput::Elements(1));
    let share = stream.shares.first().map(|share| share.to_json().to_string()).unwrap_or_default();
    for (name, text) in [("share from JSON", share.as_str()), ("energy reading from JSON", ENERGY)] {
        group.bench_function(name, |b| b.iter(|| input::parse_json("bench", black_box(text))));
    }
    let bytes = event.encode_to_vec();
    group.bench_function("share from Protobuf", |b| b.iter(|| Event::decode(black_box(bytes.as_slice()))));
    group.bench_function("share to Protobuf", |b| b.iter(|| black_box(event).encode_to_vec()));
    group.bench_function("partition of a share", |b| {
        b.iter(|| wb_events::identity::partition_of(black_box(event), 4));
    });
    group.finish();
}

fn frames(c: &mut Criterion, events: &[Event]) {
    let mut group = c.benchmark_group("frame of 100 shares");
    let encoded: Vec<_> = events.iter().take(FRAME_EVENTS_MAX).map(Event::encode_to_vec).collect();
    group.throughput(Throughput::Elements(u64::try_from(encoded.len()).unwrap_or(0)));
    group.bench_function("encode and sign", |b| {
        b.iter_batched(
            || encoded.clone(),
            |events| frame::encode_events("bench", events, &key()),
            BatchSize::SmallInput,
        );
    });
    let record = frame::encode_events("bench", encoded.clone(), &key());
    group.bench_function("verify and decode", |b| b.iter(|| frame::decode(black_box(&record), &key())));
    group.finish();
}

fn blocks(c: &mut Criterion, block: &ClosedBlock, folded: &FoldedBlock) {
    let id = || BlockId { topic: topics::SHARES.to_owned(), partition: 0, block: 0 };
    let mut group = c.benchmark_group("block of shares");
    group.sample_size(10);
    group.throughput(Throughput::Elements(folded.counts.events()));
    group.bench_function("fold", |b| {
        b.iter_batched(
            || (State::default(), MemoryArchive::default()),
            // What was folded goes out with the state, so that dropping it is not measured.
            |(mut state, mut archive)| (wb_fold::fold(id(), &mut state, &mut archive, block), state, archive),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("rows to RowBinary", |b| {
        b.iter(|| {
            folded.tables.iter().flat_map(wb_fold::Table::iter).map(|row| black_box(row).len()).sum::<usize>()
        });
    });
    group.bench_function("content hash", |b| {
        b.iter(|| wb_fold::tables::content_hash(black_box(&folded.tables)));
    });
    group.finish();
}

fn codec(c: &mut Criterion) -> Bench {
    let stream = share_stream(SEED, MACHINES, BLOCK_EVENTS_MAX)?;
    let resolved = resolved(&stream)?;
    let event = resolved.first().ok_or("the stream is empty")?;
    let block = closed_block(&resolved)?;
    let id = BlockId { topic: topics::SHARES.to_owned(), partition: 0, block: 0 };
    let folded = wb_fold::fold(id, &mut State::default(), &mut MemoryArchive::default(), &block)?;
    let counts = &folded.counts;
    if counts.accepted() != counts.events() {
        return Err(format!("only {} of {} shares count", counts.accepted(), counts.events()).into());
    }
    events(c, &stream, event);
    frames(c, &resolved);
    blocks(c, &block, &folded);
    Ok(())
}

/// Input that cannot be made ends the bench with its reason.
fn all(c: &mut Criterion) {
    if let Err(error) = codec(c) {
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "codec: {error}");
        std::process::exit(1);
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
