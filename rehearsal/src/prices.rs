//! What AWS would charge: a small table of facts, and nothing that guesses what is not in it.

const TABLE: &str = include_str!("prices.txt");
/// The date of the table.
pub const DATE: &str = "2025-01-01";

/// Sizes as multiples of `large`.
const SIZES: [(&str, f64); 15] = [
    ("nano", 0.0625),
    ("micro", 0.125),
    ("small", 0.25),
    ("medium", 0.5),
    ("large", 1.0),
    ("xlarge", 2.0),
    ("2xlarge", 4.0),
    ("4xlarge", 8.0),
    ("8xlarge", 16.0),
    ("9xlarge", 18.0),
    ("12xlarge", 24.0),
    ("16xlarge", 32.0),
    ("18xlarge", 36.0),
    ("24xlarge", 48.0),
    ("32xlarge", 64.0),
];

/// US dollars an hour of an instance; none when the table has no such type or region.
pub fn instance_hour(region: &str, instance_type: &str) -> Option<f64> {
    let (family, size) = instance_type.split_once('.')?;
    let factor = SIZES.iter().find(|(name, _)| *name == size)?.1;
    if ["alb", "lcu"].contains(&family) { None } else { Some(entry(region, family)? * factor) }
}

/// US dollars an hour of an application load balancer, and of one capacity unit of it.
pub fn balancer_hour(region: &str) -> Option<(f64, f64)> {
    Some((entry(region, "alb")?, entry(region, "lcu")?))
}

/// Capacity units of a load balancer that does this much: the largest of its measures counts ("Elastic Load Balancing pricing":
/// 25 new connections a second, 3,000 active ones, 1 GB an hour).
pub fn capacity_units(new_connections_a_second: f64, active_connections: f64, gigabytes_an_hour: f64) -> f64 {
    (new_connections_a_second / 25.0).max(active_connections / 3_000.0).max(gigabytes_an_hour)
}

fn entry(region: &str, name: &str) -> Option<f64> {
    let mut lines = TABLE.lines().filter(|l| !l.starts_with('#')).map(str::split_whitespace);
    let column = lines.find_map(|mut cells| (cells.next() == Some("regions")).then(|| cells.position(|c| c == region)))??;
    lines.find_map(|mut cells| (cells.next() == Some(name)).then(|| cells.nth(column)?.parse().ok()))?
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{TABLE, balancer_hour, capacity_units, instance_hour};

    #[test]
    fn known_prices_and_unknown_ones() {
        let close = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 1e-9, "{a:?} is not {b}");
        close(instance_hour("us-east-1", "t3.micro"), 0.0104);
        close(instance_hour("eu-central-1", "t3.micro"), 0.0120);
        close(instance_hour("eu-central-1", "m5.4xlarge"), 0.92);
        assert_eq!(instance_hour("eu-central-1", "x9.large"), None);
        assert_eq!(instance_hour("mars-north-1", "t3.micro"), None);
        assert_eq!(instance_hour("eu-central-1", "lcu.large"), None);
        assert_eq!(balancer_hour("us-east-1"), Some((0.0225, 0.008)));
        assert_eq!(capacity_units(50.0, 100.0, 0.5), 2.0);
    }

    #[test]
    fn every_line_of_the_table_has_a_price_for_each_region() {
        let lines: Vec<Vec<&str>> =
            TABLE.lines().filter(|l| !l.starts_with('#')).map(|l| l.split_whitespace().collect()).collect();
        for line in &lines[1..] {
            assert_eq!(line.len(), lines[0].len(), "{line:?}");
            assert!(line[1..].iter().all(|cell| cell.parse::<f64>().is_ok()), "{line:?}");
        }
        assert!(TABLE.contains(super::DATE));
    }
}
