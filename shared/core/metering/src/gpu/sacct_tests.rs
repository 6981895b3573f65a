use super::*;

const HEADER: &str = "JobIDRaw|Account|State|Start|End|ElapsedRaw|AllocTRES|NodeList|JobName\n";

fn one(row: &str) -> RowOutcome {
    parse(&format!("{HEADER}{row}\n")).unwrap().rows.remove(0)
}

fn quarantine_reason(row: &str) -> String {
    match one(row) {
        RowOutcome::Quarantined { line: 2, reason, .. } => reason,
        other => panic!("{row} gave {other:?}"),
    }
}

#[test]
fn instants_are_utc_microseconds() {
    for (text, seconds) in [
        ("1970-01-01T00:00:00", Some(0)),
        ("2009-01-03T18:15:05", Some(1_231_006_505)),
        ("2024-02-29T12:00:00", Some(1_709_208_000)),
        ("2026-11-01T00:00:00", Some(1_793_491_200)),
        ("2026-02-29T00:00:00", None),
        ("2026-13-01T00:00:00", None),
        ("2026-11-01 00:00:00", None),
        ("2026-11-01T24:00:00", None),
        ("2026-11-01T23:59:60", None),
        ("1969-12-31T23:59:59", None),
        ("2026-11-01T00:00:0x", None),
        ("Unknown", None),
    ] {
        assert_eq!(instant(text, &TimeZone::UTC).ok(), seconds.map(|s: i64| s * SECOND_US), "{text}");
    }
}

#[test]
fn a_job_name_may_hold_the_delimiter() {
    let outcome = one("9|acme|COMPLETED|2026-11-01T00:00:00|2026-11-01T00:00:10|10|gres/gpu=2|n1|a|b|c");
    let RowOutcome::Span(span) = outcome else { panic!("{outcome:?}") };
    assert_eq!((span.gpus, span.node_id.as_str(), span.elapsed_s), (2, "n1", 10));
}

#[test]
fn typed_gpus_are_summed_only_without_a_total() {
    for (tres, gpus) in [
        ("cpu=1,gres/gpu:h100=8,gres/gpu=8", Ok(8)),
        ("gres/gpu:a100=2,gres/gpu:h100=3", Ok(5)),
        ("cpu=4,mem=1G", Ok(0)),
        ("", Ok(0)),
    ] {
        assert_eq!(gpus_of(tres), gpus, "{tres}");
    }
    assert!(gpus_of("gres/gpu=x").is_err());
}

#[test]
fn rows_that_contradict_themselves_are_quarantined_with_a_reason() {
    for (row, word) in [
        ("9|a|COMPLETED|2026-11-01T00:00:00|2026-11-01T00:00:10|11|gres/gpu=2|n1|j", "ElapsedRaw says 11 s"),
        ("9|a|COMPLETED|2026-11-01T00:00:10|2026-11-01T00:00:00|10|gres/gpu=2|n1|j", "-10 s"),
        ("9|a|COMPLETED|2026-11-01T00:00:00|Unknown|9|gres/gpu=2|n1|j", "only a running job"),
        ("9|a|COMPLETED|2026-11-01T00:00:00|2026-11-01T00:00:10|10|gres/gpu=15|n[1-2]|j", "does not divide"),
        ("9|a|COMPLETED|yesterday|2026-11-01T00:00:10|10|gres/gpu=2|n1|j", "no time"),
        ("9|a|COMPLETED", "3 fields"),
        ("|a|COMPLETED|2026-11-01T00:00:00|2026-11-01T00:00:10|10|gres/gpu=2|n1|j", "no job id"),
    ] {
        let reason = quarantine_reason(row);
        assert!(reason.contains(word), "{row}: {reason}");
    }
}

#[test]
fn a_part_of_a_gpu_is_never_a_whole_one() {
    for tres in [
        "gres/gpu:a100_1g.5gb=2,gres/gpu=2",
        "gres/gpu:a100l.2g.20gb=1",
        "gres/gpu:1g.10gb+me=1,gres/gpu=1",
        "gres/gpu:nvidia_a100_3g.20gb=1",
        "gres/shard=4",
        "gres/mps:a100=50",
    ] {
        assert!(gpus_of(tres).unwrap_err().contains("no whole one"), "{tres}");
    }
    for (tres, gpus) in [("gres/gpu:h100=2,gres/shard=0", 2), ("gres/nic=1,gres/gpu:rtx_6000=1", 1)] {
        assert_eq!(gpus_of(tres), Ok(gpus), "{tres}");
    }
}

fn shown(text: &str) -> Vec<String> {
    let shown = |row| match row {
        RowOutcome::Span(span) => format!(
            "{} {} {} x {} s",
            span.allocation_id,
            span.node_id,
            span.gpus,
            (span.end_us.unwrap() - span.start_us) / SECOND_US
        ),
        RowOutcome::Nothing { job_id, why } => format!("{job_id} {why:?}"),
        RowOutcome::Quarantined { line, job_id, .. } => format!("{job_id} line {line} quarantined"),
    };
    parse(text).unwrap().rows.into_iter().map(shown).collect()
}

