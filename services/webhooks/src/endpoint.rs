//! Endpoints and the messages they receive.

use std::net::IpAddr;

use reqwest::Url;

use crate::error::WebhookError;
use crate::message::Message;
use crate::secret::Secret;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointConfig {
    /// Its id: 1 to 64 of `a-z`, `0-9`, `-` and `_`. Its state is kept under it.
    pub id: String,
    /// The address for messages: https, or http on this machine.
    pub url: String,
    /// The signing secret.
    pub secret: String,
    /// The message types it receives, such as `invoice.issued`, or `invoice.*` for all of invoices; empty for all.
    pub events: Vec<String>,
    /// If given, it receives only messages about this customer.
    pub customer: Option<String>,
}

/// A checked endpoint.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub(crate) id: String,
    pub(crate) url: Url,
    pub(crate) secret: Secret,
    events: Vec<String>,
    customer: Option<String>,
}

impl Endpoint {
    /// Checks a configured endpoint.
    ///
    /// # Errors
    /// [`WebhookError::Endpoint`] or [`WebhookError::Secret`].
    pub fn new(config: EndpointConfig) -> Result<Self, WebhookError> {
        let EndpointConfig { id, url, secret, events, customer } = config;
        let refuse =
            |problem: &str| WebhookError::Endpoint { endpoint: id.clone(), problem: problem.to_owned() };
        let plain = |letter: char| matches!(letter, 'a'..='z' | '0'..='9' | '-' | '_');
        if id.is_empty() || id.len() > 64 || !id.chars().all(plain) {
            return Err(refuse("its id must be 1 to 64 of a-z, 0-9, - and _"));
        }
        let url = Url::parse(&url).map_err(|_| refuse("its url cannot be read"))?;
        let is_http_here = url.scheme() == "http" && is_loopback(&url);
        if url.scheme() != "https" && !is_http_here {
            return Err(refuse(
                "its url must be https; http goes to this machine (127.0.0.1, ::1, localhost) only",
            ));
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(refuse("its url may not hold a user, a password or a fragment"));
        }
        let secret = Secret::parse(&secret)
            .map_err(|problem| WebhookError::Secret { endpoint: id.clone(), problem })?;
        Ok(Self { id, url, secret, events, customer })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its address without the query, which may hold a key.
    #[must_use]
    pub fn shown_url(&self) -> String {
        let mut url = self.url.clone();
        if url.query().is_some() {
            url.set_query(Some("..."));
        }
        url.to_string()
    }

    /// Whether it receives a message.
    #[must_use]
    pub fn wants(&self, message: &Message) -> bool {
        let by_customer = self.customer.as_deref().is_none_or(|customer| customer == message.customer_id);
        let is_wanted = |wanted: &String| match wanted.strip_suffix(".*") {
            Some(group) => message.event_type.split_once('.').is_some_and(|(of, _)| of == group),
            None => *wanted == message.event_type,
        };
        by_customer && (self.events.is_empty() || self.events.iter().any(is_wanted))
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || plain.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> EndpointConfig {
        EndpointConfig {
            id: "books".to_owned(),
            url: url.to_owned(),
            secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(),
            events: Vec::new(),
            customer: None,
        }
    }

    #[test]
    fn only_https_leaves_this_machine() {
        for right in
            ["https://example.com/hook", "http://127.0.0.1:9/x", "http://[::1]:9/", "http://localhost/"]
        {
            assert!(Endpoint::new(config(right)).is_ok(), "{right}");
        }
        for wrong in [
            "http://example.com/",
            "http://127.0.0.1.example.com/",
            "http://localhost.example.com/",
            "ftp://127.0.0.1/",
            "https://user:word@example.com/",
            "https://example.com/#part",
            "example.com",
            "",
        ] {
            assert_eq!(Endpoint::new(config(wrong)).unwrap_err().code(), "WB-6202", "{wrong}");
        }
        let traversing = EndpointConfig { id: "../x".to_owned(), ..config("https://example.com/") };
        assert_eq!(Endpoint::new(traversing).unwrap_err().code(), "WB-6202");
        let unsigned = EndpointConfig { secret: "secret".to_owned(), ..config("https://example.com/") };
        assert_eq!(Endpoint::new(unsigned).unwrap_err().code(), "WB-6201");
        let keyed = Endpoint::new(config("https://example.com/hook?key=1")).unwrap();
        assert_eq!(keyed.shown_url(), "https://example.com/hook?...");
    }

    #[test]
    fn filters_are_of_types_and_customers() {
        let message = Message {
            ledger_offset: 1,
            id: "msg_1_0".to_owned(),
            event_type: "invoice.issued".to_owned(),
            customer_id: "acme".to_owned(),
            body: Vec::new(),
        };
        for (events, customer, expected) in [
            (vec![], None, true),
            (vec!["invoice.issued"], None, true),
            (vec!["invoice.*"], Some("acme"), true),
            (vec!["payment.*", "invoice.paid"], None, false),
            (vec!["inv.*"], None, false),
            (vec![], Some("birch"), false),
        ] {
            let events = events.into_iter().map(str::to_owned).collect();
            let customer = customer.map(str::to_owned);
            let endpoint =
                Endpoint::new(EndpointConfig { events, customer, ..config("https://e.example/") }).unwrap();
            assert_eq!(endpoint.wants(&message), expected);
        }
    }
}
