use super::*;

fn file(name: &str, text: &str) -> File {
    File { name: name.to_owned(), text: text.to_owned() }
}

fn mistakes(files: &[File]) -> Vec<String> {
    read(files).mistakes.iter().map(ToString::to_string).collect()
}

const CONTRACT: &str = r#"contract_id = "acme-gpus"
customer_id = "acme"
legal_entity = "yard"
time_zone = "UTC"
effective_from = "2026-10-01T00:00:00Z"
[[components]]
id = "fee"
kind = "fixed_fee"
currency = "USD"
amount = "10.00"
"#;

#[test]
fn the_same_facts_in_any_format_are_the_same_events() {
    let csv = file(
        "machines.csv",
        "entity,valid_from,site_id,model,rated_power_mw,gpus\nn1,2026-10-01,odessa,HGX,10200000,8\n",
    );
    let toml = file(
        "a.toml",
        "[[machine]]\nentity = \"n1\"\nvalid_from = 2026-10-01\nsite_id = \"odessa\"\nmodel = \"HGX\"\n\
         rated_power_mw = 10_200_000\ngpus = 8\n",
    );
    let json = file(
        "b.json",
        r#"[{"fact": "machine", "entity": "n1", "valid_from": "2026-09-30T19:00:00-05:00", "site_id": "odessa",
            "model": "HGX", "rated_power_mw": 10200000, "gpus": 8}]"#,
    );
    let by_kind = file(
        "c.json",
        r#"{"machines": [{"entity": "n1", "valid_from": "2026-10-01T00:00:00Z", "site_id": "odessa", "model": "HGX",
            "rated_power_mw": 10200000, "gpus": 8}]}"#,
    );
    let events: Vec<Value> = [csv, toml, json, by_kind]
        .map(|file| {
            let read = read(std::slice::from_ref(&file));
            assert!(read.mistakes.is_empty(), "{}: {:?}", file.name, read.mistakes);
            read.stated[0].event.clone()
        })
        .to_vec();
    assert!(events.iter().all(|event| *event == events[0]), "{events:#?}");
    assert_eq!(events[0]["body"]["valid_from_us"], 1_790_812_800_000_000_i64);
}

#[test]
fn every_kind_of_an_operators_start_is_read_and_what_others_refer_to_comes_first() {
    let files = [
        file(
            "assignments.csv",
            "valid_from,machine_id,customer_id,contract_id\n2026-10-01,n1,acme,acme-gpus\n",
        ),
        file("acme.toml", CONTRACT),
        file("machines.csv", "entity,valid_from,site_id,model,rated_power_mw\nn1,2026-10-01,odessa,HGX,1\n"),
        file(
            "meters-odessa.csv",
            "entity,valid_from,site_id,machine_id,measures\nm,2026-10-01,odessa,n1,site\n",
        ),
        file("sites.csv", "entity,valid_from,name,time_zone\nodessa,2026-10-01,Odessa,America/Chicago\n"),
        file(
            "parties.csv",
            "fact,entity,valid_from,name,address,payment\n\
             customer,acme,2026-10-01,Acme,2 High Street | Austin,\n\
             legal_entity,yard,2026-10-01,Yard Ltd,\"1 Mill Road\nOdessa\",IBAN 1\n",
        ),
        file(
            "outages.csv",
            "entity,valid_from,valid_to,machine_id,reason\no,2026-10-01,2026-10-02,n1,XID 79\n",
        ),
    ];
    let read = read(&files);
    assert!(read.mistakes.is_empty(), "{:?}", read.mistakes);
    let kinds: Vec<&str> = read.stated.iter().map(|stated| stated.kind).collect();
    assert_eq!(
        kinds,
        ["legal_entity", "customer", "site", "machine", "contract", "assignment", "meter", "outage"]
    );
    let entities: Vec<&str> = read.stated.iter().map(|stated| stated.entity.as_str()).collect();
    assert_eq!(entities[4..6], ["acme-gpus", "n1"], "what the body says need not be said again");
    assert_eq!(read.stated[0].body["address"], json!(["1 Mill Road", "Odessa"]));
    assert_eq!(read.stated[1].body["address"], json!(["2 High Street", "Austin"]));
    assert_eq!(read.stated[1].line, 2);
}

