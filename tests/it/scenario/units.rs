//! Amounts as people write them.

use std::time::Duration;

use proptest::prelude::*;
use swarmlab::model::{Bytes, Cpus};
use swarmlab::scenario::units::{Bandwidth, bandwidth, bytes, cpus, duration, rate, show_duration};

/// The amount in whole units, or the complaint and the advice.
type Shown = Result<u128, String>;

#[track_caller]
fn check(parse: impl Fn(&str) -> Shown, table: &[(&str, Result<u128, &str>)]) {
    for (text, expected) in table {
        assert_eq!(parse(text), expected.map_err(str::to_owned), "{text:?}");
    }
}

fn shown<T>(parsed: Result<T, swarmlab::scenario::units::Complaint>, units: impl Fn(T) -> u128) -> Shown {
    parsed.map(units).map_err(|complaint| match complaint.help {
        Some(help) => format!("{}: {help}", complaint.message),
        None => complaint.message,
    })
}

#[test]
fn durations_follow_the_grammar_of_go_and_have_days() {
    let parse = |text: &str| shown(duration(text), |span| span.as_nanos());
    check(
        parse,
        &[
            ("0", Ok(0)),
            ("0s", Ok(0)),
            ("1ns", Ok(1)),
            ("1us", Ok(1_000)),
            ("1µs", Ok(1_000)),
            ("1μs", Ok(1_000)),
            ("300ms", Ok(300_000_000)),
            ("90s", Ok(90_000_000_000)),
            ("1h30m", Ok(5_400_000_000_000)),
            ("1.5h", Ok(5_400_000_000_000)),
            (".5s", Ok(500_000_000)),
            ("5.s", Ok(5_000_000_000)),
            ("2d12h", Ok(216_000_000_000_000)),
            ("1m1m", Ok(120_000_000_000)),
            ("0.1s", Ok(100_000_000)),
            // Finer than a nanosecond is cut off, as in Go.
            ("1.9999999999ns", Ok(1)),
            ("213503d", Ok(18_446_659_200_000_000_000)),
            ("213504d", Err("\"213504d\" is too long: durations end at 584 years")),
            ("10 min", Err("\"10 min\" is not a duration: write \"10m\"")),
            (
                "1 hour 30 minutes",
                Err("\"1 hour 30 minutes\" is not a duration: write \"1h30m\""),
            ),
            ("5S", Err("\"5S\" is not a duration: write \"5s\"")),
            (
                "10",
                Err("\"10\" is not a duration: the unit is missing: say the unit: \"10s\", \"10m\" or \"10h\""),
            ),
            ("-5m", Err("a duration cannot be negative, as \"-5m\" is")),
            (
                "",
                Err("\"\" is not a duration: write a number and a unit, such as \"90s\", \"10m\" or \"1h30m\""),
            ),
            (
                "1w",
                Err("\"1w\" is not a duration: write a number and a unit, such as \"90s\", \"10m\" or \"1h30m\""),
            ),
            (
                "1.2.3s",
                Err("\"1.2.3s\" is not a duration: write a number and a unit, such as \"90s\", \"10m\" or \"1h30m\""),
            ),
        ],
    );
}

#[test]
fn bytes_are_binary_decimal_or_dockers() {
    let parse = |text: &str| shown(bytes(text), |bytes| u128::from(bytes.get()));
    check(
        parse,
        &[
            ("0", Ok(0)),
            ("1000", Ok(1000)),
            ("7B", Ok(7)),
            ("7b", Ok(7)),
            ("512MiB", Ok(512 << 20)),
            ("1.5GiB", Ok(3 << 29)),
            ("100MB", Ok(100_000_000)),
            ("1kB", Ok(1_000)),
            ("1KB", Ok(1_000)),
            ("512m", Ok(512 << 20)),
            ("2g", Ok(2 << 30)),
            ("2G", Ok(2 << 30)),
            ("1k", Ok(1024)),
            ("1PiB", Ok(1 << 50)),
            // A tenth of a binary unit is no whole number of bytes; the rest is cut off, as Docker does.
            ("1.1GiB", Ok(1_181_116_006)),
            ("1.1PiB", Err("\"1.1PiB\" is too much: amounts end at 1PiB")),
            (
                "99999999999999TiB",
                Err("\"99999999999999TiB\" is too much: amounts end at 1PiB"),
            ),
            (
                "512 MiB",
                Err("\"512 MiB\" is not an amount of memory: write \"512MiB\""),
            ),
            ("512mib", Err("\"512mib\" is not an amount of memory: write \"512MiB\"")),
            (
                "512mb",
                Err("\"512mb\" is not an amount of memory: write \"512MiB\", or \"512MB\" for powers of ten"),
            ),
            ("-1", Err("an amount of memory cannot be negative, as \"-1\" is")),
            (
                "lots",
                Err(
                    "\"lots\" is not an amount of memory: write a number and a unit, such as \"512MiB\", \"1.5GiB\" or \"100MB\"",
                ),
            ),
        ],
    );
}

