//! The versions of contracts: ingest refuses what no bill would use.

use serde_json::{Value, json};
use wb_auth::Role;
use wb_events::Event;
use wb_events::input;
use wb_events::wire::event::Body;
use wb_units::SETTLEMENT_INTERVAL_US as STEP_US;

use super::source;
use crate::reference::Reference;
use crate::resolve::{self, Unresolved};

/// 2026-10-01.
const OCTOBER_US: i64 = 1_790_812_800_000_000;

fn terms(version: u64, fee: &str) -> Value {
    json!({
        "contract_id": "c", "version": version, "customer_id": "k", "legal_entity": "e", "time_zone": "UTC",
        "components": [{"id": "fee", "kind": "fixed_fee", "currency": "USD", "amount": fee}],
    })
}

fn event(sequence: u64, kind: &str, from_us: i64, body: &Value) -> Event {
    let text = json!({
        "kind": "fact", "key": "c", "sequence": sequence, "event_time_us": OCTOBER_US,
        "body": {"fact": kind, "entity": "c", "valid_from_us": from_us, "body": body},
    });
    input::parse_json("operator", &text.to_string()).unwrap()
}

/// Sends a fact at an instant; it is applied if it is taken.
fn send(reference: &mut Reference, mut event: Event, now_us: i64) -> Result<(), (&'static str, String)> {
    match resolve::resolve(reference, &source(&[Role::Operator]), &mut event, now_us) {
        Ok(()) => {
            let Some(Body::Fact(fact)) = event.body.clone() else { panic!("no fact") };
            reference.apply(&event, &fact);
            Ok(())
        }
        Err(Unresolved::Wrong(error) | Unresolved::Unknown(error)) => Err((error.code, error.reason)),
    }
}

#[test]
fn other_terms_under_a_recorded_version_are_refused_with_the_difference() {
    let mut reference = Reference::default();
    let mut say = |sequence, body: &Value| {
        send(&mut reference, event(sequence, "contract", OCTOBER_US, body), OCTOBER_US)
    };
    say(0, &terms(1, "310")).unwrap();
    say(1, &terms(1, "310")).unwrap();
    let (code, reason) = say(2, &terms(1, "99")).unwrap_err();
    assert_eq!(code, "WB-5124");
    assert!(reason.contains(r#"fee.amount: "310" -> "99""#) && reason.contains("version 2"), "{reason}");
    say(3, &terms(2, "99")).unwrap();
}

#[test]
fn a_version_is_withdrawn_before_it_holds() {
    let mut reference = Reference::default();
    let withdrawal = |sequence, version: u64, at_us| {
        let body = json!({"contract_id": "c", "version": version, "who": "ana", "why": "not signed"});
        event(sequence, "contract_withdrawal", at_us, &body)
    };
    let holds_us = OCTOBER_US + STEP_US;
    send(&mut reference, event(0, "contract", holds_us, &terms(1, "310")), OCTOBER_US).unwrap();
    let refused = |found: Result<(), (&'static str, String)>| found.unwrap_err().0;
    assert_eq!(refused(send(&mut reference, withdrawal(1, 2, OCTOBER_US), OCTOBER_US)), "WB-5125");
    // Too late by its own instant, and by the clock although it says otherwise.
    assert_eq!(refused(send(&mut reference, withdrawal(2, 1, holds_us), OCTOBER_US)), "WB-5126");
    assert_eq!(refused(send(&mut reference, withdrawal(3, 1, OCTOBER_US), holds_us)), "WB-5126");
    send(&mut reference, withdrawal(4, 1, OCTOBER_US), OCTOBER_US).unwrap();
    send(&mut reference, event(5, "contract", holds_us, &terms(1, "99")), OCTOBER_US).unwrap();
}
