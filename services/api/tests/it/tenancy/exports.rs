//! Exports over HTTP: each customer gets its own rows, the operator all of them. The bytes do not depend on other
//! customers' data in the store.

use reqwest::StatusCode;
use serde_json::Value;
use wb_ledger::Hash;

use super::fixture::{CUSTOMER_A, CUSTOMER_B};
use super::server::{Api, Reader};

const TABLES: [&str; 4] = ["invoices", "lines", "usage", "focus"];
const FORMATS: [&str; 3] = ["csv", "jsonl", "parquet"];

/// The end of the ledger in the store of both.
const LEDGER_END: u64 = 6;

async fn file(api: &Api, reader: Reader, rest: &str) -> Vec<u8> {
    let response = api.export(reader, rest).await;
    assert_eq!(response.status(), StatusCode::OK, "{rest}: {}", response.text().await.unwrap());
    response.bytes().await.unwrap().to_vec()
}

async fn control(api: &Api, reader: Reader, rest: &str) -> Value {
    serde_json::from_slice(&file(api, reader, rest).await).unwrap()
}

fn holds(bytes: &[u8], mark: &str) -> bool {
    bytes.windows(mark.len()).any(|window| window == mark.as_bytes())
}

pub(crate) async fn keep_to_the_scope(both: &Api, only_a: &Api, only_b: &Api) {
    for table in TABLES {
        for format in FORMATS {
            let rest = format!("{table}?period=2026-10&format={format}");
            let a = file(both, Reader::CustomerA, &rest).await;
            let b = file(both, Reader::CustomerB, &rest).await;
            let all = file(both, Reader::Operator, &rest).await;
            assert_eq!(a, file(only_a, Reader::CustomerA, &rest).await, "B's rows change A's {rest}");
            assert_eq!(b, file(only_b, Reader::CustomerB, &rest).await, "A's rows change B's {rest}");
            assert!(holds(&a, "contract-aaa") && !holds(&a, "bbb"), "{rest}");
            assert!(holds(&b, "contract-bbb") && !holds(&b, "aaa"), "{rest}");
            assert!(holds(&all, "contract-aaa") && holds(&all, "contract-bbb"), "{rest}");
            let has_notes = table != "usage" && table != "invoices";
            assert_eq!(holds(&a, "Credit for aaa"), has_notes, "{rest}");
            let of_a = format!("{rest}&customer={CUSTOMER_A}");
            assert_eq!(file(both, Reader::Operator, &of_a).await, a, "the operator's file of A is A's own");
            assert_eq!(file(both, Reader::CustomerA, &of_a).await, a);
            let of_b = format!("{rest}&customer={CUSTOMER_B}");
            let refused = both.export(Reader::CustomerA, &of_b).await;
            assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{of_b}");
            totals(both, only_a, table, format).await;
        }
    }
    journal(both).await;
    refusals(both).await;
    let response = both.export(Reader::Operator, "lines?period=2026-10").await;
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-disposition"), "attachment; filename=\"weighbridge-lines-2026-10.csv\"");
    assert_eq!(header("content-type"), "text/csv; charset=utf-8; header=present");
    assert_eq!(header("weighbridge-ledger-end"), LEDGER_END.to_string());
    let before = file(both, Reader::Operator, "lines?period=2026-10&ledger_end=1").await;
    assert!(holds(&before, "contract-aaa") && !holds(&before, "bbb"), "as of an earlier end of the ledger");
}

async fn totals(both: &Api, only_a: &Api, table: &str, format: &str) {
    let rest = format!("{table}?period=2026-10&format={format}&ledger_end=1");
    let bytes = file(both, Reader::CustomerA, &rest).await;
    let rest = format!("{table}.control.json?period=2026-10&format={format}&ledger_end=1");
    let told = control(both, Reader::CustomerA, &rest).await;
    assert_eq!(told, control(only_a, Reader::CustomerA, &rest).await, "B's rows change A's totals");
    assert_eq!(told["file"]["sha256"], Hash::of(&bytes).to_string(), "{rest}");
    assert_eq!(told["file"]["bytes"], bytes.len());
    assert_eq!((&told["rows"], &told["records"]), (&Value::from(1), &Value::from(1)));
    assert_eq!(told["customer_id"], CUSTOMER_A);
    let sum = match table {
        "invoices" => &told["sums"]["total"],
        "lines" => &told["sums"]["amount"],
        "focus" => &told["sums"]["BilledCost"],
        _ => return,
    };
    assert_eq!(sum["USD"]["minor"], "23", "{rest}");
}

