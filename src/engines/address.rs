//! Where engines listen, and how discovery is told.

use std::net::Ipv4Addr;

use crate::net::Address;

/// Hosts below one third number of an address: those that end in 0 and 255 look like something else.
const HOSTS: u32 = 254;

/// How engines are given their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressPlan {
    /// Each has an address of its own from here on, all the same port.
    Addresses {
        /// The network that they begin in.
        network: Ipv4Addr,
        /// The port of all.
        port: u16,
    },
    /// All have one address, each a port of its own from here on.
    Ports {
        /// The address of all.
        host: Ipv4Addr,
        /// The port of the first.
        first: u16,
    },
}

/// Why there are not enough addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressPlanError {
    /// An address that others can reach, which nobody should by accident.
    #[error("{0} is not a loopback address: take one between 127.0.0.0 and 127.255.255.255")]
    NotLoopback(Ipv4Addr),
    /// The network ends before the engines do.
    #[error("there are not {0} addresses from there on in 127.0.0.0/8")]
    TooFewAddresses(usize),
    /// The ports end before the engines do.
    #[error("there are not {0} ports from {1} on")]
    TooFewPorts(usize, u16),
}

impl AddressPlan {
    /// The addresses of so many engines.
    ///
    /// # Errors
    ///
    /// See [`AddressPlanError`].
    pub fn addresses(&self, count: usize) -> Result<Vec<Address>, AddressPlanError> {
        let (AddressPlan::Addresses { network: host, .. } | AddressPlan::Ports { host, .. }) = *self;
        if !host.is_loopback() {
            return Err(AddressPlanError::NotLoopback(host));
        }
        let numbers = 0..u32::try_from(count).unwrap_or(u32::MAX);
        match *self {
            AddressPlan::Addresses { network, port } => {
                let base = u32::from(network) & 0xffff_ff00;
                let address = |number: u32| {
                    let address = base.checked_add(number / HOSTS * 256)? + 1 + number % HOSTS;
                    let address = Ipv4Addr::from(address);
                    address.is_loopback().then(|| Address::Tcp(format!("{address}:{port}")))
                };
                let all: Option<Vec<Address>> = numbers.map(address).collect();
                all.ok_or(AddressPlanError::TooFewAddresses(count))
            }
            AddressPlan::Ports { host, first } => {
                let address = |number: u32| {
                    let port = u16::try_from(u32::from(first) + number).ok()?;
                    Some(Address::Tcp(format!("{host}:{port}")))
                };
                let all: Option<Vec<Address>> = numbers.map(address).collect();
                all.ok_or(AddressPlanError::TooFewPorts(count, first))
            }
        }
    }

    /// The entries of a discovery list for so many engines, with ranges.
    pub fn entries(&self, count: usize) -> Vec<String> {
        let range = |first: u32, last: u32| match first == last {
            true => first.to_string(),
            false => format!("[{first}:{last}]"),
        };
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        match *self {
            _ if count == 0 => Vec::new(),
            AddressPlan::Addresses { network, port } => {
                let base = u32::from(network) & 0xffff_ff00;
                let groups = (0..count).step_by(HOSTS as usize);
                let entry = |first: u32| {
                    let [a, b, c, _] = Ipv4Addr::from(base + first / HOSTS * 256).octets();
                    format!("{a}.{b}.{c}.{}:{port}", range(1, HOSTS.min(count - first)))
                };
                groups.map(entry).collect()
            }
            AddressPlan::Ports { host, first } => {
                let first = u32::from(first);
                vec![format!("{host}:{}", range(first, first + count - 1))]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What discovery makes of an entry, for ranges of one group.
    fn expand(entry: &str) -> Vec<String> {
        let Some((before, rest)) = entry.split_once('[') else {
            return vec![entry.to_owned()];
        };
        let (range, after) = rest.split_once(']').expect("an end");
        let (first, last) = range.split_once(':').expect("two bounds");
        let (first, last): (u32, u32) = (first.parse().expect("a number"), last.parse().expect("a number"));
        (first..=last)
            .map(|number| format!("{before}{number}{after}"))
            .collect()
    }

    #[test]
    fn addresses_and_entries_are_the_same() {
        let network = AddressPlan::Addresses {
            network: Ipv4Addr::new(127, 1, 0, 0),
            port: 2375,
        };
        let ports = AddressPlan::Ports {
            host: Ipv4Addr::LOCALHOST,
            first: 20_000,
        };
        assert_eq!(network.entries(1), ["127.1.0.1:2375"]);
        assert_eq!(network.entries(300), ["127.1.0.[1:254]:2375", "127.1.1.[1:46]:2375"]);
        assert_eq!(ports.entries(3), ["127.0.0.1:[20000:20002]"]);
        for plan in [network, ports] {
            for count in [0, 1, 254, 255, 1000] {
                let entries = plan.entries(count);
                let addresses = plan.addresses(count).expect("enough");
                let shown: Vec<String> = addresses
                    .iter()
                    .map(|address| address.to_string().replace("tcp://", ""))
                    .collect();
                let expanded: Vec<String> = entries.iter().flat_map(|entry| expand(entry)).collect();
                assert_eq!(expanded, shown, "{count}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_not_given() {
        let network = |a, b, c| AddressPlan::Addresses {
            network: Ipv4Addr::new(a, b, c, 0),
            port: 2375,
        };
        assert!(matches!(
            network(10, 0, 0).addresses(1),
            Err(AddressPlanError::NotLoopback(_))
        ));
        assert!(network(127, 255, 255).addresses(254).is_ok());
        assert!(network(127, 255, 255).addresses(255).is_err());
        let ports = AddressPlan::Ports {
            host: Ipv4Addr::LOCALHOST,
            first: 65_535,
        };
        assert!(ports.addresses(1).is_ok() && ports.addresses(2).is_err());
    }
}
