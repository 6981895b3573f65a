//! A ledger log in memory that several billers share, and that can fail.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use wb_billing::PortError;
use wb_billing::ports::LedgerLog;

/// What happens at the append at which the fuse blows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process dies before the record is written.
    BeforeWrite,
    /// The record is written, but the answer is lost.
    AfterWrite,
}

/// A log that several billers share.
#[derive(Clone)]
pub(crate) struct MemoryLog {
    records: Arc<Mutex<Vec<Vec<u8>>>>,
    fuse: Option<(Arc<AtomicI64>, Fault)>,
}

impl MemoryLog {
    pub(crate) fn new() -> Self {
        Self { records: Arc::default(), fuse: None }
    }

    /// The same log, seen by a process that dies at its `appends`-th append.
    pub(crate) fn dying_at(&self, appends: i64, fault: Fault) -> Self {
        Self { records: self.records.clone(), fuse: Some((Arc::new(AtomicI64::new(appends)), fault)) }
    }

    pub(crate) fn records(&self) -> Vec<Vec<u8>> {
        self.records.lock().unwrap().clone()
    }

    pub(crate) fn push_raw(&self, bytes: &[u8]) {
        self.records.lock().unwrap().push(bytes.to_vec());
    }
}

impl LedgerLog for MemoryLog {
    async fn append(&self, bytes: Vec<u8>) -> Result<u64, PortError> {
        // Another writer may append here.
        tokio::task::yield_now().await;
        let dies = self.fuse.as_ref().is_some_and(|(left, _)| left.fetch_sub(1, Ordering::SeqCst) <= 1);
        let fault = self.fuse.as_ref().map(|(_, fault)| *fault);
        if dies && fault == Some(Fault::BeforeWrite) {
            return Err(PortError::new("appending to the ledger", "killed before the write"));
        }
        let offset = {
            let mut records = self.records.lock().unwrap();
            records.push(bytes);
            u64::try_from(records.len() - 1).unwrap()
        };
        if dies {
            return Err(PortError::new("appending to the ledger", "killed after the write"));
        }
        tokio::task::yield_now().await;
        Ok(offset)
    }

    async fn read_all_from(&self, offset: u64) -> Result<Vec<(u64, Vec<u8>)>, PortError> {
        tokio::task::yield_now().await;
        let records = self.records.lock().unwrap();
        Ok((0_u64..).zip(records.iter().cloned()).filter(|(at, _)| *at >= offset).collect())
    }
}