/// Only the operator may export the journal.
async fn journal(both: &Api) {
    let month = "2026-10";
    let rest = format!("journal?period={month}");
    let all = file(both, Reader::Operator, &rest).await;
    assert!(holds(&all, "GEN-000001") && holds(&all, "GEN-000002"), "{}", String::from_utf8_lossy(&all));
    let of_a = file(both, Reader::Operator, &format!("{rest}&customer={CUSTOMER_A}")).await;
    assert!(holds(&of_a, "GEN-000001") && !holds(&of_a, "bbb") && !holds(&of_a, "GEN-000002"));
    assert!(holds(&of_a, "bank 11") && !holds(&of_a, "bank 4000") && holds(&all, "bank 4000"));
    let accounts = ["accounts_receivable=1100", "revenue=4000", "cash=1000", "customer_balance=2300"];
    let accounts = accounts.map(|account| format!("&account={account}")).concat();
    let profile = format!("{rest}&profile=netsuite{accounts}&subsidiary=GEN=Genesis");
    let named = file(both, Reader::Operator, &profile).await;
    assert!(
        named.starts_with(b"External ID,Date,Subsidiary,") && holds(&named, ",Genesis,USD,1100,"),
        "{}",
        String::from_utf8_lossy(&named)
    );
    let nobody = file(both, Reader::Operator, &format!("{rest}&legal_entity=nobody")).await;
    assert_eq!(nobody.iter().filter(|byte| **byte == b'\n').count(), 1, "no books of another legal entity");
    let by_service = file(both, Reader::Operator, &format!("{rest}&revenue=service")).await;
    assert!(holds(&by_service, "GEN-000001"), "{}", String::from_utf8_lossy(&by_service));
    let before = file(both, Reader::Operator, "journal?period=1999-12").await;
    assert_eq!(before.iter().filter(|byte| **byte == b'\n').count(), 1, "a header and nothing else");
    for reader in [Reader::CustomerA, Reader::CustomerB] {
        for rest in [
            rest.clone(),
            format!("journal.control.json?period={month}"),
            format!("{rest}&customer={CUSTOMER_A}"),
        ] {
            let refused = both.export(reader, &rest).await;
            assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{rest}");
            let told = refused.text().await.unwrap();
            assert!(told.contains("only for the operator") && !told.contains("GEN-"), "{told}");
        }
    }
}

async fn refusals(both: &Api) {
    assert_eq!(both.export_of_nobody("lines?period=2026-10").await.status(), StatusCode::UNAUTHORIZED);
    for wrong in [
        "lines",
        "lines?period=2026-13",
        "lines?period=2026-10&format=xml",
        "lines?period=2026-10&since=1",
        "lines?period=2026-10&ledger_end=7",
        "lines?period=2026-10&ledger_end=x",
        "lines?period=2026-10&period=2026-10",
        "lines?period=2026-10&profile=xero",
        "lines?period=2026-10&account=revenue=4000",
        "journal?period=2026-10&profile=ledger",
        "journal?period=2026-10&profile=xero&format=jsonl",
        "journal?period=2026-10&account=4000",
        "journal?period=2026-10&account=reveneu=4000",
        "journal?period=2026-10&profile=quickbooks",
        "journal?period=2026-10&profile=xero&legal_entity=genesis",
        "journal?period=2026-10&currency=EUR&currency=USD",
        "contracts?period=2026-10",
        "lines.json?period=2026-10",
    ] {
        let response = both.export(Reader::Operator, wrong).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{wrong}");
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["code"], concat!("WB", "-5821"), "{wrong}: {answer}");
    }
}
