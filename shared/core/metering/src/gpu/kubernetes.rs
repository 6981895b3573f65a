//! GPUs that pods hold, from the metrics of kube-state-metrics.
//!
//! A request alone holds nothing: a pod that waits for a node or for its image, and one that has ended, still have
//! theirs. A container holds its GPUs while its pod is on a node and in the phase `Running`, unless it waits for what
//! it needs for its first start (its image, its configuration). A container that crashed and will be started again
//! (`CrashLoopBackOff`) still holds its GPUs, because no other pod can get them.

use std::collections::{BTreeMap, BTreeSet};

use wb_units::time::SECOND_US;
use wb_units::{Interval, Micros};

use super::allocation::{MigProfile, WHOLE_GPU};
use crate::prometheus::Sample;

/// Reasons to wait before a container ever ran.
const NEVER_STARTED: [&str; 7] = [
    "ContainerCreating",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "PodInitializing",
];

/// GPUs that a pod holds at one scrape.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holding {
    /// The pod's UID: its name may be used again.
    pub pod_uid: String,
    /// The cluster, by the label that the cluster's Prometheus adds; empty without it.
    pub cluster: String,
    /// The namespace, which stands for the account.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The node.
    pub node_id: String,
    /// The resource, such as `nvidia_com_gpu` or `nvidia_com_mig_1g_5gb`.
    pub resource: String,
    /// How many of it.
    pub count: u32,
}

impl Holding {
    /// Parts of a GPU, see [`WHOLE_GPU`]; `None` for a resource of unknown size.
    #[must_use]
    pub fn parts(&self) -> Option<u64> {
        let each = match self.resource.strip_prefix("nvidia_com_") {
            Some("gpu") => WHOLE_GPU,
            Some(rest) => {
                let profile = rest.strip_prefix("mig_")?.replacen('_', ".", 1);
                u64::from(MigProfile::parse(&profile).ok()?.compute_slices) * (WHOLE_GPU / 7)
            }
            None => return None,
        };
        Some(each.saturating_mul(u64::from(self.count)))
    }
}

/// A container: (namespace, pod, uid, container).
type ContainerKey<'a> = (&'a str, &'a str, &'a str, &'a str);

/// What pods hold at one scrape, summed over their containers. Repeated series, as two replicas of
/// the exporter give them, count once.
#[must_use]
pub fn holdings(samples: &[Sample]) -> Vec<Holding> {
    let mut running: BTreeSet<&str> = BTreeSet::new();
    let mut waiting: BTreeSet<ContainerKey<'_>> = BTreeSet::new();
    let mut requests: BTreeMap<(ContainerKey<'_>, &str), (&str, &str, u32)> = BTreeMap::new();
    for sample in samples {
        let label = |name| sample.label(name).unwrap_or_default();
        let container = (label("namespace"), label("pod"), label("uid"), label("container"));
        let is_set = sample.scaled(0) == Some(1);
        match sample.name.as_str() {
            "kube_pod_status_phase" if is_set && label("phase") == "Running" => {
                running.insert(label("uid"));
            }
            "kube_pod_container_status_waiting_reason"
                if is_set && NEVER_STARTED.contains(&label("reason")) =>
            {
                waiting.insert(container);
            }
            "kube_pod_container_resource_requests" if label("resource").starts_with("nvidia_com_") => {
                let count = sample.scaled(0).and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
                if count > 0 && !label("node").is_empty() && !label("uid").is_empty() {
                    requests.insert((container, label("resource")), (label("cluster"), label("node"), count));
                }
            }
            _ => {}
        }
    }
    let mut held: BTreeMap<(&str, &str), Holding> = BTreeMap::new();
    for ((container, resource), (cluster, node_id, count)) in requests {
        let (namespace, pod, uid, _) = container;
        if !running.contains(uid) || waiting.contains(&container) {
            continue;
        }
        let holding = held.entry((uid, resource)).or_insert_with(|| Holding {
            pod_uid: uid.to_owned(),
            cluster: cluster.to_owned(),
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            node_id: node_id.to_owned(),
            resource: resource.to_owned(),
            count: 0,
        });
        holding.count = holding.count.saturating_add(count);
    }
    held.into_values().collect()
}

/// A holding and when it was held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldSpan {
    /// What was held.
    pub holding: Holding,
    /// From the scrape that first showed it to the last one that did.
    pub interval: Interval,
}

