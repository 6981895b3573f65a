//! Parses the lines of a share log: shares and workbases.
//!
//! Fields as ckpool's stratifier writes them (`parse_submit` and `generate_workinfo`); others are ignored. A workbase's
//! prevhash, coinbase1, coinbase2, merklehash, version, bits and ntime are what its `mining.notify` carried.

use serde::Deserialize;
use serde_json::value::RawValue;
use wb_proof::stratum_v1::{self, NotifyText};
use wb_units::Micros;

/// The longest line that is read. A workbase lists all transactions of its block: some 4,000 hashes.
pub(crate) const LINE_BYTES_MAX: usize = 1024 * 1024;

/// The highest block height that is accepted.
const HEIGHT_MAX: u32 = 100_000_000;

#[derive(Deserialize)]
struct RawLine<'a> {
    workinfoid: Option<i64>,
    clientid: Option<i64>,
    enonce1: Option<String>,
    nonce2: Option<String>,
    nonce: Option<String>,
    ntime: Option<String>,
    #[serde(borrow)]
    diff: Option<&'a RawValue>,
    hash: Option<String>,
    workername: Option<String>,
    createdate: Option<String>,
    coinbase1: Option<String>,
    coinbase2: Option<String>,
    merklehash: Option<Vec<String>>,
    prevhash: Option<String>,
    version: Option<String>,
    bits: Option<String>,
    height: Option<u32>,
}

/// A share as the pool logged it. The pool's own verdict is ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShareLine {
    pub(crate) workinfo_id: i64,
    pub(crate) client_id: i64,
    pub(crate) extranonce1: String,
    pub(crate) extranonce2: String,
    pub(crate) ntime: String,
    pub(crate) nonce: String,
    /// The assigned difficulty, as in the log.
    pub(crate) difficulty: String,
    /// The hash in display order; empty if the pool did not compute it.
    pub(crate) hash: String,
    pub(crate) worker: String,
    pub(crate) created_us: Micros,
}

/// A workbase: the data of a job.
#[derive(Debug, Clone)]
pub(crate) struct Workbase {
    pub(crate) workinfo_id: i64,
    pub(crate) height: u32,
    pub(crate) created_us: Micros,
    pub(crate) prevhash: String,
    pub(crate) coinb1: String,
    pub(crate) coinb2: String,
    pub(crate) branch: Vec<String>,
    pub(crate) version: String,
    pub(crate) nbits: String,
    pub(crate) ntime: String,
    pub(crate) job: stratum_v1::Job,
}

/// The content of a line.
#[derive(Debug, Clone)]
pub(crate) enum Line {
    Share(ShareLine),
    Workbase(Box<Workbase>),
    /// Another message of ckpool, such as the end of a workbase or a login.
    Other,
}

/// ckpool's name for a workbase, which is also the job id that miners see.
pub(crate) fn job_id(workinfo_id: i64) -> String {
    format!("{workinfo_id:016x}")
}

/// Parses a line. `height_hint` is the height in the folder's name.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(line: &str, height_hint: Option<u32>) -> Result<Line, String> {
    // Messages to ckpool's database have their name before the object.
    let start = line.find('{').ok_or_else(|| "it holds no JSON object".to_owned())?;
    let raw: RawLine<'_> = serde_json::from_str(line[start..].trim_end())
        .map_err(|error| format!("it is not readable: {error}"))?;
    if raw.coinbase1.is_some() {
        return workbase(raw, height_hint).map(|workbase| Line::Workbase(Box::new(workbase)));
    }
    if raw.enonce1.is_some() && raw.nonce2.is_some() {
        return share(raw).map(Line::Share);
    }
    Ok(Line::Other)
}

fn needed<T>(field: &str, value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| format!("{field} is missing"))
}

/// `seconds,nanoseconds`.
fn time(text: &str) -> Result<Micros, String> {
    let read = || {
        let (seconds, nanos) = text.split_once(',')?;
        let (seconds, nanos) = (seconds.parse::<i64>().ok()?, nanos.parse::<u32>().ok()?);
        seconds.checked_mul(1_000_000)?.checked_add(i64::from(nanos / 1_000))
    };
    read().ok_or_else(|| format!("createdate {text:?} is not seconds,nanoseconds"))
}

fn share(raw: RawLine<'_>) -> Result<ShareLine, String> {
    let difficulty = needed("diff", raw.diff)?.get().trim_matches('"').to_owned();
    wb_proof::parse_difficulty_q32(&difficulty).map_err(|error| error.to_string())?;
    Ok(ShareLine {
        workinfo_id: needed("workinfoid", raw.workinfoid)?,
        client_id: needed("clientid", raw.clientid)?,
        extranonce1: needed("enonce1", raw.enonce1)?,
        extranonce2: needed("nonce2", raw.nonce2)?,
        ntime: needed("ntime", raw.ntime)?,
        nonce: needed("nonce", raw.nonce)?,
        difficulty,
        hash: raw.hash.unwrap_or_default(),
        worker: needed("workername", raw.workername)?,
        created_us: time(&needed("createdate", raw.createdate)?)?,
    })
}

