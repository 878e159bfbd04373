# The web tier of ../web-tier.yaml, for Terraform: a load balancer in front of an Auto Scaling group in two zones.
#
#   eval "$(allod env)"
#   terraform init && terraform apply
#
# Nothing here names the region that Allod runs: the same files create the same web tier at AWS.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80, < 7.0"
    }
  }
}

provider "aws" {
  default_tags {
    tags = { Stack = var.name }
  }
}

variable "name" {
  description = "The name of the web tier."
  default     = "web-tier-tf"
}

variable "image_parameter" {
  description = "The SSM parameter that holds the image. It starts web-tier on port 8080 at boot."
  default     = "/allod/images/web-tier"
}

variable "instance_type" {
  description = "How large each instance is."
  default     = "t3.micro"
}

variable "environment" {
  description = "What this web tier is for. Another value replaces the instances, a few at a time."
  default     = "development"
}

variable "min_size" {
  description = "The fewest instances, which are kept through every failure."
  default     = 2
}

variable "max_size" {
  description = "The most instances."
  default     = 6
}

variable "cpu_target" {
  description = "The processor use, in percent, that the group is kept at by adding and removing instances."
  default     = 50
}

data "aws_availability_zones" "here" {
  state = "available"
}

data "aws_ssm_parameter" "image" {
  name = var.image_parameter
}

data "aws_iam_policy_document" "instances" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

# Network: two zones, and in each a public subnet for the load balancer and a private one for the instances.
locals {
  zones = { for number, zone in slice(data.aws_availability_zones.here.names, 0, 2) : zone => number }
}

resource "aws_vpc" "main" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

resource "aws_subnet" "public" {
  for_each                = local.zones
  vpc_id                  = aws_vpc.main.id
  availability_zone       = each.key
  cidr_block              = cidrsubnet(aws_vpc.main.cidr_block, 8, each.value)
  map_public_ip_on_launch = true
  tags                    = { Name = "${var.name} public ${each.key}" }
}

resource "aws_subnet" "app" {
  for_each          = local.zones
  vpc_id            = aws_vpc.main.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(aws_vpc.main.cidr_block, 8, 2 + each.value)
  tags              = { Name = "${var.name} app ${each.key}" }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main.id
}

resource "aws_route_table_association" "public" {
  for_each       = aws_subnet.public
  subnet_id      = each.value.id
  route_table_id = aws_route_table.public.id
}

# Who may talk to whom: users to the load balancer, the load balancer to the application.
resource "aws_security_group" "load_balancer" {
  name_prefix = "${var.name}-users-"
  description = "Users reach the load balancer"
  vpc_id      = aws_vpc.main.id
}

resource "aws_security_group" "app" {
  name_prefix = "${var.name}-app-"
  description = "The load balancer reaches the application"
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "users" {
  security_group_id = aws_security_group.load_balancer.id
  description       = "Users"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "targets" {
  security_group_id            = aws_security_group.load_balancer.id
  description                  = "The application"
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
  referenced_security_group_id = aws_security_group.app.id
}

resource "aws_vpc_security_group_ingress_rule" "app" {
  security_group_id            = aws_security_group.app.id
  description                  = "The load balancer"
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
  referenced_security_group_id = aws_security_group.load_balancer.id
}

# Instances.
resource "aws_iam_role" "app" {
  name_prefix        = "${var.name}-"
  description        = "What an instance of the web tier may do"
  assume_role_policy = data.aws_iam_policy_document.instances.json
}

resource "aws_iam_instance_profile" "app" {
  name_prefix = "${var.name}-"
  role        = aws_iam_role.app.name
}

resource "aws_launch_template" "app" {
  name_prefix            = "${var.name}-"
  image_id               = data.aws_ssm_parameter.image.value
  instance_type          = var.instance_type
  vpc_security_group_ids = [aws_security_group.app.id]
  iam_instance_profile {
    arn = aws_iam_instance_profile.app.arn
  }
  # Metrics each minute, which scaling follows, and not each five.
  monitoring {
    enabled = true
  }
  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
  }
  tag_specifications {
    resource_type = "instance"
    tags          = { Name = "${var.name} web" }
  }
  user_data = base64encode(<<-SCRIPT
    #!/bin/sh
    set -eu
    umask 022
    cat > /etc/web-tier.env <<'SETTINGS'
    PORT=8080
    WEB_TIER_STACK=${var.name}
    WEB_TIER_ENVIRONMENT=${var.environment}
    SETTINGS
    if [ -d /run/systemd/system ]; then systemctl --no-block try-restart web-tier.service; fi
  SCRIPT
  )
}

# The load balancer, and whom it sends requests to.
resource "aws_lb" "main" {
  name            = var.name
  subnets         = [for subnet in aws_subnet.public : subnet.id]
  security_groups = [aws_security_group.load_balancer.id]
  depends_on      = [aws_route.internet]
}

resource "aws_lb_target_group" "app" {
  name_prefix          = "web-"
  vpc_id               = aws_vpc.main.id
  protocol             = "HTTP"
  port                 = 8080
  deregistration_delay = 10
  health_check {
    path                = "/health"
    interval            = 5
    timeout             = 2
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.main.arn
  protocol          = "HTTP"
  port              = 80
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.app.arn
  }
}

# The group keeps as many instances as are wanted, evenly over both zones, and replaces those that fail.
resource "aws_autoscaling_group" "app" {
  name_prefix               = "${var.name}-"
  min_size                  = var.min_size
  max_size                  = var.max_size
  vpc_zone_identifier       = [for subnet in aws_subnet.app : subnet.id]
  target_group_arns         = [aws_lb_target_group.app.arn]
  health_check_type         = "ELB"
  health_check_grace_period = 30
  default_instance_warmup   = 60
  # Created means that as many instances as are wanted serve.
  wait_for_elb_capacity = var.min_size
  enabled_metrics       = ["GroupDesiredCapacity", "GroupInServiceInstances"]
  launch_template {
    id      = aws_launch_template.app.id
    version = aws_launch_template.app.latest_version
  }
  # New settings come with new instances, which serve before the old ones go.
  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage = 100
      max_healthy_percentage = 200
      instance_warmup        = 5
    }
  }
  # Scaling decides how many there are.
  lifecycle {
    ignore_changes = [desired_capacity]
  }
  # Instances count on the load balancer's health checks, for which it must be in use.
  depends_on = [aws_lb_listener.http]
}

# More load, more instances; fewer again when it ends.
resource "aws_autoscaling_policy" "cpu" {
  name                   = "cpu"
  autoscaling_group_name = aws_autoscaling_group.app.name
  policy_type            = "TargetTrackingScaling"
  target_tracking_configuration {
    predefined_metric_specification {
      predefined_metric_type = "ASGAverageCPUUtilization"
    }
    target_value = var.cpu_target
  }
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.name} errors"
  alarm_description   = "Users see more than a few errors a minute."
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HTTPCode_Target_5XX_Count"
  dimensions          = { LoadBalancer = aws_lb.main.arn_suffix }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 5
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
}

output "url" {
  description = "Where users find the web tier"
  value       = "http://${aws_lb.main.dns_name}"
}

output "group_name" {
  description = "The Auto Scaling group"
  value       = aws_autoscaling_group.app.name
}