/// Spans from scrapes in any order and with any repeats. A GPU is held from one scrape to the next where both show it
/// and they are at most `longest_us` apart. Time without scrapes is not billed, and a pod that only one scrape shows
/// is held for no time.
#[must_use]
pub fn spans(scrapes: &[(Micros, Vec<Holding>)], longest_us: i64) -> Vec<HeldSpan> {
    let mut ordered: BTreeMap<Micros, BTreeSet<&Holding>> = BTreeMap::new();
    for (at_us, holdings) in scrapes {
        ordered.entry(*at_us).or_default().extend(holdings);
    }
    let mut open: BTreeMap<&Holding, Interval> = BTreeMap::new();
    let mut found = Vec::new();
    let mut before_us: Option<Micros> = None;
    for (at_us, holdings) in ordered {
        let goes_on = before_us.is_some_and(|before| at_us.saturating_sub(before) <= longest_us);
        for (holding, interval) in std::mem::take(&mut open) {
            if goes_on && holdings.contains(holding) {
                open.insert(holding, Interval { end_us: at_us, ..interval });
            } else {
                found.push(HeldSpan { holding: holding.clone(), interval });
            }
        }
        for holding in holdings {
            open.entry(holding).or_insert(Interval { start_us: at_us, end_us: at_us });
        }
        before_us = Some(at_us);
    }
    found.extend(open.into_iter().map(|(holding, interval)| HeldSpan { holding: holding.clone(), interval }));
    found.retain(|span| span.interval.duration_us() > 0);
    found.sort_by(|left, right| (left.interval, &left.holding).cmp(&(right.interval, &right.holding)));
    found
}

/// Seconds x count of a resource held in an interval, rounded down at either end in a way that
/// adjoining intervals add up exactly.
#[must_use]
pub fn held_seconds(span: &HeldSpan, interval: Interval) -> u128 {
    let Some(part) = span.interval.intersect(&interval) else { return 0 };
    let until = |at_us: Micros| {
        u128::from(at_us.abs_diff(span.interval.start_us)) * u128::from(span.holding.count)
            / u128::from(SECOND_US.unsigned_abs())
    };
    until(part.end_us) - until(part.start_us)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prometheus;

    fn pod(name: &str, phase: &str, node: &str, resource: &str, count: u32) -> String {
        let labels = format!("namespace=\"acme\",pod=\"{name}\",uid=\"u-{name}\"");
        let other = if phase == "Running" { "Pending" } else { "Running" };
        format!(
            "kube_pod_status_phase{{{labels},phase=\"{phase}\"}} 1\nkube_pod_status_phase{{{labels},phase=\"{other}\"}} 0\n\
             kube_pod_container_resource_requests{{{labels},container=\"main\",node=\"{node}\",resource=\"{resource}\",unit=\"integer\"}} {count}\n"
        )
    }

    fn waits(name: &str, reason: &str) -> String {
        format!(
            "kube_pod_container_status_waiting_reason{{namespace=\"acme\",pod=\"{name}\",uid=\"u-{name}\",container=\"main\",reason=\"{reason}\"}} 1\n"
        )
    }

    fn held(text: &str) -> Vec<(String, u32, Option<u64>)> {
        let holdings = holdings(&prometheus::parse(text).unwrap());
        holdings
            .into_iter()
            .map(|holding| {
                (holding.pod.clone(), holding.count, holding.parts().map(|parts| parts / 1_000_000))
            })
            .collect()
    }

    #[test]
    fn only_what_runs_on_a_node_holds_gpus() {
        let gpu = "nvidia_com_gpu";
        for (name, text, expected) in [
            ("running", pod("a", "Running", "n1", gpu, 8), vec![("a".to_owned(), 8, Some(56))]),
            (
                "slice",
                pod("a", "Running", "n1", "nvidia_com_mig_2g_10gb", 1),
                vec![("a".to_owned(), 1, Some(2))],
            ),
            ("pending", pod("a", "Pending", "n1", gpu, 8), vec![]),
            ("no node", pod("a", "Running", "", gpu, 8), vec![]),
            ("ended", pod("a", "Succeeded", "n1", gpu, 8), vec![]),
            ("no image", pod("a", "Running", "n1", gpu, 8) + &waits("a", "ImagePullBackOff"), vec![]),
            (
                "crashed",
                pod("a", "Running", "n1", gpu, 8) + &waits("a", "CrashLoopBackOff"),
                vec![("a".to_owned(), 8, Some(56))],
            ),
            ("no gpu", pod("a", "Running", "n1", "cpu", 8), vec![]),
            ("twice", pod("a", "Running", "n1", gpu, 8).repeat(2), vec![("a".to_owned(), 8, Some(56))]),
        ] {
            assert_eq!(held(&text), expected, "{name}");
        }
    }

    #[test]
    fn time_is_held_between_scrapes_that_are_near() {
        let text = pod("a", "Running", "n1", "nvidia_com_gpu", 2);
        let held = holdings(&prometheus::parse(&text).unwrap());
        let s = SECOND_US;
        let scrapes = [
            (60 * s, held.clone()),
            (0, held.clone()),
            (30 * s, held.clone()),
            (30 * s, held.clone()),
            (90 * s, vec![]),
            // Five minutes without a scrape.
            (120 * s, held.clone()),
            (420 * s, held.clone()),
            (450 * s, held),
        ];
        let spans = spans(&scrapes, 60 * s);
        let shown: Vec<_> =
            spans.iter().map(|span| (span.interval.start_us / s, span.interval.end_us / s)).collect();
        assert_eq!(shown, [(0, 60), (420, 450)]);
        let whole = Interval { start_us: 0, end_us: 600 * s };
        assert_eq!(spans.iter().map(|span| held_seconds(span, whole)).sum::<u128>(), 180);
    }
}
