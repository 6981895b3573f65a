//! Requests to a partition that has no leader yet, because it was just created or is moving to another broker.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

/// The pause between two attempts.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Repeats a request until a leader answers, for at most `limit`; returns the last result. Blocks its thread.
pub(crate) fn ask<T>(limit: Duration, question: impl Fn() -> KafkaResult<T>) -> KafkaResult<T> {
    let began = Instant::now();
    loop {
        match question() {
            Err(error) if is_settling(&error) && began.elapsed() < limit => sleep(ASK_AGAIN_AFTER),
            answer => return answer,
        }
    }
}

/// Whether a broker answers that it does not lead the partition, or that no broker does yet.
fn is_settling(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::NotLeaderForPartition | RDKafkaErrorCode::LeaderNotAvailable)
    )
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn failing(code: RDKafkaErrorCode, times: u32) -> (Cell<u32>, impl Fn(&Cell<u32>) -> KafkaResult<u32>) {
        let question = move |asked: &Cell<u32>| {
            asked.set(asked.get() + 1);
            if asked.get() > times { Ok(7) } else { Err(KafkaError::MetadataFetch(code)) }
        };
        (Cell::new(0), question)
    }

    #[test]
    fn a_leader_that_is_not_there_yet_is_waited_for_and_nothing_else_is() {
        let (asked, question) = failing(RDKafkaErrorCode::NotLeaderForPartition, 2);
        assert_eq!(ask(Duration::from_secs(60), || question(&asked)), Ok(7));
        assert_eq!(asked.get(), 3);
        let (asked, question) = failing(RDKafkaErrorCode::LeaderNotAvailable, 1);
        assert!(ask(Duration::ZERO, || question(&asked)).is_err(), "not for longer than the limit");
        let (asked, question) = failing(RDKafkaErrorCode::UnknownTopicOrPartition, 1);
        assert!(ask(Duration::from_secs(60), || question(&asked)).is_err());
        assert_eq!(asked.get(), 1);
    }
}
