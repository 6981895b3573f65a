//! Sends what dcgm-exporters report as register readings and samples of GPUs.
//!
//! Exporters are scraped in parallel, up to a limit. The energy counter of a whole GPU is a register: differences are
//! the energy, and a reload of the driver is a reset. Its witness is firmware; slices have no counter. Other values
//! of a GPU or slice are a sample: use, memory, power and last fault (XID). A new fault is also logged.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use wb_metering::gpu::dcgm::{self, DeviceReading};
use wb_metering::prometheus::{self, EXPOSITION_MAX_BYTES};

pub use crate::bounds::URLS_MAX;
use crate::{ConnectError, Ingest, Refused, Stop, id_of, now_us};

/// The most exporters that are scraped at once.
const AT_ONCE: usize = 64;
/// The longest time of a scrape.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(10);
/// Readings per request.
const READINGS_AT_ONCE: usize = 1_000;
/// Millijoules of a watt-hour.
const MJ_PER_WH: u64 = 3_600_000;
/// The longest id of a node or GPU.
const ID_BYTES_MAX: usize = 64;
/// The longest id of a slice's instance.
const INSTANCE_BYTES_MAX: usize = 32;

/// The last fault of each device: a GPU's UUID, and a slice's profile and instance.
type Faults = BTreeMap<(String, Option<(String, String)>), u64>;

/// The exporters, and how to scrape them.
#[derive(Debug, Clone)]
pub struct Options {
    /// The exporters' addresses, such as `http://gpu-node-7:9400/metrics`.
    pub urls: Vec<String>,
    /// Machines by host name; other hosts are machines of the same name.
    pub nodes: HashMap<String, String>,
    /// The time between the starts of two rounds.
    pub poll: Duration,
    /// Run one round, then end.
    pub once: bool,
}

/// The result of all rounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    pub rounds: u64,
    /// Scrapes that failed.
    pub failed: u64,
    /// Accepted readings.
    pub taken: u64,
    /// Refused readings.
    pub refused: u64,
    /// New faults.
    pub faults: u64,
    /// Fields without a value, marked by DCGM's blank value.
    pub blanks: u64,
}

/// Scrapes until it is stopped, or once.
///
/// # Errors
/// [`ConnectError`] for a bad URL or if ingest refuses this connector.
pub async fn run(options: &Options, ingest: &Ingest, stop: &Stop) -> Result<Summary, ConnectError> {
    if options.urls.is_empty() || options.urls.len() > URLS_MAX {
        return Err(ConnectError::Urls { urls: options.urls.len() });
    }
    let mut urls = Vec::new();
    for text in &options.urls {
        let url = reqwest::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        urls.push(url.ok_or_else(|| ConnectError::Url { what: "the exporter's URL", url: text.clone() })?);
    }
    let http = reqwest::Client::builder().timeout(SCRAPE_TIMEOUT).build().map_err(ConnectError::Client)?;
    let (epoch, mut summary) = (now_us(), Summary::default());
    let mut faults: Faults = BTreeMap::new();
    while !stop.is_told() {
        let started = tokio::time::Instant::now();
        let scrapes = (0..urls.len()).map(|index| {
            let (http, url) = (http.clone(), urls[index].clone());
            async move { (index, scrape(&http, url).await, now_us()) }
        });
        let found: Vec<_> = futures_util::stream::iter(scrapes).buffer_unordered(AT_ONCE).collect().await;
        let mut events = Vec::new();
        for (index, devices, at_us) in found {
            let devices = devices.unwrap_or_else(|reason| {
                tracing::warn!(url = options.urls[index], reason, "a scrape failed");
                summary.failed += 1;
                Vec::new()
            });
            for device in devices {
                summary.blanks += u64::try_from(device.blanks.len()).unwrap_or(u64::MAX);
                if is_new_fault(&mut faults, &device) {
                    tracing::warn!(
                        host = device.host,
                        uuid = device.uuid,
                        xid = device.last_xid,
                        "a GPU reports a fault"
                    );
                    summary.faults += 1;
                }
                let place = Place { options, epoch, sequence: summary.rounds, at_us };
                events.extend(place.reading(&device));
                events.extend(place.sample(&device));
            }
        }
        for part in events.chunks(READINGS_AT_ONCE) {
            let Some(refused) = ingest.post(part, stop).await? else { return Ok(summary) };
            refused.iter().for_each(Refused::log);
            let count = |events: usize| u64::try_from(events).unwrap_or(u64::MAX);
            summary.refused += count(refused.len());
            summary.taken += count(part.len().saturating_sub(refused.len()));
        }
        summary.rounds += 1;
        if options.once {
            break;
        }
        stop.sleep(options.poll.saturating_sub(started.elapsed())).await;
    }
    Ok(summary)
}

