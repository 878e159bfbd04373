//! The API of SNS.

pub(crate) mod publish;
pub(crate) mod subscriptions;
pub(crate) mod topics;

/// Items of a page, in every listing ("ListTopics", "ListSubscriptions").
const PAGE_ITEMS: usize = 100;

fn bad_token() -> base::Fault {
    crate::error::Error::parameter("NextToken").into()
}
