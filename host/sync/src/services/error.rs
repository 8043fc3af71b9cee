//! One error for all services; each variant says what the caller does next.

use crm_contract::ports::GuestFault;
use crm_contract::types::Error as VendorError;
use crm_store::StoreError;

use crate::context::LoadError;

/// One field that the caller must change, with the words to show beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Where it is: `email`, `credentials.api_key`, `picked.list`.
    pub field: String,
    pub message: String,
}

/// Why a service did not do what was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ServiceError {
    /// There is no such thing in this organization: check the id.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Change these fields and send it again. Never empty.
    #[error("{}", first_message(.0))]
    Invalid(Vec<FieldError>),
    /// The state of things forbids it: look at it again. `code` is stable.
    #[error("{message}")]
    Conflict { code: &'static str, message: String },
    /// Another record has this name: choose another one.
    #[error("{field} is already taken")]
    Taken { field: &'static str, by: String },
    /// Someone else changed the record since it was read: read it again.
    #[error("it was changed meanwhile")]
    Changed,
    /// The vendor, through its connector, said no.
    #[error("{}", vendor_words(error))]
    Vendor { error: VendorError },
    /// This connector cannot do that.
    #[error("{0}")]
    Unsupported(String),
    /// The connector was stopped: a defect of the connector, or the host is busy.
    #[error(transparent)]
    Fault(#[from] GuestFault),
    /// The disk is nearly full: try again when there is space.
    #[error("no new work is accepted: the disk is nearly full")]
    NoSpace,
    /// The store does not answer: try again later, elsewhere.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A kept record cannot be read, or a manifest lies: the operator must look.
    #[error("{0}")]
    Damaged(String),
}

impl ServiceError {
    /// One wrong field.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { field: field.into(), message: message.into() }])
    }

    /// The same, with its fields named as parts of `whole`.
    pub(crate) fn within(self, whole: &str) -> Self {
        match self {
            Self::Invalid(mut fields) => {
                fields.iter_mut().for_each(|f| f.field = format!("{whole}.{}", f.field));
                Self::Invalid(fields)
            }
            other => other,
        }
    }

    /// Puts the wrong fields beside others and answers a blank value in their place. An error of another kind becomes one about no field.
    pub(crate) fn gathered<T: Default>(self, wrong: &mut Vec<FieldError>) -> T {
        match self {
            Self::Invalid(fields) => wrong.extend(fields),
            other => wrong.push(FieldError { field: String::new(), message: other.to_string() }),
        }
        T::default()
    }

    pub(crate) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into() }
    }
}

fn first_message(errors: &[FieldError]) -> &str {
    errors.first().map_or("invalid", |e| e.message.as_str())
}

/// The vendor's own words, as far as it used any.
pub fn vendor_words(error: &VendorError) -> String {
    let told = match error {
        VendorError::Retryable(told)
        | VendorError::DestinationMissing(told)
        | VendorError::Unsupported(told)
        | VendorError::Permanent(told) => told,
        VendorError::Credentials(refusal) => &refusal.told,
        VendorError::Rejected(rejection) => &rejection.told,
        VendorError::RateLimited(throttle) => {
            return match throttle.after_seconds {
                Some(seconds) => format!("the vendor's rate limit is spent; try again in {seconds} s"),
                None => "the vendor's rate limit is spent; try again later".to_owned(),
            };
        }
        VendorError::Stale(facts) => return format!("no longer valid in the account: {}", facts.join(", ")),
    };
    if told.text.trim().is_empty() { format!("the vendor answered {}", told.code) } else { told.text.clone() }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::Changed,
            StoreError::Taken { by, .. } => Self::Taken { field: "name", by },
            StoreError::TooLarge { bytes, limit } => {
                Self::invalid("", format!("this makes a record of {bytes} bytes; at most {limit} can be kept"))
            }
            StoreError::NoSpace { .. } => Self::NoSpace,
            StoreError::Fenced | StoreError::Broken(_) | StoreError::Locked(_) | StoreError::Unusable(_) => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}

impl From<LoadError> for ServiceError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Store(store) => store.into(),
            unreadable @ LoadError::Unreadable { .. } => Self::Damaged(unreadable.to_string()),
        }
    }
}
