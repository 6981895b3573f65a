//! The facts that resolve events. They are read from the `reference` topic in order, so every ingest that has read as
//! far knows the same.

mod network;
mod tips;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, RwLock};

use prost::Message as _;
use tokio::sync::watch;
use wb_events::facts::{FactBody, subsidy_sat};
use wb_events::frame::{self, FrameKey};
use wb_events::wire::event::Body;
use wb_events::{Event, Fact, topics};
use wb_fold::state::{Admission, State};
use wb_kafka::{Log, LogError};
use wb_proof::{stratum_v1, stratum_v2};
use wb_rating::{RecordedVersions, VersionRefused};
use wb_units::Micros;
use wb_units::timeline::Timeline;

use crate::limits;
use crate::reference::network::NetworkBits;
use crate::reference::tips::Tips;

/// A session at a time: later facts of the same id change its difficulty from then on.
#[derive(Debug, Clone)]
pub struct KnownSession {
    /// The machine of the session.
    pub machine_id: String,
    pub chain: String,
    /// `stratum_v1`, `stratum_v2_standard`, `stratum_v2_extended` or `replay`.
    pub protocol: String,
    /// The scope of its shares' job ids.
    pub scope: String,
    /// How long after a change of tip work on the former tip is not yet stale.
    pub stale_window_us: Micros,
    /// The parameters of the proof.
    pub agreed: Agreed,
}

/// The parameters of a session, by protocol.
#[derive(Debug, Clone)]
pub enum Agreed {
    /// Stratum V1, and replays.
    V1(stratum_v1::Session),
    /// A channel of Stratum V2.
    V2(stratum_v2::Channel),
}

impl Agreed {
    /// The assigned difficulty in units of 2^-32.
    #[must_use]
    pub fn assigned_q32(&self) -> u128 {
        match self {
            Self::V1(session) => session.assigned_q32,
            Self::V2(channel) => channel.assigned_q32,
        }
    }
}

/// The data of a job, by protocol.
#[derive(Debug, Clone)]
pub enum Given {
    /// `mining.notify` of Stratum V1.
    V1(stratum_v1::Job),
    /// A job of Stratum V2 and its `SetNewPrevHash`.
    V2(stratum_v2::Job),
}

impl Given {
    /// The network target, compact.
    #[must_use]
    pub fn nbits(&self) -> u32 {
        match self {
            Self::V1(job) => job.nbits,
            Self::V2(job) => job.nbits,
        }
    }

    /// The earliest time that a share's header may have, seconds since 1970.
    #[must_use]
    pub fn ntime(&self) -> u32 {
        match self {
            Self::V1(job) => job.ntime,
            Self::V2(job) => job.min_ntime,
        }
    }
}

#[derive(Debug, Clone)]
pub struct KnownJob {
    /// The height of the job's block.
    pub height: u32,
    /// The data of the proof.
    pub given: Given,
}

/// All facts that ingest needs.
#[derive(Debug, Default)]
pub struct Reference {
    admitted: State,
    sessions: HashMap<String, Timeline<Arc<KnownSession>>>,
    /// By scope, then by job id.
    jobs: HashMap<String, HashMap<String, Arc<KnownJob>>>,
    jobs_held: usize,
    /// The sites of each machine over time.
    machine_sites: HashMap<String, Timeline<String>>,
    tips: HashMap<String, Tips>,
    network_bits: HashMap<String, NetworkBits>,
    /// The versions of each contract that stand.
    contracts: HashMap<String, RecordedVersions>,
}

impl Reference {
    /// The session of an id at a time.
    #[must_use]
    pub fn session(&self, session_id: &str, at_us: Micros) -> Option<Arc<KnownSession>> {
        self.sessions.get(session_id)?.last_said(at_us).map(Arc::clone)
    }

    #[must_use]
    pub fn job(&self, scope: &str, job_id: &str) -> Option<Arc<KnownJob>> {
        self.jobs.get(scope)?.get(job_id).map(Arc::clone)
    }

    /// The site of a machine at a time; before its first fact it is the first site.
    ///
    /// The time is that of the event, so an event that arrives after its machine has moved still lies at the former
    /// site.
    #[must_use]
    pub fn site_of(&self, machine_id: &str, at_us: Micros) -> Option<&str> {
        let sites = self.machine_sites.get(machine_id)?;
        sites.last_said(at_us).or_else(|| sites.first()).map(String::as_str)
    }