async fn scrape(http: &reqwest::Client, url: reqwest::Url) -> Result<Vec<DeviceReading>, String> {
    let mut answer = http.get(url).send().await.map_err(|error| error.to_string())?;
    if !answer.status().is_success() {
        return Err(format!("HTTP status {}", answer.status().as_u16()));
    }
    let mut taken = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| error.to_string())? {
        taken.extend_from_slice(&piece);
        if taken.len() > EXPOSITION_MAX_BYTES {
            return Err(format!("it has more than {EXPOSITION_MAX_BYTES} bytes"));
        }
    }
    let text = String::from_utf8(taken).map_err(|error| error.to_string())?;
    let samples = prometheus::parse(&text).map_err(|error| error.to_string())?;
    Ok(dcgm::read(&samples))
}

/// Whether the device's last fault differs from that of the scrape before.
fn is_new_fault(faults: &mut Faults, device: &DeviceReading) -> bool {
    let Some(xid) = device.last_xid else { return false };
    faults.insert((device.uuid.clone(), device.mig.clone()), xid).unwrap_or(0) != xid && xid != 0
}

/// The machine and time of a scrape.
struct Place<'a> {
    options: &'a Options,
    epoch: i64,
    sequence: u64,
    at_us: i64,
}

impl Place<'_> {
    fn event(&self, kind: &str, key: &str, body: &Value) -> Value {
        json!({
            "kind": kind, "key": key, "source_epoch": self.epoch, "sequence": self.sequence,
            "event_time_us": self.at_us, "body": body,
        })
    }

    fn machine_of(&self, device: &DeviceReading) -> String {
        let named = self.options.nodes.get(&device.host).cloned();
        named.unwrap_or_else(|| id_of(&device.host, ID_BYTES_MAX))
    }

    /// The energy counter of a whole GPU, rounded down to whole watt-hours. A cumulative register loses nothing by
    /// that.
    fn reading(&self, device: &DeviceReading) -> Option<Value> {
        let energy_mj = device.energy_mj?;
        let meter_id = format!("gpu/{}", id_of(&device.uuid, ID_BYTES_MAX));
        let body = json!({
            "meter_id": meter_id, "machine_id": self.machine_of(device), "register_wh": energy_mj / MJ_PER_WH,
            "witness": "firmware",
        });
        Some(self.event("energy_reading", &meter_id, &body))
    }

    /// The values of a GPU or slice, as far as there are any.
    fn sample(&self, device: &DeviceReading) -> Option<Value> {
        if !device.says_anything() {
            return None;
        }
        let uuid = id_of(&device.uuid, ID_BYTES_MAX);
        // The part after `+` is an attribute and does not change the slice's size.
        let (profile, instance) = device.mig.as_ref().map_or(("", String::new()), |(profile, instance)| {
            (profile.split('+').next().unwrap_or_default(), id_of(instance, INSTANCE_BYTES_MAX))
        });
        let key = format!("gpu/{uuid}/sample/{instance}");
        let body = json!({
            "node_id": self.machine_of(device), "device": uuid, "profile": profile, "instance": instance,
            "utilisation_ppm": device.utilisation_ppm, "engine_active_ppm": device.engine_active_ppm,
            "memory_used_mib": device.memory_used_mib, "power_mw": device.power_mw,
            "last_xid": device.last_xid, "xid_count": device.xid_count,
        });
        Some(self.event("gpu_sample", &key, &body))
    }
}
