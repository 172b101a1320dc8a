//! Numbers and truth values as Go's `strconv` reads them.

/// Text that Go would not read, in its words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("strconv.{function}: parsing {text:?}: {fault}")]
pub struct SyntaxError {
    function: &'static str,
    text: String,
    fault: &'static str,
}

/// `strconv.ParseBool`.
pub fn parse_bool(text: &str) -> Result<bool, SyntaxError> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(SyntaxError {
            function: "ParseBool",
            text: text.to_owned(),
            fault: "invalid syntax",
        }),
    }
}

/// `strconv.ParseInt` with base 0: a prefix may tell the base, `0` alone tells octal.
pub fn parse_int(text: &str) -> Result<i64, SyntaxError> {
    let error = |fault| SyntaxError {
        function: "ParseInt",
        text: text.to_owned(),
        fault,
    };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    // Rust would read a second sign.
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(error("invalid syntax"));
    }
    let magnitude = i128::from_str_radix(digits, radix).map_err(|_| error("value out of range"))?;
    let number = if negative { -magnitude } else { magnitude };
    i64::try_from(number).map_err(|_| error("value out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_may_tell_their_base() {
        for (text, number) in [
            ("0", 0),
            ("3", 3),
            ("-1", -1),
            ("+7", 7),
            ("0x1F", 31),
            ("010", 8),
            ("0b11", 3),
            ("-0o17", -15),
        ] {
            assert_eq!(parse_int(text), Ok(number), "{text}");
        }
        for text in ["", "-", "x", "1.5", "0x", "08", "--1", "0x-1", " 1"] {
            let error = parse_int(text).expect_err("no number").to_string();
            assert_eq!(error, format!("strconv.ParseInt: parsing {text:?}: invalid syntax"));
        }
        assert!(parse_int("9223372036854775808").is_err());
        assert_eq!(parse_int("-9223372036854775808"), Ok(i64::MIN));
        assert!(parse_int(&"9".repeat(100)).is_err());
    }

    #[test]
    fn truth_has_six_spellings() {
        assert_eq!(parse_bool("T"), Ok(true));
        assert_eq!(parse_bool("False"), Ok(false));
        assert!(parse_bool("yes").is_err() && parse_bool("").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = (parse_int(&text), parse_bool(&text));
        }

        #[test]
        fn what_is_written_is_read(number in any::<i64>()) {
            prop_assert_eq!(parse_int(&number.to_string()), Ok(number));
        }
    }
}
