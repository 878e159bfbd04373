//! Availability zones: their names come with the region, their ids are derived as AWS forms them.

use base::Scope;

use crate::error::Error;

/// The id of a zone, such as `euc1-az1` for `eu-central-1a`.
pub fn id(scope: &Scope, zone: &str) -> String {
    let number = scope.zones.iter().position(|z| z == zone).map_or(0, |n| n + 1);
    format!("{}-az{number}", short_region(&scope.region))
}

/// The zone of an id.
pub fn of_id<'a>(scope: &'a Scope, zone_id: &str) -> Option<&'a str> {
    scope.zones.iter().map(String::as_str).find(|zone| id(scope, zone) == zone_id)
}

/// Refuses a zone that the region does not have.
pub fn check(scope: &Scope, zone: String) -> Result<String, Error> {
    if scope.zones.contains(&zone) {
        return Ok(zone);
    }
    let hint = format!("Subnets can currently only be created in the following availability zones: {}.", scope.zones.join(", "));
    Err(Error::invalid("availabilityZone", zone, &hint))
}

/// `eu-central-1` becomes `euc1`.
fn short_region(region: &str) -> String {
    let word = |part: &str| match part {
        "northeast" => "ne".into(),
        "northwest" => "nw".into(),
        "southeast" => "se".into(),
        "southwest" => "sw".into(),
        "north" | "south" | "east" | "west" | "central" => part[..1].into(),
        other => other.to_string(),
    };
    region.split('-').map(word).collect()
}

#[cfg(test)]
mod tests {
    use base::Scope;

    use super::{id, of_id};

    #[test]
    fn ids_are_formed_as_aws_forms_them() {
        for (region, zone, expected) in
            [("eu-central-1", "a", "euc1-az1"), ("us-east-1", "b", "use1-az2"), ("ap-southeast-2", "c", "apse2-az3")]
        {
            let scope = Scope::new(region, "000000000000");
            let zone = format!("{region}{zone}");
            assert_eq!(id(&scope, &zone), expected);
            assert_eq!(of_id(&scope, expected), Some(zone.as_str()));
        }
    }
}
