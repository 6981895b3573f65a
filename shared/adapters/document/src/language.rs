//! The languages of documents: their words, dates and separators.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use wb_units::Micros;

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

/// The words of a document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    pub(crate) invoice: &'static str,
    pub(crate) from: &'static str,
    pub(crate) bill_to: &'static str,
    pub(crate) number: &'static str,
    pub(crate) period: &'static str,
    pub(crate) contract: &'static str,
    pub(crate) invoice_id: &'static str,
    pub(crate) due: &'static str,
    pub(crate) description: &'static str,
    pub(crate) quantity: &'static str,
    pub(crate) unit_price: &'static str,
    pub(crate) amount: &'static str,
    pub(crate) total: &'static str,
    pub(crate) to_pay: &'static str,
    pub(crate) payment: &'static str,
    pub(crate) formulas: &'static str,
    pub(crate) evidence: &'static str,
    pub(crate) bill_digest: &'static str,
    pub(crate) evidence_digest: &'static str,
    pub(crate) cut: &'static str,
    pub(crate) blocks: &'static str,
    pub(crate) chains: &'static str,
    pub(crate) verify: &'static str,
    pub(crate) page_of: &'static str,
    months: [&'static str; 12],
}

const ENGLISH: Words = Words {
    invoice: "Invoice",
    from: "From",
    bill_to: "Bill to",
    number: "Number",
    period: "Period",
    contract: "Contract",
    invoice_id: "Invoice id",
    due: "Due",
    description: "Description",
    quantity: "Quantity",
    unit_price: "Unit price",
    amount: "Amount",
    total: "Total",
    to_pay: "Negative amounts are credited to the customer.",
    payment: "Payment",
    formulas: "How each line follows",
    evidence: "Evidence",
    bill_digest: "Bill digest",
    evidence_digest: "Evidence digest",
    cut: "Cut in commits",
    blocks: "Committed blocks",
    chains: "Chains",
    verify: "This invoice can be checked without its issuer: ask for its bundle, and run \
             “weighbridge invoice verify” on it.",
    page_of: "of",
    months: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
};

const SPANISH: Words = Words {
    invoice: "Factura",
    from: "Emisor",
    bill_to: "Cliente",
    number: "Número",
    period: "Periodo",
    contract: "Contrato",
    invoice_id: "Id. de factura",
    due: "Vencimiento",
    description: "Concepto",
    quantity: "Cantidad",
    unit_price: "Precio unitario",
    amount: "Importe",
    total: "Total",
    to_pay: "Los importes negativos se abonan al cliente.",
    payment: "Pago",
    formulas: "Cómo se calcula cada línea",
    evidence: "Pruebas",
    bill_digest: "Huella de la factura",
    evidence_digest: "Huella de las pruebas",
    cut: "Corte en commits",
    blocks: "Bloques confirmados",
    chains: "Cadenas",
    verify: "Esta factura se puede comprobar sin su emisor: pida su paquete de pruebas y ejecute \
             «weighbridge invoice verify» con él.",
    page_of: "de",
    months: [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
};

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
        let day = instant.to_zoned(TimeZone::UTC).date();
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
