//! Regular expressions as Go's `regexp` reads them, for the `regex` crate.
//!
//! The two share one ancestor, but a client's expression has to mean what it meant to the original. So a pattern is
//! read by Go's grammar, which refuses more, and written out in the few forms whose meaning is the same in both. Braces
//! and angle brackets, and so counted repetitions and named groups, are missing: no expression's value may have them.

use regex::{Regex, RegexBuilder};

/// Compiled programs above this many bytes are refused: expressions come from clients.
const SIZE_LIMIT: usize = 1 << 20;

/// The names of POSIX classes, the same in both.
const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// Compiles a pattern that is already in our dialect.
pub(super) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(SIZE_LIMIT).build()
}

/// Rewrites a Go pattern, or `None` if Go refuses it. What both refuse, such as parentheses without partner, may be
/// left for [`compile`] to find.
pub(super) fn from_go(pattern: &str) -> Option<String> {
    let mut translator = Translator {
        rest: pattern.chars().as_str(),
        out: String::with_capacity(2 * pattern.len()),
        item: None,
        repeated: false,
    };
    while let Some(c) = translator.next() {
        let repeats = matches!(c, '*' | '+' | '?');
        match c {
            '*' | '+' | '?' => translator.repetition(c)?,
            '\\' => translator.escape()?,
            '[' => translator.class()?,
            '(' => translator.group()?,
            '|' => {
                translator.out.push('|');
                translator.item = None;
            }
            '.' | '^' | '$' | ')' => translator.push_item(c.encode_utf8(&mut [0; 4])),
            _ => translator.push_literal(c),
        }
        translator.repeated = repeats;
    }
    Some(translator.out)
}

struct Translator<'a> {
    rest: &'a str,
    out: String,
    /// What a repetition would repeat.
    item: Option<Item>,
    /// Whether a repetition has just been read: Go does not let us stack them.
    repeated: bool,
}

#[derive(Clone, Copy)]
struct Item {
    /// Where it ends in the output.
    end: usize,
    /// The repetition it ends with, if any.
    operator: Option<char>,
}

impl Translator<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn skip(&mut self, prefix: &str) -> bool {
        let after = self.rest.strip_prefix(prefix);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn push_item(&mut self, text: &str) {
        self.out.push_str(text);
        self.item = Some(Item {
            end: self.out.len(),
            operator: None,
        });
    }

