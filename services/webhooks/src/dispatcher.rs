//! The dispatcher's loop: reads the ledger and serves every endpoint at its own pace.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};
use wb_units::with_causes;

use crate::FAILURES_MAX;
use crate::endpoint::Endpoint;
use crate::error::WebhookError;
use crate::message::{Message, Outbox};
use crate::ports::{Clock, Jitter, LedgerSource};
use crate::post::{Answer, Post};
use crate::state::{Delivery, Disabled, StateDir};

/// The most messages to an endpoint before the ledger and the orders are read again.
const ROUND_MESSAGES_MAX: usize = 100;

/// The pauses of the dispatcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The pause between two reads of the ledger and the orders.
    pub look_every: Duration,
    /// The pause after the first failure; each further one doubles it.
    pub retry_first: Duration,
    /// The longest pause, before the jitter of up to a quarter of it.
    pub retry_most: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            look_every: Duration::from_millis(500),
            retry_first: Duration::from_secs(5),
            retry_most: Duration::from_secs(6 * 3_600),
        }
    }
}

impl Pace {
    /// The pause after a number of failures in a row.
    fn pause_us(&self, failures: u32, ppm: u32) -> i64 {
        let doubled = self
            .retry_first
            .saturating_mul(1_u32.checked_shl(failures.saturating_sub(1).min(20)).unwrap_or(1));
        let pause_us = i64::try_from(doubled.min(self.retry_most).as_micros()).unwrap_or(i64::MAX);
        let jitter_us = i128::from(pause_us) * i128::from(ppm.min(999_999)) / 4_000_000;
        pause_us.saturating_add(i64::try_from(jitter_us).unwrap_or(0))
    }
}

/// Delivers messages from a ledger to endpoints.
pub struct Dispatcher<L, C, J> {
    ledger: L,
    clock: Arc<C>,
    jitter: Arc<J>,
    endpoints: Vec<Arc<Endpoint>>,
    states: StateDir,
    post: Post,
    pace: Pace,
    _lock: File,
}

impl<L, C, J> Dispatcher<L, C, J>
where
    L: LedgerSource,
    C: Clock + 'static,
    J: Jitter + 'static,
{
    /// Creates a dispatcher and locks the folder of states.
    ///
    /// # Errors
    /// [`WebhookError::Taken`] if another process has locked it, [`WebhookError::Endpoint`] if two endpoints have the
    /// same id.
    pub fn new(
        endpoints: Vec<Endpoint>,
        states: StateDir,
        post: Post,
        pace: Pace,
        (ledger, clock, jitter): (L, C, J),
    ) -> Result<Self, WebhookError> {
        for (index, endpoint) in endpoints.iter().enumerate() {
            if endpoints[..index].iter().any(|earlier| earlier.id == endpoint.id) {
                let problem = "another endpoint has its id".to_owned();
                return Err(WebhookError::Endpoint { endpoint: endpoint.id.clone(), problem });
            }
        }
        let lock = states.lock()?;
        let endpoints = endpoints.into_iter().map(Arc::new).collect();
        let (clock, jitter) = (Arc::new(clock), Arc::new(jitter));
        Ok(Self { ledger, clock, jitter, endpoints, states, post, pace, _lock: lock })
    }

    /// Delivers until it is stopped. Failures are logged and retried; a hanging endpoint does not delay others.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut outbox = Outbox::default();
        let mut rounds: JoinSet<(usize, Result<(), WebhookError>)> = JoinSet::new();
        let mut at_work = vec![false; self.endpoints.len()];
        loop {
            match outbox.refresh(&self.ledger).await {
                Ok(()) => self.begin_rounds(&outbox, &mut rounds, &mut at_work),
                Err(error) => {
                    warn!(code = error.code(), error = with_causes(&error), "webhooks cannot read the ledger")
                }
            }
            let pause = tokio::time::sleep(self.pace.look_every);
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    _ = stop.wait_for(|stop| *stop) => return,
                    () = &mut pause => break,
                    Some(ended) = rounds.join_next() => self.end_round(ended, &mut at_work),
                }
            }
        }
    }

    fn begin_rounds(
        &self,
        outbox: &Outbox,
        rounds: &mut JoinSet<(usize, Result<(), WebhookError>)>,
        at_work: &mut [bool],
    ) {
        for (index, endpoint) in
            self.endpoints.iter().enumerate().filter(|(index, _)| !at_work[*index]).collect::<Vec<_>>()
        {
            let delivery = match self.load(endpoint, outbox.end()) {
                Ok(delivery) => delivery,
                Err(error) => {
                    warn!(
                        endpoint = endpoint.id,
                        code = error.code(),
                        error = with_causes(&error),
                        "an endpoint waits"
                    );
                    continue;
                }
            };
            if delivery.disabled.is_some() || self.clock.now_us() < delivery.retry_at_us {
                continue;
            }
            let wanted = outbox.from(delivery.position).iter().filter(|message| endpoint.wants(message));
            let messages: Vec<Message> = wanted.take(ROUND_MESSAGES_MAX).cloned().collect();
            let Some(_) = messages.first() else { continue };
            at_work[index] = true;
            let round = Round {
                endpoint: Arc::clone(endpoint),
                states: self.states.clone(),
                post: self.post.clone(),
                pace: self.pace,
                clock: Arc::clone(&self.clock),
                jitter: Arc::clone(&self.jitter),
            };
            rounds.spawn(async move { (index, round.run(delivery, messages).await) });
        }
    }

    fn end_round(
        &self,
        ended: Result<(usize, Result<(), WebhookError>), tokio::task::JoinError>,
        at_work: &mut [bool],
    ) {
        match ended {
            Ok((index, result)) => {
                at_work[index] = false;
                if let Err(error) = result {
                    let endpoint = &self.endpoints[index].id;
                    warn!(%endpoint, code = error.code(), error = with_causes(&error), "a delivery is not recorded");
                }
            }
            // The endpoint is unknown, so all are freed. A second round of one sends the same ids, which is harmless.
            Err(error) => {
                warn!(%error, "a round of deliveries failed");
                at_work.fill(false);
            }
        }
    }

    /// The endpoint's state after its order is applied. A new endpoint begins with the next record; a replay sends
    /// earlier ones.
    fn load(&self, endpoint: &Endpoint, end: u64) -> Result<Delivery, WebhookError> {
        let mut delivery = match self.states.delivery(&endpoint.id)? {
            Some(delivery) => delivery,
            None => {
                let delivery = Delivery::at(end);
                self.states.keep(&endpoint.id, &delivery)?;
                info!(endpoint = endpoint.id, position = end, "a new webhook endpoint");
                delivery
            }
        };
        if let Some(order) = self.states.ordered(&endpoint.id)? {
            delivery.obey(order);
            self.states.keep(&endpoint.id, &delivery)?;
            self.states.obeyed(&endpoint.id)?;
            info!(endpoint = endpoint.id, ?order, "an order for a webhook endpoint");
        }
        Ok(delivery)
    }
}

