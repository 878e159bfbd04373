//! When a delivery that failed is tried again ("Amazon SNS message delivery retries" and "Creating an HTTP/S delivery
//! policy", SNS Developer Guide).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::error::Error;

const RETRIES_MAX: u32 = 100;
/// Longest single pause, and longest time over all of them.
const RETRY_SECONDS_MAX: u64 = 3_600;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Backoff {
    Arithmetic,
    Exponential,
    Geometric,
    #[default]
    Linear,
}

/// Retries in four phases: at once, then after the least pause, then after growing pauses, then after the longest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct RetryPolicy {
    /// Seconds.
    min_delay_target: u64,
    /// Seconds.
    max_delay_target: u64,
    num_retries: u32,
    num_max_delay_retries: u32,
    num_min_delay_retries: u32,
    num_no_delay_retries: u32,
    backoff_function: Backoff,
}

impl Default for RetryPolicy {
    /// AWS's default for `http` and `https`: three retries, 20 s apart.
    fn default() -> Self {
        Self {
            min_delay_target: 20,
            max_delay_target: 20,
            num_retries: 3,
            num_max_delay_retries: 0,
            num_min_delay_retries: 0,
            num_no_delay_retries: 0,
            backoff_function: Backoff::Linear,
        }
    }
}

impl RetryPolicy {
    /// AWS's fixed policy for e-mail: 50 attempts over six hours.
    pub(crate) fn email() -> Self {
        Self {
            min_delay_target: 10,
            max_delay_target: 600,
            num_retries: 50,
            num_max_delay_retries: 38,
            num_min_delay_retries: 2,
            num_no_delay_retries: 0,
            backoff_function: Backoff::Exponential,
        }
    }

    /// The pause before a retry, which counts from 1; none when there shall be no such retry.
    pub(crate) fn delay(&self, retry: u32) -> Option<Duration> {
        if retry == 0 || retry > self.num_retries {
            return None;
        }
        let (least, most) = (self.min_delay_target as f64, self.max_delay_target as f64);
        let growing = self.growing();
        let (no_delay, min_delay) = (self.num_no_delay_retries, self.num_no_delay_retries + self.num_min_delay_retries);
        let seconds = match retry {
            _ if retry <= no_delay => 0.0,
            _ if retry <= min_delay => least,
            _ if retry <= min_delay + growing => {
                least + (most - least) * self.backoff_function.share(retry - min_delay - 1, growing, most / least.max(1.0))
            }
            _ => most,
        };
        Some(Duration::from_secs_f64(seconds.clamp(0.0, RETRY_SECONDS_MAX as f64)))
    }

    /// Retries with growing pauses: those that are in no other phase.
    fn growing(&self) -> u32 {
        self.num_retries - self.num_no_delay_retries - self.num_min_delay_retries - self.num_max_delay_retries
    }

    fn check(&self) -> Result<(), Error> {
        let bad = |text: &str| Err(Error::Parameter(format!("DeliveryPolicy: {text}")));
        if self.num_retries > RETRIES_MAX {
            return bad("numRetries must be between 0 and 100");
        }
        let phases = [self.num_no_delay_retries, self.num_min_delay_retries, self.num_max_delay_retries];
        if phases.iter().map(|n| u64::from(*n)).sum::<u64>() > u64::from(self.num_retries) {
            return bad("numRetries must be at least the sum of numNoDelayRetries, numMinDelayRetries and numMaxDelayRetries");
        }
        if self.min_delay_target < 1 || self.min_delay_target > self.max_delay_target {
            return bad("minDelayTarget must be between 1 and maxDelayTarget");
        }
        if self.max_delay_target > RETRY_SECONDS_MAX {
            return bad("maxDelayTarget must be between minDelayTarget and 3600");
        }
        let total: Duration = (1..=self.num_retries).filter_map(|retry| self.delay(retry)).sum();
        if total > Duration::from_secs(RETRY_SECONDS_MAX) {
            return bad("the retries must take 3600 seconds in total at most");
        }
        Ok(())
    }
}

