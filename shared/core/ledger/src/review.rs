//! The review of a draft: drafted, submitted, approved by another person than the one who submitted it, issued.
//!
//! ```text
//! draft made -> in review -> approved -> issued
//!     |          |      ^        |  ^
//!     |          v      |        v  |
//!     +------> rejected +    issue failed
//!                 |
//!                 v
//!      drafted again at a later cut
//! ```

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::invoice::{Draft, Invoice};
use crate::refusal::{Refusal, check_name, check_text};
use crate::state::State;

/// A draft in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DraftMade {
    /// The document, its number empty.
    pub draft: Invoice,
    /// When, UTC microseconds.
    pub at_us: i64,
}

/// A step that a person took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewStep {
    pub invoice_id: String,
    pub customer_id: String,
    /// Who.
    pub by: String,
    /// When, UTC microseconds.
    pub at_us: i64,
}

/// A step that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepFailed {
    pub invoice_id: String,
    pub customer_id: String,
    /// The code of what failed.
    pub code: String,
    /// What failed.
    pub detail: String,
    /// When, UTC microseconds.
    pub at_us: i64,
}

/// An invoice reached its customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvoiceDelivered {
    pub invoice_id: String,
    pub customer_id: String,
    /// The means, such as `email` or `webhook`.
    pub channel: String,
    /// When, UTC microseconds.
    pub at_us: i64,
}

/// The state of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Made.
    Draft,
    /// Submitted.
    InReview,
    /// Approved by as many as its terms require.
    Approved,
    /// Issuing failed and can be tried again.
    IssueFailed,
    /// Sent back.
    Rejected,
}

impl Stage {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::InReview => "in_review",
            Self::Approved => "approved",
            Self::IssueFailed => "issue_failed",
            Self::Rejected => "rejected",
        }
    }
}

/// A draft that has no number yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// The document; its terms say how many must approve it.
    pub draft: Invoice,
    /// Its state.
    pub stage: Stage,
    /// Who submitted it.
    pub submitted_by: Option<String>,
    /// Who approved it.
    pub approved_by: BTreeSet<String>,
}

/// A person's step to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub invoice_id: String,
    /// Who.
    pub by: String,
    /// When, UTC microseconds.
    pub at_us: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepKind {
    /// Submit it for approval.
    Submit,
    Approve,
    /// Send it back.
    Reject,
}

impl State {
    /// A draft that has no number yet.
    #[must_use]
    pub fn review(&self, invoice_id: &str) -> Option<&Review> {
        self.reviews.get(invoice_id)
    }

    /// All drafts without a number, by their ids.
    pub fn reviews(&self) -> impl Iterator<Item = &Review> {
        self.reviews.values()
    }

    pub(crate) fn review_of(&self, invoice_id: &str) -> Result<&Review, Refusal> {
        if let Some(issued) = self.issued(invoice_id) {
            return Err(Refusal::AlreadyIssued {
                invoice_id: invoice_id.to_owned(),
                number: issued.number.clone(),
            });
        }
        self.review(invoice_id).ok_or_else(|| {
            let known = self.reviews().map(|review| review.draft.invoice_id.as_str());
            Refusal::no_such("draft", invoice_id, known)
        })
    }

    pub(crate) fn decide_draft(&self, draft: &Draft, at_us: i64) -> Result<Vec<Event>, Refusal> {
        let made = DraftMade { draft: draft.document().clone(), at_us };
        self.check_draft(&made)?;
        // A cut after the close's is that of a draft made after a rejection or a void. Late data gets its draft from
        // an adjustment.
        let later = made.draft.replaces.is_some() || self.review(&made.draft.invoice_id).is_some();
        self.check_follows_close(&made.draft, later)?;
        self.check_drawing(draft)?;
        Ok(vec![Event::DraftMade(Box::new(made))])
    }

    pub(crate) fn check_draft(&self, made: &DraftMade) -> Result<(), Refusal> {
        let draft = &made.draft;
        if let Some(issued) = self.issued(&draft.invoice_id) {
            let (invoice_id, number) = (draft.invoice_id.clone(), issued.number.clone());
            return Err(Refusal::AlreadyIssued { invoice_id, number });
        }
        self.check_replaces(draft)?;
        let cut = match self.review(&draft.invoice_id) {
            // The corrected facts lie after the cut of the rejected draft.
            Some(review) if review.stage == Stage::Rejected => review.draft.evidence.cut.saturating_add(1),
            Some(review) if review.draft == *draft => {
                return Err(Refusal::AlreadyRecorded { id: draft.invoice_id.clone() });
            }
            Some(review) => {
                return Err(Refusal::WrongState {
                    what: "draft",
                    id: draft.invoice_id.clone(),
                    state: review.stage.name(),
                    needed: "rejected",
                });
            }
            None => 0,
        };
        self.check_follows_close(draft, true)?;
        if draft.evidence.cut < cut {
            return Err(Refusal::OlderCut {
                invoice_id: draft.invoice_id.clone(),
                cut: draft.evidence.cut,
                adjusted_cut: cut.saturating_sub(1),
            });
        }
        if !draft.number.is_empty()
            || !draft.settled.is_empty()
            || draft.compute_bill_digest().ok() != Some(draft.bill_digest)
        {
            return Err(Refusal::mismatch(
                &draft.invoice_id,
                "the draft has a number or another bill digest",
            ));
        }
        Ok(())
    }

