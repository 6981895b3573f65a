//! The languages of documents: their words, dates and separators.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use wb_units::Micros;

use crate::words::{ENGLISH, SPANISH, Words};

/// A language, with its formats of numbers and dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English, with US number format.
    #[default]
    English,
    /// Spanish, with the number format of Spain and most of South America.
    Spanish,
}

/// A language that is not supported.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[code("WB-5751")]
#[error("no documents are written in {language:?}; there are en (English) and es (Spanish)")]
pub struct LanguageError {
    /// The requested language.
    pub language: String,
}

/// The separators of numbers.
pub(crate) struct Marks {
    /// Between groups of three digits.
    pub(crate) group: char,
    /// Before the decimals.
    pub(crate) point: char,
    /// Whole numbers with at most this many digits are not grouped: Spanish groups from five digits on (Ortografía de
    /// la lengua española, 2010, on numbers of four digits).
    pub(crate) ungrouped_digits_max: usize,
}

/// The kinds of components in English and Spanish.
const KINDS: &[(&str, &str, &str)] = &[
    ("btc_settlement", "Settlement in bitcoin", "Liquidación en bitcoin"),
    ("curtailment_share", "Curtailment share", "Participación por interrumpibilidad"),
    ("deposit", "Deposit", "Depósito en garantía"),
    ("energy_uplift", "Energy uplift (PUE and losses)", "Recargo de energía (PUE y pérdidas)"),
    ("fixed_fee", "Fixed fee", "Cuota fija"),
    ("gpu_on_demand", "GPUs on demand", "GPU bajo demanda"),
    ("gpu_reserved", "Reserved GPUs", "GPU reservadas"),
    ("gpu_sla_credit", "GPU availability credit", "Abono por disponibilidad de GPU"),
    ("graduated", "Graduated price", "Precio graduado"),
    ("hashrate_fee", "Hashrate fee", "Cuota por potencia de cálculo"),
    ("indexed_energy", "Energy at a market price", "Energía a precio de mercado"),
    ("management_fee", "Management fee", "Cuota de gestión"),
    ("maximum_spend", "Maximum", "Máximo"),
    ("metered_energy", "Metered energy", "Energía medida"),
    ("mig_slice", "GPU slices", "Fracciones de GPU"),
    ("minimum_spend", "Minimum", "Mínimo"),
    ("nameplate_energy", "Energy by nameplate", "Energía por potencia nominal"),
    ("one_off", "One-off charge", "Cargo único"),
    ("package", "Packages", "Paquetes"),
    ("pool_earnings", "Earnings of proven work", "Ingresos del trabajo probado"),
    ("prepaid_credit", "Prepaid credit", "Saldo prepagado"),
    ("profit_share", "Profit share", "Participación en beneficios"),
    ("take_or_pay", "Take or pay", "Compra mínima garantizada"),
    ("tax", "Tax", "Impuesto"),
    ("tiered", "Price by tier", "Precio por tramo"),
    ("time_of_use", "Energy by time of use", "Energía por discriminación horaria"),
    ("uptime_credit", "Uptime credit", "Abono por disponibilidad"),
    ("volume", "Volume price", "Precio por volumen"),
];

/// The kinds of events of a statement in English and Spanish.
const EVENTS: &[(&str, &str, &str)] = &[
    ("credit_note_issued", "Credit note", "Nota de crédito"),
    ("debit_note_issued", "Debit note", "Nota de débito"),
    ("invoice_issued", "Invoice", "Factura"),
    ("invoice_write_off_reversed", "Write-off reversed", "Cancelación revertida"),
    ("invoice_written_off", "Written off", "Cancelación por incobrable"),
    ("opening_recorded", "Opening balance", "Saldo inicial"),
    ("payment_allocated", "Allocation", "Imputación"),
    ("payment_received", "Payment", "Pago"),
    ("payment_released", "Allocation released", "Imputación liberada"),
    ("payment_reversed", "Reversed payment", "Pago devuelto"),
    ("refund_paid", "Refund", "Reembolso"),
    ("refund_reversed", "Refund reversed", "Reembolso devuelto"),
];