impl Backoff {
    /// How far the pause number `n` of `count` has grown from the least (0) to the longest (1). AWS draws the curves and
    /// gives no formulas; `ratio` is that of the longest pause to the least.
    fn share(self, n: u32, count: u32, ratio: f64) -> f64 {
        if count < 2 {
            return 0.0;
        }
        let (n, last) = (f64::from(n), f64::from(count - 1));
        let part = n / last;
        match self {
            Backoff::Linear => part,
            Backoff::Arithmetic => n * (n + 1.0) / (last * (last + 1.0)),
            Backoff::Exponential => (n.exp2() - 1.0) / (last.exp2() - 1.0),
            Backoff::Geometric if ratio > 1.0 => (ratio.powf(part) - 1.0) / (ratio - 1.0),
            Backoff::Geometric => part,
        }
    }
}

/// What a topic or a subscription says about its deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeliveryPolicy {
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) receives_per_second: Option<u32>,
    pub(crate) content_type: Option<String>,
    /// Of a topic: subscriptions cannot say otherwise.
    pub(crate) overrides_disabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TopicDocument {
    http: HttpDocument,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HttpDocument {
    default_healthy_retry_policy: Option<RetryPolicy>,
    default_throttle_policy: Option<Throttle>,
    default_request_policy: Option<RequestPolicy>,
    #[serde(default)]
    disable_subscription_overrides: bool,
    #[serde(rename = "defaultSicklyRetryPolicy")]
    _sickly: Option<Json>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SubscriptionDocument {
    healthy_retry_policy: Option<RetryPolicy>,
    throttle_policy: Option<Throttle>,
    request_policy: Option<RequestPolicy>,
    #[serde(rename = "sicklyRetryPolicy")]
    _sickly: Option<Json>,
    #[serde(rename = "guaranteed")]
    _guaranteed: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Throttle {
    max_receives_per_second: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequestPolicy {
    header_content_type: Option<String>,
}

/// What a request policy may ask for ("HTTP/S header policy").
const CONTENT_TYPES: [&str; 13] = [
    "application/atom+xml",
    "application/json",
    "application/octet-stream",
    "application/soap+xml",
    "application/x-www-form-urlencoded",
    "application/xhtml+xml",
    "application/xml",
    "text/css",
    "text/html",
    "text/javascript",
    "text/plain",
    "text/xml",
    "text/csv",
];

impl DeliveryPolicy {
    pub(crate) fn of_topic(text: &str) -> Result<Self, Error> {
        let document: TopicDocument = read(text)?;
        let http = document.http;
        let parts = (http.default_healthy_retry_policy, http.default_throttle_policy, http.default_request_policy);
        Self::checked(parts, http.disable_subscription_overrides)
    }

    pub(crate) fn of_subscription(text: &str) -> Result<Self, Error> {
        let document: SubscriptionDocument = read(text)?;
        Self::checked((document.healthy_retry_policy, document.throttle_policy, document.request_policy), false)
    }

    fn checked(
        (retry, throttle, request): (Option<RetryPolicy>, Option<Throttle>, Option<RequestPolicy>),
        overrides_disabled: bool,
    ) -> Result<Self, Error> {
        if let Some(retry) = &retry {
            retry.check()?;
        }
        let receives_per_second = throttle.and_then(|t| t.max_receives_per_second);
        if receives_per_second == Some(0) {
            return Err(Error::parameter("DeliveryPolicy: maxReceivesPerSecond must be 1 or greater"));
        }
        let content_type = request.and_then(|r| r.header_content_type);
        if let Some(content_type) = &content_type {
            let media = content_type.split(';').next().unwrap_or_default().trim();
            let is_printable = content_type.len() <= 256 && content_type.bytes().all(|b| (b' '..=b'~').contains(&b));
            if !CONTENT_TYPES.contains(&media) || !is_printable {
                return Err(Error::Parameter(format!("DeliveryPolicy: headerContentType {media} is not supported")));
            }
        }
        Ok(Self { retry, receives_per_second, content_type, overrides_disabled })
    }

    /// This policy, and where it says nothing, the topic's.
    pub(crate) fn over(self, topic: Option<DeliveryPolicy>) -> Self {
        match topic {
            None => self,
            Some(topic) if topic.overrides_disabled => topic,
            Some(topic) => Self {
                retry: self.retry.or(topic.retry),
                receives_per_second: self.receives_per_second.or(topic.receives_per_second),
                content_type: self.content_type.or(topic.content_type),
                overrides_disabled: false,
            },
        }
    }

    /// As `EffectiveDeliveryPolicy` of a topic shows it.
    pub(crate) fn effective_of_topic(&self) -> Json {
        json!({"http": {
            "defaultHealthyRetryPolicy": self.retry.clone().unwrap_or_default(),
            "disableSubscriptionOverrides": self.overrides_disabled,
            "defaultThrottlePolicy": self.receives_per_second.map(|n| json!({"maxReceivesPerSecond": n})),
            "defaultRequestPolicy": { "headerContentType": self.content_type.as_deref().unwrap_or(CONTENT_TYPE) },
        }})
    }

    /// As `EffectiveDeliveryPolicy` of a subscription shows it.
    pub(crate) fn effective_of_subscription(&self) -> Json {
        json!({
            "healthyRetryPolicy": self.retry.clone().unwrap_or_default(),
            "sicklyRetryPolicy": null,
            "throttlePolicy": self.receives_per_second.map(|n| json!({"maxReceivesPerSecond": n})),
            "requestPolicy": { "headerContentType": self.content_type.as_deref().unwrap_or(CONTENT_TYPE) },
            "guaranteed": false,
        })
    }
}

/// The content type of a message without a request policy ("HTTP/HTTPS headers").
pub(crate) const CONTENT_TYPE: &str = "text/plain; charset=UTF-8";

fn read<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|e| Error::Parameter(format!("DeliveryPolicy: {e}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{DeliveryPolicy, RetryPolicy};

    fn pauses(policy: &RetryPolicy) -> Vec<u64> {
        (1..).map_while(|retry| policy.delay(retry)).map(|d| d.as_secs()).collect()
    }

    #[test]
    fn the_default_for_http_is_three_retries_twenty_seconds_apart() {
        assert_eq!(pauses(&RetryPolicy::default()), [20, 20, 20]);
    }

    #[test]
    fn mail_is_tried_fifty_times_over_about_six_hours() {
        let pauses = pauses(&RetryPolicy::email());
        assert_eq!((pauses.len(), pauses[0], pauses[2], pauses[49]), (50, 10, 10, 600));
        assert!(pauses.is_sorted());
        assert!((5 * 3_600..8 * 3_600).contains(&pauses.iter().sum::<u64>()), "{pauses:?}");
    }

    #[test]
    fn the_four_phases_follow_each_other() {
        for function in ["linear", "arithmetic", "geometric", "exponential"] {
            let text = format!(
                r#"{{"healthyRetryPolicy": {{"minDelayTarget": 1, "maxDelayTarget": 60, "numRetries": 10, "numNoDelayRetries": 1,
                "numMinDelayRetries": 2, "numMaxDelayRetries": 3, "backoffFunction": "{function}"}}}}"#
            );
            let pauses = pauses(&DeliveryPolicy::of_subscription(&text).unwrap().retry.unwrap());
            assert_eq!((&pauses[..4], &pauses[6..]), (&[0, 1, 1, 1][..], &[60, 60, 60, 60][..]), "{function}");
            assert!(pauses.is_sorted(), "{function} {pauses:?}");
        }
    }

    #[test]
    fn contradictory_policies_are_refused() {
        let bad = [
            r#"{"numRetries": 101}"#,
            r#"{"minDelayTarget": 30}"#,
            r#"{"minDelayTarget": 0}"#,
            r#"{"maxDelayTarget": 3601}"#,
            r#"{"numRetries": 1, "numMinDelayRetries": 2}"#,
            r#"{"numRetries": 100, "maxDelayTarget": 3600}"#,
            r#"{"backoffFunction": "random"}"#,
            r#"{"retries": 3}"#,
        ];
        for policy in bad {
            let text = format!(r#"{{"healthyRetryPolicy": {policy}}}"#);
            assert!(DeliveryPolicy::of_subscription(&text).is_err(), "{policy}");
        }
        assert!(DeliveryPolicy::of_topic(r#"{"http": {}}"#).is_ok());
        assert!(DeliveryPolicy::of_topic("[]").is_err());
        assert!(DeliveryPolicy::of_subscription(r#"{"throttlePolicy": {"maxReceivesPerSecond": 0}}"#).is_err());
        assert!(DeliveryPolicy::of_subscription(r#"{"requestPolicy": {"headerContentType": "image/png"}}"#).is_err());
    }
}
