//! A day of a large web tier: how fast it is simulated, and what it went through.

use std::time::Duration;

use base::Rng;
use region::cloudformation::StackStatus;

use crate::checks;
use crate::web_tier::{self, TEMPLATE};
use crate::{Rehearsal, Scrutiny};

/// Most instances of one stack here: as many as one target group may have, with room for those that are replaced.
const INSTANCES_A_STACK_MAX: u32 = 500;
/// Most stacks: the region's VPCs but the default one.
const STACKS_MAX: u32 = 4;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const CREATION_MAX: Duration = Duration::from_secs(3_600);

/// What is simulated.
#[derive(Clone, Debug)]
pub struct Day {
    pub seed: u64,
    pub instances: u32,
    pub hours: u32,
    /// Instances that die in an hour, and those whose application hangs.
    pub deaths_an_hour: u32,
    pub hangs_an_hour: u32,
    pub scrutiny: Scrutiny,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayReport {
    pub instances: usize,
    pub commits: u64,
    pub deaths: u32,
    pub hangs: u32,
    /// Smallest number of targets that could serve, looked at a second after each blow.
    pub fewest_healthy: usize,
    pub digest: u64,
}

/// Creates the stacks, lets the time pass with deaths and hangs, and checks that all are whole in the end. What is
/// broken is told in the error.
pub fn day(day: &Day) -> Result<DayReport, String> {
    let stacks = day.instances.div_ceil(INSTANCES_A_STACK_MAX).max(1);
    if stacks > STACKS_MAX {
        return Err(format!("at most {} instances can be simulated", STACKS_MAX * INSTANCES_A_STACK_MAX));
    }
    let mut region = web_tier::region(day.seed, day.scrutiny);
    for index in 0..stacks {
        let size = day.instances / stacks + u32::from(index < day.instances % stacks);
        create(&mut region, index, size)?;
    }
    region.run_for(MINUTE);
    let mut rng = Rng::new(day.seed);
    let mut report =
        DayReport { instances: 0, commits: 0, deaths: 0, hangs: 0, fewest_healthy: region.model().healthy_targets(), digest: 0 };
    for _ in 0..day.hours * 60 {
        let deaths = strike(&mut region, &mut rng, day.deaths_an_hour, Rehearsal::kill);
        let hangs = strike(&mut region, &mut rng, day.hangs_an_hour, Rehearsal::hang);
        (report.deaths, report.hangs) = (report.deaths + deaths, report.hangs + hangs);
        region.run_for(SECOND);
        if deaths + hangs > 0 {
            report.fewest_healthy = report.fewest_healthy.min(region.model().healthy_targets());
        }
        region.run_for(MINUTE - SECOND);
    }
    // The last ones struck get their replacements.
    region.run_for(MINUTE * 5);
    checks::after_commit(region.state(), region.model())?;
    checks::at_rest(region.state(), region.model())?;
    report.instances = region.model().running().count();
    report.commits = region.commits;
    report.digest = region.digest();
    Ok(report)
}

fn create(region: &mut Rehearsal, index: u32, size: u32) -> Result<(), String> {
    let name = format!("{}-{index}", web_tier::STACK);
    let (cidr, text) = (format!("10.{index}.0.0/16"), size.to_string());
    let most = (size + 50).to_string();
    // The same stack with a larger group, and with subnets of 4,096 addresses.
    let template = TEMPLATE.replace("MaxValue: 20", "MaxValue: 2000").replace("Vpc.CidrBlock, 4, 8]", "Vpc.CidrBlock, 4, 12]");
    let parameters = [("VpcCidr", cidr.as_str()), ("MinSize", &text), ("DesiredCapacity", &text), ("MaxSize", &most)];
    web_tier::create(region, &name, &template, &parameters).map_err(|fault| fault.to_string())?;
    web_tier::settle(region, &name, CREATION_MAX);
    match web_tier::stack(region, &name) {
        Some(stack) if stack.status == StackStatus::CreateComplete => Ok(()),
        other => Err(format!("{name} was not created: {:?}", other.map(|s| (s.status, s.reason.clone())))),
    }
}

/// Lets a random instance be struck with the chance that makes it so many an hour; one each minute at most.
fn strike(region: &mut Rehearsal, rng: &mut Rng, an_hour: u32, blow: fn(&mut Rehearsal, &base::InstanceId)) -> u32 {
    if rng.below(60) >= u64::from(an_hour) {
        return 0;
    }
    let ids: Vec<_> = region.model().running().map(|(id, _)| id.clone()).collect();
    if ids.is_empty() {
        return 0;
    }
    blow(region, &ids[rng.below(ids.len() as u64) as usize]);
    1
}
