//! Regular expressions as Go's `regexp` reads them, for the `regex` crate.
//!
//! The two share one ancestor, but a client's expression has to mean what it meant to the original. So a pattern is
//! read by Go's grammar, which refuses more, and written out in the few forms whose meaning is the same in both. Braces
//! and angle brackets, and so counted repetitions and named groups, are missing: no expression's value may have them.

use regex::RegexBuilder;

use super::compiled::{Compiled, Outcome};
use super::{COMPILED_BYTES_MAX, PATTERN_BYTES_MAX, PATTERN_LEVELS_MAX, PatternLimit};

/// The sizes that are granted one after the other. What is granted is what counts against the memory for all patterns.
const SIZES: [usize; 3] = [COMPILED_BYTES_MAX >> 8, COMPILED_BYTES_MAX >> 4, COMPILED_BYTES_MAX];

/// The names of POSIX classes, the same in both.
const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// Compiles a pattern that is already in our dialect.
pub(super) fn compile(pattern: &str) -> Outcome {
    // Groups that do not capture are no levels to Go, but there are no more of them than characters.
    let levels = u32::try_from(2 * PATTERN_BYTES_MAX).unwrap_or(u32::MAX);
    for bytes in SIZES {
        match RegexBuilder::new(pattern).size_limit(bytes).nest_limit(levels).build() {
            Ok(regex) => return Ok(Some(Compiled { regex, bytes })),
            Err(regex::Error::CompiledTooBig(_)) => {}
            Err(_) => return Ok(None),
        }
    }
    Err(PatternLimit::Size)
}

/// Rewrites a Go pattern, or `None` if Go refuses it as no regular expression.
pub(super) fn from_go(pattern: &str) -> Result<Option<String>, PatternLimit> {
    let mut translator = Translator {
        rest: pattern.chars().as_str(),
        out: String::with_capacity(2 * pattern.len()),
        item: None,
        repeated: false,
        groups: vec![Group::default()],
    };
    let levels = translator.translate();
    match levels {
        Some(levels) if levels > PATTERN_LEVELS_MAX => Err(PatternLimit::Nesting),
        Some(_) => Ok(Some(translator.out)),
        None => Ok(None),
    }
}

struct Translator<'a> {
    rest: &'a str,
    out: String,
    /// What a repetition would repeat.
    item: Option<Item>,
    /// Whether a repetition has just been read: Go does not let us stack them.
    repeated: bool,
    /// The groups that are open, the whole pattern first.
    groups: Vec<Group>,
}

#[derive(Clone, Copy)]
struct Item {
    /// Where it ends in the output.
    end: usize,
    /// The repetition it ends with, if any.
    operator: Option<char>,
    /// Its levels.
    levels: usize,
}

/// What is known of an open group, to count the levels of Go's syntax tree.
#[derive(Clone, Copy, Default)]
struct Group {
    captures: bool,
    /// The most levels of any branch before the present one, and whether there is one.
    before: usize,
    is_alternation: bool,
    /// The items of the present branch; a run of literals is one.
    items: usize,
    /// The most levels of any of them.
    most: usize,
    /// Literals in the run that the branch ends with.
    run: usize,
}

impl Group {
    fn add(&mut self, levels: usize, is_literal: bool) {
        if !is_literal || self.run == 0 {
            self.items += 1;
        }
        self.run = if is_literal { self.run + 1 } else { 0 };
        self.most = self.most.max(levels);
    }

    /// The last item, of so many levels, gets one more: of a run of literals, only the last is repeated.
    fn repeat(&mut self, levels: usize) {
        self.items += usize::from(self.run > 1);
        self.run = 0;
        self.most = self.most.max(levels);
    }

    fn end_branch(&mut self) {
        let branch = self.most.max(1) + usize::from(self.items > 1);
        *self = Group {
            captures: self.captures,
            before: self.before.max(branch),
            is_alternation: true,
            ..Group::default()
        };
    }

    fn levels(mut self) -> usize {
        let alternation = usize::from(self.is_alternation);
        self.end_branch();
        self.before + alternation + usize::from(self.captures)
    }
}

impl Translator<'_> {
    /// Reads all of the pattern; `None` if Go would refuse it, else its levels.
    fn translate(&mut self) -> Option<usize> {
        while let Some(c) = self.next() {
            let repeats = matches!(c, '*' | '+' | '?');
            match c {
                '*' | '+' | '?' => self.repetition(c)?,
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.open_group()?,
                ')' => self.close_group()?,
                '|' => {
                    self.out.push('|');
                    self.item = None;
                    self.group().end_branch();
                }
                '.' | '^' | '$' => self.push_item(c.encode_utf8(&mut [0; 4])),
                _ => self.push_literal(c),
            }
            self.repeated = repeats;
        }
        match self.groups.as_slice() {
            [whole] => Some(whole.levels()),
            _ => None,
        }
    }

    fn group(&mut self) -> &mut Group {
        self.groups.last_mut().expect("the whole pattern is never closed")
    }

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
        self.push(text, 1, false);
    }

    fn push_literal(&mut self, c: char) {
        self.push(&regex::escape(c.encode_utf8(&mut [0; 4])), 1, true);
    }

    fn push(&mut self, text: &str, levels: usize, is_literal: bool) {
        self.out.push_str(text);
        self.item = Some(Item {
            end: self.out.len(),
            operator: None,
            levels,
        });
        self.group().add(levels, is_literal);
    }

    /// Flags may stand between an item and its repetition, even a second one, so the operator goes where the item ends.
    fn repetition(&mut self, operator: char) -> Option<()> {
        // Whether it is greedy does not matter to whether a text matches.
        self.skip("?");
        if self.repeated {
            return None;
        }
        let item = self.item?;
        let (from, combined, levels) = match item.operator {
            None => (item.end, operator, item.levels + 1),
            Some(first) if first == operator => (item.end - 1, operator, item.levels),
            Some(_) => (item.end - 1, '*', item.levels),
        };
        self.out
            .replace_range(from..item.end, combined.encode_utf8(&mut [0; 4]));
        self.item = Some(Item {
            end: from + 1,
            operator: Some(combined),
            levels,
        });
        self.group().repeat(levels);
        Some(())
    }

    /// A group's opening parenthesis with its flags, or flags alone: `i`, `m`, `s` and `U` are all that Go has.
    fn open_group(&mut self) -> Option<()> {
        if !self.skip("?") {
            // Nobody asks what it captures.
            self.out.push_str("(?:");
            self.item = None;
            self.groups.push(Group {
                captures: true,
                ..Group::default()
            });
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
            self.groups.push(Group::default());
        }
    }

    fn close_group(&mut self) -> Option<()> {
        if self.groups.len() == 1 {
            return None;
        }
        let levels = self.groups.pop()?.levels();
        self.push(")", levels, false);
        Some(())
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
        let translated = from_go(pattern).expect("the pattern is small")?;
        let compiled = compile(&translated).expect("the pattern is small")?;
        Some(compiled.regex.is_match(text))
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