    pub(crate) fn apply_draft(&mut self, made: &DraftMade) {
        let review = Review {
            draft: made.draft.clone(),
            stage: Stage::Draft,
            submitted_by: None,
            approved_by: BTreeSet::new(),
        };
        self.reviews.insert(made.draft.invoice_id.clone(), review);
    }

    pub(crate) fn decide_step(&self, kind: StepKind, step: &Step) -> Result<Vec<Event>, Refusal> {
        let body = ReviewStep {
            invoice_id: step.invoice_id.clone(),
            customer_id: self.review_of(&step.invoice_id)?.draft.customer_id.clone(),
            by: step.by.clone(),
            at_us: step.at_us,
        };
        self.check_step(kind, &body)?;
        Ok(vec![match kind {
            StepKind::Submit => Event::InvoiceSubmitted(body),
            StepKind::Approve => Event::InvoiceApproved(body),
            StepKind::Reject => Event::InvoiceRejected(body),
        }])
    }

    pub(crate) fn check_step(&self, kind: StepKind, step: &ReviewStep) -> Result<(), Refusal> {
        check_name("the name of who acts", &step.by)?;
        let review = self.review_of(&step.invoice_id)?;
        if review.draft.customer_id != step.customer_id {
            return Err(Refusal::mismatch(&step.invoice_id, "another customer"));
        }
        let (right, needed) = match kind {
            // A rejected draft may be right after all: it is submitted again and approved anew.
            StepKind::Submit => (matches!(review.stage, Stage::Draft | Stage::Rejected), "draft or rejected"),
            StepKind::Approve => (review.stage == Stage::InReview, "in_review"),
            StepKind::Reject => (review.stage != Stage::Rejected, "not rejected yet"),
        };
        if !right {
            return Err(Refusal::WrongState {
                what: "draft",
                id: step.invoice_id.clone(),
                state: review.stage.name(),
                needed,
            });
        }
        let same =
            |did| Refusal::SamePerson { invoice_id: step.invoice_id.clone(), by: step.by.clone(), did };
        if kind == StepKind::Approve && review.submitted_by.as_ref() == Some(&step.by) {
            return Err(same("submitted"));
        }
        if kind == StepKind::Approve && review.approved_by.contains(&step.by) {
            return Err(same("approved"));
        }
        Ok(())
    }

    pub(crate) fn apply_step(&mut self, kind: StepKind, step: &ReviewStep) {
        let Some(review) = self.reviews.get_mut(&step.invoice_id) else { return };
        match kind {
            StepKind::Submit => {
                review.approved_by.clear();
                review.submitted_by = Some(step.by.clone());
                review.stage =
                    if review.draft.terms.approvals == 0 { Stage::Approved } else { Stage::InReview };
            }
            StepKind::Approve => {
                review.approved_by.insert(step.by.clone());
                let approvals = u32::try_from(review.approved_by.len()).unwrap_or(u32::MAX);
                if approvals >= review.draft.terms.approvals {
                    review.stage = Stage::Approved;
                }
            }
            StepKind::Reject => review.stage = Stage::Rejected,
        }
    }

    /// The number of an approved draft, and its dates by the terms under which it was approved.
    pub(crate) fn decide_issue_approved(
        &self,
        invoice_id: &str,
        issued_us: i64,
    ) -> Result<Vec<Event>, Refusal> {
        let review = self.review_of(invoice_id)?;
        if !matches!(review.stage, Stage::Approved | Stage::IssueFailed) {
            return Err(Refusal::WrongState {
                what: "draft",
                id: invoice_id.to_owned(),
                state: review.stage.name(),
                needed: "approved",
            });
        }
        let dated = Invoice { dates: Some(review.draft.terms.dates(issued_us)), ..review.draft.clone() };
        Ok(vec![self.issued_of(&dated)])
    }

    pub(crate) fn check_issue_failed(&self, failed: &StepFailed) -> Result<(), Refusal> {
        check_text("what failed", &failed.detail)?;
        let review = self.review_of(&failed.invoice_id)?;
        if matches!(review.stage, Stage::Approved | Stage::IssueFailed) {
            return Ok(());
        }
        Err(Refusal::WrongState {
            what: "draft",
            id: failed.invoice_id.clone(),
            state: review.stage.name(),
            needed: "approved",
        })
    }

    pub(crate) fn apply_issue_failed(&mut self, failed: &StepFailed) {
        if let Some(review) = self.reviews.get_mut(&failed.invoice_id) {
            review.stage = Stage::IssueFailed;
        }
    }
}
