//! The sites and machines of the simulated fleet, and its time.

use wb_units::Micros;
use wb_units::time::SECOND_US;

/// When the fleet starts: 2026-10-01T00:00:00Z.
pub const FLEET_START_US: Micros = 1_790_812_800 * SECOND_US;
/// When it ends, two hours later.
pub const FLEET_END_US: Micros = FLEET_START_US + 7_200 * SECOND_US;

/// Site, name, time zone.
pub(crate) const SITES: [(&str, &str, &str); 2] =
    [("tx-1", "Pecos, Texas", "America/Chicago"), ("no-1", "Mosjoen, Nordland", "Europe/Oslo")];

/// Machine, site, model, rated watts, customer.
pub(crate) const MACHINES: [(&str, &str, &str, u64, &str); 12] = [
    ("tx1-m01", "tx-1", "Antminer S19j Pro", 3_050, "acme"),
    ("tx1-m02", "tx-1", "Whatsminer M30S++", 3_472, "acme"),
    ("tx1-m03", "tx-1", "Whatsminer M60S", 3_441, "acme"),
    ("tx1-m04", "tx-1", "Antminer S19 XP", 3_010, "acme"),
    ("tx1-m05", "tx-1", "Antminer S21", 3_500, "birch"),
    ("tx1-m06", "tx-1", "Antminer S19 XP", 3_010, "birch"),
    ("no1-m01", "no-1", "Antminer S21", 3_500, "acme"),
    ("no1-m02", "no-1", "Antminer S21", 3_500, "acme"),
    ("no1-m03", "no-1", "Antminer S21", 3_500, "birch"),
    ("no1-m04", "no-1", "Antminer S21 Pro", 3_531, "birch"),
    ("no1-m05", "no-1", "Antminer S21 Pro", 3_531, "birch"),
    ("no1-m06", "no-1", "Antminer S21 Pro", 3_531, "birch"),
];
