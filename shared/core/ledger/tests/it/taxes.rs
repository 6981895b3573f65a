//! Tax follows what it taxes: in every note, at the rate of the invoice, and without a cent left at the end.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wb_ledger::{
    Amount, Billed, BillingTerms, Command, ContractVersion, DisputeRequest, DisputeWords, Draft, Event, Hash,
    LineAmount, Note, NoteByHand, PeriodDocument, State, invoice_id,
};
use wb_rating::{Line, LineTax, Period};
use wb_units::{Currency, Money};

use crate::support::{Books, DAY_US, END_US, ENTITY, check_histories, close, issue};

const CUSTOMER: &str = "satoshi-lab";

/// A line: its name, its amount, and where it is tax its percentage and what it is on.
type Sample<'a> = (&'a str, i128, Option<(&'a str, &'a [&'a str])>);

fn draft(cut: u64, samples: &[Sample<'_>]) -> Draft {
    let period = Period::month("2009-01", "UTC").unwrap();
    let mut stands: BTreeMap<&str, i128> = BTreeMap::new();
    let mut lines = Vec::new();
    for (name, minor, tax) in samples {
        let tax = tax.map(|(percent, of)| LineTax {
            jurisdiction: "GB".to_owned(),
            percent: percent.to_owned(),
            of: of.iter().map(|id| format!("lab-1/{id}")).collect(),
        });
        let of = |(_, of): (&str, &[&str])| of.iter().map(|id| stands[id]).sum::<i128>();
        let base = samples.iter().find(|sample| sample.0 == *name).and_then(|sample| sample.2).map(of);
        let minor = tax.as_ref().map_or(*minor, |tax| tax.on_minor(base.unwrap()).unwrap());
        stands.insert(name, minor);
        lines.push(Line {
            id: format!("lab-1/{name}"),
            component: (*name).to_owned(),
            kind: if tax.is_some() { "tax" } else { "metered_energy" }.to_owned(),
            description: (*name).to_owned(),
            quantity: base.unwrap_or(minor).to_string(),
            unit: "USD".to_owned(),
            unit_price: String::new(),
            formula: String::new(),
            amount: Money { minor, currency: Currency::USD },
            tax,
            inputs: Vec::new(),
        });
    }
    Draft::new(Billed {
        legal_entity: ENTITY.to_owned(),
        customer_id: CUSTOMER.to_owned(),
        contract_id: "lab-1".to_owned(),
        contract_versions: vec![ContractVersion {
            start_us: period.interval.start_us,
            end_us: period.interval.end_us,
            digest: Hash::ZERO,
        }],
        period: PeriodDocument::from(&period),
        terms: BillingTerms::default(),
        lines,
        cut,
        blocks: Vec::new(),
        days: Vec::new(),
        chain_heads: Vec::new(),
    })
    .unwrap()
}

fn issued(samples: &[Sample<'_>]) -> (Books, String) {
    let mut books = Books::default();
    let first = draft(10, samples);
    books.act(&close(&first)).unwrap();
    books.act(&issue(first)).unwrap();
    (books, invoice_id(ENTITY, "lab-1", "2009-01", None).unwrap())
}

fn by_hand(id: &str, reference: &str, lines: &[(&str, i128)]) -> Command {
    let lines = lines.iter().map(|(line, minor)| LineAmount {
        line_id: format!("lab-1/{line}"),
        amount: Amount::new(*minor, "USD"),
    });
    Command::IssueNote(NoteByHand {
        invoice_id: id.to_owned(),
        reference: reference.to_owned(),
        text: "goodwill".to_owned(),
        lines: lines.collect(),
        at_us: END_US + DAY_US,
    })
}

fn note_of(events: &[Event]) -> &Note {
    match events {
        [Event::CreditNoteIssued(note) | Event::DebitNoteIssued(note)] => note,
        other => panic!("{other:?}"),
    }
}

fn amounts(note: &Note) -> Vec<(&str, i128)> {
    note.lines.iter().map(|line| (line.line_id.trim_start_matches("lab-1/"), line.amount_minor.0)).collect()
}

fn stands(state: &State, id: &str) -> Vec<(String, i128)> {
    let lines = state.item(id).unwrap().lines.iter();
    lines.map(|((line, _), stands)| (line.replace("lab-1/", ""), stands.billed_minor)).collect()
}

const POWER: Sample<'static> = ("power", 10_010, None);
const VAT: Sample<'static> = ("vat", 0, Some(("5", &["power"])));

#[test]
fn a_goodwill_credit_credits_its_tax_at_the_rate_of_the_invoice() {
    let (mut books, id) = issued(&[POWER, VAT]);
    // 5 % of 100.10 is 5.005: 5.00, half to even.
    assert_eq!(stands(&books.state, &id), [("power".to_owned(), 10_010), ("vat".to_owned(), 500)]);
    let events = books.act(&by_hand(&id, "g-1", &[("power", -1_000)])).unwrap();
    let note = note_of(&events);
    // 5 % of 90.10 is 4.505: 4.50.
    assert_eq!(amounts(note), [("power", -1_000), ("vat", -50)]);
    let tax = note.lines[1].tax.as_ref().unwrap();
    assert_eq!((tax.jurisdiction.as_str(), tax.percent.as_str()), ("GB", "5"));
    assert_eq!((note.lines[1].quantity.as_str(), note.totals[0].amount.as_str()), ("90.1", "-10.50"));
    assert_eq!(books.sum("tax_payable", CUSTOMER, "USD"), -450);
    // The same again is the same note, though nobody named the tax.
    assert_eq!(books.act(&by_hand(&id, "g-1", &[("power", -1_000)])), Err("WB-5352"));
    assert_eq!(books.act(&by_hand(&id, "g-2", &[("power", -10), ("vat", -1)])), Err("WB-5370"));
    check_histories(&books);
}

#[test]
fn four_notes_of_a_line_each_credit_the_invoice_to_the_cent() {
    let fees = [("a", 6_833), ("b", 6_833), ("c", 5_750), ("d", 8_500)];
    let lines = fees.map(|(name, minor)| (name, minor, None));
    let tax: [Sample<'_>; 1] = [("vat", 0, Some(("20", &["a", "b", "c", "d"])))];
    let (mut books, id) = issued(&[lines.as_slice(), &tax].concat());
    // 20 % of 279.16 is 55.832.
    assert_eq!(books.sum("accounts_receivable", CUSTOMER, "USD"), 33_499);
    let mut taxes = Vec::new();
    for (name, minor) in fees {
        let events = books.act(&by_hand(&id, name, &[(name, -minor)])).unwrap();
        taxes.push(note_of(&events).lines[1].amount_minor.0);
    }
    assert_eq!(taxes, [-1_366, -1_367, -1_150, -1_700]);
    assert_eq!(books.sum("accounts_receivable", CUSTOMER, "USD"), 0);
}

#[test]
fn a_dispute_is_resolved_with_its_tax_and_a_cancelled_note_gives_it_back() {
    let (mut books, id) = issued(&[POWER, VAT]);
    let opened = books
        .act(&Command::OpenDispute(DisputeRequest {
            invoice_id: id.clone(),
            line_id: "lab-1/power".to_owned(),
            amount: Amount::new(2_000, "USD"),
            text: "too much".to_owned(),
            by: "hal".to_owned(),
            at_us: END_US + DAY_US,
        }))
        .unwrap();
    let [Event::DisputeOpened(opened)] = opened.as_slice() else { panic!() };
    let words = DisputeWords {
        dispute_id: opened.dispute_id.clone(),
        text: "right".to_owned(),
        by: "ana".to_owned(),
        at_us: END_US + 2 * DAY_US,
    };
    let events = books.act(&Command::AcceptDispute { words, credit_minor: 2_000 }).unwrap();
    assert_eq!(amounts(note_of(&events)), [("power", -2_000), ("vat", -100)]);
    let number = note_of(&events).number.clone();
    books.act(&by_hand(&id, "g-1", &[("power", -15)])).unwrap();
    let cancel = Command::CancelNote { note: number, text: "a slip".to_owned(), at_us: END_US + 3 * DAY_US };
    books.act(&cancel).unwrap();
    // As if the first note had never been: 5 % of 99.95 is 4.9975.
    assert_eq!(stands(&books.state, &id), [("power".to_owned(), 9_995), ("vat".to_owned(), 500)]);
    check_histories(&books);
}

#[test]
fn what_is_credited_of_the_tax_itself_stays_credited() {
    let (mut books, id) = issued(&[POWER, VAT]);
    // The customer turns out to be exempt.
    books.act(&by_hand(&id, "exempt", &[("vat", -500)])).unwrap();
    let events = books.act(&by_hand(&id, "g-1", &[("power", -1_000)])).unwrap();
    assert_eq!(amounts(note_of(&events)), [("power", -1_000)]);
    let number = note_of(&events).number.clone();
    let text = || "a slip".to_owned();
    books.act(&Command::CancelNote { note: number, text: text(), at_us: END_US + 3 * DAY_US }).unwrap();
    assert_eq!(stands(&books.state, &id), [("power".to_owned(), 10_010), ("vat".to_owned(), 0)]);
}

#[test]
fn late_data_are_taxed_on_top_of_what_was_credited() {
    let (mut books, id) = issued(&[POWER, VAT]);
    books.act(&by_hand(&id, "g-1", &[("power", -1_000)])).unwrap();
    let late = draft(20, &[("power", 11_013, None), VAT]);
    let events = books.act(&Command::Adjust { draft: Box::new(late), at_us: END_US + 2 * DAY_US }).unwrap();
    // 110.13 - 10.00 stand; 5 % of 100.13 is 5.0065: 5.01 of which 4.50 stood.
    assert_eq!(amounts(note_of(&events)), [("power", 1_003), ("vat", 51)]);
    books.act(&by_hand(&id, "all", &[("power", -10_013)])).unwrap();
    assert_eq!(stands(&books.state, &id), [("power".to_owned(), 0), ("vat".to_owned(), 0)]);
    check_histories(&books);
}

#[test]
fn an_adjustment_brings_new_lines_and_takes_taxes_away() {
    let (mut books, id) = issued(&[POWER, VAT]);
    let wider = draft(
        20,
        &[
            POWER,
            ("rent", 2_000, None),
            ("vat", 0, Some(("5", &["power", "rent"]))),
            ("city", 0, Some(("10", &["vat"]))),
        ],
    );
    let adjust = |draft| Command::Adjust { draft: Box::new(draft), at_us: END_US + DAY_US };
    let events = books.act(&adjust(wider)).unwrap();
    // 5 % of 120.10 is 6.005: 6.00; 10 % of 6.00.
    assert_eq!(amounts(note_of(&events)), [("rent", 2_000), ("city", 60), ("vat", 100)]);
    let events = books.act(&by_hand(&id, "g-1", &[("rent", -2_000)])).unwrap();
    assert_eq!(amounts(note_of(&events)), [("rent", -2_000), ("city", -10), ("vat", -100)]);
    let untaxed = draft(30, &[POWER, ("rent", 2_000, None)]);
    let events = books.act(&adjust(untaxed)).unwrap();
    assert_eq!(amounts(note_of(&events)), [("city", -50), ("vat", -500)]);
    check_histories(&books);
}

#[test]
fn a_note_whose_tax_does_not_follow_is_refused() {
    let (books, id) = issued(&[POWER, VAT]);
    let right = wb_ledger::decide(&books.state, &by_hand(&id, "g-1", &[("power", -1_000)])).unwrap();
    let [Event::CreditNoteIssued(note)] = right.as_slice() else { panic!() };
    type Forge = fn(&mut Note);
    let forgeries: [(&str, Forge); 3] = [
        ("without tax", |note| {
            note.lines.pop();
            note.totals[0].amount = "-10.00".to_owned();
            note.totals[0].amount_minor = "-1000".to_owned();
        }),
        ("less tax", |note| {
            note.lines[1].amount_minor.0 += 1;
            note.lines[1].after_minor.0 += 1;
            note.totals[0].amount = "-10.49".to_owned();
            note.totals[0].amount_minor = "-1049".to_owned();
        }),
        ("another rate", |note| note.lines[1].tax.as_mut().unwrap().percent = "6".to_owned()),
    ];
    for (what, forge) in forgeries {
        let mut forged = (**note).clone();
        forge(&mut forged);
        let mut state = books.state.clone();
        let refused = state.apply(&Event::CreditNoteIssued(Box::new(forged))).unwrap_err().to_string();
        assert!(refused.contains("its tax does not follow"), "{what}: {refused}");
    }
}

/// What is done with a line, and an amount.
type Act = (usize, u8, i128);

/// Random invoices with taxes on taxes, and random notes on them.
fn notes() -> impl Strategy<Value = (Vec<i128>, Vec<u32>, Vec<Act>)> {
    let lines = prop::collection::vec(1_i128..1_000_000, 1..4);
    let rates = prop::collection::vec(0_u32..2_500, 1..4);
    let acts = prop::collection::vec((0_usize..4, 0_u8..6, 1_i128..400_000), 0..24);
    (lines, rates, acts)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever notes there were, once every line is credited its tax is zero, and so is the whole.
    #[test]
    fn after_all_is_credited_tax_and_total_are_zero((lines, rates, acts) in notes()) {
        let names = ["a", "b", "c", "d"];
        let taxes = ["t0", "t1", "t2", "t3"];
        let percents: Vec<String> = rates.iter().map(|rate| format!("{}.{:02}", rate / 100, rate % 100)).collect();
        // Each tax is on all lines, and on the tax before it.
        let of: Vec<Vec<&str>> = (0..rates.len())
            .map(|index| names[..lines.len()].iter().copied().chain(index.checked_sub(1).map(|i| taxes[i])).collect())
            .collect();
        let samples = |lines: &[i128]| {
            let own = lines.iter().zip(names).map(|(minor, name)| (name, *minor, None));
            let taxed = (0..rates.len()).map(|i| (taxes[i], 0, Some((percents[i].as_str(), of[i].as_slice()))));
            own.chain(taxed).collect::<Vec<Sample<'_>>>()
        };
        let (mut books, id) = issued(&samples(&lines));
        let mut computed = lines.clone();
        for (index, (line, act, minor)) in acts.iter().enumerate() {
            let line = line % lines.len();
            let reference = format!("n-{index}");
            let command = match act {
                0..=2 => by_hand(&id, &reference, &[(names[line], -minor)]),
                3 => by_hand(&id, &reference, &[(names[line], *minor)]),
                4 => {
                    computed[line] = *minor;
                    let draft = draft(20 + u64::try_from(index).unwrap(), &samples(&computed));
                    Command::Adjust { draft: Box::new(draft), at_us: END_US + DAY_US }
                }
                _ => {
                    let notes = &books.state.item(&id).unwrap().notes;
                    let Some(note) = notes.get(line).cloned() else { continue };
                    Command::CancelNote { note, text: "a slip".to_owned(), at_us: END_US + DAY_US }
                }
            };
            // What cannot be credited any more is refused.
            while books.act(&command).is_ok_and(|events| matches!(command, Command::Adjust { .. }) && !events.is_empty()) {}
            // The tax is that of what stands, however it came to stand so.
            let lines = &books.state.item(&id).unwrap().lines;
            for ((tax_id, code), tax_line) in lines.iter().filter(|(_, line)| line.tax.is_some()) {
                let tax = tax_line.tax.as_ref().unwrap();
                let base: i128 = tax.of.iter().filter_map(|of| lines.get(&(of.clone(), code.clone()))).map(|line| line.billed_minor).sum();
                prop_assert_eq!(tax_line.billed_minor, tax.on_minor(base).unwrap(), "{}", tax_id);
            }
        }
        for (index, name) in names[..lines.len()].iter().enumerate() {
            let key = (format!("lab-1/{name}"), "USD".to_owned());
            let left = books.state.item(&id).unwrap().lines[&key].billed_minor;
            if left != 0 {
                books.act(&by_hand(&id, &format!("all-{index}"), &[(name, -left)])).unwrap();
            }
        }
        prop_assert_eq!(books.sum("tax_payable", CUSTOMER, "USD"), 0);
        prop_assert_eq!(books.sum("accounts_receivable", CUSTOMER, "USD"), 0);
        check_histories(&books);
    }
}
