//! The topics `usage` and `quarantine`: which of their records count.
//!
//! One aggregator at a time publishes them. But one that is slow, or was killed with records under way, may append
//! after its successor has begun. So each begins with a *claim* in every partition, first in partition 0 of `usage`;
//! the offset of that claim is its *epoch*, which only grows. In a partition the records of the highest epoch claimed
//! so far count, and no others. After a successor's claim no record of its predecessors counts, so what counts below
//! its claim is complete.

use prost::Message as _;

use crate::wire::usage_record::Counted;
use crate::wire::{QuarantineRecord, UsageClaim, UsageRecord};

/// The CloudEvents type of a record of `usage`.
pub const USAGE_TYPE: &str = "weighbridge.usage.v1";
/// The CloudEvents type of a record of `quarantine`.
pub const QUARANTINE_TYPE: &str = "weighbridge.quarantined.v1";

/// Which epoch is in force at a place of a partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Epochs(Option<u64>);

impl Epochs {
    /// Begins at a place where an epoch is in force, such as at a mark that counts.
    #[must_use]
    pub fn in_force(epoch: u64) -> Self {
        Self(Some(epoch))
    }

    /// Takes a claim; returns whether it holds.
    pub fn claim(&mut self, epoch: u64) -> bool {
        let holds = self.0.is_none_or(|now| epoch > now);
        if holds {
            self.0 = Some(epoch);
        }
        holds
    }

    /// Whether a record of an epoch counts here.
    #[must_use]
    pub fn counts(&self, epoch: u64) -> bool {
        self.0 == Some(epoch)
    }

    /// Takes the next record of a partition of `usage`; returns it if it counts, be it usage or a mark. A claim only
    /// changes the epoch. A record that cannot be read does not count.
    pub fn usage(&mut self, partition: u32, offset: u64, payload: &[u8]) -> Option<UsageRecord> {
        let record = UsageRecord::decode(payload).ok()?;
        match &record.counted {
            Some(Counted::Claim(_)) => {
                self.claim(if partition == 0 { offset } else { record.epoch });
                None
            }
            Some(_) => self.counts(record.epoch).then_some(record),
            None => None,
        }
    }

    /// Takes the next record of `quarantine`; returns it if it counts.
    pub fn quarantine(&mut self, payload: &[u8]) -> Option<QuarantineRecord> {
        let record = QuarantineRecord::decode(payload).ok()?;
        if record.claim.is_some() {
            self.claim(record.epoch);
            return None;
        }
        self.counts(record.epoch).then_some(record)
    }
}

/// A claim as a record of a partition of `usage`. In partition 0 the epoch is the record's own offset, and readers
/// ignore the value given here.
#[must_use]
pub fn usage_claim(writer: &str, epoch: u64) -> UsageRecord {
    let counted = Some(Counted::Claim(UsageClaim { writer: writer.to_owned() }));
    UsageRecord { epoch, counted, ..UsageRecord::default() }
}

/// A claim as a record of `quarantine`.
#[must_use]
pub fn quarantine_claim(writer: &str, epoch: u64) -> QuarantineRecord {
    let claim = Some(UsageClaim { writer: writer.to_owned() });
    QuarantineRecord { epoch, claim, ..QuarantineRecord::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::UsageWork;

    fn work(epoch: u64) -> Vec<u8> {
        let counted = Some(Counted::Work(UsageWork::default()));
        UsageRecord { epoch, counted, ..UsageRecord::default() }.encode_to_vec()
    }

    #[test]
    fn a_later_claim_fences_what_is_still_under_way() {
        let claim = usage_claim("a", 0).encode_to_vec();
        let mut zero = Epochs::default();
        let log = [claim.clone(), work(0), claim, work(0), work(2), b"\xff".to_vec(), work(2)];
        let counted: Vec<bool> =
            (0..).zip(&log).map(|(offset, payload)| zero.usage(0, offset, payload).is_some()).collect();
        assert_eq!(counted, [false, true, false, false, true, false, true]);
    }

    #[test]
    fn claims_that_arrive_in_another_order_leave_the_higher_epoch_in_force() {
        let mut other = Epochs::default();
        for (offset, payload, counts) in [
            (0, usage_claim("b", 7).encode_to_vec(), false),
            (1, usage_claim("a", 5).encode_to_vec(), false),
            (2, work(5), false),
            (3, work(7), true),
        ] {
            assert_eq!(other.usage(1, offset, &payload).is_some(), counts, "{offset}");
        }
        let mut quarantine = Epochs::in_force(5);
        let refused = |epoch| QuarantineRecord { epoch, ..QuarantineRecord::default() }.encode_to_vec();
        assert!(quarantine.quarantine(&refused(5)).is_some());
        assert!(quarantine.quarantine(&quarantine_claim("b", 7).encode_to_vec()).is_none());
        assert!(quarantine.quarantine(&refused(5)).is_none());
    }
}
