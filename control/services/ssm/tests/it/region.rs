//! A region of Parameter Store alone: typed requests in, typed answers out.

use base::Fault;
use kernel::Trial;
use shapes::ssm as s;
use shapes::ssm::ops;

pub struct Region {
    trial: Trial,
}

impl std::ops::Deref for Region {
    type Target = Trial;
    fn deref(&self) -> &Trial {
        &self.trial
    }
}

impl std::ops::DerefMut for Region {
    fn deref_mut(&mut self) -> &mut Trial {
        &mut self.trial
    }
}

impl Region {
    pub fn new() -> Self {
        Self { trial: Trial::new(ssm::register) }
    }

    pub fn put(&mut self, name: &str, value: &str) {
        self.call::<ops::PutParameter>(plain(name, value)).unwrap();
    }

    pub fn get(&mut self, name: &str) -> Result<s::Parameter, Fault> {
        let input = s::GetParameterRequest { name: name.into(), ..Default::default() };
        self.call::<ops::GetParameter>(input).map(|r| r.parameter.unwrap())
    }
}

pub fn plain(name: &str, value: &str) -> s::PutParameterRequest {
    s::PutParameterRequest { name: name.into(), value: value.into(), r#type: Some("String".into()), ..Default::default() }
}
