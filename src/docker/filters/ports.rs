//! Ports in filters: `80`, `8000-8010`, `53/udp`.

use super::{Filters, FiltersError};

/// A range of ports of one protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PortRange {
    first: u16,
    last: u16,
    protocol: String,
}

impl PortRange {
    /// The ranges that the values of a filter are.
    pub(super) fn of(filters: &Filters, name: &'static str) -> Result<Vec<PortRange>, FiltersError> {
        let range = |value: &str| {
            PortRange::parse(value).ok_or_else(|| FiltersError::Ports {
                name,
                value: value.to_owned(),
            })
        };
        filters.values(name).map(range).collect()
    }

    fn parse(value: &str) -> Option<PortRange> {
        let mut parts = value.split('/');
        let ports = parts.next()?;
        let protocol = parts.next().filter(|protocol| !protocol.is_empty()).unwrap_or("tcp");
        // Numbers are parsed without a sign.
        let port = |text: &str| -> Option<u16> {
            text.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
            text.parse().ok()
        };
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let (first, last) = (port(first)?, port(last)?);
        (first <= last).then(|| PortRange {
            first,
            last,
            protocol: protocol.to_owned(),
        })
    }

    pub(super) fn holds(&self, port: u16, protocol: &str) -> bool {
        (self.first..=self.last).contains(&port) && self.protocol == protocol
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_have_a_protocol_and_may_be_a_range() {
        let holds = |value: &str, port, protocol| PortRange::parse(value).map(|range| range.holds(port, protocol));
        assert_eq!(holds("80", 80, "tcp"), Some(true));
        assert_eq!(holds("80/", 80, "tcp"), Some(true));
        assert_eq!(holds("80", 80, "udp"), Some(false));
        assert_eq!(holds("79-81/udp", 80, "udp"), Some(true));
        assert_eq!(holds("80/TCP", 80, "tcp"), Some(false));
        for value in ["", "x", "80:80", "81-80", "70000", "+80", "-80", "80-", "/tcp"] {
            assert_eq!(PortRange::parse(value), None, "{value}");
        }
    }
}
