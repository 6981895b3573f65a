//! Slurm's lists of nodes: `n1,n2` or `gpu[1-4,7]-ib`, a bracket of numbers in a name stands for one node each.

/// The most nodes that one list may stand for: more than any job has.
pub const NODES_MAX: usize = 4_096;

/// The most brackets in a name: Slurm itself writes one for each dimension of a machine, at most five.
const BRACKETS_MAX: usize = 8;

/// The longest text before, between and behind brackets, and the most digits in one, in bytes.
const PART_BYTES_MAX: usize = 64;
const DIGITS_MAX: usize = 9;

/// The longest text of a list that a message shows.
const SHOWN_CHARS: usize = 100;

/// The nodes of a list, in its order; the reason where it is no list.
pub(super) fn expanded(list: &str) -> Result<Vec<String>, String> {
    let mut nodes = Vec::new();
    for part in parts(list) {
        let names = named(part)?;
        if nodes.len() + names.len() > NODES_MAX {
            return Err(too_many());
        }
        nodes.extend(names);
    }
    let is_name = |name: &String| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'[' | b']' | b','))
    };
    if nodes.is_empty() || !nodes.iter().all(is_name) {
        let shown: String = list.chars().take(SHOWN_CHARS).collect();
        return Err(format!("NodeList is {shown:?}; names such as n1,n2 or gpu[1-4,7] are read"));
    }
    let mut sorted = nodes.clone();
    sorted.sort();
    sorted.dedup();
    if sorted.len() < nodes.len() {
        return Err("NodeList has a node twice".to_owned());
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

/// The nodes of a name with brackets.
fn named(part: &str) -> Result<Vec<String>, String> {
    let wrong = || {
        let shown: String = part.chars().take(SHOWN_CHARS).collect();
        format!("NodeList has {shown:?}; a bracket holds numbers, such as gpu[1-4,07-09]")
    };
    let (before, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
    if before.len() > PART_BYTES_MAX {
        return Err(wrong());
    }
    let mut nodes = vec![before.to_owned()];
    for _ in 0..BRACKETS_MAX {
        let Some(inside) = rest.strip_prefix('[') else { break };
        let (numbers, after) = inside.split_once(']').ok_or_else(wrong)?;
        let (between, next) = after.split_at(after.find('[').unwrap_or(after.len()));
        if between.len() > PART_BYTES_MAX {
            return Err(wrong());
        }
        let mut longer = Vec::new();
        for number in numbers.split(',') {
            let (first, last) = number.split_once('-').unwrap_or((number, number));
            let is_number = |text: &str| {
                (1..=DIGITS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
            };
            let (from, to): (u32, u32) = match (first.parse(), last.parse()) {
                (Ok(from), Ok(to)) if is_number(first) && is_number(last) && from <= to => (from, to),
                _ => return Err(wrong()),
            };
            for number in from..=to {
                if longer.len() + nodes.len() > NODES_MAX {
                    return Err(too_many());
                }
                let width = first.len();
                longer.extend(nodes.iter().map(|node| format!("{node}{number:0width$}{between}")));
            }
        }
        (nodes, rest) = (longer, next);
    }
    if rest.is_empty() { Ok(nodes) } else { Err(wrong()) }
}

fn too_many() -> String {
    format!("NodeList stands for more than {NODES_MAX} nodes")
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
            ("r[1-2]n[1-2]", "r1n1 r2n1 r1n2 r2n2"),
        ] {
            assert_eq!(expanded(list).unwrap().join(" "), nodes, "{list}");
        }
        for list in
            ["", "n[", "n[a-b]", "n[4-1]", "n[1-99999999]", "n[1-]", "n1,", "n1,n1", "None assigned", "n]1"]
        {
            assert!(expanded(list).is_err(), "{list}");
        }
        assert!(expanded(&"n[1-4000],".repeat(2)).is_err());
        // A few bytes that stand for millions of nodes, and a million brackets.
        assert!(expanded("n[1-4000][1-4000][1-4000]").is_err());
        assert!(expanded(&format!("n{}", "[1]".repeat(1_000_000))).is_err());
        assert!(expanded(&format!("n[{}1-4000]", "0".repeat(1_000_000))).is_err());
        assert!(expanded(&format!("n[1-4000]{}", "x".repeat(1_000_000))).is_err());
    }
}
