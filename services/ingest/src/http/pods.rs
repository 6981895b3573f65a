//! GPUs that pods hold, from scrapes of kube-state-metrics that arrive in parts.
//!
//! What says that a pod holds GPUs stands in several series of one scrape, and a sender may spread them over requests. All
//! series of a scrape have its time, so a scrape is complete when a later one of the same exporter arrives. A holding that
//! two scrapes show, near enough to each other, is a span from the one to the other; one that a scrape shows as no longer
//! held, and one that nobody showed for long, begins anew.
//!
//! This is a memory of one ingest. It moves on only when what followed from it is durable, so a request that is sent again
//! gives the same spans; an ingest that is started again loses the time between two scrapes, and counts none twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use wb_metering::gpu::kubernetes::{Holding, holdings};
use wb_metering::prometheus::Sample;
use wb_units::Micros;

use super::write::Point;
use crate::answer::Refusal;
use crate::limits;

/// The metrics that say who holds GPUs.
pub(super) const METRICS: [&str; 3] = [
    "kube_pod_status_phase",
    "kube_pod_container_status_waiting_reason",
    "kube_pod_container_resource_requests",
];

/// The longest time between two scrapes over which a pod is taken to have held its GPUs.
const GAP_MAX_US: i64 = 5 * 60 * 1_000_000;
/// How long a holding that is not shown any more is remembered.
const FORGET_US: i64 = 60 * 60 * 1_000_000;

/// An exporter: the labels that Prometheus puts on what it scraped from it.
type Exporter = (String, String, String);

/// A time in which a pod held GPUs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Held {
    pub(super) holding: Holding,
    pub(super) start_us: Micros,
    pub(super) end_us: Micros,
}

/// What follows from the complete scrapes, to be made durable before it is remembered.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) held: Vec<Held>,
    seen: BTreeMap<Holding, Option<Micros>>,
    done: Vec<(Exporter, Micros)>,
}

/// The scrapes of one source.
#[derive(Debug, Default)]
pub(super) struct Pods {
    open: BTreeMap<(Exporter, Micros), BTreeSet<Sample>>,
    samples: usize,
    done: HashMap<Exporter, Micros>,
    seen: BTreeMap<Holding, Micros>,
}

impl Pods {
    /// Adds what a request holds. Of a scrape that is done, nothing is taken any more.
    pub(super) fn add(&mut self, points: Vec<Point>) -> Result<(), Refusal> {
        for Point { at_us, sample } in points {
            let label = |name: &str| sample.label(name).unwrap_or_default().to_owned();
            let exporter = (label("cluster"), label("job"), label("instance"));
            if self.done.get(&exporter).is_some_and(|done_us| at_us <= *done_us) {
                continue;
            }
            let Some(sample) = kept(sample) else { continue };
            if self.samples >= limits::POD_SAMPLES_MAX || self.done.len() > limits::EXPORTERS_MAX {
                return Err(Refusal::TooManyPods);
            }
            if self.open.entry((exporter, at_us)).or_default().insert(sample) {
                self.samples += 1;
            }
        }
        Ok(())
    }

    /// What follows from the scrapes that are complete, oldest first.
    pub(super) fn ready(&self) -> Step {
        let mut newest: BTreeMap<&Exporter, Micros> = BTreeMap::new();
        for (exporter, at_us) in self.open.keys() {
            newest.insert(exporter, *at_us);
        }
        let mut complete: Vec<(&Exporter, Micros)> = self
            .open
            .keys()
            .filter(|(exporter, at_us)| newest.get(exporter) != Some(at_us))
            .map(|(exporter, at_us)| (exporter, *at_us))
            .collect();
        complete.sort_by_key(|(exporter, at_us)| (*at_us, *exporter));
        let mut step = Step::default();
        for (exporter, at_us) in complete {
            let Some(samples) = self.open.get(&(exporter.clone(), at_us)) else { continue };
            let samples: Vec<Sample> = samples.iter().cloned().collect();
            let now: BTreeSet<Holding> = holdings(&samples).into_iter().collect();
            for holding in &now {
                let last = step.seen.get(holding).copied().unwrap_or_else(|| self.seen.get(holding).copied());
                if let Some(start_us) = last {
                    if at_us <= start_us {
                        continue;
                    }
                    if at_us - start_us <= GAP_MAX_US {
                        step.held.push(Held { holding: holding.clone(), start_us, end_us: at_us });
                    }
                }
                step.seen.insert(holding.clone(), Some(at_us));
            }
            // What this exporter shows and does not call held any more.
            let shown: BTreeSet<&str> = samples.iter().filter_map(|sample| sample.label("uid")).collect();
            let ended: Vec<Holding> = self
                .seen
                .keys()
                .chain(step.seen.keys())
                .filter(|holding| shown.contains(holding.pod_uid.as_str()) && !now.contains(*holding))
                .cloned()
                .collect();
            step.seen.extend(ended.into_iter().map(|holding| (holding, None)));
            step.done.push((exporter.clone(), at_us));
        }
        step
    }

    /// Remembers a step that is durable.
    pub(super) fn commit(&mut self, step: Step) {
        for (holding, seen) in step.seen {
            match seen {
                Some(at_us) => self.seen.insert(holding, at_us),
                None => self.seen.remove(&holding),
            };
        }
        for (exporter, at_us) in step.done {
            if let Some(samples) = self.open.remove(&(exporter.clone(), at_us)) {
                self.samples = self.samples.saturating_sub(samples.len());
            }
            let done_us = self.done.entry(exporter).or_insert(at_us);
            *done_us = (*done_us).max(at_us);
        }
        let newest = self.seen.values().max().copied().unwrap_or_default();
        self.seen.retain(|_, at_us| *at_us > newest.saturating_sub(FORGET_US));
    }
}

