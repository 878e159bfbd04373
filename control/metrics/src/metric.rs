use serde::{Deserialize, Serialize};

/// Names a metric: namespace, name and dimensions. The same name with other dimensions is another metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Metric {
    pub namespace: String,
    pub name: String,
    /// Name and value, sorted by name, names unique.
    pub dimensions: Vec<(String, String)>,
}

impl Metric {
    pub fn new(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> Self {
        let mut dimensions: Vec<_> = dimensions.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        dimensions.sort_unstable();
        Self { namespace: namespace.into(), name: name.into(), dimensions }
    }
}
