//! How many engines a manager takes for healthy, as the standalone Swarm's `/info` tells it.

use serde_json::Value;

/// How many engines there are, and how many are healthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Healthy ones.
    pub healthy: usize,
    /// All that it lists.
    pub listed: usize,
}

impl Health {
    /// From the body of `/info`, in which every engine has a row `Status`.
    pub fn read(info: &[u8]) -> Health {
        let info: Value = serde_json::from_slice(info).unwrap_or_default();
        // Before version 1.22 of the API they were told elsewhere.
        let rows = ["SystemStatus", "DriverStatus"].into_iter();
        let rows = rows.filter_map(|key| info[key].as_array()).flatten();
        let states = rows.filter_map(|row| match row[0].as_str() {
            Some(key) if key.ends_with("Status") => row[1].as_str(),
            _ => None,
        });
        states.fold(Health::default(), |sum, state| Health {
            healthy: sum.healthy + usize::from(state == "Healthy"),
            listed: sum.listed + 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_counted_by_their_status() {
        let info =
            r#"{"SystemStatus":[["Nodes","2"],["  └ Status","Healthy"],["  └ Status","Pending"],["  └ Labels",""]]}"#;
        let expected = Health { healthy: 1, listed: 2 };
        assert_eq!(Health::read(info.as_bytes()), expected);
        assert_eq!(
            Health::read(info.replace("SystemStatus", "DriverStatus").as_bytes()),
            expected
        );
        assert_eq!(Health::read(b"gibberish"), Health::default());
    }
}