/// What is kept of a sample that waits: nothing where it says nothing of GPUs, else the labels that are read.
fn kept(mut sample: Sample) -> Option<Sample> {
    const LABELS: [&str; 8] = ["namespace", "pod", "uid", "container", "phase", "reason", "resource", "node"];
    let says = match sample.name.as_str() {
        // Also where it is 0: then the pod is known not to run.
        "kube_pod_status_phase" => sample.label("phase") == Some("Running"),
        "kube_pod_container_resource_requests" => {
            sample.label("resource").is_some_and(|resource| resource.starts_with("nvidia_com_"))
        }
        _ => sample.scaled(0) == Some(1),
    };
    sample.labels.retain(|name, _| LABELS.contains(&name.as_str()));
    says.then_some(sample)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wb_metering::prometheus;

    const S: i64 = 1_000_000;

    fn scrape(at_s: i64, text: &str) -> Vec<Point> {
        let samples = prometheus::parse(text).unwrap();
        samples.into_iter().map(|sample| Point { at_us: at_s * S, sample }).collect()
    }

    fn pod(name: &str, phase: &str, waits: Option<&str>) -> String {
        let labels = format!("instance=\"ksm:8080\",namespace=\"acme\",pod=\"{name}\",uid=\"u-{name}\"");
        let running = u8::from(phase == "Running");
        let mut text = format!(
            "kube_pod_status_phase{{{labels},phase=\"Running\"}} {running}\n\
             kube_pod_container_resource_requests{{{labels},container=\"c\",node=\"n1\",resource=\"nvidia_com_gpu\"}} 8\n"
        );
        if let Some(reason) = waits {
            text.push_str(&format!(
                "kube_pod_container_status_waiting_reason{{{labels},container=\"c\",reason=\"{reason}\"}} 1\n"
            ));
        }
        text
    }

    /// Adds and commits; what was held, as pod, start and end in seconds.
    fn take(pods: &mut Pods, points: Vec<Point>) -> Vec<(String, i64, i64)> {
        pods.add(points).unwrap();
        let step = pods.ready();
        let held =
            step.held.iter().map(|held| (held.holding.pod.clone(), held.start_us / S, held.end_us / S));
        let held = held.collect();
        pods.commit(step);
        held
    }

    #[test]
    fn a_span_lies_between_two_complete_scrapes() {
        let mut pods = Pods::default();
        let text = pod("a", "Running", None);
        assert_eq!(take(&mut pods, scrape(0, &text)), []);
        assert_eq!(take(&mut pods, scrape(30, &text)), []);
        assert_eq!(take(&mut pods, scrape(60, &text)), [("a".to_owned(), 0, 30)]);
        // A repeat of what is done changes nothing, nor does a second sending of what is not.
        assert_eq!(take(&mut pods, scrape(30, &text)), []);
        assert_eq!(take(&mut pods, scrape(60, &text)), []);
        assert_eq!(take(&mut pods, scrape(90, &text)), [("a".to_owned(), 30, 60)]);
        // Nobody looked for ten minutes.
        assert_eq!(take(&mut pods, scrape(690, &text)), [("a".to_owned(), 60, 90)]);
        assert_eq!(take(&mut pods, scrape(720, &text)), []);
        assert_eq!(take(&mut pods, scrape(750, &text)), [("a".to_owned(), 690, 720)]);
    }

    #[test]
    fn what_never_ran_holds_nothing_whichever_part_comes_first() {
        let mut pods = Pods::default();
        let text = pod("a", "Running", Some("ImagePullBackOff")) + &pod("b", "Pending", None);
        for at_s in [0, 30, 60, 90] {
            for point in scrape(at_s, &text) {
                assert_eq!(take(&mut pods, vec![point]), []);
            }
        }
        // Now the image is there; the time before is not held.
        let runs = pod("a", "Running", None);
        let held: Vec<_> = [120, 150, 180].map(|at_s| take(&mut pods, scrape(at_s, &runs))).concat();
        assert_eq!(held, [("a".to_owned(), 120, 150)]);
    }

    #[test]
    fn a_pod_that_stopped_in_between_is_not_bridged_and_two_exporters_count_once() {
        let mut pods = Pods::default();
        let (runs, ended) = (pod("a", "Running", None), pod("a", "Succeeded", None));
        let mut held = Vec::new();
        for (at_s, text) in [(0, &runs), (30, &ended), (60, &runs), (90, &runs), (120, &runs)] {
            held.extend(take(&mut pods, scrape(at_s, text)));
        }
        assert_eq!(held, [("a".to_owned(), 60, 90)]);
        let mut pods = Pods::default();
        let other = runs.replace("ksm:8080", "ksm-1:8080");
        let mut held = Vec::new();
        for at_s in [0, 30, 60, 90] {
            held.extend(take(&mut pods, scrape(at_s, &runs)));
            held.extend(take(&mut pods, scrape(at_s + 10, &other)));
        }
        let whole: i64 = held.iter().map(|(_, start, end)| end - start).sum();
        assert!(held.windows(2).all(|pair| pair[0].2 <= pair[1].1), "{held:?}");
        assert_eq!(whole, 70, "{held:?}");
    }

    #[test]
    fn a_step_that_is_not_durable_is_taken_again() {
        let mut pods = Pods::default();
        let text = pod("a", "Running", None);
        for at_s in [0, 30, 60] {
            pods.add(scrape(at_s, &text)).unwrap();
        }
        let first = pods.ready().held;
        pods.add(scrape(60, &text)).unwrap();
        let again = pods.ready();
        assert_eq!((first.len(), &first), (1, &again.held));
        pods.commit(again);
        assert_eq!(pods.ready().held, []);
        assert_eq!(pods.samples, 2);
    }
}