/// Sends messages to one endpoint, one after the other, up to the first failure.
struct Round<C, J> {
    endpoint: Arc<Endpoint>,
    states: StateDir,
    post: Post,
    pace: Pace,
    clock: Arc<C>,
    jitter: Arc<J>,
}

impl<C: Clock, J: Jitter> Round<C, J> {
    async fn run(self, mut delivery: Delivery, messages: Vec<Message>) -> Result<(), WebhookError> {
        for message in messages {
            let answer = self.post.send(&self.endpoint, &message, self.clock.now_us()).await;
            let goes_on = self.note(&mut delivery, &message, answer);
            self.states.keep(&self.endpoint.id, &delivery)?;
            if !goes_on || self.states.ordered(&self.endpoint.id)?.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Records an answer; returns whether the next message may be sent.
    fn note(&self, delivery: &mut Delivery, message: &Message, answer: Answer) -> bool {
        let (endpoint, id) = (&self.endpoint.id, &message.id);
        match answer {
            Answer::Taken => {
                let delivered = delivery.delivered.saturating_add(1);
                *delivery = Delivery { delivered, ..Delivery::at(message.ledger_offset.saturating_add(1)) };
                info!(%endpoint, %id, event_type = message.event_type, "a webhook was delivered");
                true
            }
            Answer::Gone => {
                delivery.disabled = Some(Disabled::Gone);
                delivery.last_failure = Some("it answered 410 Gone".to_owned());
                warn!(%endpoint, %id, "a webhook endpoint is gone and is disabled");
                false
            }
            Answer::Failed { why, retry_after_s } => {
                delivery.failures = delivery.failures.saturating_add(1);
                if delivery.failures >= FAILURES_MAX {
                    delivery.disabled = Some(Disabled::Failed);
                    warn!(%endpoint, %id, failures = delivery.failures, why, "a webhook endpoint failed too often and is disabled");
                } else {
                    let pause_us = self.pace.pause_us(delivery.failures, self.jitter.ppm());
                    let asked_us =
                        retry_after_s.map_or(0, |seconds| i64::try_from(seconds).unwrap_or(0) * 1_000_000);
                    delivery.retry_at_us = self.clock.now_us().saturating_add(pause_us.max(asked_us));
                    info!(%endpoint, %id, failures = delivery.failures, why, "a webhook was not delivered");
                }
                delivery.last_failure = Some(why);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound() {
        let pace = Pace::default();
        let seconds = |failures, ppm| pace.pause_us(failures, ppm) / 1_000_000;
        let pauses: Vec<i64> = (1..=4).map(|failures| seconds(failures, 0)).collect();
        assert_eq!(pauses, [5, 10, 20, 40]);
        assert_eq!((seconds(19, 0), seconds(u32::MAX, 0)), (21_600, 21_600));
        assert_eq!((seconds(1, 999_999), seconds(20, 999_999)), (6, 26_999));
        let all: i64 = (1..FAILURES_MAX).map(|failures| seconds(failures, 0)).sum();
        assert!((36 * 3_600..72 * 3_600).contains(&all), "{all} s until an endpoint is disabled");
    }
}
