//! `POST /v1/prometheus/write`: the remote write of a site's Prometheus, as GPU spans, register readings and samples
//! of GPUs.
//!
//! A remote write sender drops a request after a 4xx and retries it after a 5xx. So everything that may be accepted
//! later gets a 5xx, even where other endpoints answer 429 or 408.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header as names};
use axum::response::{IntoResponse, Response};
use wb_auth::Source;
use wb_events::wire::{EnergyReading, GpuSpan, event::Body as EventBody};
use wb_metering::gpu::dcgm;
use wb_metering::gpu::kubernetes::Holding;

use super::devices;
use super::observed::{MILLISECOND_US, event};
use super::pods::{self, Held};
use super::write::{self, Point};
use super::{IngestState, Ready, header, note, now_us};
use crate::answer::{self, EventAnswer, Refusal};
use crate::{body, limits};

/// The metric of dcgm-exporter that becomes a register reading.
const ENERGY: &str = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION";
/// Millijoules of a watt-hour.
const MJ_PER_WH: u64 = 3_600_000;
/// The cluster of pods whose Prometheus adds no label `cluster`.
const CLUSTER_DEFAULT: &str = "default";
/// The longest cluster in an account; a namespace has at most 63 characters.
const CLUSTER_CHARS_MAX: usize = 48;
/// Microseconds of a second.
const SECOND_US: i64 = 1_000_000;
pub(super) async fn take(State(state): State<Arc<IngestState>>, request: Request) -> Response {
    let began = Instant::now();
    let taken = state.take_write(request).await;
    note(began, &taken);
    match taken {
        Ok(answers) if answers.iter().all(|answer| matches!(answer, EventAnswer::Accepted { .. })) => {
            StatusCode::NO_CONTENT.into_response()
        }
        Ok(answers) => answer::write_refused(answers),
        Err(refusal) => refusal.for_remote_write(),
    }
}

impl IngestState {
    async fn take_write(&self, request: Request) -> Result<Vec<EventAnswer>, Refusal> {
        let (parts, request_body) = request.into_parts();
        let source = self
            .sources
            .authenticate(header(&parts.headers, &names::AUTHORIZATION))
            .map_err(Refusal::Auth)?;
        let _permit = self.requests.try_acquire().map_err(|_| Refusal::Busy)?;
        let kind = header(&parts.headers, &names::CONTENT_TYPE).unwrap_or_default();
        let second_version = kind.contains("io.prometheus.write.v2");
        if !kind.starts_with("application/x-protobuf") || second_version {
            return Err(Refusal::NotRemoteWrite(kind.chars().take(80).collect()));
        }
        let encoding = header(&parts.headers, &names::CONTENT_ENCODING).unwrap_or_default();
        if encoding != "snappy" {
            return Err(Refusal::NotSnappy(encoding.chars().take(64).collect()));
        }
        let raw = body::read(request_body).await?;
        let read = tokio::task::spawn_blocking(move || {
            let wanted = |name: &str| {
                name == ENERGY || pods::METRICS.contains(&name) || devices::METRICS.contains(&name)
            };
            write::read(write::decompress(&raw)?, wanted)
        });
        let points = read.await.map_err(|error| Refusal::Malformed(error.to_string()))??;
        let (of_pods, of_devices): (Vec<_>, Vec<_>) =
            points.into_iter().partition(|point| pods::METRICS.contains(&point.sample.name.as_str()));
        let (energy, said): (Vec<_>, Vec<_>) =
            of_devices.into_iter().partition(|point| point.sample.name == ENERGY);
        let mut events: Vec<Ready> = energy.iter().filter_map(|point| reading(source, point)).collect();
        events.extend(devices::samples(source, said));
        if of_pods.is_empty() {
            return self.take_all(source, events).await;
        }
        // One request of a source at a time: its result is durable before the next one is processed.
        let pods = self.pods_of(&source.id).await;
        let mut pods = pods.lock().await;
        pods.add(of_pods)?;
        let step = pods.ready();
        events.extend(step.held.iter().filter_map(|held| span(source, held)));
        let answers = self.take_all(source, events).await?;
        pods.commit(step);
        Ok(answers)
    }

    async fn take_all(&self, source: &Source, events: Vec<Ready>) -> Result<Vec<EventAnswer>, Refusal> {
        if events.len() > limits::WRITE_EVENTS_MAX {
            return Err(Refusal::TooManyEvents(events.len()));
        }
        let run = events.into_iter().enumerate().collect();
        self.take_run(source, run, false, now_us(), &mut false).await
    }
}

/// The energy register of a whole GPU. Its identity is the GPU and the second of the scrape.
fn reading(source: &Source, point: &Point) -> Option<Ready> {
    let device = dcgm::read(std::slice::from_ref(&point.sample)).pop()?;
    let register_wh = device.energy_mj? / MJ_PER_WH;
    let meter_id = format!("gpu/{}", device.uuid);
    let body = EventBody::EnergyReading(EnergyReading {
        meter_id: meter_id.clone(),
        machine_id: device.host,
        register_wh,
        witness: "firmware".to_owned(),
        site_id: String::new(),
    });
    Some(event(source, meter_id, point.at_us / SECOND_US, point.at_us, body))
}