    /// Whether work on a previous block is stale at a time: the block was the tip, and another block had replaced it
    /// for longer than the window. A block that was never a tip here is not judged.
    #[must_use]
    pub fn is_stale(&self, chain: &str, previous: &[u8; 32], at_us: Micros, window_us: Micros) -> bool {
        let replaced_us = self.tips.get(chain).and_then(|tips| tips.replaced_us(previous, at_us));
        replaced_us.is_some_and(|replaced_us| at_us > replaced_us.saturating_add(window_us))
    }

    /// The network's target at a height, compact, if facts give it.
    #[must_use]
    pub fn network_nbits(&self, chain: &str, height: u32) -> Option<u32> {
        self.network_bits.get(chain).and_then(|bits| bits.at(chain, height))
    }

    /// Judges a contract's document against the recorded versions.
    ///
    /// # Errors
    /// [`VersionRefused::OtherTerms`].
    pub fn check_contract(&self, contract_id: &str, body: &str) -> Result<(), VersionRefused> {
        self.contracts.get(contract_id).map_or(Ok(()), |known| known.check(contract_id, body).map(drop))
    }

    /// Judges the withdrawal of a version of a contract.
    ///
    /// # Errors
    /// [`VersionRefused::NoSuchVersion`] and [`VersionRefused::InEffect`].
    pub fn check_withdrawal(
        &self,
        contract_id: &str,
        version: u64,
        at_us: Micros,
    ) -> Result<(), VersionRefused> {
        let none = RecordedVersions::default();
        let known = self.contracts.get(contract_id).unwrap_or(&none);
        known.check_withdrawal(contract_id, version, at_us)
    }

    /// Whether there is room for another job.
    #[must_use]
    pub fn has_room_for_jobs(&self) -> bool {
        self.jobs_held < limits::JOBS_MAX
    }

    /// Applies a fact of the log. Facts must come in the log's order.
    pub fn apply(&mut self, event: &Event, fact: &Fact) {
        // The aggregator has the same rule: of one identity the first counts.
        if self.admitted.admit(event) != Admission::New {
            return;
        }
        let Ok(body) = FactBody::parse(&fact.kind, &fact.entity, &fact.body) else {
            tracing::warn!(kind = fact.kind, entity = fact.entity, "a fact in the log has the wrong form");
            return;
        };
        match body {
            FactBody::Session(session) => {
                let agreed = match session.channel() {
                    Ok(Some(channel)) => Agreed::V2(channel),
                    Ok(None) => match session.parameters() {
                        Ok(parameters) => Agreed::V1(parameters),
                        Err(_) => return,
                    },
                    Err(_) => return,
                };
                let known = KnownSession {
                    machine_id: session.machine_id,
                    chain: session.chain,
                    protocol: session.protocol,
                    scope: session.scope,
                    stale_window_us: i64::from(session.stale_window_ms.unwrap_or(0)) * 1_000,
                    agreed,
                };
                let versions = self.sessions.entry(fact.entity.clone()).or_default();
                versions.record(fact.valid_from_us, fact.valid_to_us, Arc::new(known));
            }
            FactBody::Job(job) => {
                let Ok(parameters) = job.parameters() else { return };
                self.keep_job(job.scope, job.job_id, job.height, Given::V1(parameters));
            }
            FactBody::JobV2(job) => {
                let Ok(parameters) = job.parameters() else { return };
                self.keep_job(job.scope, job.job_id, job.height, Given::V2(parameters));
            }
            FactBody::Machine(machine) => {
                let sites = self.machine_sites.entry(fact.entity.clone()).or_default();
                sites.record(fact.valid_from_us, fact.valid_to_us, machine.site_id);
            }
            FactBody::Tip(tip) => {
                if let Ok(hash) = tip.hash_internal() {
                    self.tips.entry(tip.chain).or_default().insert(fact.valid_from_us, hash);
                }
            }
            FactBody::NetworkDifficulty(difficulty) => {
                if let Ok(nbits) = difficulty.nbits() {
                    let bits = self.network_bits.entry(difficulty.chain).or_default();
                    bits.insert(difficulty.height, fact.valid_from_us, nbits);
                }
            }
            // Bills judge by the same rule: what is refused here stands in no bill.
            FactBody::Contract(_) => {
                let known = self.contracts.entry(fact.entity.clone()).or_default();
                if let Err(refused) = known.record(&fact.entity, fact.valid_from_us, &fact.body) {
                    tracing::warn!(%refused, "a recorded contract does not stand");
                }
            }
            FactBody::ContractWithdrawal(withdrawal) => {
                let known = self.contracts.entry(fact.entity.clone()).or_default();
                if let Err(refused) = known.withdraw(&fact.entity, withdrawal.version, fact.valid_from_us) {
                    tracing::warn!(%refused, "a recorded withdrawal has no effect");
                }
            }
            FactBody::Site(_)
            | FactBody::Customer(_)
            | FactBody::LegalEntity(_)
            | FactBody::Assignment(_)
            | FactBody::Price(_)
            | FactBody::Redrive(_)
            | FactBody::Curtailment(_)
            | FactBody::Maintenance(_)
            | FactBody::EnergyMix(_)
            | FactBody::Meter(_)
            | FactBody::PoolEarning(_)
            | FactBody::PoolPayout(_)
            | FactBody::Void(_)
            | FactBody::MeterRatio(_)
            | FactBody::DataPolicy(_)
            | FactBody::Account(_)
            | FactBody::Outage(_)
            | FactBody::Count(_)
            | FactBody::PrepaidGrant(_)
            | FactBody::DepositHeld(_)
            | FactBody::PastInvoice(_) => {}
        }
    }

