//! Shapes of `sns`, generated: do not edit.

shape!(AddPermissionInput {
    topic_arn: String,
    label: String,
    aws_account_id: Vec<String>,
    action_name: Vec<String>,
});

shape!(BatchResultErrorEntry {
    id: String,
    code: String,
    message: Option<String>,
    sender_fault: bool,
});

shape!(ConfirmSubscriptionInput {
    topic_arn: String,
    token: String,
    authenticate_on_unsubscribe: Option<String>,
});

shape!(ConfirmSubscriptionResponse {
    subscription_arn: Option<String>,
});

shape!(CreateTopicInput {
    name: String,
    attributes: std::collections::BTreeMap<String, String>,
    tags: Vec<Tag>,
    data_protection_policy: Option<String>,
});

shape!(CreateTopicResponse {
    topic_arn: Option<String>,
});

shape!(DeleteTopicInput { topic_arn: String });

shape!(GetSubscriptionAttributesInput { subscription_arn: String });

shape!(GetSubscriptionAttributesResponse {
    attributes: std::collections::BTreeMap<String, String>,
});

shape!(GetTopicAttributesInput { topic_arn: String });

shape!(GetTopicAttributesResponse {
    attributes: std::collections::BTreeMap<String, String>,
});

shape!(ListSubscriptionsByTopicInput {
    topic_arn: String,
    next_token: Option<String>,
});

shape!(ListSubscriptionsByTopicResponse {
    subscriptions: Vec<Subscription>,
    next_token: Option<String>,
});

shape!(ListSubscriptionsInput {
    next_token: Option<String>,
});

shape!(ListSubscriptionsResponse {
    subscriptions: Vec<Subscription>,
    next_token: Option<String>,
});

shape!(ListTagsForResourceRequest { resource_arn: String });

shape!(ListTagsForResourceResponse {
    tags: Vec<Tag>,
});

shape!(ListTopicsInput {
    next_token: Option<String>,
});

shape!(ListTopicsResponse {
    topics: Vec<Topic>,
    next_token: Option<String>,
});

shape!(MessageAttributeValue {
    data_type: String,
    string_value: Option<String>,
    binary_value: Option<Vec<u8>>,
});

shape!(PublishBatchInput {
    topic_arn: String,
    publish_batch_request_entries: Vec<PublishBatchRequestEntry>,
});

shape!(PublishBatchRequestEntry {
    id: String,
    message: String,
    subject: Option<String>,
    message_structure: Option<String>,
    message_attributes: std::collections::BTreeMap<String, MessageAttributeValue>,
    message_deduplication_id: Option<String>,
    message_group_id: Option<String>,
});

shape!(PublishBatchResponse {
    successful: Vec<PublishBatchResultEntry>,
    failed: Vec<BatchResultErrorEntry>,
});

shape!(PublishBatchResultEntry {
    id: Option<String>,
    message_id: Option<String>,
    sequence_number: Option<String>,
});

shape!(PublishInput {
    topic_arn: Option<String>,
    target_arn: Option<String>,
    phone_number: Option<String>,
    message: String,
    subject: Option<String>,
    message_structure: Option<String>,
    message_attributes: std::collections::BTreeMap<String, MessageAttributeValue>,
    message_deduplication_id: Option<String>,
    message_group_id: Option<String>,
});

shape!(PublishResponse {
    message_id: Option<String>,
    sequence_number: Option<String>,
});

shape!(RemovePermissionInput { topic_arn: String, label: String });

shape!(SetSubscriptionAttributesInput {
    subscription_arn: String,
    attribute_name: String,
    attribute_value: Option<String>,
});

shape!(SetTopicAttributesInput {
    topic_arn: String,
    attribute_name: String,
    attribute_value: Option<String>,
});

shape!(SubscribeInput {
    topic_arn: String,
    protocol: String,
    endpoint: Option<String>,
    attributes: std::collections::BTreeMap<String, String>,
    return_subscription_arn: Option<bool>,
});

shape!(SubscribeResponse {
    subscription_arn: Option<String>,
});

shape!(Subscription {
    subscription_arn: Option<String>,
    owner: Option<String>,
    protocol: Option<String>,
    endpoint: Option<String>,
    topic_arn: Option<String>,
});

shape!(Tag { key: String, value: String });

shape!(TagResourceRequest {
    resource_arn: String,
    tags: Vec<Tag>,
});

shape!(TagResourceResponse {});

shape!(Topic {
    topic_arn: Option<String>,
});

shape!(UnsubscribeInput { subscription_arn: String });

shape!(UntagResourceRequest {
    resource_arn: String,
    tag_keys: Vec<String>,
});

shape!(UntagResourceResponse {});

/// Operations, for registration and for typed calls.
pub mod ops {
    operation!("sns" AddPermission super::AddPermissionInput => ());
    operation!("sns" ConfirmSubscription super::ConfirmSubscriptionInput => super::ConfirmSubscriptionResponse);
    operation!("sns" CreateTopic super::CreateTopicInput => super::CreateTopicResponse);
    operation!("sns" DeleteTopic super::DeleteTopicInput => ());
    operation!("sns" GetSubscriptionAttributes super::GetSubscriptionAttributesInput => super::GetSubscriptionAttributesResponse);
    operation!("sns" GetTopicAttributes super::GetTopicAttributesInput => super::GetTopicAttributesResponse);
    operation!("sns" ListSubscriptions super::ListSubscriptionsInput => super::ListSubscriptionsResponse);
    operation!("sns" ListSubscriptionsByTopic super::ListSubscriptionsByTopicInput => super::ListSubscriptionsByTopicResponse);
    operation!("sns" ListTagsForResource super::ListTagsForResourceRequest => super::ListTagsForResourceResponse);
    operation!("sns" ListTopics super::ListTopicsInput => super::ListTopicsResponse);
    operation!("sns" Publish super::PublishInput => super::PublishResponse);
    operation!("sns" PublishBatch super::PublishBatchInput => super::PublishBatchResponse);
    operation!("sns" RemovePermission super::RemovePermissionInput => ());
    operation!("sns" SetSubscriptionAttributes super::SetSubscriptionAttributesInput => ());
    operation!("sns" SetTopicAttributes super::SetTopicAttributesInput => ());
    operation!("sns" Subscribe super::SubscribeInput => super::SubscribeResponse);
    operation!("sns" TagResource super::TagResourceRequest => super::TagResourceResponse);
    operation!("sns" Unsubscribe super::UnsubscribeInput => ());
    operation!("sns" UntagResource super::UntagResourceRequest => super::UntagResourceResponse);
}
