// The web tier of ../web-tier.yaml, for the CDK: a load balancer in front of an Auto Scaling group in two zones.
//
//   eval "$(allod env)"
//   npm install && npx cdk deploy
//
// Nothing here names the region that Allod runs. This synthesizer needs no bucket and no roles, so nothing is bootstrapped.
const { App, CfnOutput, Duration, LegacyStackSynthesizer, Stack } = require('aws-cdk-lib');
const { AutoScalingGroup, AdditionalHealthCheckType, HealthChecks, UpdatePolicy } = require('aws-cdk-lib/aws-autoscaling');
const ec2 = require('aws-cdk-lib/aws-ec2');
const { ApplicationLoadBalancer } = require('aws-cdk-lib/aws-elasticloadbalancingv2');

const app = new App();
const stack = new Stack(app, 'web-tier-cdk', { synthesizer: new LegacyStackSynthesizer() });
const setting = (name, other) => app.node.tryGetContext(name) ?? other;

const vpc = new ec2.Vpc(stack, 'Vpc', {
  maxAzs: 2,
  natGateways: 0,
  subnetConfiguration: [{ name: 'public', subnetType: ec2.SubnetType.PUBLIC }],
});

const userData = ec2.UserData.custom(`#!/bin/sh
set -eu
umask 022
cat > /etc/web-tier.env <<'SETTINGS'
PORT=8080
WEB_TIER_STACK=${stack.stackName}
WEB_TIER_ENVIRONMENT=${setting('environment', 'development')}
SETTINGS
`);

const group = new AutoScalingGroup(stack, 'Group', {
  vpc,
  launchTemplate: new ec2.LaunchTemplate(stack, 'Template', {
    // It starts web-tier on port 8080 at boot.
    machineImage: ec2.MachineImage.fromSsmParameter('/allod/images/web-tier', { userData }),
    instanceType: new ec2.InstanceType('t3.micro'),
    securityGroup: new ec2.SecurityGroup(stack, 'Instances', { vpc }),
    requireImdsv2: true,
    userData,
  }),
  minCapacity: 2,
  maxCapacity: Number(setting('maxSize', 6)),
  healthChecks: HealthChecks.withAdditionalChecks({ gracePeriod: Duration.seconds(30), additionalTypes: [AdditionalHealthCheckType.ELB] }),
  // New settings come with new instances, one after the other.
  updatePolicy: UpdatePolicy.rollingUpdate({ minInstancesInService: 1 }),
});
group.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: 50 });

const balancer = new ApplicationLoadBalancer(stack, 'Balancer', { vpc, internetFacing: true });
balancer.addListener('Http', { port: 80 }).addTargets('App', {
  port: 8080,
  targets: [group],
  deregistrationDelay: Duration.seconds(10),
  healthCheck: { path: '/health', interval: Duration.seconds(5), timeout: Duration.seconds(2), healthyThresholdCount: 2 },
});

new CfnOutput(stack, 'Url', { value: `http://${balancer.loadBalancerDnsName}` });
new CfnOutput(stack, 'GroupName', { value: group.autoScalingGroupName });
