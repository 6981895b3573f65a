//! Slurm's lists of nodes: `n1,n2` or `gpu[1-4,7]-ib`, a bracket of numbers in a name stands for one node each.

/// The most nodes that one list may stand for: more than any job has.
pub const NODES_MAX: usize = 4_096;

/// The nodes of a list, in its order; the reason where it is no list.
pub(super) fn expanded(list: &str) -> Result<Vec<String>, String> {
    let mut nodes = Vec::new();
    for part in parts(list) {
        let names = named(part)?;
        if nodes.len() + names.len() > NODES_MAX {
            return Err(format!("NodeList stands for more than {NODES_MAX} nodes"));
        }
        nodes.extend(names);
    }
    let is_name = |name: &String| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'[' | b']' | b','))
    };
    if nodes.is_empty() || !nodes.iter().all(is_name) {
        return Err(format!("NodeList is {list:?}; names such as n1,n2 or gpu[1-4,7] are read"));
    }
    let mut sorted = nodes.clone();
    sorted.sort();
    sorted.dedup();
    if sorted.len() < nodes.len() {
        return Err(format!("NodeList {list:?} has a node twice"));
    }
    Ok(nodes)
}

/// Split at the commas outside of brackets.
fn parts(list: &str) -> Vec<&str> {
    let (mut found, mut from, mut is_inside) = (Vec::new(), 0, false);
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'[' => is_inside = true,
            b']' => is_inside = false,
            b',' if !is_inside => {
                found.extend(list.get(from..at));
                from = at + 1;
            }
            _ => {}
        }
    }
    found.extend(list.get(from..));
    found
}

/// The nodes of a name with any number of brackets.
fn named(part: &str) -> Result<Vec<String>, String> {
    let Some((before, rest)) = part.split_once('[') else { return Ok(vec![part.to_owned()]) };
    let wrong = || format!("NodeList has {part:?}; a bracket holds numbers, such as gpu[1-4,07-09]");
    let (numbers, after) = rest.split_once(']').ok_or_else(wrong)?;
    let mut nodes = Vec::new();
    let tails = named(after)?;
    for range in numbers.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(first) || !is_number(last) {
            return Err(wrong());
        }
        let (from, to): (u64, u64) =
            (first.parse().map_err(|_| wrong())?, last.parse().map_err(|_| wrong())?);
        let most = u64::try_from(NODES_MAX).unwrap_or(u64::MAX);
        if to < from || to - from >= most || nodes.len() >= NODES_MAX {
            return Err(wrong());
        }
        for number in from..=to {
            for tail in &tails {
                nodes.push(format!("{before}{number:0width$}{tail}", width = first.len()));
            }
        }
    }
    if nodes.len() > NODES_MAX {
        Err(format!("NodeList stands for more than {NODES_MAX} nodes"))
    } else {
        Ok(nodes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::expanded;

    #[test]
    fn a_list_stands_for_its_nodes() {
        for (list, nodes) in [
            ("n1", "n1"),
            ("n1,n2", "n1 n2"),
            ("n[1-4]", "n1 n2 n3 n4"),
            ("gpu[08-11,20]-ib,x", "gpu08-ib gpu09-ib gpu10-ib gpu11-ib gpu20-ib x"),
            ("r[1-2]n[1-2]", "r1n1 r1n2 r2n1 r2n2"),
        ] {
            assert_eq!(expanded(list).unwrap().join(" "), nodes, "{list}");
        }
        for list in
            ["", "n[", "n[a-b]", "n[4-1]", "n[1-99999999]", "n[1-]", "n1,", "n1,n1", "None assigned", "n]1"]
        {
            assert!(expanded(list).is_err(), "{list}");
        }
        assert!(expanded(&"n[1-4000],".repeat(2)).is_err());
    }
}