    fn push_literal(&mut self, c: char) {
        self.push_item(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }

    /// Flags may stand between an item and its repetition, even a second one, so the operator goes where the item ends.
    fn repetition(&mut self, operator: char) -> Option<()> {
        // Whether it is greedy does not matter to whether a text matches.
        self.skip("?");
        if self.repeated {
            return None;
        }
        let item = self.item?;
        let (from, combined) = match item.operator {
            None => (item.end, operator),
            Some(first) if first == operator => (item.end - 1, operator),
            Some(_) => (item.end - 1, '*'),
        };
        self.out
            .replace_range(from..item.end, combined.encode_utf8(&mut [0; 4]));
        self.item = Some(Item {
            end: from + 1,
            operator: Some(combined),
        });
        Some(())
    }

    /// A group's opening parenthesis with its flags, or flags alone: `i`, `m`, `s` and `U` are all that Go has.
    fn group(&mut self) -> Option<()> {
        if !self.skip("?") {
            self.out.push('(');
            self.item = None;
            return Some(());
        }
        let mut flags = [('i', None), ('m', None), ('s', None), ('U', None)];
        let mut value = true;
        let mut dangling = false;
        loop {
            match self.next()? {
                '-' if value => (value, dangling) = (false, true),
                end @ (':' | ')') if !dangling => {
                    self.push_flags(&flags[..3], end);
                    return Some(());
                }
                c => {
                    let flag = flags.iter_mut().find(|(name, _)| *name == c)?;
                    flag.1 = Some(value);
                    dangling = false;
                }
            }
        }
    }

    fn push_flags(&mut self, flags: &[(char, Option<bool>)], end: char) {
        let with = |wanted| {
            flags
                .iter()
                .filter(move |flag| flag.1 == Some(wanted))
                .map(|flag| flag.0)
        };
        let (on, off): (String, String) = (with(true).collect(), with(false).collect());
        let minus = if off.is_empty() { "" } else { "-" };
        if end == ':' || !(on.is_empty() && off.is_empty()) {
            self.out.push_str(&format!("(?{on}{minus}{off}{end}"));
        }
        if end == ':' {
            self.item = None;
        }
    }

    fn escape(&mut self) -> Option<()> {
        match self.next()? {
            'A' => self.push_item(r"\A"),
            'z' => self.push_item(r"\z"),
            'b' => self.push_item(r"(?-u:\b)"),
            'B' => self.push_item(r"(?-u:\B)"),
            'Q' => {
                let (literal, rest) = self.rest.split_once(r"\E").unwrap_or((self.rest, ""));
                self.rest = rest;
                literal.chars().for_each(|c| self.push_literal(c));
            }
            c => match self.named_class(c)? {
                Some(class) => self.push_item(&class),
                None => {
                    let c = self.escaped_character(c)?;
                    self.push_literal(c);
                }
            },
        }
        Some(())
    }

    /// The class that this escape stands for, `Some(None)` if it stands for a character.
    fn named_class(&mut self, escape: char) -> Option<Option<String>> {
        let class = match escape {
            'd' => "[0-9]",
            'D' => "[^0-9]",
            'w' => "[0-9A-Za-z_]",
            'W' => "[^0-9A-Za-z_]",
            's' => r"[\t\n\f\r ]",
            'S' => r"[^\t\n\f\r ]",
            'p' | 'P' => {
                let category = self.next().filter(|c| "CLMNPSZ".contains(*c))?;
                return Some(Some(format!("\\{escape}{category}")));
            }
            _ => return Some(None),
        };
        Some(Some(class.to_owned()))
    }

    fn escaped_character(&mut self, escape: char) -> Option<char> {
        let after_digit = self.rest.chars().next().and_then(|c| c.to_digit(8));
        let code = match escape {
            'a' => 0x07,
            'f' => 0x0c,
            'n' => 0x0a,
            'r' => 0x0d,
            't' => 0x09,
            'v' => 0x0b,
            'x' => 16 * self.next()?.to_digit(16)? + self.next()?.to_digit(16)?,
            // Up to three octal digits; a single one that is not zero would be a reference back.
            '0'..='7' if escape == '0' || after_digit.is_some() => {
                let mut code = escape.to_digit(8)?;
                for _ in 0..2 {
                    let Some(digit) = self.rest.chars().next().and_then(|c| c.to_digit(8)) else {
                        break;
                    };
                    code = 8 * code + digit;
                    self.next();
                }
                code
            }
            _ => return (escape.is_ascii() && !escape.is_ascii_alphanumeric()).then_some(escape),
        };
        char::from_u32(code)
    }

    /// A class up to its closing bracket. In Go it neither nests nor knows set operations.
    fn class(&mut self) -> Option<()> {
        let mut class = if self.skip("^") { "[^" } else { "[" }.to_owned();
        let mut first = true;
        // A closing bracket in first place is a literal.
        while first || !self.skip("]") {
            first = false;
            if let Some(inner) = self.rest.strip_prefix("[:")
                && let Some((name, rest)) = inner.split_once(":]")
            {
                if !POSIX_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
                    return None;
                }
                class.push_str(&format!("[:{name}:]"));
                self.rest = rest;
                continue;
            }
            let low = match self.next()? {
                '\\' => {
                    let escape = self.next()?;
                    if let Some(named) = self.named_class(escape)? {
                        class.push_str(&named);
                        continue;
                    }
                    self.escaped_character(escape)?
                }
                c => c,
            };
            let high = self.range_end(low)?;
            if high < low {
                return None;
            }
            class.push_str(&regex::escape(low.encode_utf8(&mut [0; 4])));
            class.push('-');
            class.push_str(&regex::escape(high.encode_utf8(&mut [0; 4])));
        }
        class.push(']');
        self.push_item(&class);
        Some(())
    }

