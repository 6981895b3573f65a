//! Who and what is known: parties that a command names, and facts that refer to nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use wb_counted::{REFERRING_KINDS, Unresolved, unresolved};
use wb_events::facts::{CONTRACT_WITHDRAWAL, VOID, Void, id_text};
use wb_ledger::Command;
use wb_rating::Period;
use wb_units::{Interval, nearest};

use super::Biller;
use crate::error::BillerError;
use crate::journal::Journal;
use crate::ports::{Clock, CutSource, EventId, FactRow, LedgerLog, UsageStore};
use crate::reference::Reference;

/// The parties that are known at a cut: recorded as facts, by contracts, or by the ledger.
#[derive(Default)]
struct Parties {
    customers: BTreeSet<String>,
    legal_entities: BTreeSet<String>,
}

impl Parties {
    async fn read<S: UsageStore>(store: &S, journal: &Journal, cut: u64) -> Result<Self, BillerError> {
        #[derive(Deserialize)]
        struct Both {
            customer_id: String,
            legal_entity: String,
        }
        let mut found = Self::default();
        for (kind, names) in [("customer", &mut found.customers), ("legal_entity", &mut found.legal_entities)]
        {
            names.extend(store.facts(kind, None, cut).await?.into_iter().map(|row| row.entity));
        }
        for row in store.facts("contract", None, cut).await? {
            if let Ok(both) = serde_json::from_str::<Both>(&row.body) {
                found.customers.insert(both.customer_id);
                found.legal_entities.insert(both.legal_entity);
            }
        }
        for item in journal.state().items() {
            found.customers.insert(item.customer_id.clone());
            found.legal_entities.insert(item.legal_entity.clone());
        }
        Ok(found)
    }

    fn check(&self, (what, id): (&'static str, &str)) -> Result<(), BillerError> {
        let names = if what == "customer" { &self.customers } else { &self.legal_entities };
        if names.contains(id) {
            return Ok(());
        }
        let like = nearest(id, names.iter().map(String::as_str)).map(str::to_owned);
        Err(BillerError::Unknown { what, id: id.chars().take(64).collect(), like })
    }
}

/// The parties that a command names for the first time.
fn named(command: &Command) -> Vec<(&'static str, &str)> {
    match command {
        Command::ReceivePayment(payment) => {
            vec![("customer", &payment.customer_id), ("legal_entity", &payment.legal_entity)]
        }
        Command::RecordOpening(opening) => {
            vec![("customer", &opening.customer_id), ("legal_entity", &opening.legal_entity)]
        }
        _ => Vec::new(),
    }
}

impl<L: LedgerLog, S: UsageStore, C: CutSource, K: Clock> Biller<L, S, C, K> {
    /// Checks that the parties of a command are known.
    pub(super) async fn check_named(&self, journal: &Journal, command: &Command) -> Result<(), BillerError> {
        self.check_parties(journal, &named(command)).await
    }

    /// Checks that a customer is known.
    ///
    /// # Errors
    /// [`BillerError::Unknown`], or an error of reading facts or the ledger.
    pub async fn check_customer(&self, customer_id: &str) -> Result<(), BillerError> {
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.log).await?;
        self.check_parties(&journal, &[("customer", customer_id)]).await
    }

