//! The normal distribution, from the incomplete gamma function.

use crate::gamma;

/// Probability that a standard normal value lies above `z`.
pub(crate) fn above(z: f64) -> f64 {
    let half_chi = 0.5 * z * z;
    if z >= 0.0 { 0.5 * gamma::upper(0.5, half_chi) } else { 0.5 + 0.5 * gamma::lower(0.5, half_chi) }
}

/// The value that a standard normal one exceeds with probability `tail`, 0 < tail < 1.
///
/// Starts from Abramowitz and Stegun 26.2.23 (error below 4.5e-4) and takes Newton's steps on
/// [`above`], which double the places each time.
pub(crate) fn exceeded_with(tail: f64) -> f64 {
    if tail > 0.5 {
        return -exceeded_with(1.0 - tail);
    }
    let t = (-2.0 * tail.ln()).sqrt();
    let mut z = t
        - (2.515_517 + t * (0.802_853 + t * 0.010_328))
            / (1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308)));
    for _ in 0..3 {
        let density = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
        z += (above(z) - tail) / density;
    }
    z
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_published_ones() {
        for (tail, z) in [
            (0.5, 0.0),
            (0.1, 1.281_551_565_544_600_4),
            (0.025, 1.959_963_984_540_054),
            (0.005, 2.575_829_303_548_901),
            (0.000_5, 3.290_526_731_491_926),
            (0.975, -1.959_963_984_540_054),
        ] {
            assert!((exceeded_with(tail) - z).abs() < 1e-11, "{tail}: {}", exceeded_with(tail));
            assert!((above(z) - tail).abs() < 1e-13, "{z}");
        }
    }
}
