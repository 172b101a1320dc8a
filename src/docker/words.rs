//! Amounts and states in the words that Docker's users know.

use std::time::Duration;

use super::{ContainerState, Timestamp};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// A span as `docker ps` tells it.
pub fn human_duration(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 => "Less than a second".to_owned(),
        1..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".to_owned(),
        120..HOUR => format!("{} minutes", seconds / 60),
        HOUR..7200 => "About an hour".to_owned(),
        _ if seconds < 2 * DAY => format!("{} hours", seconds / HOUR),
        _ if seconds < 14 * DAY => format!("{} days", seconds / DAY),
        _ if seconds < 90 * DAY => format!("{} weeks", seconds / DAY / 7),
        _ if seconds < 730 * DAY => format!("{} months", seconds / DAY / 30),
        _ => format!("{} years", seconds / DAY / 365),
    }
}

/// Bytes in the largest binary unit that leaves at least one, with four significant digits: `2.053 GiB`.
pub fn human_size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut amount = bytes as f64;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    // Rounding may add a digit before the point: 9.9996 is 10, 999.96 is 1000.
    let decimals = match amount {
        _ if amount < 9.9995 => 3,
        _ if amount < 99.995 => 2,
        _ if amount < 999.95 => 1,
        _ => 0,
    };
    let digits = format!("{amount:.decimals$}");
    let digits = if decimals > 0 {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        &digits
    };
    format!("{digits} {}", UNITS[unit])
}

/// The state as filters call it.
pub fn state(state: &ContainerState) -> &'static str {
    if state.running && state.paused {
        "paused"
    } else if state.running && state.restarting {
        "restarting"
    } else if state.running {
        "running"
    } else if state.dead {
        "dead"
    } else if state.started_at.is_none() {
        "created"
    } else {
        "exited"
    }
}

/// The column `STATUS` of `docker ps`, for a container whose daemon can be reached.
pub fn status(state: &ContainerState, now: Timestamp) -> String {
    // A container that runs has started; if its daemon does not say when, it has done so just now.
    let span = |instant: Option<Timestamp>| human_duration(instant.map_or(Duration::ZERO, |then| now.since(then)));
    match self::state(state) {
        "paused" => format!("Up {} (Paused)", span(state.started_at)),
        "restarting" => format!("Restarting ({}) {} ago", state.exit_code, span(state.finished_at)),
        "running" => {
            let health = match state.health.as_deref() {
                Some("starting") => " (health: starting)".to_owned(),
                Some(health) => format!(" ({health})"),
                None => String::new(),
            };
            format!("Up {}{health}", span(state.started_at))
        }
        "dead" => "Dead".to_owned(),
        "created" => "Created".to_owned(),
        _ if state.finished_at.is_none() => String::new(),
        _ => format!("Exited ({}) {} ago", state.exit_code, span(state.finished_at)),
    }
}

/// The health as filters call it: `none` without a health check.
pub fn health(state: &ContainerState) -> &str {
    state.health.as_deref().unwrap_or("none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_in_words() {
        for (seconds, words) in [
            (0, "Less than a second"),
            (1, "1 seconds"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (119, "About a minute"),
            (120, "2 minutes"),
            (3599, "59 minutes"),
            (3600, "About an hour"),
            (7199, "About an hour"),
            (7200, "2 hours"),
            (2 * DAY - 1, "47 hours"),
            (2 * DAY, "2 days"),
            (14 * DAY - 1, "13 days"),
            (14 * DAY, "2 weeks"),
            (90 * DAY - 1, "12 weeks"),
            (90 * DAY, "3 months"),
            (730 * DAY - 1, "24 months"),
            (730 * DAY, "2 years"),
            (u64::MAX, "584942417355 years"),
        ] {
            assert_eq!(human_duration(Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn sizes_in_words() {
        const MIB: u64 = 1 << 20;
        for (bytes, words) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (100 * MIB, "100 MiB"),
            (1000 * MIB, "1000 MiB"),
            (2_204_381_184, "2.053 GiB"),
            (9_019_431_322, "8.4 GiB"),
            (16 << 30, "16 GiB"),
            (MIB - 1, "1024 KiB"),
            (10_239_700, "9.765 MiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(human_size(bytes), words);
        }
    }

    #[test]
    fn states_in_words() {
        let now = Timestamp::from_seconds(1_000_000);
        let ago = |seconds: i64| Some(Timestamp::from_seconds(1_000_000 - seconds));
        let none = ContainerState::default();
        let up = ContainerState {
            running: true,
            started_at: ago(180),
            ..none.clone()
        };
        let health = |health: &str| ContainerState {
            health: Some(health.to_owned()),
            ..up.clone()
        };
        let exited = ContainerState {
            started_at: ago(9),
            finished_at: ago(7),
            exit_code: 137,
            ..none.clone()
        };
        for (state, name, text) in [
            (none.clone(), "created", "Created"),
            (up.clone(), "running", "Up 3 minutes"),
            (
                ContainerState {
                    paused: true,
                    ..up.clone()
                },
                "paused",
                "Up 3 minutes (Paused)",
            ),
            (health("healthy"), "running", "Up 3 minutes (healthy)"),
            (health("unhealthy"), "running", "Up 3 minutes (unhealthy)"),
            (health("starting"), "running", "Up 3 minutes (health: starting)"),
            (
                ContainerState {
                    restarting: true,
                    finished_at: ago(5),
                    exit_code: 1,
                    ..up.clone()
                },
                "restarting",
                "Restarting (1) 5 seconds ago",
            ),
            (
                ContainerState {
                    dead: true,
                    ..exited.clone()
                },
                "dead",
                "Dead",
            ),
            (exited.clone(), "exited", "Exited (137) 7 seconds ago"),
            (
                ContainerState {
                    finished_at: None,
                    ..exited.clone()
                },
                "exited",
                "",
            ),
            (
                ContainerState {
                    started_at: ago(-60),
                    ..up.clone()
                },
                "running",
                "Up Less than a second",
            ),
        ] {
            assert_eq!((super::state(&state), status(&state, now).as_str()), (name, text));
        }
        assert_eq!(
            (super::health(&none), super::health(&health("healthy"))),
            ("none", "healthy")
        );
    }
}
