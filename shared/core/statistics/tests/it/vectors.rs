//! The published and recomputed numbers in `numeric_vectors.json`, each to the places it states.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use serde_json::Value;
use wb_statistics::{Level, ewma, garwood};

fn vectors(name: &str) -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/data/vectors/numeric_vectors.json");
    let all: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    all[name].as_array().unwrap().clone()
}

fn number(vector: &Value, name: &str) -> f64 {
    vector[name].as_f64().unwrap_or_else(|| panic!("{name} in {vector}"))
}

/// Half a unit of the sixth place, and what the vector's own text loses.
const SIX_PLACES: f64 = 0.500_001e-6;

#[test]
fn garwoods_bounds_are_the_vectors() {
    let vectors = vectors("garwood_95");
    assert!(vectors.len() >= 8);
    for vector in vectors {
        let bounds = garwood(number(&vector, "k"), Level::P95);
        assert!((bounds.low - number(&vector, "lower")).abs() <= SIX_PLACES, "{vector}: {bounds:?}");
        assert!((bounds.high - number(&vector, "upper")).abs() <= SIX_PLACES, "{vector}: {bounds:?}");
    }
}

#[test]
fn one_step_is_ckpools() {
    let vectors = vectors("ckpool_decay_time");
    assert!(vectors.len() >= 2);
    for vector in vectors {
        let found = ewma::decay(
            number(&vector, "f"),
            number(&vector, "fadd_diff_sum"),
            number(&vector, "elapsed_s"),
            number(&vector, "interval_s"),
        );
        assert!((found - number(&vector, "out")).abs() <= SIX_PLACES, "{vector}: {found}");
    }
}

#[test]
fn sigma_is_the_vectors() {
    for vector in vectors("relative_sigma_equal_shares") {
        let shares = vector["shares"].as_u64().unwrap();
        let one = ruint::aliases::U256::from(1_u64 << 62);
        let count = ruint::aliases::U256::from(shares);
        let sums = wb_statistics::WorkSums {
            shares,
            credited_q32: one * count,
            credited_q32_squared: one * one * count,
            duration_us: 1_000_000,
            assigned_q32: None,
        };
        let estimate = sums.estimate(Level::P95).unwrap();
        let relative = f64::from(estimate.sigma_hs) / f64::from(estimate.mean_hs);
        assert!((relative / number(&vector, "sigma") - 1.0).abs() < 1e-12, "{vector}: {relative}");
    }
}
