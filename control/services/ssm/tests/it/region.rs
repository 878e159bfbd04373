//! A region of Parameter Store alone: typed requests in, typed answers out.

use base::Fault;
use kernel::Trial;
use shapes::ssm as s;
use shapes::ssm::ops;

pub fn region() -> Trial {
    Trial::new(ssm::register)
}

pub fn put(region: &mut Trial, name: &str, value: &str) {
    region.call::<ops::PutParameter>(plain(name, value)).unwrap();
}

pub fn get(region: &mut Trial, name: &str) -> Result<s::Parameter, Fault> {
    let input = s::GetParameterRequest { name: name.into(), ..Default::default() };
    region.call::<ops::GetParameter>(input).map(|r| r.parameter.unwrap())
}

pub fn plain(name: &str, value: &str) -> s::PutParameterRequest {
    s::PutParameterRequest { name: name.into(), value: value.into(), r#type: Some("String".into()), ..Default::default() }
}