#[test]
fn cpus_are_exact_to_a_billionth() {
    let parse = |text: &str| shown(cpus(text), |cpus| u128::from(cpus.nanos()));
    check(
        parse,
        &[
            ("2", Ok(2_000_000_000)),
            ("0.25", Ok(250_000_000)),
            (".1", Ok(100_000_000)),
            ("0.000000001", Ok(1)),
            ("1.50000000000000", Ok(1_500_000_000)),
            ("1000000", Ok(1_000_000_000_000_000)),
            (
                "0.0000000001",
                Err(
                    "\"0.0000000001\" is too precise: a CPU is divided into billionths: write at most nine decimal places",
                ),
            ),
            ("1000001", Err("\"1000001\" is too much: amounts end at a million CPUs")),
            ("500m", Err("\"500m\" is not a number of CPUs: write \"0.5\"")),
            ("-1", Err("a number of CPUs cannot be negative, as \"-1\" is")),
            (
                "1e3",
                Err("\"1e3\" is not a number of CPUs: write a decimal number such as 2 or \"0.25\""),
            ),
        ],
    );
}

#[test]
fn rates_count_per_unit_of_time() {
    // In millionths per second.
    let parse = |text: &str| shown(rate(text), |rate| (rate.0 * 1e6).round() as u128);
    check(
        parse,
        &[
            ("2/s", Ok(2_000_000)),
            ("30/min", Ok(500_000)),
            ("30/m", Ok(500_000)),
            ("36/h", Ok(10_000)),
            ("86.4/day", Ok(1_000)),
            ("3/10m", Ok(5_000)),
            (
                "2",
                Err("\"2\" is not a rate: say the unit: \"2/s\", \"2/min\" or \"2/h\""),
            ),
            (
                "0/s",
                Err(
                    "\"0/s\" is not above zero: write a number, a slash and a unit of time, such as \"2/s\", \"30/min\" or \"5/h\"",
                ),
            ),
            (
                "2/0s",
                Err(
                    "\"2/0s\" is not above zero: write a number, a slash and a unit of time, such as \"2/s\", \"30/min\" or \"5/h\"",
                ),
            ),
            (
                "x/s",
                Err(
                    "\"x/s\" is not a rate: write a number, a slash and a unit of time, such as \"2/s\", \"30/min\" or \"5/h\"",
                ),
            ),
            ("-2/s", Err("a rate cannot be negative, as \"-2/s\" is")),
        ],
    );
}

#[test]
fn bandwidths_are_in_bits_or_bytes() {
    let parse = |text: &str| shown(bandwidth(text), |bandwidth| u128::from(bandwidth.0));
    check(
        parse,
        &[
            ("1Gbit/s", Ok(125_000_000)),
            ("8bit/s", Ok(1)),
            ("100MiB/s", Ok(100 << 20)),
            ("100MB/s", Ok(100_000_000)),
            ("1.5Mbit/s", Ok(187_500)),
            ("10B/s", Ok(10)),
            ("1Gbps", Err("\"1Gbps\" is not a bandwidth: write \"1Gbit/s\"")),
            ("1 gbit/s", Err("\"1 gbit/s\" is not a bandwidth: write \"1Gbit/s\"")),
            ("100MiB", Err("\"100MiB\" is not a bandwidth: write \"100MiB/s\"")),
            ("1Gb/s", Err("\"1Gb/s\" is not a bandwidth: write \"1Gbit/s\"")),
            (
                "1M/s",
                Err("\"1M/s\" is not a bandwidth: write a number and a unit, such as \"1Gbit/s\" or \"100MiB/s\""),
            ),
            (
                "7bit/s",
                Err("\"7bit/s\" is less than a byte per second: leave the key out for transfers that take no time"),
            ),
        ],
    );
}

proptest! {
    #[test]
    fn what_is_shown_is_read_back(nanos: u64, amount in 0u64..1 << 50, nano_cpus in 0u64..1_000_000_000_000_000) {
        let span = Duration::from_nanos(nanos);
        prop_assert_eq!(duration(&show_duration(span)), Ok(span));
        let memory = Bytes::new(amount);
        prop_assert_eq!(bytes(&memory.to_string()), Ok(memory));
        let cpu = Cpus::from_nanos(nano_cpus);
        prop_assert_eq!(cpus(&cpu.to_string()), Ok(cpu));
        if amount > 0 {
            let speed = Bandwidth(amount);
            prop_assert_eq!(bandwidth(&speed.to_string()), Ok(speed));
        }
    }

    #[test]
    fn rates_are_read_back(per_second in 1e-6f64..1e9) {
        let text = swarmlab::scenario::units::Rate(per_second).to_string();
        prop_assert_eq!(rate(&text).map(|rate| rate.0), Ok(per_second));
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in "[-0-9.a-zA-Zµ/ ]{0,12}|\\PC{0,12}") {
        let _ = (duration(&text), bytes(&text), cpus(&text), rate(&text), bandwidth(&text));
    }
}
