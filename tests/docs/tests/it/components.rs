//! Every worked example of a component is computed by the rating engine, and every kind of component has one.
//!
//! An example is a run of code blocks: `toml contract`, `json usage`, perhaps `json prices` and `json balances`, and
//! `text lines`. With WEIGHBRIDGE_DOCS_WRITE set, the lines are written into the page instead of compared.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wb_rating::{
    Context, Contract, DepositHeld, KINDS, Line, Period, PrepaidGrant, PriceFact, Prices, Usage, rate_in,
};

use crate::markdown::{Page, pages, root};

/// The head of every example's contract; `docs/src/contracts/components.md` shows it.
const HEAD: &str = "docs/src/contracts/components.md";

const FOLDER: &str = "docs/src/contracts/";

struct Example {
    contract: String,
    usage: Usage,
    context: Context,
    /// The lines that the page gives for it, and where.
    lines: String,
    range: std::ops::Range<usize>,
}

#[test]
fn every_example_comes_to_what_its_page_says() {
    let write = std::env::var_os("WEIGHBRIDGE_DOCS_WRITE").is_some();
    let mut shown = BTreeSet::new();
    for page in pages().into_iter().filter(|page| page.path.starts_with(FOLDER)) {
        let mut text = page.text.clone();
        // From the end, so that a replacement does not move the examples that follow.
        for example in examples(&page).into_iter().rev() {
            let contract = Contract::parse_toml(&example.contract)
                .unwrap_or_else(|error| panic!("{}: {error}\n{}", page.path, example.contract));
            let lines = rate_in(&contract, &example.context, &example.usage)
                .unwrap_or_else(|error| panic!("{}: {error}\n{}", page.path, example.contract));
            shown.extend(lines.iter().map(|line| line.kind.clone()));
            let computed: String = lines.iter().map(spelled).collect();
            if write {
                text.replace_range(example.range, &computed);
            } else {
                assert_eq!(example.lines, computed, "{}", page.path);
            }
        }
        if write {
            std::fs::write(root().join(&page.path), text).unwrap();
        }
    }
    let missing: Vec<_> = KINDS.iter().filter(|kind| !shown.contains(**kind)).collect();
    assert!(missing.is_empty(), "no worked example shows {missing:?}");
}

#[test]
fn every_kind_has_a_heading() {
    let of_contracts = pages().into_iter().filter(|page| page.path.starts_with(FOLDER));
    let headings: BTreeSet<String> = of_contracts.flat_map(|page| page.anchors()).collect();
    let missing: Vec<_> = KINDS.iter().filter(|kind| !headings.contains(**kind)).collect();
    assert!(missing.is_empty(), "no heading for {missing:?}");
}

fn spelled(line: &Line) -> String {
    let amount = format!("{} {}", line.amount.decimal_text(), line.amount.currency.code());
    let price = if line.unit_price.is_empty() { String::new() } else { format!(" at {}", line.unit_price) };
    format!("{}: {} {}{price} -> {amount}\n  {}\n", line.id, line.quantity, line.unit, line.formula)
}

fn examples(page: &Page) -> Vec<Example> {
    let head =
        Page::read(HEAD).code_blocks().into_iter().find(|block| block.info == "toml head").unwrap().text;
    let june = Period::month("2026-06", "UTC").unwrap().interval;
    let mut examples = Vec::new();
    let mut contract: Option<String> = None;
    let mut usage = Usage::default();
    let mut context = Context::whole(june).unwrap();
    for block in page.code_blocks() {
        match block.info.as_str() {
            "toml contract" => {
                contract = Some(format!("{head}\n{}", block.text));
                usage = Usage::default();
                context = Context::whole(june).unwrap();
            }
            "json usage" => {
                usage = Usage::parse(&block.text)
                    .unwrap_or_else(|error| panic!("{}: {error}\n{}", page.path, block.text));
            }
            "json prices" => context.prices = Prices::new(prices(&block.text)).unwrap(),
            "json balances" => {
                let balances: Value = serde_json::from_str(&block.text).unwrap();
                let list = |name: &str| balances.get(name).cloned().unwrap_or_else(|| json!([]));
                context.grants = serde_json::from_value::<Vec<PrepaidGrant>>(list("grants")).unwrap();
                context.deposits = serde_json::from_value::<Vec<DepositHeld>>(list("deposits")).unwrap();
            }
            "text lines" => examples.push(Example {
                contract: contract
                    .clone()
                    .unwrap_or_else(|| panic!("{}: lines without a contract", page.path)),
                usage: usage.clone(),
                context: context.clone(),
                lines: block.text,
                range: block.range,
            }),
            _ => {}
        }
    }
    examples
}

/// Prices as a page writes them; the fields that all prices of an example share are left out there.
fn prices(text: &str) -> Vec<PriceFact> {
    let listed: Vec<Value> = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let whole = listed.into_iter().enumerate().map(|(order, mut price)| {
        let fields = price.as_object_mut().unwrap();
        fields.entry("source").or_insert_with(|| json!("exchange"));
        fields.entry("order").or_insert_with(|| json!(order));
        fields.entry("valid_to_us").or_insert(Value::Null);
        serde_json::from_value(price).unwrap_or_else(|error| panic!("{error}\n{text}"))
    });
    whole.collect()
}
