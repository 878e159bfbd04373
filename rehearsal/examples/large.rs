//! Predicts a day of many instances whose groups follow their load, and tells how long that took:
//! `cargo run --release -p rehearsal --example large -- 10000 24`. With the word `one` behind it, all are one group behind one
//! load balancer.

use std::time::{Duration, Instant};

use base::Time;
use rehearsal::{Delays, Demand, Scenario, Trace, predict};

/// Instances at the peak of one group.
const GROUP: u32 = 500;

const NETWORK: &str = "\
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  A: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/17, AvailabilityZone: !Select [0, !GetAZs '']}}
  B: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.128.0/17, AvailabilityZone: !Select [1, !GetAZs '']}}
  Template: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {ImageId: ami-host, InstanceType: t3.micro}}}
";

const BALANCER: &str = "  Gateway: {Type: AWS::EC2::InternetGateway}
  Attached: {Type: AWS::EC2::VPCGatewayAttachment, Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref Gateway}}
  Balancer: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer, DependsOn: Attached, Properties: {Subnets: [!Ref A, !Ref B]}}
  Targets: {Type: AWS::ElasticLoadBalancingV2::TargetGroup, Properties: {VpcId: !Ref Vpc, Protocol: HTTP, Port: 80}}
  Listener:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref Balancer
      Protocol: HTTP
      Port: 80
      DefaultActions: [{Type: forward, TargetGroupArn: !Ref Targets}]
";

fn group(index: u32, most: u32, more: &str) -> String {
    format!(
        "  Group{index}:\n    Type: AWS::AutoScaling::AutoScalingGroup\n    Properties:\n      MinSize: {}\n      MaxSize: {most}\n      {more}\
         VPCZoneIdentifier: [!Ref A, !Ref B]\n      LaunchTemplate: {{LaunchTemplateId: !Ref Template, Version: !GetAtt \
         Template.LatestVersionNumber}}\n  Policy{index}:\n    Type: AWS::AutoScaling::ScalingPolicy\n    Properties:\n      \
         AutoScalingGroupName: !Ref Group{index}\n      PolicyType: TargetTrackingScaling\n      TargetTrackingConfiguration:\n        \
         PredefinedMetricSpecification: {{PredefinedMetricType: ASGAverageCPUUtilization}}\n        TargetValue: 50\n",
        most / 2
    )
}

fn main() -> Result<(), String> {
    let one = std::env::args().any(|a| a == "one");
    let mut numbers = std::env::args().skip(1).filter(|a| a != "one").map(|a| a.parse::<u32>().map_err(|e| e.to_string()));
    let instances = numbers.next().transpose()?.unwrap_or(10_000);
    let hours = numbers.next().transpose()?.unwrap_or(24);
    let groups = instances.div_ceil(GROUP);
    let template = if one {
        NETWORK.to_string() + BALANCER + &group(0, groups * GROUP, "TargetGroupARNs: [!Ref Targets]\n      ")
    } else {
        NETWORK.to_string() + &(0..groups).map(|index| group(index, GROUP, "")).collect::<String>()
    };
    // Two cores and 20 ms a request: 50 a second at half use, with the peak at nine tenths of the maximum.
    let peak = f64::from(groups * GROUP) * 50.0 * 0.9;
    let scenario = Scenario {
        template,
        parameters: Vec::new(),
        trace: Trace::pattern(&format!("diurnal:{}..{peak}", peak / 3.0)).map_err(|e| e.to_string())?,
        demand: Demand { service_us: 20_000.0, cpu_us: 20_000.0, concurrency: 100, queue_max: 1_000, variation: 0.5 },
        delays: Delays { boot_ms: (20_000, 40_000), application_ms: (5_000, 10_000), grain_ms: 1_000, ..Delays::default() },
        region: "eu-central-1".into(),
        vcpu_millicores: 1_000,
        metric_period_s: 60,
        from: Time::from_unix_ms(1_767_225_600_000),
        length: Duration::from_secs(u64::from(hours) * 3_600),
        seed: 1,
        hourly_price: None,
    };
    let begun = Instant::now();
    let p = predict(&scenario, &mut |_| {}).map_err(|e| format!("{e:?}"))?;
    let t = &p.totals;
    println!(
        "{} to {} instances for {hours} h, {} launched, {} ended, {} commits: {:.2} s",
        t.instances_least,
        t.instances_most,
        t.launches,
        t.terminations,
        t.commits,
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}