#[test]
fn a_suspended_job_held_its_gpus_and_one_on_several_nodes_held_some_on_each() {
    let header = HEADER.replace("|JobName", "");
    let text = format!(
        "{header}1|acme|COMPLETED|2026-10-05T10:00:00|2026-10-05T11:56:40|5200|gres/gpu=2|n1\n\
         2|acme|COMPLETED|2026-10-05T10:00:00|2026-10-05T12:00:00|7200|gres/gpu:h100=32,gres/gpu=32|n[1-4]\n\
         3|acme|COMPLETED|2026-10-05T10:00:00|2026-10-05T12:00:00|7200|gres/gpu=12|n5,n6\n"
    );
    let eight = |node: &str| format!("2 {node} 8 x 7200 s");
    let expected = ["1 n1 2 x 7000 s".to_owned(), eight("n1"), eight("n2"), eight("n3"), eight("n4")];
    assert_eq!(shown(&text)[..5], expected);
    assert_eq!(shown(&text)[5..], ["3 n5 6 x 7200 s", "3 n6 6 x 7200 s"]);
    assert_eq!(parse(&text).unwrap().warnings, []);
}

#[test]
fn a_name_with_a_line_break_forges_nothing_unseen() {
    let row = |id: u32, account: &str, name: &str| {
        format!("{id}|{account}|COMPLETED|2026-10-05T10:00:00|2026-10-05T10:00:10|10|gres/gpu=1|n1|{name}\n")
    };
    let forged = row(53_999, "acme", "x");
    let text = format!(
        "{HEADER}{}{forged}{}",
        row(53_001, "birch", "sweep"),
        row(53_002, "birch", "two\nlines\n12 of them")
    );
    assert_eq!(
        shown(&text),
        [
            "53001 n1 1 x 10 s",
            "53999 line 3 quarantined",
            "53002 n1 1 x 10 s",
            "12 of them line 6 quarantined"
        ]
    );
    assert_eq!(parse(&text).unwrap().warnings, [Warning::NamesCanForgeRows]);
    // A row of which bytes are missing is no name.
    let cut = format!("{HEADER}{}53003|birch|COMP\n", row(53_001, "birch", "sweep"));
    assert_eq!(shown(&cut)[1], "53003 line 3 quarantined");
}

#[test]
fn what_is_not_recorded_is_not_none() {
    let row = |tres: &str| {
        let header = HEADER.replace("|JobName", "");
        format!("{header}1|acme|COMPLETED|2026-10-05T10:00:00|2026-10-05T10:00:10|10|{tres}|n1\n")
    };
    assert_eq!(parse(&row("billing=96,cpu=96,mem=800G,node=1")), Err(SacctError::GpusNotTracked));
    for tres in ["cpu=96,gres/gpu=0", "cpu=96,gres/gpu=8", "gres/shard=1"] {
        assert!(parse(&row(tres)).is_ok(), "{tres}");
    }
    let never = row("cpu=1").replace("2026-10-05T10:00:00", "None");
    assert!(parse(&never).is_ok());
}

#[test]
fn a_header_without_a_column_is_refused() {
    assert_eq!(parse("JobName"), Err(SacctError::MissingColumn { column: "JobIDRaw" }));
    assert_eq!(parse(""), Err(SacctError::MissingColumn { column: "JobIDRaw" }));
    let moved = "JobName|JobIDRaw|Account|State|Start|End|ElapsedRaw|AllocTRES|NodeList";
    assert_eq!(parse(moved), Err(SacctError::NameNotLast { at: 1, columns: 9 }));
}

#[test]
fn local_times_are_read_in_the_clusters_zone_and_ambiguous_ones_refused() {
    let in_chicago = |start: &str, end: &str, elapsed: u32| {
        let text = format!("{HEADER}9|a|COMPLETED|{start}|{end}|{elapsed}|gres/gpu=2|n1|j\n");
        parse_in_zone(&text, "America/Chicago").unwrap().rows.remove(0)
    };
    // The night of 1 November 2026 has its second hour twice: 00:30 to 03:30 are four hours.
    let RowOutcome::Span(span) = in_chicago("2026-11-01T00:30:00", "2026-11-01T03:30:00", 14_400) else {
        panic!("a night with 25 hours")
    };
    assert_eq!(span.start_us, (1_793_491_200 + 5 * 3_600 + 1_800) * SECOND_US);
    for (start, word) in
        [("2026-11-01T01:30:00", "happened twice"), ("2026-03-08T02:30:00", "does not exist")]
    {
        let RowOutcome::Quarantined { reason, .. } = in_chicago(start, "2026-11-02T00:00:00", 1) else {
            panic!("{start}")
        };
        assert!(reason.contains(word), "{reason}");
    }
    assert_eq!(parse_in_zone(HEADER, "Moon/Base").unwrap_err().code(), "WB-3114");
}
