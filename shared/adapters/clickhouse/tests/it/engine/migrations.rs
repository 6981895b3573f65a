//! The schema is created once, is migrated forward in order, and never back.

use wb_clickhouse::migrate::{MIGRATIONS, Migration};
use wb_clickhouse::{Cut, Store};

/// Migrations of a later program: the second column depends on the first.
const LATER: [Migration; 2] = [
    Migration {
        file: "9001_facts_note.sql",
        sql: "ALTER TABLE facts ADD COLUMN IF NOT EXISTS note String DEFAULT concat('of ', entity)",
    },
    Migration {
        file: "9002_facts_note_length.sql",
        sql: "ALTER TABLE facts ADD COLUMN IF NOT EXISTS note_length UInt64 DEFAULT length(note)",
    },
];

/// The schema of a later program with a number of its new files.
fn later(count: usize) -> Vec<Migration> {
    [MIGRATIONS, &LATER[..count]].concat()
}

fn files(migrations: &[Migration]) -> Vec<&'static str> {
    migrations.iter().map(|migration| migration.file).collect()
}

pub(crate) async fn are_applied_once_and_never_changed(store: &Store, other: &Store) {
    // Two processes at once: both succeed, whichever applies what.
    let (first, second) = tokio::join!(store.migrate(), other.migrate());
    assert!(first.unwrap().len() + second.unwrap().len() >= MIGRATIONS.len());
    assert_eq!(store.migrate().await.unwrap(), Vec::<&str>::new());
    let tables: u64 = store
        .client()
        .query_raw("SELECT count() FROM system.tables WHERE database = currentDatabase()")
        .fetch_one()
        .await
        .unwrap();
    assert_eq!(usize::try_from(tables).unwrap(), MIGRATIONS.len() + 1);
    assert_eq!(store.cut().await.unwrap(), Cut(0), "nothing is committed yet");

    let mut changed = MIGRATIONS.to_vec();
    changed[0].sql = "SELECT 1";
    assert_eq!(store.apply(&changed).await.unwrap_err().code(), "WB-3204");
    let with = |sql| [MIGRATIONS, &[Migration { file: "9000_broken.sql", sql }]].concat();
    let broken = with("CREATE TABLE IF NOT EXISTS");
    assert_eq!(store.apply(&broken).await.unwrap_err().code(), "WB-3203");
    let repaired = with("CREATE TABLE IF NOT EXISTS t (x UInt8) ORDER BY x");
    assert_eq!(store.apply(&repaired).await.unwrap(), ["9000_broken.sql"], "a failed file is not noted");
}

/// After a kill at any file, before or after its note, the next start applies the rest in order.
pub(crate) async fn go_on_where_they_were_killed(store: &Store) {
    let client = store.client();
    let (before, killed) = MIGRATIONS.split_at(7);
    assert_eq!(store.apply(before).await.unwrap(), files(before));
    client.query_raw(killed[0].sql).execute().await.unwrap();
    assert_eq!(store.migrate().await.unwrap(), files(killed));

    let fact = "INSERT INTO facts (kind, entity, valid_from_us) SELECT 'machine', {entity:String}, 1";
    client.query_raw(fact).param("entity", "m-1").execute().await.unwrap();
    client.query_raw(LATER[0].sql).execute().await.unwrap();
    assert_eq!(store.apply(&later(1)).await.unwrap(), files(&LATER[..1]), "it was not noted");
    assert_eq!(store.apply(&later(2)).await.unwrap(), files(&LATER[1..]));
    assert_eq!(store.apply(&later(2)).await.unwrap(), Vec::<&str>::new());
    // Existing rows have the new columns too, and this program's writer and columns still fit.
    client.query_raw(fact).param("entity", "m-22").execute().await.unwrap();
    store.check_columns().await.unwrap();
    let sql = "SELECT note, note_length FROM facts ORDER BY entity";
    let found: Vec<(String, u64)> = client.query_raw(sql).fetch_all().await.unwrap();
    assert_eq!(found, [("of m-1".to_owned(), 6), ("of m-22".to_owned(), 7)]);

    let refused = store.migrate().await.unwrap_err();
    assert_eq!(refused.code(), "WB-3208");
    assert!(refused.to_string().contains("9001_facts_note.sql"), "{refused}");
}
