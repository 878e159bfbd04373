//! What can be wrong with a request to SNS, each with AWS's code and words ("Common errors" and the errors of each
//! action, SNS API Reference).

use base::Fault;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// `Invalid parameter: ` and what about it.
    Parameter(String),
    /// A message attribute's value.
    ParameterValue(String),
    TopicNotFound,
    SubscriptionNotFound,
    /// A resource that a request about tags names.
    ResourceNotFound,
    TooManyTopics,
    TooManySubscriptions,
    TooManyFilters,
    TooManyTags,
    /// The caller may not do it.
    Unauthorized(String),
    /// As many messages wait for delivery as may.
    Throttling,
    EmptyBatch,
    TooManyEntries(usize),
    BatchTooLong,
    IdsNotDistinct,
    BadEntryId,
    /// Our own failure.
    Internal,
}

impl Error {
    pub(crate) fn parameter(text: impl Into<String>) -> Self {
        Error::Parameter(text.into())
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        use Error as E;
        let of = |http: u16, code: &'static str, message: String| Fault::new(http, code, message);
        match error {
            E::Parameter(text) => of(400, "InvalidParameter", format!("Invalid parameter: {text}")),
            E::ParameterValue(text) => of(400, "ParameterValueInvalid", text),
            E::TopicNotFound => of(404, "NotFound", "Topic does not exist".into()),
            E::SubscriptionNotFound => of(404, "NotFound", "Subscription does not exist".into()),
            E::ResourceNotFound => of(404, "ResourceNotFound", "Resource does not exist".into()),
            E::TooManyTopics => {
                of(403, "TopicLimitExceeded", format!("This region keeps at most {} topics.", crate::topic::TOPICS_MAX))
            }
            E::TooManySubscriptions => of(
                403,
                "SubscriptionLimitExceeded",
                format!("This region keeps at most {} subscriptions.", crate::subscription::SUBSCRIPTIONS_MAX),
            ),
            E::TooManyFilters => of(
                403,
                "FilterPolicyLimitExceeded",
                format!("A topic can have at most {} filter policies.", crate::subscription::FILTERS_MAX),
            ),
            E::TooManyTags => of(400, "TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded".into()),
            E::Unauthorized(text) => of(403, "AuthorizationError", text),
            E::Throttling => of(400, "Throttling", "Rate exceeded".into()),
            E::EmptyBatch => of(400, "EmptyBatchRequest", "The batch request doesn't contain any entries.".into()),
            E::TooManyEntries(count) => of(
                400,
                "TooManyEntriesInBatchRequest",
                format!("The batch request contains more entries than permissible: at most 10, not {count}."),
            ),
            E::BatchTooLong => {
                of(400, "BatchRequestTooLong", "The length of all the messages put together is more than the limit.".into())
            }
            E::IdsNotDistinct => {
                of(400, "BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.".into())
            }
            E::BadEntryId => of(
                400,
                "InvalidBatchEntryId",
                "The Id of a batch entry in a batch request doesn't abide by the specification: 1 to 80 letters, digits, hyphens and underscores.".into(),
            ),
            E::Internal => Fault::internal(),
        }
    }
}