#[test]
fn all_mistakes_of_all_files_are_told_at_once() {
    let files = [
        file(
            "machines.csv",
            "entity,valid_from,site_id,model,rated_power_mw,gpu\n\
             n1,2026-10-01,odessa,HGX,ten,8\n\
             n2,yesterday,odessa,,1,\n\
             n3,2026-10-01,odessa,HGX,1,8,9\n\
             n 4,2026-10-01,odessa,HGX,1,\n\
             n5,2026-10-01T00:00:00,odessa,HGX,1,\n",
        ),
        file("sites.csv", "entity,valid_from,name,time_zone\nmars,2026-10-01,Mars,Mars\n,2026-10-01,X,UTC\n"),
        file("c.toml", &CONTRACT.replace("\"10.00\"", "\"ten\"").replace("fixed_fee", "fixed_fees")),
        file("d.toml", &CONTRACT.replace("effective_from = \"2026-10-01T00:00:00Z\"\n", "")),
        file(
            "e.toml",
            "[[wish]]\nx = 1\n[machine]\nx = 1\n[[price]]\nvalid_from = 2026-10-01\nseries = \"s\"\nunit = \"USD/MWh\"\nvalue = 41.5\n",
        ),
        file(
            "f.json",
            "[\n {\"fact\": \"outage\", \"entity\": \"o\", \"valid_from\": \"2026-10-01\", \"machine_id\": \"n\", \"reason\": \"r\"},\n {\"fact\": \"machin\"},\n 7]",
        ),
        file("g.json", "[{"),
        file("h.xls", ""),
        file("customers.csv", ""),
        file("i.csv", "entity,name\na,b\n"),
    ];
    let told = mistakes(&files);
    for words in [
        "machines.csv:1: [WB-2001] gpu: is no column of such a file; did you mean gpus?",
        "machines.csv:2: [WB-2001] rated_power_mw: is \"ten\"; right would be whole number, milliwatts",
        "machines.csv:3: [WB-2001] model: is missing: what it is (text)",
        "machines.csv:3: [WB-2001] valid_from: is \"yesterday\": write a date",
        "machines.csv:4: [WB-8018] has 7 cells, but the header line has 6",
        "machines.csv:5: [WB-2001] entity: an id has 1 to 128",
        "machines.csv:6: [WB-2001] valid_from: is \"2026-10-01T00:00:00\": write a date",
        "sites.csv:2: [WB-2001] time_zone: ",
        "sites.csv:3: [WB-2001] entity: is missing: it is the id of the site",
        "c.toml:8: [WB-5104] components[0].kind (line 8) is \"fixed_fees\"",
        "d.toml:1: [WB-2001] effective_from: is missing",
        "e.toml:1: [WB-2001] wish: is no kind of fact",
        "e.toml:3: [WB-2001] machine: is no list: write each fact under [[machine]]",
        "e.toml:5: [WB-2001] value: is 41.5; right would be decimal text, in quotes",
        "f.json:2: [WB-2001] valid_to: missing: this kind of fact speaks of a span, from valid_from to valid_to",
        "f.json:3: [WB-2001] fact: is \"machin\", which is no kind of fact; did you mean machine?",
        "f.json:4: [WB-8018] this is no JSON of facts",
        "g.json:1: [WB-8018] this is no JSON of facts",
        "h.xls:1: [WB-8018] the name of a file of facts ends with .csv, .toml or .json",
        "customers.csv:1: [WB-8018] there is no header line",
        "i.csv:2: [WB-2001] fact: is missing",
    ] {
        assert!(told.iter().any(|line| line.starts_with(words)), "no {words:?} in\n{}", told.join("\n"));
    }
}

#[test]
fn one_fact_is_stated_once() {
    let one = "entity,valid_from,name\nacme,2026-10-01,Acme\n";
    let told = mistakes(&[file("customers.csv", one), file("customers-2.csv", one)]);
    assert_eq!(
        told,
        [
            "customers-2.csv:2: [WB-8019] customers.csv:2 states customer acme at the same instant; write it once"
        ]
    );
}

#[test]
fn facts_are_bounded() {
    let mut rows = "entity,valid_from,name\n".to_owned();
    for number in 0..=FACTS_MAX {
        rows.push_str(&format!("c{number},2026-10-01,C\n"));
    }
    let read = read(&[file("customers.csv", &rows)]);
    assert_eq!(read.stated.len(), FACTS_MAX);
    assert_eq!(read.mistakes.len(), 1);
    assert_eq!((read.mistakes[0].code, read.mistakes[0].line), ("WB-8020", FACTS_MAX + 2));
}