fn workbase(raw: RawLine<'_>, height_hint: Option<u32>) -> Result<Workbase, String> {
    let workinfo_id = needed("workinfoid", raw.workinfoid)?;
    let coinb1 = needed("coinbase1", raw.coinbase1)?;
    let coinb2 = needed("coinbase2", raw.coinbase2)?;
    let branch = needed("merklehash", raw.merklehash)?;
    let prevhash = needed("prevhash", raw.prevhash)?;
    let version = needed("version", raw.version)?;
    let nbits = needed("bits", raw.bits)?;
    let ntime = needed("ntime", raw.ntime)?;
    let job = stratum_v1::decode_notify(&NotifyText {
        job_id: &job_id(workinfo_id),
        prevhash: &prevhash,
        coinb1: &coinb1,
        coinb2: &coinb2,
        branch: &branch,
        version: &version,
        nbits: &nbits,
        ntime: &ntime,
        clean_jobs: false,
    })
    .map_err(|error| error.to_string())?;
    let height = raw.height.or_else(|| bip34_height(&job.coinb1)).or(height_hint);
    let height = needed("the height, in the coinbase or the folder's name,", height)?;
    let created_us = match raw.createdate {
        Some(text) => time(&text)?,
        None => i64::from(job.ntime) * 1_000_000,
    };
    Ok(Workbase {
        workinfo_id,
        height,
        created_us,
        prevhash,
        coinb1,
        coinb2,
        branch,
        version,
        nbits,
        ntime,
        job,
    })
}

/// The height at the start of a coinbase (BIP34). Version, input count and null outpoint take 41 bytes; then come the
/// script's length and a little-endian push of 1 to 4 bytes.
fn bip34_height(coinb1: &[u8]) -> Option<u32> {
    let push = coinb1.get(42..)?;
    let (length, number) = push.split_first()?;
    let number = number.get(..usize::from(*length)).filter(|bytes| (1..=4).contains(&bytes.len()))?;
    let height = number.iter().rev().fold(0_u32, |height, byte| height << 8 | u32::from(*byte));
    (height <= HEIGHT_MAX).then_some(height)
}

/// The height in a folder's name of eight hex digits.
pub(crate) fn folder_height(name: &str) -> Option<u32> {
    let digits = name.len() == 8 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let height = u32::from_str_radix(name, 16).ok().filter(|_| digits)?;
    (height <= HEIGHT_MAX).then_some(height)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: &str = r#"{"workinfoid": 7700000000000000001, "clientid": 26, "enonce1": "0a1b2c3d", "nonce2": "0000000000000000", "nonce": "0badcafe", "ntime": "6ab54000", "diff": 3000.0, "sdiff": 4321.5, "hash": "00000000000a0b0c", "result": true, "errn": 0, "createdate": "1790261248,250000999", "createby": "code", "workername": "bc1q.rig 7", "username": "bc1q", "address": "192.0.2.1", "agent": "miner/1"}"#;

    #[test]
    fn a_share_is_read_whatever_else_the_line_says() {
        let Ok(Line::Share(share)) = parse(SHARE, None) else { panic!("no share") };
        assert_eq!((share.created_us, share.difficulty.as_str()), (1_790_261_248_250_000, "3000.0"));
        assert_eq!(job_id(share.workinfo_id), "6adbe53422820001");
        let named = format!("shares.0.1790261248.json={SHARE}");
        assert!(matches!(parse(&named, None), Ok(Line::Share(_))));
        assert!(matches!(parse(r#"{"workinfoid":1,"poolinstance":"x"}"#, None), Ok(Line::Other)));
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        for (line, part) in [
            (SHARE[..200].to_owned(), "not readable"),
            ("nothing".to_owned(), "no JSON"),
            (SHARE.replace("3000.0", "0"), "WB-1135"),
            (SHARE.replace(",250000999", ""), "createdate"),
            (SHARE.replace("\"nonce\": \"0badcafe\", ", ""), "nonce"),
            (r#"{"coinbase1":"0"}"#.to_owned(), "workinfoid"),
        ] {
            let error = parse(&line, None).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn heights_come_from_coinbase_or_folder() {
        assert_eq!(folder_height("000ec92b"), Some(969_003));
        for name in ["ec92b", "000ec92g", "ffffffff", "000ec92bb"] {
            assert_eq!(folder_height(name), None, "{name}");
        }
        let mut coinb1 = vec![0; 42];
        coinb1.extend([3, 0x2b, 0xc9, 0x0e]);
        assert_eq!(bip34_height(&coinb1), Some(969_003));
        assert_eq!(bip34_height(&coinb1[..44]), None);
        assert_eq!(bip34_height(&[]), None);
    }
}