    pub(super) async fn check_parties(
        &self,
        journal: &Journal,
        named: &[(&'static str, &str)],
    ) -> Result<(), BillerError> {
        if named.is_empty() {
            return Ok(());
        }
        let cut = self.store.committed_cut(u64::MAX).await?;
        let parties = Parties::read(&self.store, journal, cut).await?;
        if named.iter().all(|party| parties.check(*party).is_ok()) {
            return Ok(());
        }
        // It may have been recorded just now, and not be committed yet.
        let cut = self.store.settled(self.cuts.settled_cut().await?).await?;
        let parties = Parties::read(&self.store, journal, cut).await?;
        named.iter().try_for_each(|party| parties.check(*party))
    }

    /// The recorded facts that refer to something that nothing is recorded of, at the newest cut.
    ///
    /// # Errors
    /// An error of reading facts.
    pub async fn unresolved(&self) -> Result<Vec<Unresolved>, BillerError> {
        let cut = self.store.settled(self.cuts.settled_cut().await?).await?;
        self.unresolved_at(cut).await
    }

    /// All recorded facts of some kinds, at the newest cut; of contracts, those documents that stand.
    ///
    /// # Errors
    /// An error of reading facts.
    pub async fn recorded_facts(
        &self,
        kinds: &[&'static str],
    ) -> Result<BTreeMap<String, Vec<FactRow>>, BillerError> {
        let cut = self.store.settled(self.cuts.settled_cut().await?).await?;
        let mut asked = kinds.to_vec();
        asked.push(CONTRACT_WITHDRAWAL);
        let mut facts = self.store.recorded(&asked, cut).await?.facts;
        if let Some(contracts) = facts.remove("contract") {
            let withdrawals = facts.get(CONTRACT_WITHDRAWAL).cloned().unwrap_or_default();
            facts.insert("contract".to_owned(), Reference::standing_rows(contracts, withdrawals)?);
        }
        Ok(facts)
    }

    pub(super) async fn unresolved_at(&self, cut: u64) -> Result<Vec<Unresolved>, BillerError> {
        let kinds: Vec<&'static str> =
            REFERRING_KINDS.into_iter().chain([CONTRACT_WITHDRAWAL, VOID]).collect();
        let mut facts = self.store.recorded(&kinds, cut).await?.facts;
        let mut take = |kind: &str| facts.remove(kind).unwrap_or_default();
        let (contracts, withdrawals, voids) = (take("contract"), take(CONTRACT_WITHDRAWAL), take(VOID));
        facts.insert("contract".to_owned(), Reference::standing_rows(contracts, withdrawals)?);
        let mut found = unresolved(&facts);
        found.extend(self.voids_of_nothing(&voids, cut).await?);
        Ok(found)
    }

    /// The voids in force whose event is not recorded.
    async fn voids_of_nothing(&self, rows: &[FactRow], cut: u64) -> Result<Vec<Unresolved>, BillerError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let corrections = self.store.corrections(cut).await?.resolved;
        let voids = rows.iter().filter_map(|row| {
            let void: Void = serde_json::from_str(&row.body).ok()?;
            let id = void.voids().ok()?;
            corrections.is_voided(&id).then_some((row, id))
        });
        let voids: Vec<_> = voids.collect();
        let ids: Vec<EventId> = voids.iter().map(|(_, id)| *id).collect();
        let Some(known) = self.store.known_events(&ids, cut).await? else { return Ok(Vec::new()) };
        let of_nothing = voids.into_iter().filter(|(_, id)| !known.contains(id));
        let unknown = of_nothing.map(|(row, id)| Unresolved {
            kind: VOID.to_owned(),
            entity: row.entity.clone(),
            from_us: row.valid_from_us,
            field: "event",
            refers_to: "event",
            id: id_text(&id),
            like: None,
        });
        Ok(unknown.collect())
    }

    /// Checks that an event is recorded, after everything acknowledged is committed.
    ///
    /// # Errors
    /// [`BillerError::UnknownEvent`], or an error of reading.
    pub async fn check_event(&self, id: &EventId) -> Result<(), BillerError> {
        let cut = self.store.settled(self.cuts.settled_cut().await?).await?;
        match self.store.known_events(&[*id], cut).await? {
            Some(known) if !known.contains(id) => Err(BillerError::UnknownEvent { id: id_text(id) }),
            _ => Ok(()),
        }
    }
}

/// Those of the unresolved references that bear on the bill of a contract for a month: an unknown customer or legal
/// entity of the contract, an unknown machine or customer of an assignment to it, a machine of its customer that is
/// assigned to an unknown contract, an account of its customer that is mapped to one, and a machine under it that stands
/// at an unknown site. A void of an unknown event bears on every contract's month that had begun when it was given: it
/// may void anything in it.
pub(super) fn bearing_on(
    reference: &Reference,
    unresolved: &[Unresolved],
    contract_id: &str,
    period: &str,
) -> Result<Vec<Unresolved>, BillerError> {
    if unresolved.is_empty() {
        return Ok(Vec::new());
    }
    let Some(terms) = reference.terms_of(contract_id, period)? else { return Ok(Vec::new()) };
    let within = terms.period.interval;
    let customer = reference.customer_of(contract_id);
    let bears = |of: &&Unresolved| match (of.kind.as_str(), of.refers_to) {
        ("void", _) => of.from_us >= within.start_us,
        ("contract", _) => {
            of.entity == contract_id
                && terms
                    .terms
                    .iter()
                    .any(|part| part.contract.customer_id == of.id || part.contract.legal_entity == of.id)
        }
        ("assignment", "machine") => reference.is_assigned(contract_id, None, &of.entity, within),
        ("assignment", "customer") => reference.is_assigned(contract_id, Some(&of.id), &of.entity, within),
        ("assignment", "contract") => reference.is_assigned(&of.id, customer.as_deref(), &of.entity, within),
        ("account", "contract") => reference.is_mapped(&of.id, customer.as_deref(), &of.entity, within),
        ("machine", "site") => {
            of.from_us < within.end_us
                && reference.all_holdings(within).any(|(contract, machine_id, held)| {
                    contract == contract_id && machine_id == of.entity && of.from_us < held.end_us
                })
        }
        _ => false,
    };
    Ok(unresolved.iter().filter(bears).cloned().collect())
}

/// Unknown contracts with an assignment or an account in a month whose customer has no contract that the close would
/// stop at.
pub(super) fn without_contract<'a>(
    reference: &Reference,
    unresolved: &'a [Unresolved],
    (customer, owners): (Option<&str>, &BTreeSet<String>),
    period: &str,
) -> Result<Vec<&'a Unresolved>, BillerError> {
    let within: Interval = Period::month(period, "UTC")?.interval;
    let names = |of: &Unresolved, customer: Option<&str>| match (of.kind.as_str(), of.refers_to) {
        ("assignment", "contract") => reference.is_assigned(&of.id, customer, &of.entity, within),
        ("account", "contract") => reference.is_mapped(&of.id, customer, &of.entity, within),
        _ => false,
    };
    let lost = |of: &&Unresolved| names(of, customer) && !owners.iter().any(|owner| names(of, Some(owner)));
    Ok(unresolved.iter().filter(lost).collect())
}
