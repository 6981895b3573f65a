//! The sheet of a statement of account.

use wb_ledger::{Statement, money_text};

use crate::invoice::{columns, party_sections, payment};
use crate::language::Language;
use crate::number::decimal;
use crate::party::Parties;
use crate::sheet::{Cell, Fact, Sheet, Table};

impl Sheet {
    /// The sheet of a statement.
    #[must_use]
    pub fn of_statement(statement: &Statement, parties: &Parties, language: Language) -> Self {
        let words = language.words();
        let money = |minor: i128| {
            let text = decimal(&money_text(minor, &statement.currency), language);
            format!("{text} {}", statement.currency)
        };
        let entry = |entry: &wb_ledger::StatementEntry| {
            vec![
                Cell::text(language.day(entry.at_us)),
                Cell::text(language.event(entry.kind)),
                Cell::text(entry.document.as_str()),
                Cell::text(money(entry.amount_minor.0)),
                Cell::text(money(entry.balance_minor.0)),
            ]
        };
        let open = |item: &wb_ledger::OpenItem| {
            vec![
                Cell::text(item.number.as_str()),
                Cell::text(item.due_us.map(|due_us| language.day(due_us)).unwrap_or_default()),
                Cell::text(money(item.open_minor.0)),
            ]
        };
        let entries = Table {
            heading: words.entries.to_owned(),
            columns: columns(&[
                (words.date, false),
                (words.entry, false),
                (words.document, false),
                (words.amount, true),
                (words.balance, true),
            ]),
            rows: statement.entries.iter().map(entry).collect(),
            totals: vec![Fact::new(words.balance, money(statement.balance_minor.0))],
        };
        let ageing = &statement.ageing;
        let aged = [
            (words.not_due, ageing.current_minor),
            ("1–30", ageing.days_1_30_minor),
            ("31–60", ageing.days_31_60_minor),
            ("61–90", ageing.days_61_90_minor),
            ("> 90", ageing.days_over_90_minor),
        ];
        let open_items = Table {
            heading: words.open_items.to_owned(),
            columns: columns(&[(words.document, false), (words.due, false), (words.open, true)]),
            rows: statement.open_items.iter().map(open).collect(),
            totals: vec![Fact::new(words.open, money(statement.receivable_minor.0))],
        };
        let by_age = Table {
            heading: words.days_overdue.to_owned(),
            columns: columns(&[(words.days_overdue, false), (words.open, true)]),
            rows: aged
                .iter()
                .map(|(name, minor)| vec![Cell::text(*name), Cell::text(money(minor.0))])
                .collect(),
            totals: Vec::new(),
        };
        let mut facts = vec![
            Fact::new(words.as_of, language.day(statement.at_us)),
            Fact::new(words.currency, &statement.currency),
            Fact::new(words.open, money(statement.receivable_minor.0)),
            Fact::new(words.unallocated, money(statement.unallocated_minor.0)),
            Fact::new(words.balance, money(statement.balance_minor.0)),
        ];
        if statement.disputed_minor.0 != 0 {
            facts.push(Fact::new(words.disputed, money(statement.disputed_minor.0)));
        }
        if statement.mined_payable_minor.0 != 0 {
            facts.push(Fact::new(words.mined_payable, money(statement.mined_payable_minor.0)));
        }
        Self {
            language: language.tag(),
            title: format!("{} {}", words.statement, statement.customer_id),
            id: format!("{}/{}/{}", statement.legal_entity, statement.customer_id, statement.currency),
            dated_us: statement.at_us,
            parties: party_sections(parties, language),
            facts,
            tables: vec![entries, open_items, by_age],
            remark: words.owed.to_owned(),
            sections: payment(parties, language),
            annexes: Vec::new(),
            page_of: words.page_of.to_owned(),
        }
    }
}
