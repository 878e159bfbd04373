//! What an event costs does not grow with the group.

use std::time::{Duration, Instant};

use shapes::autoscaling as s;
use shapes::autoscaling::ops;

use crate::region::Region;

#[test]
fn a_large_group_that_is_as_it_should_be_costs_next_to_nothing() {
    const SIZE: i64 = 2_000;
    let mut region = Region::new();
    region.group(0, |r| r.max_size = SIZE);
    for desired_capacity in [SIZE / 2, SIZE] {
        let input = s::SetDesiredCapacityType { auto_scaling_group_name: "g".into(), desired_capacity, ..Default::default() };
        region.call::<ops::SetDesiredCapacity>(input).unwrap();
        region.play();
    }
    assert_eq!(region.in_service().len(), SIZE as usize);
    let begun = Instant::now();
    const TURNS: u32 = 100;
    for turn in 0..TURNS {
        // A change that makes the group due and changes nothing of its instances.
        let input = s::UpdateAutoScalingGroupType {
            auto_scaling_group_name: "g".into(),
            default_cooldown: Some(i64::from(turn)),
            ..Default::default()
        };
        region.call::<ops::UpdateAutoScalingGroup>(input).unwrap();
        region.settle();
    }
    let each = begun.elapsed() / TURNS;
    eprintln!("one event of a group of {SIZE}: {each:?}");
    // Without optimization and beside other tests; what grows with the group would take far longer.
    assert!(each < Duration::from_millis(20), "{each:?}");
}
