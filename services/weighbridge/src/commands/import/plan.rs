//! What of stated facts is new, what is recorded already, and what contradicts it.

use std::collections::BTreeMap;

use serde_json::Value;
use wb_connect::fact_files::{FileFault, Mistake, Stated};
use wb_counted::{BlockId, FactRow, unresolved};
use wb_events::facts::CONTRACT_WITHDRAWAL;
use wb_rating::{RecordedVersions, VersionRefused, version_of};
use wb_units::Micros;
use wb_units::time::rfc3339;

/// Recorded facts by kind; of contracts, those that stand.
pub(crate) type Recorded = BTreeMap<String, Vec<FactRow>>;

/// What to do with stated facts.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// To be sent.
    pub(crate) new: Vec<Stated>,
    /// Recorded with the same content.
    pub(crate) known: Vec<Stated>,
    pub(crate) mistakes: Vec<Mistake>,
}

/// Compares stated facts with what is recorded. `meant` are kind and entity of facts that have mistakes elsewhere. With
/// `replace`, what differs from a fact of the same instant is sent too, but for contracts, whose versions never change.
/// A withdrawal is judged as ingest would at `now_us`.
pub(crate) fn plan(
    stated: Vec<Stated>,
    meant: &[(String, String)],
    recorded: &Recorded,
    (replace, now_us): (bool, Micros),
) -> Plan {
    let mut plan = Plan { mistakes: unknown(&stated, meant, recorded), ..Plan::default() };
    let latest = latest(recorded);
    let mut versions: BTreeMap<String, RecordedVersions> = BTreeMap::new();
    for row in recorded.get("contract").into_iter().flatten() {
        // Those that stand contradict each other nowhere.
        let _ =
            versions.entry(row.entity.clone()).or_default().record(&row.entity, row.valid_from_us, &row.body);
    }
    for one in stated {
        if one.kind == "contract" {
            let body = one.body.to_string();
            let known = recorded.get("contract").into_iter().flatten();
            let mut known = known.filter(|row| row.entity == one.entity);
            let is_known = known.any(|row| version_of(&row.body) == version_of(&body));
            match versions.entry(one.entity.clone()).or_default().record(&one.entity, one.from_us, &body) {
                Ok(_) if is_known => plan.known.push(one),
                Ok(_) => plan.new.push(one),
                Err(refused) => plan.mistakes.push(of_version(&one, &refused)),
            }
            continue;
        }
        match latest.get(&(one.kind, one.entity.as_str(), one.from_us)).map(|row| differences(row, &one)) {
            None => match withdrawal_refused(&versions, &one, now_us) {
                Some(mistake) => plan.mistakes.push(mistake),
                None => plan.new.push(one),
            },
            Some(differences) if differences.is_empty() => plan.known.push(one),
            Some(_) if replace => plan.new.push(one),
            Some(differences) => {
                let reason = format!(
                    "{} {} is recorded from {} with other content: {}; state what holds from a later instant, or give \
                     --replace, because of two facts of one instant the later recorded holds",
                    one.kind,
                    one.entity,
                    rfc3339(one.from_us),
                    differences.join(", ")
                );
                plan.mistakes.push(one.mistake(FileFault::Contradicts.code(), "", reason));
            }
        }
    }
    plan.mistakes.sort();
    plan
}

fn of_version(one: &Stated, refused: &VersionRefused) -> Mistake {
    let told = refused.to_string();
    let reason = told.strip_prefix(&format!("[{}] ", refused.code())).unwrap_or(&told);
    one.mistake(refused.code(), "version", reason.to_owned())
}

/// Why a withdrawal of a contract's version would be refused.
fn withdrawal_refused(
    versions: &BTreeMap<String, RecordedVersions>,
    one: &Stated,
    now_us: Micros,
) -> Option<Mistake> {
    let version =
        one.body.get("version").and_then(Value::as_u64).filter(|_| one.kind == CONTRACT_WITHDRAWAL)?;
    let none = RecordedVersions::default();
    let of = versions.get(&one.entity).unwrap_or(&none);
    let refused = of.check_withdrawal(&one.entity, version, one.from_us.max(now_us)).err()?;
    Some(of_version(one, &refused))
}

