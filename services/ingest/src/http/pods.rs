//! GPU allocations of pods, from scrapes of kube-state-metrics that arrive in parts.
//!
//! It takes several series of a scrape to show that a pod holds GPUs, and a sender may spread them over requests. All
//! series of a scrape have the same time, so a scrape is complete when a later one of the same exporter arrives. A
//! pod that holds GPUs in consecutive scrapes has one allocation: it starts with the first of them, and each further
//! one extends it. It ends at the last scrape that showed it, if a later scrape shows that the pod no longer holds
//! the GPUs, or if there is no scrape for long. A last row then closes it, and anything later is a new allocation. So
//! a bill rounds the length of an allocation once, not at every scrape.
//!
//! This state is local to one ingest. It advances only when the resulting events are durable, so a repeated request
//! gives the same spans. A restart loses the time between two scrapes, and counts none twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use wb_metering::gpu::kubernetes::{Holding, holdings};
use wb_metering::prometheus::Sample;
use wb_units::Micros;

use super::write::Point;
use crate::answer::Refusal;
use crate::limits;

/// The metrics that show GPU allocations.
pub(super) const METRICS: [&str; 3] = [
    "kube_pod_status_phase",
    "kube_pod_container_status_waiting_reason",
    "kube_pod_container_resource_requests",
];

/// The longest time between two scrapes of the same allocation.
const GAP_MAX_US: i64 = 5 * 60 * 1_000_000;
/// How long an allocation is remembered after the last scrape that showed it.
const FORGET_US: i64 = 60 * 60 * 1_000_000;

/// An exporter, identified by the labels that Prometheus adds to its series.
type Exporter = (String, String, String);

/// A time during which scrapes show that a pod held GPUs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Held {
    pub(super) holding: Holding,
    /// The first scrape of the run.
    pub(super) start_us: Micros,
    /// The last scrape that showed it.
    pub(super) end_us: Micros,
    /// The scrape that this row comes from.
    pub(super) seen_us: Micros,
    /// Whether the run has ended.
    pub(super) is_over: bool,
}

/// A run: its first scrape, and the last scrape that showed it.
type Run = (Micros, Micros);

/// The result of complete scrapes. It must be durable before it is applied.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) held: Vec<Held>,
    seen: BTreeMap<Holding, Option<Run>>,
    done: Vec<(Exporter, Micros)>,
}

/// The scrapes of one source.
#[derive(Debug, Default)]
pub(super) struct Pods {
    open: BTreeMap<(Exporter, Micros), BTreeSet<Sample>>,
    samples: usize,
    done: HashMap<Exporter, Micros>,
    seen: BTreeMap<Holding, Run>,
}

impl Pods {
    /// Adds the points of a request. Points of finished scrapes are ignored.
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