    /// Of two jobs with the same id the first counts.
    fn keep_job(&mut self, scope: String, job_id: String, height: u32, given: Given) {
        if let Entry::Vacant(free) = self.jobs.entry(scope).or_default().entry(job_id) {
            free.insert(Arc::new(KnownJob { height, given }));
            self.jobs_held += 1;
        }
    }
}

/// The block subsidy at a height; zero on other chains than the main chain.
#[must_use]
pub fn subsidy_of(chain: &str, height: u32) -> u64 {
    if chain == "main" { subsidy_sat(height) } else { 0 }
}

/// The live view of the facts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ReferenceView {
    reference: Arc<RwLock<Reference>>,
    next_offset: watch::Receiver<u64>,
    log: Log,
}

impl ReferenceView {
    /// Reads all facts, then follows the topic until the view is dropped.
    ///
    /// # Errors
    /// [`LogError`] if the topic cannot be read.
    pub async fn start(log: Log, key: FrameKey) -> Result<Self, LogError> {
        let (low, _) = log.watermarks(topics::REFERENCE, 0).await?;
        let reader = log.read_from(topics::REFERENCE, 0, low)?;
        let reference = Arc::new(RwLock::new(Reference::default()));
        let (read_to, next_offset) = watch::channel(low);
        tokio::spawn(follow(reader, key, Arc::clone(&reference), read_to));
        let view = Self { reference, next_offset, log };
        // Reading millions of facts at the start takes longer than a request may wait.
        let end = view.log.end_offset(topics::REFERENCE, 0).await?;
        view.wait_until(end).await?;
        Ok(view)
    }

    /// Waits until everything recorded by now is applied.
    ///
    /// # Errors
    /// [`LogError`] if the topic's end cannot be read, or reading has stopped.
    pub async fn catch_up(&self) -> Result<(), LogError> {
        let end = self.log.end_offset(topics::REFERENCE, 0).await?;
        self.wait_until(end).await
    }

    /// Waits until all facts below an offset are applied.
    ///
    /// # Errors
    /// [`LogError::CommitsStopped`] if reading has stopped.
    pub async fn wait_until(&self, next_offset: u64) -> Result<(), LogError> {
        let mut seen = self.next_offset.clone();
        match seen.wait_for(|now| *now >= next_offset).await {
            Ok(_) => Ok(()),
            Err(_) => Err(LogError::CommitsStopped { detail: "the reader of facts has ended".to_owned() }),
        }
    }

    /// Calls a function with the facts.
    pub fn with<T>(&self, look: impl FnOnce(&Reference) -> T) -> T {
        // Every statement leaves the facts consistent, so a poisoned lock is harmless.
        look(&self.reference.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

async fn follow(
    mut reader: wb_kafka::Reader,
    key: FrameKey,
    reference: Arc<RwLock<Reference>>,
    read_to: watch::Sender<u64>,
) {
    loop {
        tokio::select! {
            () = read_to.closed() => return,
            record = reader.next() => match record {
                Ok(record) => {
                    if let Ok(frame) = frame::decode(&record.payload, &key) {
                        let mut reference =
                            reference.write().unwrap_or_else(std::sync::PoisonError::into_inner);
                        for bytes in &frame.events {
                            if let Ok(event) = Event::decode(bytes.as_slice())
                                && let Some(Body::Fact(fact)) = event.body.clone()
                            {
                                reference.apply(&event, &fact);
                            }
                        }
                    }
                    read_to.send_replace(record.offset.saturating_add(1));
                }
                Err(error) => {
                    tracing::error!(%error, "following the facts failed");
                    return;
                }
            }
        }
    }
}