/// Of each kind, entity and instant, the fact recorded last.
fn latest(recorded: &Recorded) -> BTreeMap<(&str, &str, Micros), &FactRow> {
    let place = |row: &FactRow| (row.block.partition, row.block.block, row.idx);
    let mut latest: BTreeMap<(&str, &str, Micros), &FactRow> = BTreeMap::new();
    for (kind, rows) in recorded {
        for row in rows {
            let held = latest.entry((kind, &row.entity, row.valid_from_us)).or_insert(row);
            if place(row) > place(held) {
                *held = row;
            }
        }
    }
    latest
}

/// What a stated fact says differently, field by field.
fn differences(row: &FactRow, one: &Stated) -> Vec<String> {
    let recorded: Value = serde_json::from_str(&row.body).unwrap_or_default();
    let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    let mut fields: Vec<&String> = [&recorded, &one.body]
        .iter()
        .filter_map(|body| body.as_object())
        .flat_map(|body| body.keys())
        .collect();
    fields.sort();
    fields.dedup();
    let mut found: Vec<String> = fields
        .into_iter()
        .filter(|field| recorded.get(field) != one.body.get(field))
        .map(|field| format!("{field} {} -> {}", shown(recorded.get(field)), shown(one.body.get(field))))
        .collect();
    let until = |to_us: Option<Micros>| to_us.map_or_else(|| "nothing".to_owned(), rfc3339);
    if row.valid_to_us != one.to_us {
        found.push(format!("valid_to {} -> {}", until(row.valid_to_us), until(one.to_us)));
    }
    found
}

