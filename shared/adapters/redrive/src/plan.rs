//! Decides which events of a quarantined record can be re-driven, and why others cannot.

use prost::Message as _;
use wb_events::frame::{self, FrameError, FrameKey};
use wb_events::wire::{Frame, SignedFrame};
use wb_events::{Event, topics};

/// An event to re-drive, with its stored bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Again {
    /// The event.
    pub event: Event,
    /// Its stored bytes.
    pub bytes: Vec<u8>,
    /// Its topic.
    pub topic: &'static str,
}

/// The events that can be re-driven.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// The events in order.
    pub events: Vec<Again>,
    /// Indexes in a frame without a known event.
    pub left: Vec<usize>,
    /// Whether the frame's signature was wrong, so that a person vouches for the new one.
    pub resigned: bool,
}

/// Why a quarantined record cannot be re-driven.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotRedrive {
    /// The fold would refuse it again for the same reason.
    #[error("it would be refused again: {why}")]
    Again {
        /// What to do instead.
        why: &'static str,
    },
    /// It is neither an event nor a frame.
    #[error("its bytes have no event that this program knows; let its source send it again")]
    NoEvent,
    /// The frame's signature is wrong.
    #[error(
        "its signature is wrong, so its author is unknown and its content was never verified; \
         if you vouch for it, --resign signs it again"
    )]
    Signature,
}

/// Decides what can be re-driven of a record that was quarantined with a code.
///
/// # Errors
/// [`CannotRedrive`].
pub fn plan(code: &str, original: &[u8], key: &FrameKey, resign: bool) -> Result<Plan, CannotRedrive> {
    if let Some(why) = wb_fold::refused_again(code) {
        return Err(CannotRedrive::Again { why });
    }
    // A frame's code quarantines the whole record; an event's code quarantines the event's bytes.
    if FrameError::CODES.contains(&code) {
        return of_frame(original, key, resign);
    }
    let again = event(original).ok_or(CannotRedrive::NoEvent)?;
    Ok(Plan { events: vec![again], ..Plan::default() })
}

fn event(bytes: &[u8]) -> Option<Again> {
    let event = Event::decode(bytes).ok()?;
    let topic = topics::of_body(event.body.as_ref()?);
    Some(Again { event, bytes: bytes.to_vec(), topic })
}

fn of_frame(record: &[u8], key: &FrameKey, resign: bool) -> Result<Plan, CannotRedrive> {
    let (frame, resigned) = match frame::decode(record, key) {
        Ok(frame) => (frame, false),
        Err(FrameError::BadSignature | FrameError::TooLarge { .. }) => {
            let signed = SignedFrame::decode(record).map_err(|_| CannotRedrive::NoEvent)?;
            let frame = Frame::decode(signed.frame.as_slice()).map_err(|_| CannotRedrive::NoEvent)?;
            let genuine = frame::is_signed(&signed, key);
            if frame.events.is_empty() {
                return Err(CannotRedrive::NoEvent);
            }
            if !genuine && !resign {
                return Err(CannotRedrive::Signature);
            }
            (frame, !genuine)
        }
        Err(FrameError::Undecodable { .. } | FrameError::UnknownVersion { .. }) => {
            return Err(CannotRedrive::NoEvent);
        }
    };
    let mut plan = Plan { resigned, ..Plan::default() };
    for (place, bytes) in frame.events.iter().enumerate() {
        match event(bytes) {
            Some(again) => plan.events.push(again),
            None => plan.left.push(place),
        }
    }
    if plan.events.is_empty() { Err(CannotRedrive::NoEvent) } else { Ok(plan) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wb_events::Body;
    use wb_events::frame::encode_events;
    use wb_events::wire::EnergyReading;

    fn reading() -> Vec<u8> {
        let body =
            Some(Body::EnergyReading(EnergyReading { meter_id: "e".into(), ..EnergyReading::default() }));
        Event { source: "s".into(), key: "k".into(), body, ..Event::default() }.encode_to_vec()
    }

    #[test]
    fn an_event_on_the_wrong_topic_goes_to_its_own() {
        let key = FrameKey::new([1; 32]);
        let plan = plan("WB-4006", &reading(), &key, false).unwrap();
        assert_eq!((plan.events[0].topic, plan.events[0].bytes.clone()), ("energy", reading()));
        assert!(!plan.resigned);
    }

    #[test]
    fn a_frame_is_taken_apart_and_needs_a_word_where_its_signature_is_wrong() {
        let (ours, theirs) = (FrameKey::new([1; 32]), FrameKey::new([2; 32]));
        let forged = encode_events("i", vec![reading(), b"\x7f".to_vec(), reading()], &theirs);
        assert_eq!(plan("WB-4003", &forged, &ours, false), Err(CannotRedrive::Signature));
        let found = plan("WB-4003", &forged, &ours, true).unwrap();
        assert_eq!((found.events.len(), found.left.as_slice(), found.resigned), (2, [1].as_slice(), true));
        // Signed with a key that is known by now, so nobody needs to vouch for it.
        assert!(!plan("WB-4003", &forged, &theirs, false).unwrap().resigned);
        assert_eq!(plan("WB-4002", b"\x00garbage\xff", &ours, true), Err(CannotRedrive::NoEvent));
        assert_eq!(plan("WB-4003", b"", &ours, true), Err(CannotRedrive::NoEvent));
    }

    #[test]
    fn what_would_be_refused_again_is_not_sent() {
        let key = FrameKey::new([1; 32]);
        for code in ["WB-4011", "WB-4012", "WB-4013", "WB-4014", "WB-4015", "WB-4016"] {
            let refused = plan(code, &reading(), &key, true);
            assert!(matches!(refused, Err(CannotRedrive::Again { .. })), "{code}");
        }
        assert_eq!(
            plan("WB-4007", &Event::default().encode_to_vec(), &key, true),
            Err(CannotRedrive::NoEvent)
        );
        assert_eq!(plan("WB-4005", b"\x7f", &key, true), Err(CannotRedrive::NoEvent));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let key = FrameKey::new([1; 32]);
            for code in ["WB-4001", "WB-4002", "WB-4003", "WB-4004", "WB-4005", "WB-4006", "WB-4007"] {
                let _ = plan(code, &bytes, &key, true);
            }
        }
    }
}
