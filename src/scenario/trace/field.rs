//! Fields of a row: numbers and texts, with complaints.

use std::time::Duration;

use ::csv::ByteRecord;

use crate::model::{Bytes, Cpus};
use crate::scenario::units::Decimal;

use super::{FieldFault, encoding};

/// A column and its name, for complaints.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// Its place in a row.
    pub index: usize,
    /// What the header calls it.
    pub name: String,
}

impl Column {
    /// The field without white space around it.
    pub fn bytes<'r>(&self, row: &'r ByteRecord) -> &'r [u8] {
        row.get(self.index).unwrap_or_default().trim_ascii()
    }

    /// The field as text.
    pub fn text<'r>(&self, row: &'r ByteRecord) -> Result<&'r str, FieldFault> {
        let text = str::from_utf8(self.bytes(row));
        text.map_err(|_| self.fault("is not text in UTF-8"))
    }

    /// The field cut at the separator; nothing if it is empty.
    pub fn list<'r>(&self, row: &'r ByteRecord) -> Result<Vec<&'r str>, FieldFault> {
        let parts = self.text(row)?.split(';').map(str::trim);
        Ok(parts.filter(|part| !part.is_empty()).collect())
    }

    /// Seconds as a span; `None` if the field is empty.
    pub fn seconds(&self, row: &ByteRecord) -> Result<Option<Duration>, FieldFault> {
        self.scaled(row, 1_000_000_000, u64::MAX)
            .map(|nanos| nanos.map(Duration::from_nanos))
    }

    /// CPUs in units of so many billionths; none if the field is empty.
    pub fn cpus(&self, row: &ByteRecord, nanos: u64) -> Result<Cpus, FieldFault> {
        let nanos = self.scaled(row, nanos, 1_000_000 * 1_000_000_000)?;
        Ok(Cpus::from_nanos(nanos.unwrap_or(0)))
    }

    /// Mebibytes; none if the field is empty.
    pub fn mebibytes(&self, row: &ByteRecord) -> Result<Bytes, FieldFault> {
        Ok(Bytes::new(self.scaled(row, 1 << 20, 1 << 50)?.unwrap_or(0)))
    }

    /// A whole number; zero if the field is empty.
    pub fn count(&self, row: &ByteRecord) -> Result<u64, FieldFault> {
        let text = self.bytes(row);
        if text.is_empty() {
            return Ok(0);
        }
        let text = self.text(row)?;
        text.parse().map_err(|_| self.no_number(text, "not a whole number"))
    }

    /// A decimal number times the unit, in whole units.
    fn scaled(&self, row: &ByteRecord, unit: u64, most: u64) -> Result<Option<u64>, FieldFault> {
        let field = self.bytes(row);
        if field.is_empty() {
            return Ok(None);
        }
        let number = match Decimal::parse(field) {
            Some(number) => number,
            None => self.unusual(self.text(row)?)?,
        };
        match number.times(unit) {
            Some(scaled) if scaled <= most => Ok(Some(scaled)),
            _ => Err(self.fault("is too large")),
        }
    }

    /// What is no plain decimal may still be a number in scientific notation, as some tools write small ones.
    fn unusual(&self, text: &str) -> Result<Decimal, FieldFault> {
        match text.parse::<f64>() {
            Ok(number) if number < 0.0 => Err(self.fault(&format!("is negative: {text}"))),
            Ok(number) if number.is_finite() => {
                Decimal::parse(number.to_string().as_bytes()).ok_or_else(|| self.fault("is too large"))
            }
            _ => Err(self.no_number(text, "not a number")),
        }
    }

    /// A complaint about what is no number. Decimal commas are not read, as `1,500` may also be a thousand and a half.
    fn no_number(&self, text: &str, what: &str) -> FieldFault {
        let with_commas = encoding::has_decimal_comma(text).then(|| {
            format!(
                "`{}` is {text:?}, with a decimal comma: write decimal points in the whole file, such as {:?}",
                self.name,
                text.replace(',', ".")
            )
        });
        FieldFault {
            with_commas,
            ..self.fault(&format!("is {text:?}, {what}"))
        }
    }

    /// A complaint about the field, which is put before the message.
    pub fn fault(&self, message: &str) -> FieldFault {
        FieldFault {
            column: Some(self.index),
            message: format!("`{}` {message}", self.name),
            with_commas: None,
        }
    }
}
