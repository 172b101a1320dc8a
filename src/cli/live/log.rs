//! Log lines as the original writes them: `time="…Z" level=info msg="…" key=value`, on standard output.

use std::fmt;
use std::io::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

use crate::cli::told;

/// A name of a level that does not exist, in the original's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid logrus Level: {0:?}")]
pub struct UnknownLevel(String);

/// What is let through at a level. Fatal errors are not filtered, so a level above `error` leaves them alone.
pub fn level(name: &str) -> Result<LevelFilter, UnknownLevel> {
    match name.to_lowercase().as_str() {
        "debug" => Ok(LevelFilter::DEBUG),
        "info" => Ok(LevelFilter::INFO),
        "warn" | "warning" => Ok(LevelFilter::WARN),
        "error" => Ok(LevelFilter::ERROR),
        "fatal" | "panic" => Ok(LevelFilter::OFF),
        _ => Err(UnknownLevel(name.to_owned())),
    }
}

/// Begins to log. Does nothing if a log has begun already.
pub fn start(most: LevelFilter) {
    // Who does not read the log any more is told nothing by a complaint about it.
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Lines)
        .log_internal_errors(false);
    // What libraries have to say is about their insides.
    let own = Targets::new().with_target(env!("CARGO_CRATE_NAME"), most);
    let log = tracing_subscriber::registry().with(lines).with(own);
    // It fails only if another one has begun.
    let _ = tracing::subscriber::set_global_default(log);
}

/// Logs an error that ends the program.
pub fn fatal(error: &anyhow::Error) {
    let mut line = String::new();
    // Writing to a string does not fail.
    let _ = write_line(&mut line, "fatal", &told(error), &[]);
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// `2006-01-02T15:04:05Z`, now.
fn time() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2006/01/02 15:04:05`, now: what stands before an error of `create` and `list`. In UTC, as all our times.
pub fn stamp() -> String {
    jiff::Timestamp::now().strftime("%Y/%m/%d %H:%M:%S").to_string()
}

fn quoted(line: &mut dyn fmt::Write, value: &str) -> fmt::Result {
    line.write_char('"')?;
    for c in value.chars() {
        match c {
            '"' => line.write_str("\\\"")?,
            '\\' => line.write_str("\\\\")?,
            '\n' => line.write_str("\\n")?,
            '\r' => line.write_str("\\r")?,
            '\t' => line.write_str("\\t")?,
            c if c.is_control() => write!(line, "\\u{:04x}", u32::from(c))?,
            c => line.write_char(c)?,
        }
    }
    line.write_char('"')
}

/// Whether a value can stand without quotes.
fn is_bare(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
}

fn write_line(line: &mut dyn fmt::Write, level: &str, message: &str, fields: &[(&str, String)]) -> fmt::Result {
    write!(line, "time=\"{}\" level={level} msg=", time())?;
    quoted(line, message)?;
    for (name, value) in fields {
        write!(line, " {name}=")?;
        match is_bare(value) {
            true => line.write_str(value)?,
            false => quoted(line, value)?,
        }
    }
    Ok(())
}

/// What an event says.
#[derive(Default)]
struct Said {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            name => self.fields.push((name, value.to_owned())),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => self.fields.push((name, format!("{value:?}"))),
        }
    }
}

/// The form of a line.
struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        // The original sorts them as well.
        said.fields.sort_by_key(|(name, _)| *name);
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            Level::DEBUG | Level::TRACE => "debug",
        };
        write_line(&mut line, level, &said.message, &said.fields)?;
        line.write_char('\n')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_quoted_when_they_must_be() {
        let mut line = String::new();
        let fields = [
            ("addr", "127.0.0.1:2375".to_owned()),
            ("proto", "tcp".to_owned()),
            ("x", String::new()),
        ];
        write_line(&mut line, "info", "two\nlines \"q\" \\", &fields).expect("a line");
        let (time, rest) = line.split_at("time=\"2006-01-02T15:04:05Z\"".len());
        assert!(time.starts_with("time=\"2") && time.ends_with("Z\""), "{time}");
        assert_eq!(
            rest,
            r#" level=info msg="two\nlines \"q\" \\" addr="127.0.0.1:2375" proto=tcp x="""#
        );
    }

    #[test]
    fn levels_have_the_originals_names() {
        assert_eq!(level("warning"), level("WARN"));
        assert_eq!(level("panic"), Ok(LevelFilter::OFF));
        let error = level("lo\"ud").expect_err("no level").to_string();
        assert_eq!(error, r#"not a valid logrus Level: "lo\"ud""#);
    }

    proptest! {
        #[test]
        fn a_line_is_one_line(message in any::<String>(), value in any::<String>()) {
            let mut line = String::new();
            write_line(&mut line, "info", &message, &[("key", value)]).expect("a line");
            prop_assert!(!line.contains(['\n', '\r']));
        }
    }
}
