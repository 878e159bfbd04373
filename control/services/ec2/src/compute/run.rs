//! `RunInstances`: lays the request over its template, launches, and answers with the reservation.

use std::hash::{DefaultHasher, Hash, Hasher};

use base::{Fault, InstanceId, Tags};
use kernel::{Cx, State, Tx};
use shapes::ec2 as s;

use super::answers::{reservation_answer, reservation_of};
use super::error::ComputeError;
use super::instance::{ClientToken, Instance};
use super::launch::{Request, refuse_two_places, run, template_data};
use super::launch_data::LaunchData;
use super::launch_shapes;
use super::launch_template::TemplateName;
use crate::error::{Error, unless_dry};

/// Longest client token.
const TOKEN_CHARS_MAX: usize = 64;

pub(crate) fn run_instances(tx: &mut Tx, cx: &Cx, input: s::RunInstancesRequest) -> Result<s::Reservation, Fault> {
    let digest = digest(&input);
    let token = input.client_token.clone().filter(|t| !t.is_empty());
    if token.as_ref().is_some_and(|t| t.chars().count() > TOKEN_CHARS_MAX) {
        return Err(Error::invalid("ClientToken", "", &format!("It may have at most {TOKEN_CHARS_MAX} characters.")).into());
    }
    if let Some(earlier) = token.as_ref().and_then(|t| launched_with(tx, t)) {
        if earlier.client_token.as_ref().is_some_and(|t| t.request != digest) {
            return Err(ComputeError::IdempotentMismatch.into());
        }
        let reservation = earlier.reservation.clone();
        return Ok(reservation_answer(tx, cx, &reservation_of(tx, &reservation)));
    }
    let dry_run = input.dry_run;
    let request = request(tx, input, token.map(|token| ClientToken { token, request: digest }))?;
    let launched = run(tx, cx, request)?;
    let instances: Vec<&Instance> = launched.iter().filter_map(|id: &InstanceId| tx.get::<Instance>(id)).collect();
    unless_dry(dry_run, reservation_answer(tx, cx, &instances))
}

fn launched_with<'a>(state: &'a State, token: &str) -> Option<&'a Instance> {
    state.rows_where::<Instance>("client-token", token).next()
}

/// Equal requests have equal digests. It is kept for an hour past the instance's end at most, by one build.
fn digest(input: &s::RunInstancesRequest) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{input:?}").hash(&mut hasher);
    hasher.finish()
}

fn request(state: &State, input: s::RunInstancesRequest, token: Option<ClientToken>) -> Result<Request, Error> {
    let least = count("MinCount", input.min_count)?;
    let most = count("MaxCount", input.max_count)?;
    if !input.network_interfaces.is_empty() {
        let groups = !input.security_group_ids.is_empty() || !input.security_groups.is_empty();
        if groups || input.subnet_id.is_some() || input.private_ip_address.is_some() {
            let text = "Network interfaces and an instance-level subnet ID, security groups or private address may not be specified on the same request";
            return Err(Error::InvalidCombination(text.into()));
        }
    }
    let template = input.launch_template.clone();
    let subnet = input.subnet_id.clone().map(Into::into);
    let address = input.private_ip_address.as_deref().map(launch_shapes::address).transpose()?;
    let own = launch_shapes::of_run(input)?;
    let (template, under) = match template {
        None => (None, LaunchData::default()),
        Some(t) => {
            let name = TemplateName::of(t.launch_template_id, t.launch_template_name)?;
            let (used, data) = template_data(state, &name, t.version.as_deref())?;
            (Some(used), data)
        }
    };
    let data = own.over(under);
    refuse_two_places(&data, subnet.as_ref(), address)?;
    Ok(Request { data, template, subnet, zone: None, address, least, most, tags: Tags::new(), token, requester: None })
}

fn count(parameter: &str, count: i64) -> Result<u32, Error> {
    match u32::try_from(count) {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(Error::invalid(parameter, count, "It must be at least 1.")),
    }
}