    /// The result of the complete scrapes, oldest first.
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
                let run = self.run_of(&step, holding);
                let mut begun_us = at_us;
                if let Some((start_us, last_us)) = run {
                    if at_us <= last_us {
                        continue;
                    }
                    if at_us - last_us <= GAP_MAX_US {
                        begun_us = start_us;
                        step.held.push(Held {
                            holding: holding.clone(),
                            start_us,
                            end_us: at_us,
                            seen_us: at_us,
                            is_over: false,
                        });
                    } else {
                        step.held.extend(over(holding, (start_us, last_us), at_us));
                    }
                }
                step.seen.insert(holding.clone(), Some((begun_us, at_us)));
            }
            // Pods that this exporter shows, but no longer as holders of GPUs.
            let shown: BTreeSet<&str> = samples.iter().filter_map(|sample| sample.label("uid")).collect();
            let ended: Vec<Holding> = self
                .seen
                .keys()
                .chain(step.seen.keys())
                .filter(|holding| shown.contains(holding.pod_uid.as_str()) && !now.contains(*holding))
                .cloned()
                .collect();
            for holding in ended {
                if let Some(run) = self.run_of(&step, &holding) {
                    step.held.extend(over(&holding, run, at_us));
                }
                step.seen.insert(holding, None);
            }
            step.done.push((exporter.clone(), at_us));
        }
        step
    }

    /// The run of a holding, including the results of this step.
    fn run_of(&self, step: &Step, holding: &Holding) -> Option<Run> {
        step.seen.get(holding).copied().unwrap_or_else(|| self.seen.get(holding).copied())
    }

    /// Applies a step that is durable.
    pub(super) fn commit(&mut self, step: Step) {
        for (holding, seen) in step.seen {
            match seen {
                Some(run) => self.seen.insert(holding, run),
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
        let newest = self.seen.values().map(|(_, last_us)| *last_us).max().unwrap_or_default();
        self.seen.retain(|_, (_, last_us)| *last_us > newest.saturating_sub(FORGET_US));
    }
}

/// The row that closes a run that a scrape at `seen_us` shows as ended. A run of a single scrape has no length.
fn over(holding: &Holding, (start_us, end_us): Run, seen_us: Micros) -> Option<Held> {
    (end_us > start_us).then(|| Held { holding: holding.clone(), start_us, end_us, seen_us, is_over: true })
}

/// The part of a sample that is kept: nothing if it does not concern GPUs, otherwise the labels that are read.
fn kept(mut sample: Sample) -> Option<Sample> {
    const LABELS: [&str; 9] =
        ["cluster", "namespace", "pod", "uid", "container", "phase", "reason", "resource", "node"];
    let says = match sample.name.as_str() {
        // Kept even if it is 0: then the pod is known not to run.
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

    /// Adds and applies; returns pod, start and end in seconds, and whether the run has ended.
    fn take(pods: &mut Pods, points: Vec<Point>) -> Vec<(String, i64, i64, bool)> {
        pods.add(points).unwrap();
        let step = pods.ready();
        let held = step
            .held
            .iter()
            .map(|held| (held.holding.pod.clone(), held.start_us / S, held.end_us / S, held.is_over));
        let held = held.collect();
        pods.commit(step);
        held
    }

    #[test]
    fn a_pod_is_one_allocation_with_a_growing_end() {
        let mut pods = Pods::default();
        let text = pod("a", "Running", None);
        assert_eq!(take(&mut pods, scrape(0, &text)), []);
        assert_eq!(take(&mut pods, scrape(30, &text)), []);
        assert_eq!(take(&mut pods, scrape(60, &text)), [("a".to_owned(), 0, 30, false)]);
        // Repeating a finished scrape changes nothing, nor does repeating an unfinished one.
        assert_eq!(take(&mut pods, scrape(30, &text)), []);
        assert_eq!(take(&mut pods, scrape(60, &text)), []);
        assert_eq!(take(&mut pods, scrape(90, &text)), [("a".to_owned(), 0, 60, false)]);
        // No scrape for ten minutes: the run ends at the last one, and another begins.
        assert_eq!(take(&mut pods, scrape(690, &text)), [("a".to_owned(), 0, 90, false)]);
        assert_eq!(take(&mut pods, scrape(720, &text)), [("a".to_owned(), 0, 90, true)]);
        assert_eq!(take(&mut pods, scrape(750, &text)), [("a".to_owned(), 690, 720, false)]);
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
        // The image is there; the time before does not count.
        let runs = pod("a", "Running", None);
        let held: Vec<_> = [120, 150, 180].map(|at_s| take(&mut pods, scrape(at_s, &runs))).concat();
        assert_eq!(held, [("a".to_owned(), 120, 150, false)]);
    }

    #[test]
    fn a_pod_that_stopped_in_between_is_not_bridged_and_two_exporters_count_once() {
        let mut pods = Pods::default();
        let (runs, ended) = (pod("a", "Running", None), pod("a", "Succeeded", None));
        let mut held = Vec::new();
        for (at_s, text) in [(0, &runs), (30, &ended), (60, &runs), (90, &runs), (120, &runs)] {
            held.extend(take(&mut pods, scrape(at_s, text)));
        }
        assert_eq!(held, [("a".to_owned(), 60, 90, false)]);
        // The pod ends: the run is closed once, at the last scrape that showed it.
        let ends: Vec<_> = [150, 180, 210].map(|at_s| take(&mut pods, scrape(at_s, &ended))).concat();
        assert_eq!(ends, [("a".to_owned(), 60, 120, false), ("a".to_owned(), 60, 120, true)]);
        let mut pods = Pods::default();
        let other = runs.replace("ksm:8080", "ksm-1:8080");
        let mut held = Vec::new();
        for at_s in [0, 30, 60, 90] {
            held.extend(take(&mut pods, scrape(at_s, &runs)));
            held.extend(take(&mut pods, scrape(at_s + 10, &other)));
        }
        assert!(held.iter().all(|(_, start, _, over)| *start == 0 && !over), "{held:?}");
        assert!(held.windows(2).all(|pair| pair[0].2 < pair[1].2), "{held:?}");
        assert_eq!(held.last().map(|held| held.2), Some(70), "{held:?}");
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