/// The account of a pod: its cluster and namespace. Two clusters may have namespaces of one name.
fn account(holding: &Holding) -> String {
    let id =
        |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '-' };
    let cluster: String = holding.cluster.chars().take(CLUSTER_CHARS_MAX).map(id).collect();
    let cluster = if cluster.is_empty() { CLUSTER_DEFAULT } else { &cluster };
    format!("kubernetes:{cluster}/{}", holding.namespace)
}

/// A row of a pod's allocation, which goes on until a row closes it. `None` for a resource of unknown size.
fn span(source: &Source, held: &Held) -> Option<Ready> {
    let holding = &held.holding;
    if holding.parts().is_none() {
        tracing::warn!(
            resource = holding.resource,
            pod = holding.pod,
            "a pod holds a resource of unknown size"
        );
        return None;
    }
    let profile =
        holding.resource.strip_prefix("nvidia_com_mig_").map(|profile| profile.replacen('_', ".", 1));
    let body = EventBody::GpuSpan(GpuSpan {
        node_id: holding.node_id.clone(),
        allocation_id: format!("kube/{}", holding.pod_uid),
        device: String::new(),
        profile: profile.unwrap_or_default(),
        account: account(holding),
        state: if held.is_over { "COMPLETED" } else { "RUNNING" }.to_owned(),
        gpus: holding.count,
        start_us: held.start_us,
        end_us: held.is_over.then_some(held.end_us),
        site_id: String::new(),
    });
    let key = format!("kube/{}/{}", holding.pod_uid, holding.resource);
    // Rows of a run differ in the scrape that each comes from.
    Some(event(source, key, held.seen_us / MILLISECOND_US, held.end_us, body))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use wb_auth::{Role, SourceKeys};
    use wb_metering::prometheus::Sample;

    use super::*;

    fn source() -> Source {
        let generated = wb_auth::GeneratedKey::random().unwrap();
        let entry = wb_auth::SourceEntry {
            id: "site".to_owned(),
            key_sha256_hex: generated.key_sha256_hex,
            roles: vec![Role::Scheduler, Role::Meter],
        };
        let keys = SourceKeys::from_entries(vec![entry]).unwrap();
        keys.authenticate(Some(&format!("Bearer {}", generated.key))).unwrap().clone()
    }

    fn held(resource: &str) -> Held {
        let text = |text: &str| text.to_owned();
        let holding = Holding {
            pod_uid: text("u1"),
            cluster: text("eu 1"),
            namespace: text("acme"),
            pod: text("p"),
            node_id: text("n1"),
            resource: text(resource),
            count: 2,
        };
        let (start_us, end_us) = (1_790_000_000_500_000, 1_790_000_030_500_000);
        Held { holding, start_us, end_us, seen_us: end_us, is_over: false }
    }

    #[test]
    fn a_holding_is_a_span_of_gpus_or_slices() {
        for (resource, profile) in [
            ("nvidia_com_gpu", Some("")),
            ("nvidia_com_mig_1g_5gb", Some("1g.5gb")),
            ("nvidia_com_gpu_shared", None),
        ] {
            let event = span(&source(), &held(resource)).map(Result::unwrap);
            let Some(profile) = profile else {
                assert_eq!(event, None, "{resource}");
                continue;
            };
            let event = event.unwrap();
            assert_eq!((event.sequence, event.event_time_us), (1_790_000_030_500, 1_790_000_030_500_000));
            let Some(EventBody::GpuSpan(span)) = event.body else { panic!("{resource}") };
            assert_eq!(
                (span.profile.as_str(), span.gpus, span.account.as_str()),
                (profile, 2, "kubernetes:eu-1/acme")
            );
            assert_eq!((span.state.as_str(), span.end_us), ("RUNNING", None));
        }
    }

    #[test]
    fn a_counter_is_a_reading_and_a_blank_or_a_slice_is_none() {
        let read = |value: &str, labels: &[(&str, &str)], at_us: i64| {
            let all = [&[("UUID", "GPU-1"), ("Hostname", "Node-7")], labels].concat();
            let labels = all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let labels: BTreeMap<String, String> = labels.collect();
            let sample = Sample { name: ENERGY.to_owned(), labels, value: value.to_owned() };
            reading(&source(), &Point { at_us, sample })
        };
        let at_us = 1_790_000_000_500_000;
        let event = read("7200001", &[], at_us).unwrap().unwrap();
        let Some(EventBody::EnergyReading(reading)) = event.body else { panic!("no reading") };
        assert_eq!((reading.machine_id.as_str(), reading.register_wh), ("node-7", 2));
        assert_eq!((reading.meter_id.as_str(), reading.witness.as_str()), ("gpu/GPU-1", "firmware"));
        assert!(read("NaN", &[], at_us).is_none());
        assert!(read("9223372036854775794", &[], at_us).is_none());
        assert!(read("1", &[("GPU_I_ID", "7"), ("GPU_I_PROFILE", "1g.5gb")], at_us).is_none());
        assert_eq!(read("1", &[], -5).unwrap().unwrap_err().code, "WB-2003");
    }
}