    /// The last character of the range that begins with `low`, which is `low` if it stands alone.
    fn range_end(&mut self, low: char) -> Option<char> {
        let rest = self.rest;
        if rest.len() < 2 || rest.starts_with("-]") || !self.skip("-") {
            return Some(low);
        }
        match self.next()? {
            '\\' => {
                let escape = self.next()?;
                self.escaped_character(escape)
            }
            c => Some(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> Option<bool> {
        Some(compile(&from_go(pattern)?).ok()?.is_match(text))
    }

    #[test]
    fn classes_of_characters_are_ascii_as_in_go() {
        assert_eq!(matches(r"^\d$", "7"), Some(true));
        assert_eq!(matches(r"^\d$", "٣"), Some(false));
        assert_eq!(matches(r"^[\w-]+$", "a-b_c"), Some(true));
        assert_eq!(matches(r"^\W$", "é"), Some(true));
        assert_eq!(matches(r"^[^\d]$", "x"), Some(true));
        assert_eq!(matches(r"\bweb\b", "my web"), Some(true));
        assert_eq!(matches(r"^\Bé", "é"), Some(true));
    }

    #[test]
    fn brackets_do_not_nest() {
        assert_eq!(matches("^[[a]$", "["), Some(true));
        assert_eq!(matches("^[]a]$", "]"), Some(true));
        assert_eq!(matches("^[[:digit:]]$", "5"), Some(true));
        assert_eq!(matches("^[[:5]$", "["), Some(true));
        assert_eq!(matches("[[:five:]]", "5"), None);
        assert_eq!(matches("[", "x"), None);
    }

    #[test]
    fn a_dash_in_a_class_makes_a_range_where_go_says() {
        assert_eq!(matches("^[+--]$", ","), Some(true));
        assert_eq!(matches("^[a-]$", "-"), Some(true));
        assert_eq!(matches(r"^[\d-z]$", "y"), Some(false));
        assert_eq!(matches(r"[A-\d]", "B"), None);
        assert_eq!(matches("[b-a]", "a"), None);
    }

    #[test]
    fn repetitions_do_not_stack() {
        for pattern in ["c++", "a**", "a*+", "a??+", "*a", "(*a)", "a|*", "(?i)*"] {
            assert_eq!(matches(pattern, "a"), None, "{pattern}");
        }
        assert_eq!(matches("^a+?$", "aa"), Some(true));
        assert_eq!(matches("^a+(?i)?$", ""), Some(true), "flags part them");
        assert_eq!(matches("^ab(?i)*C$", "abbc"), Some(true));
    }

    #[test]
    fn flags_are_those_of_go() {
        assert_eq!(matches("(?i)^US", "us-east"), Some(true));
        assert_eq!(matches("(?ii-i)a", "A"), Some(false));
        assert_eq!(matches("(?)a", "a"), Some(true));
        for pattern in ["(?x)a", "(?ix)a", "(?u:a)", "(?-)a", "(?i-)a", "(?", "(?R)a"] {
            assert_eq!(matches(pattern, "a"), None, "{pattern}");
        }
    }

    #[test]
    fn escapes_are_those_of_go() {
        assert_eq!(matches(r"^\Qa.b\E+$", "a.bb"), Some(true));
        assert_eq!(matches(r"^\141\x62\_\0?$", "ab_"), Some(true));
        for pattern in [r"\1", r"\u0041", r"\Z", r"\C", r"\E", r"\pX", r"[\b]", r"\"] {
            assert_eq!(matches(pattern, "A"), None, "{pattern}");
        }
    }
}
