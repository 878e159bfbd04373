//! Launch configurations: what instances of a group are launched as, in the older form that cannot be changed ("Auto
//! Scaling launch configurations"). It owns their rows; EC2 checks and launches what they say.

use base::Time;
use ec2::LaunchData;
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::group::{Group, TemplateChoice};

/// "Quotas for Amazon EC2 Auto Scaling": launch configurations a region.
pub const CONFIGURATIONS_MAX: usize = 200;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchConfiguration {
    pub name: String,
    pub arn: String,
    pub created_at: Time,
    pub data: LaunchData,
}

impl Row for LaunchConfiguration {
    const TABLE: &'static str = "autoscaling.launch-configuration";
    type Key = String;

    fn key(&self) -> String {
        self.name.clone()
    }
}

/// Makes a launch configuration; what it names must exist.
pub fn create_configuration(tx: &mut Tx, cx: &Cx, name: &str, data: LaunchData) -> Result<String, Error> {
    let fine = (1..=255).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if !fine {
        return Err(Error::Invalid(format!("The launch configuration name '{name}' must have 1 to 255 characters.")));
    }
    if tx.get::<LaunchConfiguration>(&name.to_string()).is_some() {
        return Err(Error::ConfigurationExists(name.into()));
    }
    if tx.count::<LaunchConfiguration>() >= CONFIGURATIONS_MAX {
        let text = format!("You have already reached the limit of {CONFIGURATIONS_MAX} launch configurations");
        return Err(Error::LimitExceeded(text));
    }
    for (parameter, value) in [("ImageId", &data.image_id), ("InstanceType", &data.instance_type)] {
        if value.as_deref().is_none_or(str::is_empty) {
            let text = format!(
                "Valid requests must contain either the InstanceID parameter or both the ImageId and InstanceType parameters: {parameter} is missing."
            );
            return Err(Error::Invalid(text));
        }
    }
    ec2::check_data(tx, cx, &data)?;
    let uuid = cx.rng().uuid();
    tx.put(LaunchConfiguration {
        arn: cx.scope.arn("autoscaling", format_args!("launchConfiguration:{uuid}:launchConfigurationName/{name}")),
        name: name.into(),
        created_at: cx.now,
        data,
    });
    Ok(name.into())
}

/// Forgets a launch configuration that no group uses.
pub fn delete_configuration(tx: &mut Tx, name: &str) -> Result<(), Error> {
    let name = find_configuration(tx, name)?.name.clone();
    if let Some(group) = tx.rows::<Group>().find(|g| g.launch_configuration.as_deref() == Some(&name)) {
        return Err(Error::ConfigurationInUse(name, group.name.clone()));
    }
    tx.remove::<LaunchConfiguration>(&name);
    Ok(())
}

/// The launch configuration of this name or ARN.
pub fn find_configuration<'a>(state: &'a State, name: &str) -> Result<&'a LaunchConfiguration, Error> {
    let short = name.split_once(":launchConfigurationName/").map_or(name, |(_, short)| short);
    let found = state.find::<LaunchConfiguration, str>(short);
    found.ok_or_else(|| Error::Invalid(format!("Launch configuration name not found - Launch configuration {short} not found")))
}

/// The choice of a group that has none, for it launches from a configuration.
pub(crate) fn no_template() -> TemplateChoice {
    TemplateChoice { id: "".into(), name: String::new(), version: None }
}
