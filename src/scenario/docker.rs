//! Texts as Docker's command line takes them: `-p`, `--expose`, `--restart`.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::model::PortBinding;
use crate::sim::Restart;

use super::units::Complaint;

const PORT_FORMS: &str =
    "write [[ADDRESS:]HOST-PORT:]PORT[/PROTOCOL], such as \"8080:80\", \"127.0.0.1:53:53/udp\" or \"80\"";

/// Parses a published port as `docker run -p` takes it. IPv6 addresses stand in brackets.
///
/// # Errors
///
/// If the text is anything else, if a port is not between 1 and 65535, and for ranges of ports.
pub fn published_port(text: &str) -> Result<PortBinding, Complaint> {
    let (text_without_protocol, protocol) = split_protocol(text)?;
    let (rest, container_port) = match text_without_protocol.rsplit_once(':') {
        Some((rest, port)) => (Some(rest), port),
        None => (None, text_without_protocol),
    };
    let (host_ip, host_port) = match rest {
        None => ("", ""),
        Some(rest) => match rest.rsplit_once(':') {
            // An IPv6 address ends with its bracket: nothing of it may be taken for a port.
            Some((address, port)) if !port.contains(']') => (address, port),
            _ if rest.contains([':', '.']) => {
                let help = "write \"ADDRESS::PORT\" to have the daemon choose the host port";
                return Err(Complaint::new(
                    format!("{text:?} has an address but no host port"),
                    help,
                ));
            }
            _ => ("", rest),
        },
    };
    port(text, container_port)?;
    if !host_port.is_empty() {
        port(text, host_port)?;
    } else if host_ip.is_empty() && rest.is_some() {
        return Err(Complaint::new(format!("{text:?} has an empty host port"), PORT_FORMS));
    }
    Ok(PortBinding {
        container_port: format!("{container_port}/{protocol}").into(),
        host_ip: address(text, host_ip)?.into(),
        host_port: host_port.into(),
    })
}

/// Parses an exposed port, `80` or `80/tcp`, and returns it with its protocol.
///
/// # Errors
///
/// If the text is anything else, or the port is not between 1 and 65535.
pub fn exposed_port(text: &str) -> Result<String, Complaint> {
    let (number, protocol) = split_protocol(text)?;
    port(text, number)?;
    Ok(format!("{number}/{protocol}"))
}

/// Parses a restart policy: `no`, `always`, `on-failure` or `on-failure:5`.
///
/// # Errors
///
/// If the text is anything else. `unless-stopped` is taken for `always`, since nobody stops a simulated container.
pub fn restart_policy(text: &str) -> Result<Restart, Complaint> {
    match text {
        "no" => return Ok(Restart::No),
        "always" | "unless-stopped" => return Ok(Restart::Always),
        "on-failure" => return Ok(Restart::OnFailure { limit: None }),
        _ => {}
    }
    let limit = text.strip_prefix("on-failure:").and_then(|limit| limit.parse().ok());
    limit
        .map(|limit| Restart::OnFailure { limit: Some(limit) })
        .ok_or_else(|| {
            Complaint::new(
                format!("{text:?} is not a restart policy"),
                "write \"no\", \"always\", \"on-failure\" or \"on-failure:5\"",
            )
        })
}

/// The text before the slash and the protocol after it, `tcp` if there is none.
fn split_protocol(text: &str) -> Result<(&str, &str), Complaint> {
    let (rest, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    if ["tcp", "udp", "sctp"].contains(&protocol) {
        return Ok((rest, protocol));
    }
    Err(Complaint::new(
        format!("{protocol:?} in {text:?} is not a protocol"),
        "there are tcp, udp and sctp",
    ))
}

fn port(text: &str, number: &str) -> Result<(), Complaint> {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if number
        .split_once('-')
        .is_some_and(|(low, high)| is_number(low) && is_number(high))
    {
        return Err(Complaint::new(
            format!("{text:?} is a range of ports"),
            "list each port by itself",
        ));
    }
    if !is_number(number) {
        return Err(Complaint::new(format!("{text:?} is not a port"), PORT_FORMS));
    }
    // Host ports are compared as texts, so that 080 would silently be another port than 80.
    if number.starts_with('0') || number.parse::<u16>().is_err() {
        return Err(Complaint::new(
            format!("{number} in {text:?} is not a port number"),
            "ports are numbered from 1 to 65535, without leading zeros",
        ));
    }
    Ok(())
}

/// The address without its brackets.
fn address(text: &str, address: &str) -> Result<String, Complaint> {
    let bare = match address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok().then_some(inner),
        None => (address.is_empty() || address.parse::<Ipv4Addr>().is_ok()).then_some(address),
    };
    bare.map(str::to_owned).ok_or_else(|| {
        Complaint::new(
            format!("{address:?} in {text:?} is not an address"),
            "write an IPv4 address, or an IPv6 address in brackets",
        )
    })
}
