//! The page of fields and examples is written from the declared forms of facts and events.
//!
//! If WEIGHBRIDGE_DOCS_WRITE is set, the page is written instead of compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use wb_events::forms::{EVENT_FORMS, End, Entity, Field, Form, fact_forms};

use crate::markdown::root;

const PAGE: &str = "docs/src/sending/examples.md";

const HEAD: &str = "# Fields and examples

<!-- Written by `make book` from the declared forms: change shared/core/events/src/forms. -->

Every kind of fact and event, field by field, each with an example that a test sends through ingest's checks and the
fold, in this order. What each is for: [Facts](facts.md), [Shares and samples](shares.md).

- A field that is not listed is refused (`WB-2001`), and so is a body without a required one; all that are missing are
  named at once. A contract alone may have further fields, which stand on the page [Contract
  documents](../contracts/documents.md).
- Facts are sent by a source with the role `operator`. Their `valid_from_us` and `valid_to_us` are microseconds of UTC
  since 1970: 1790812800000000 is 2026-10-01T00:00:00Z.
- `weighbridge import` reads the same fields from [files](import.md), with `valid_from` and `valid_to` as dates.
- The same as JSON Schema (draft 2020-12): `schemas/events/event.schema.json`.
- The fact `redrive` is recorded by `weighbridge quarantine` alone and is refused from a source.

# Facts
";

#[test]
fn the_page_of_fields_is_what_the_forms_declare() {
    let page = page();
    let path = root().join(PAGE);
    if std::env::var_os("WEIGHBRIDGE_DOCS_WRITE").is_some() {
        std::fs::write(&path, page).unwrap();
        return;
    }
    let written = std::fs::read_to_string(&path).unwrap();
    let differs = written.lines().zip(page.lines()).position(|(written, declared)| written != declared);
    assert!(written == page, "{PAGE} differs from the forms (line {differs:?}): run `make book`");
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    // Two examples of one key are two events.
    let mut sequences: BTreeMap<String, u64> = BTreeMap::new();
    for form in fact_forms() {
        heading(&mut page, form.kind, form.variant, form.about);
        let _ = write!(page, "\n{}\n", head_of(form));
        table(&mut page, form.fields);
        for example in form.examples {
            let key = format!("{}/{}", form.kind, example.entity);
            let sequence = sequences.entry(key.clone()).or_default();
            let to = example.to_us.map_or_else(String::new, |to_us| format!(", \"valid_to_us\": {to_us}"));
            let _ = write!(
                page,
                "\n```json\n{{\"kind\": \"fact\", \"key\": \"{key}\", \"sequence\": {sequence}, \"event_time_us\": {from}, \
                 \"body\":\n {{\"fact\": \"{kind}\", \"entity\": \"{entity}\", \"valid_from_us\": {from}{to},\n  \"body\": \
                 {body}}}}}\n```\n",
                from = example.from_us,
                kind = form.kind,
                entity = example.entity,
                body = example.body,
            );
            *sequence += 1;
        }
    }
    page.push_str("\n# Events\n");
    for form in EVENT_FORMS {
        heading(&mut page, form.kind, form.variant, form.about);
        let _ = write!(page, "\nIts source has the role `{}`.\n", form.role);
        table(&mut page, form.fields);
        let _ = write!(
            page,
            "\n```json\n{{\"kind\": \"{}\", \"key\": \"{}\", \"sequence\": 0, \"event_time_us\": {}, \"body\":\n {}}}\n```\n",
            form.kind, form.key, form.at_us, form.body
        );
    }
    page
}

fn heading(page: &mut String, kind: &str, variant: &str, about: &str) {
    let variant = if variant.is_empty() { String::new() } else { format!(" ({variant})") };
    let about = about.split_whitespace().collect::<Vec<_>>().join(" ");
    let _ = write!(page, "\n## {kind}{variant}\n\n{about}\n");
}

/// What `entity` is, and until when the fact holds.
fn head_of(form: &Form) -> String {
    let entity = match form.entity {
        Entity::Chosen(what) => what.to_owned(),
        Entity::From(pattern) => format!("`{}`", pattern.replace(['{', '}'], "")),
    };
    let end = match form.end {
        End::UntilNext => "It holds until the next fact of its entity.",
        End::Instant => "It speaks of its `valid_from_us` alone.",
        End::May => "It holds until the next fact of its entity, or until `valid_to_us`.",
        End::Must => "It needs `valid_to_us`.",
    };
    format!("`entity`: {entity}. {end}")
}

fn table(page: &mut String, fields: &[Field]) {
    page.push_str("\n| Field | Type | Required | Meaning |\n|---|---|---|---|\n");
    for field in fields {
        let required = if field.required { "yes" } else { "" };
        let _ = writeln!(
            page,
            "| {} | {} | {required} | {} |",
            [Some(field.name), field.alias]
                .into_iter()
                .flatten()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(" or "),
            field.shape.words(),
            field.meaning.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
        );
    }
}