/// Stated facts that refer to something that is neither recorded nor in the files.
fn unknown(stated: &[Stated], meant: &[(String, String)], recorded: &Recorded) -> Vec<Mistake> {
    let mut all = recorded.clone();
    let row = |entity: &str, from_us, idx, body| FactRow {
        entity: entity.to_owned(),
        valid_from_us: from_us,
        valid_to_us: None,
        // After all that is recorded.
        block: BlockId { topic: String::new(), partition: u32::MAX, block: u64::MAX },
        idx,
        body,
    };
    for (kind, entity) in meant {
        all.entry(kind.clone()).or_default().push(row(entity, Micros::MIN, 0, "{}".to_owned()));
    }
    for (idx, one) in (0..).zip(stated) {
        let stated_row = row(&one.entity, one.from_us, idx, one.body.to_string());
        all.entry(one.kind.to_owned()).or_default().push(stated_row);
    }
    let places: BTreeMap<(&str, &str, Micros), &Stated> =
        stated.iter().map(|one| ((one.kind, one.entity.as_str(), one.from_us), one)).collect();
    let mut found = Vec::new();
    for of in unresolved(&all) {
        let Some(one) = places.get(&(of.kind.as_str(), of.entity.as_str(), of.from_us)) else { continue };
        let like = of.like.map_or_else(String::new, |like| format!("; did you mean {like}?"));
        let reason =
            format!("is {:?}, and no {} of that id is recorded or in these files{like}", of.id, of.refers_to);
        found.push(one.mistake(FileFault::RefersToNothing.code(), of.field, reason));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use wb_connect::fact_files::{File, read};

    const SITES: &str = "entity,valid_from,name,time_zone\nodessa,2026-10-01,Odessa,UTC\n";
    const MACHINES: &str = "entity,valid_from,site_id,model,rated_power_mw\nn1,2026-10-01,odessa,HGX,1\n";
    const CONTRACT: &str = r#"{"contract_id": "c", "customer_id": "acme", "legal_entity": "yard", "time_zone": "UTC",
        "effective_from": "2026-10-01T00:00:00Z",
        "components": [{"id": "fee", "kind": "fixed_fee", "currency": "USD", "amount": "10.00"}]}"#;
    const PARTIES: &str =
        "fact,entity,valid_from,name\ncustomer,acme,2026-10-01,Acme\nlegal_entity,yard,2026-10-01,Yard\n";

    /// 2026-12-01T00:00:00Z.
    const NOW_US: Micros = 1_796_083_200_000_000;

    fn stated(files: &[(&str, &str)]) -> Vec<Stated> {
        let files: Vec<File> =
            files.iter().map(|(name, text)| File { name: (*name).into(), text: (*text).into() }).collect();
        let facts = read(&files);
        assert!(facts.mistakes.is_empty(), "{:?}", facts.mistakes);
        facts.stated
    }

    /// What is recorded after these were sent.
    fn recorded(stated: &[Stated]) -> Recorded {
        let mut recorded = Recorded::new();
        for (block, one) in (0..).zip(stated) {
            recorded.entry(one.kind.to_owned()).or_default().push(FactRow {
                entity: one.entity.clone(),
                valid_from_us: one.from_us,
                valid_to_us: one.to_us,
                block: BlockId { topic: "reference".to_owned(), partition: 0, block },
                idx: 0,
                body: one.body.to_string(),
            });
        }
        recorded
    }

    fn told(plan: &Plan) -> Vec<String> {
        plan.mistakes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_second_import_sends_nothing_and_what_differs_is_told() {
        let all =
            [("sites.csv", SITES), ("machines.csv", MACHINES), ("p.csv", PARTIES), ("c.json", CONTRACT)];
        let first = plan(stated(&all), &[], &Recorded::new(), (false, NOW_US));
        assert_eq!((first.new.len(), first.known.len(), told(&first).len()), (5, 0, 0), "{:?}", told(&first));
        let recorded = recorded(&first.new);
        let again = plan(stated(&all), &[], &recorded, (false, NOW_US));
        assert_eq!((again.new.len(), again.known.len(), told(&again).len()), (0, 5, 0));

        let other = MACHINES.replace("HGX,1", "HGX H200,1");
        let differs = plan(stated(&[("machines.csv", &other)]), &[], &recorded, (false, NOW_US));
        assert!(
            told(&differs)[0].starts_with(
                "machines.csv:2: [WB-8021] machine n1 is recorded from 2026-10-01T00:00:00Z with other content: \
                 model \"HGX\" -> \"HGX H200\"; "
            ),
            "{:?}",
            told(&differs)
        );
        assert!(differs.new.is_empty());
        let replaced = plan(stated(&[("machines.csv", &other)]), &[], &recorded, (true, NOW_US));
        assert_eq!((replaced.new.len(), replaced.mistakes.len()), (1, 0));

        let dearer = CONTRACT.replace("10.00", "12.00");
        let refused = plan(stated(&[("c.json", &dearer)]), &[], &recorded, (true, NOW_US));
        let told = told(&refused);
        assert!(
            told[0]
                .starts_with("c.json:1: [WB-5124] version: version 1 of contract c is recorded with other"),
            "{told:?}"
        );
        assert!(told[0].contains("\"10.00\" -> \"12.00\""), "{told:?}");

        let withdrawal =
            "contract_id,valid_from,version,who,why\nc,2026-12-01,1,ana,late\nc,2026-12-02,7,ana,none\n";
        let withdrawn =
            plan(stated(&[("contract_withdrawals.csv", withdrawal)]), &[], &recorded, (true, NOW_US));
        let codes: Vec<_> = withdrawn.mistakes.iter().map(|mistake| mistake.code).collect();
        assert_eq!((codes, withdrawn.new.len()), (vec!["WB-5126", "WB-5125"], 0));
    }

    #[test]
    fn what_refers_to_nothing_is_told_with_what_is_like_it() {
        let lost = MACHINES.replace("odessa", "odesa");
        let refused = plan(
            stated(&[("sites.csv", SITES), ("machines.csv", &lost)]),
            &[],
            &Recorded::new(),
            (false, NOW_US),
        );
        assert_eq!(
            told(&refused),
            [
                "machines.csv:2: [WB-8022] site_id: is \"odesa\", and no site of that id is recorded or in these files; \
              did you mean odessa?"
            ]
        );
        // A site with a mistake of its own is meant to exist.
        let meant = [("site".to_owned(), "odesa".to_owned())];
        let plan = plan(stated(&[("machines.csv", &lost)]), &meant, &Recorded::new(), (false, NOW_US));
        assert!(plan.mistakes.is_empty(), "{:?}", told(&plan));
    }
}
