//! Converts lines to events.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};
use wb_proof::stratum_v1::{SessionText, SubmitText, decode_session, decode_submit};
use wb_units::Micros;

use super::Options;
use super::lines::{ShareLine, Workbase, job_id};
use super::versions;
use crate::{id_of, short_hash};

/// How many workbases are remembered for finding rolled bits: ckpool makes one or two a minute.
const WORKBASES_MAX: usize = 4_096;
/// How many sent sessions are remembered. Others are sent again, which is harmless.
const SESSIONS_MAX: usize = 200_000;
/// How long before its first share a session begins, because files are not read in order of time.
const LEAD_US: Micros = 3_600_000_000;

/// Converts lines to events, and remembers what later lines need.
pub(crate) struct Translator {
    scope: String,
    chain: String,
    version_mask: u32,
    extranonce2_bytes: usize,
    machines: HashMap<String, String>,
    workbases: BTreeMap<i64, Workbase>,
    /// The start of each session that was sent.
    sessions: HashMap<String, Micros>,
}

impl Translator {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            scope: options.pool.clone(),
            chain: options.chain.clone(),
            version_mask: options.version_mask,
            extranonce2_bytes: options.extranonce2_bytes,
            machines: options.machines.clone(),
            workbases: BTreeMap::new(),
            sessions: HashMap::new(),
        }
    }

    pub(crate) fn learn(&mut self, workbase: Workbase) {
        self.workbases.insert(workbase.workinfo_id, workbase);
        if self.workbases.len() > WORKBASES_MAX {
            self.workbases.pop_first();
        }
    }

    pub(crate) fn knows(&self, workinfo_id: i64) -> bool {
        self.workbases.contains_key(&workinfo_id)
    }

    pub(crate) fn job(&mut self, workbase: Workbase) -> Value {
        let job_id = job_id(workbase.workinfo_id);
        let body = json!({
            "scope": self.scope,
            "job_id": job_id,
            "chain": self.chain,
            "height": workbase.height,
            "prevhash": workbase.prevhash,
            "coinb1": workbase.coinb1,
            "coinb2": workbase.coinb2,
            "branch": workbase.branch,
            "version": workbase.version,
            "nbits": workbase.nbits,
            "ntime": workbase.ntime,
            "clean_jobs": false,
        });
        let fact = fact("job", &format!("{}/{job_id}", self.scope), workbase.created_us, &body);
        self.learn(workbase);
        fact
    }

    /// A share, with its session if that was not sent yet or must begin earlier.
    pub(crate) fn share(
        &mut self,
        share: &ShareLine,
        fingerprint: u64,
        offset: u64,
    ) -> (Option<Value>, Value) {
        let machine_id = match self.machines.get(&share.worker) {
            Some(machine_id) => machine_id.clone(),
            None => id_of(&share.worker, 128),
        };
        // The session's id includes the difficulty: ckpool judges a late share by the difficulty of its job, so one
        // client may send shares of two difficulties in turn.
        let who = short_hash(&[share.worker.as_bytes(), machine_id.as_bytes()]);
        let session_id = id_of(
            &format!(
                "{}/{:x}/{}/{}/{who:016x}",
                self.scope, share.client_id, share.extranonce1, share.difficulty
            ),
            128,
        );
        let session = self.session(share, &machine_id, &session_id);
        let job_id = job_id(share.workinfo_id);
        let mut body = json!({
            "session_id": session_id,
            "job_id": job_id,
            "extranonce2": share.extranonce2,
            "ntime": share.ntime,
            "nonce": share.nonce,
        });
        if let Some(bits) = self.version_bits(share).filter(|_| self.version_mask != 0) {
            body["version_bits"] = json!(format!("{bits:08x}"));
        }
        let event = json!({
            "kind": "share",
            "key": format!("{}/{job_id}", self.scope),
            "sequence": offset,
            "source_epoch": fingerprint,
            "event_time_us": share.created_us,
            "body": body,
        });
        (session, event)
    }

    fn session(&mut self, share: &ShareLine, machine_id: &str, session_id: &str) -> Option<Value> {
        if self.sessions.get(session_id).is_some_and(|from_us| *from_us <= share.created_us) {
            return None;
        }
        // Rounded to the hour, so that a restart mostly sends the same fact again.
        let from_us = (share.created_us - LEAD_US).div_euclid(LEAD_US) * LEAD_US;
        if self.sessions.len() >= SESSIONS_MAX {
            self.sessions.clear();
        }
        self.sessions.insert(session_id.to_owned(), from_us);
        let body = json!({
            "machine_id": machine_id,
            "worker": share.worker,
            "chain": self.chain,
            "protocol": "stratum_v1",
            "scope": self.scope,
            "extranonce1": share.extranonce1,
            "extranonce2_size": self.extranonce2_bytes,
            "version_mask": (self.version_mask != 0).then(|| format!("{:08x}", self.version_mask)),
            "assigned_difficulty": share.difficulty,
        });
        Some(fact("session", session_id, from_us, &body))
    }

    /// The rolled bits, if the workbase is known and some combination gives the logged hash.
    fn version_bits(&self, share: &ShareLine) -> Option<u32> {
        let workbase = self.workbases.get(&share.workinfo_id)?;
        let mask = format!("{:08x}", self.version_mask);
        let session = decode_session(&SessionText {
            extranonce1: &share.extranonce1,
            extranonce2_size: self.extranonce2_bytes,
            version_mask: Some(&mask),
            assigned_difficulty: &share.difficulty,
        })
        .ok()?;
        let submit = decode_submit(&SubmitText {
            job_id: &job_id(share.workinfo_id),
            extranonce2: &share.extranonce2,
            ntime: &share.ntime,
            nonce: &share.nonce,
            version_bits: None,
        })
        .ok()?;
        versions::find(&session, &workbase.job, &submit, &share.hash)
    }

    /// Forgets a refused session, so that it is sent again with its next share.
    pub(crate) fn forget_refused(&mut self, event: &Value) {
        if let Some(entity) = event.pointer("/body/entity").and_then(Value::as_str) {
            self.sessions.remove(entity);
        }
    }
}

/// A fact with an identity from its content: the same content is the same event.
fn fact(kind: &str, entity: &str, from_us: Micros, body: &Value) -> Value {
    let said = short_hash(&[kind.as_bytes(), &from_us.to_be_bytes(), body.to_string().as_bytes()]);
    json!({
        "kind": "fact",
        "key": entity,
        "sequence": 0,
        "source_epoch": said,
        "event_time_us": from_us,
        "body": {"fact": kind, "entity": entity, "valid_from_us": from_us, "body": body},
    })
}
