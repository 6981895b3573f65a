//! GPUs that pods hold, from scrapes of kube-state-metrics that arrive in parts.
//!
//! What says that a pod holds GPUs stands in several series of one scrape, and a sender may spread them over requests. All
//! series of a scrape have its time, so a scrape is complete when a later one of the same exporter arrives. A holding that
//! scrapes show, each near enough to the one before, is one allocation: it has the start of the first of them, and each
//! says that it goes on. One that a scrape shows as no longer held, and one that nobody showed for long, was held until it
//! was last seen: a last row closes it, and what comes after begins anew. So whoever rounds an allocation's length rounds
//! once, and not at every scrape.
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

/// A time in which a pod held GPUs, as far as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Held {
    pub(super) holding: Holding,
    /// The first scrape of the run.
    pub(super) start_us: Micros,
    /// The last scrape that showed it.
    pub(super) end_us: Micros,
    /// The scrape that this follows from.
    pub(super) seen_us: Micros,
    /// Whether the run is over.
    pub(super) is_over: bool,
}

/// A run: its first scrape, and the last one that showed it.
type Run = (Micros, Micros);

/// What follows from the complete scrapes, to be made durable before it is remembered.
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
            // What this exporter shows and does not call held any more.
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

    /// The run that a holding is in, after what a step has found so far.
    fn run_of(&self, step: &Step, holding: &Holding) -> Option<Run> {
        step.seen.get(holding).copied().unwrap_or_else(|| self.seen.get(holding).copied())
    }

    /// Remembers a step that is durable.
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

/// The row that closes a run, which a scrape at `seen_us` shows to be over. A run of one scrape held nothing that was seen.
fn over(holding: &Holding, (start_us, end_us): Run, seen_us: Micros) -> Option<Held> {
    (end_us > start_us).then(|| Held { holding: holding.clone(), start_us, end_us, seen_us, is_over: true })
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

    /// Adds and commits; what was held, as pod, start and end in seconds, and whether it is over.
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
        // A repeat of what is done changes nothing, nor does a second sending of what is not.
        assert_eq!(take(&mut pods, scrape(30, &text)), []);
        assert_eq!(take(&mut pods, scrape(60, &text)), []);
        assert_eq!(take(&mut pods, scrape(90, &text)), [("a".to_owned(), 0, 60, false)]);
        // Nobody looked for ten minutes: what was held until then is over, and another run begins.
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
        // Now the image is there; the time before is not held.
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
        // It ends: until it was last seen, and only once.
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
