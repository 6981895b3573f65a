//! The forms of a share: a submit of Stratum V1, a submit of a standard or an extended channel of Stratum V2, and the
//! bare header.

use serde::Deserialize;
use wb_proof::hex;
use wb_proof::stratum_v2::MAX_PREFIX_BYTES;

use super::{InputError, check_id};
use crate::facts::EXTRANONCE_BYTES_MAX;
use crate::wire;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JsonShare {
    session_id: String,
    #[serde(default)]
    job_id: String,
    #[serde(default)]
    extranonce2: Option<String>,
    #[serde(default)]
    ntime: Option<String>,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(default)]
    version_bits: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    extranonce: Option<String>,
    #[serde(default)]
    header: Option<String>,
    #[serde(default)]
    height: Option<u32>,
}

/// Turns the JSON form into the wire form.
pub(super) fn read(json: JsonShare) -> Result<wire::Share, InputError> {
    let as_input =
        |error: hex::HexError| InputError::field(format!("body.{}", error.field()), error.to_string());
    let mut share = wire::Share { session_id: json.session_id, ..wire::Share::default() };
    if let Some(header) = json.header {
        let header: [u8; 80] = hex::decode_array("header", &header).map_err(as_input)?;
        share.header = header.to_vec();
        let Some(height) = json.height else {
            return Err(InputError::field(
                "body.height",
                "missing: a bare header comes with its block height",
            ));
        };
        share.height = height;
        return Ok(share);
    }
    let needed = |field: &'static str, value: Option<String>| {
        value.ok_or_else(|| {
            let reason = "missing: a submit has ntime and nonce, eight hex digits each";
            InputError::field(format!("body.{field}"), reason)
        })
    };
    share.job_id = json.job_id;
    share.ntime = hex::decode_u32("ntime", &needed("ntime", json.ntime)?).map_err(as_input)?;
    share.nonce = hex::decode_u32("nonce", &needed("nonce", json.nonce)?).map_err(as_input)?;
    let number = |field, text: Option<String>| {
        text.map(|text| hex::decode_u32(field, &text)).transpose().map_err(as_input)
    };
    share.version = number("version", json.version)?;
    share.version_bits = number("version_bits", json.version_bits)?;
    share.extranonce = json
        .extranonce
        .map(|extranonce| hex::decode_vec("extranonce", &extranonce, MAX_PREFIX_BYTES))
        .transpose()
        .map_err(as_input)?;
    if share.version.is_some() && json.extranonce2.is_some() {
        return Err(of_two_forms("extranonce2"));
    }
    share.extranonce2 =
        hex::decode_vec("extranonce2", json.extranonce2.as_deref().unwrap_or_default(), EXTRANONCE_BYTES_MAX)
            .map_err(as_input)?;
    Ok(share)
}

fn of_two_forms(field: &str) -> InputError {
    let reason = "a share has one form: Stratum V1 has extranonce2 and version_bits, Stratum V2 has version and, on an \
                  extended channel, extranonce, a bare header has header and height";
    InputError::field(format!("body.{field}"), reason)
}

/// Checks a share that came in any form, and clears what only ingest may set.
pub(super) fn check(share: &mut wire::Share) -> Result<(), InputError> {
    share.resolution = None;
    check_id("body.session_id", &share.session_id)?;
    let bare = !share.header.is_empty();
    if bare && share.header.len() != 80 {
        let reason = format!("has {} bytes, a header has 80", share.header.len());
        return Err(InputError::field("body.header", reason));
    }
    if !bare {
        check_id("body.job_id", &share.job_id)?;
    }
    if share.extranonce2.len() > EXTRANONCE_BYTES_MAX {
        return Err(InputError::field("body.extranonce2", "longer than 64 bytes"));
    }
    if share.extranonce.as_ref().is_some_and(|extranonce| extranonce.len() > MAX_PREFIX_BYTES) {
        return Err(InputError::field("body.extranonce", "longer than 32 bytes"));
    }
    let v2 = share.version.is_some();
    for (field, there, of_form) in [
        ("version", share.version.is_some(), !bare),
        ("extranonce", share.extranonce.is_some(), !bare && v2),
        ("extranonce2", !share.extranonce2.is_empty(), !v2),
        ("version_bits", share.version_bits.is_some(), !v2),
    ] {
        if there && !of_form {
            return Err(of_two_forms(field));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::input::parse_json;
    use crate::wire::{Share, event::Body};

    fn parse(body: &str) -> Result<Share, crate::input::InputError> {
        let text = format!(
            r#"{{"kind":"share","key":"k","sequence":1,"event_time_us":1790000000000000,"body":{{"session_id":"s",{body}}}}}"#
        );
        parse_json("pool", &text).map(|event| match event.body {
            Some(Body::Share(share)) => share,
            other => panic!("{other:?}"),
        })
    }

    const TIMES: &str = r#""job_id":"7","ntime":"5f368665","nonce":"00000001""#;

    #[test]
    fn each_form_is_told_from_the_others() {
        let v1 = parse(&format!(r#"{TIMES},"extranonce2":"00ff","version_bits":"00002000""#)).unwrap();
        assert_eq!((v1.version, v1.extranonce, v1.version_bits), (None, None, Some(0x2000)));
        let standard = parse(&format!(r#"{TIMES},"version":"20000000""#)).unwrap();
        assert_eq!((standard.version, standard.extranonce), (Some(0x2000_0000), None));
        let extended = parse(&format!(r#"{TIMES},"version":"20000000","extranonce":"""#)).unwrap();
        assert_eq!((extended.version, extended.extranonce), (Some(0x2000_0000), Some(vec![])));
    }

    #[test]
    fn mixed_and_broken_forms_name_their_field() {
        let header = "00".repeat(80);
        let giant = "ab".repeat(1_000_000);
        for (body, field, code) in [
            (format!(r#"{TIMES},"version":"20000000","extranonce2":"""#), "extranonce2", ""),
            (format!(r#"{TIMES},"version":"20000000","extranonce2":"00""#), "extranonce2", ""),
            (format!(r#"{TIMES},"version":"20000000","version_bits":"00002000""#), "version_bits", ""),
            (format!(r#"{TIMES},"extranonce":"00""#), "extranonce", ""),
            (format!(r#"{TIMES},"version":"200000""#), "version", "WB-1111"),
            (format!(r#"{TIMES},"version":"2000000g""#), "version", "WB-1114"),
            (format!(r#"{TIMES},"version":"2000000é""#), "version", ""),
            (format!(r#"{TIMES},"version":"20000000","extranonce":"0""#), "extranonce", "WB-1112"),
            (format!(r#"{TIMES},"version":"20000000","extranonce":"é""#), "extranonce", "WB-1113"),
            (format!(r#"{TIMES},"version":"20000000","extranonce":"{giant}""#), "extranonce", "WB-1110"),
            (format!(r#"{TIMES},"extranonce2":"{giant}""#), "extranonce2", "WB-1110"),
            (r#""job_id":"7","version":"20000000","nonce":"00000001""#.to_owned(), "ntime", ""),
            (format!(r#""header":"{}","height":1"#, &header[..158]), "header", "WB-1111"),
            (format!(r#""header":"{header}""#), "height", ""),
        ] {
            let error = parse(&body).unwrap_err();
            assert_eq!(error.field, format!("body.{field}"), "{error}");
            assert!(error.code == "WB-2001" && error.reason.contains(code), "{error}");
        }
    }
}