impl Language {
    /// All languages.
    pub const ALL: [Self; 2] = [Self::English, Self::Spanish];

    /// The language of a tag such as `en`, `es` or `es-MX`; the region is ignored.
    ///
    /// # Errors
    /// [`LanguageError`] for any other language.
    pub fn of_tag(tag: &str) -> Result<Self, LanguageError> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL
            .into_iter()
            .find(|language| language.tag().eq_ignore_ascii_case(primary))
            .ok_or_else(|| LanguageError { language: tag.chars().take(32).collect() })
    }

    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
        }
    }

    pub(crate) fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::Spanish => &SPANISH,
        }
    }

    pub(crate) fn marks(self) -> Marks {
        match self {
            Self::English => Marks { group: ',', point: '.', ungrouped_digits_max: 3 },
            Self::Spanish => Marks { group: '.', point: ',', ungrouped_digits_max: 4 },
        }
    }

    /// The word for a kind of component; the kind itself if there is none.
    pub(crate) fn kind(self, kind: &str) -> String {
        KINDS
            .iter()
            .find(|(name, _, _)| *name == kind)
            .map_or(kind, |(_, english, spanish)| match self {
                Self::English => english,
                Self::Spanish => spanish,
            })
            .to_owned()
    }

    /// A month such as `2026-10` in words; any other text unchanged.
    pub(crate) fn month(self, text: &str) -> String {
        let named = text.split_once('-').and_then(|(year, month)| {
            let index = month.parse::<usize>().ok()?.checked_sub(1)?;
            Some((year, *self.words().months.get(index)?))
        });
        match (named, self) {
            (Some((year, month)), Self::English) => format!("{month} {year}"),
            (Some((year, month)), Self::Spanish) => format!("{month} de {year}"),
            (None, _) => text.to_owned(),
        }
    }

    /// The day of an instant in UTC, in words.
    pub(crate) fn day(self, at_us: Micros) -> String {
        let Ok(instant) = Timestamp::from_microsecond(at_us) else { return format!("{at_us} µs") };
        self.date(instant.to_zoned(TimeZone::UTC).date())
    }

    /// The word for a kind of event; the kind itself if there is none.
    pub(crate) fn event(self, kind: &str) -> String {
        EVENTS
            .iter()
            .find(|(name, _, _)| *name == kind)
            .map_or(kind, |(_, english, spanish)| match self {
                Self::English => english,
                Self::Spanish => spanish,
            })
            .to_owned()
    }

    /// A day in words.
    pub(crate) fn date(self, day: Date) -> String {
        let index = usize::try_from(day.month()).unwrap_or(1).saturating_sub(1);
        let month = self.words().months.get(index).copied().unwrap_or_default();
        match self {
            Self::English => format!("{} {month} {}", day.day(), day.year()),
            Self::Spanish => format!("{} de {month} de {}", day.day(), day.year()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_months_and_days() {
        for (tag, language) in
            [("en", Language::English), ("ES-mx", Language::Spanish), ("es_ES", Language::Spanish)]
        {
            assert_eq!(Language::of_tag(tag).unwrap(), language);
        }
        for tag in ["", "de", "e", "english"] {
            assert_eq!(Language::of_tag(tag).unwrap_err().code(), "WB-5751");
        }
        assert_eq!(Language::English.month("2026-10"), "October 2026");
        assert_eq!(Language::Spanish.month("2026-01"), "enero de 2026");
        assert_eq!(Language::Spanish.month("2026-13"), "2026-13");
        assert_eq!(Language::English.day(1_790_812_800_000_000), "1 October 2026");
        assert_eq!(Language::Spanish.day(0), "1 de enero de 1970");
    }

    #[test]
    fn every_kind_of_component_has_its_words() {
        let mut kinds: Vec<&str> = KINDS.iter().map(|(kind, _, _)| *kind).collect();
        kinds.sort_unstable();
        let mut rated: Vec<&str> = wb_rating::KINDS.to_vec();
        rated.sort_unstable();
        assert_eq!(kinds, rated);
    }
}
