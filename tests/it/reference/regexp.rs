//! Go's regular expressions (RE2) as far as values can spell them: a parser by Go's grammar, and a matcher that knows
//! no trick but sets of positions.

use std::collections::BTreeSet;
use std::rc::Rc;

use regex::Regex;

/// Whether the pattern matches somewhere in the text; one that does not compile matches nothing.
pub fn is_match(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    parsed(pattern, |program| {
        program.is_some_and(|program| {
            (0..=text.len()).any(|start| !program.ends(&text, &BTreeSet::from([start])).is_empty())
        })
    })
}

/// The height of Go's syntax tree; `None` if the pattern does not compile.
pub fn levels(pattern: &str) -> Option<usize> {
    parsed(pattern, |program| program.map(|program| program.levels()))
}

/// Parses a pattern and asks about it, on a stack that is large enough for any depth of nesting.
fn parsed<T: Send>(pattern: &str, ask: impl FnOnce(Option<&Program>) -> T + Send) -> T {
    let parse = move || {
        let pattern: Vec<char> = pattern.chars().collect();
        let mut parser = Parser {
            pattern: &pattern,
            at: 0,
        };
        let program = parser.alternation(Flags::default()).ok();
        let all = parser.at == pattern.len();
        ask(program.as_ref().filter(|_| all))
    };
    if pattern.len() < 500 {
        return parse();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(256 << 20);
        let running = thread.spawn_scoped(scope, parse).expect("a thread can be started");
        running.join().expect("parsing does not panic")
    })
}

/// What a compiled pattern is made of.
enum Program {
    Literal(Set),
    Class(Set),
    Assertion(Assertion),
    Sequence(Vec<Program>),
    Either(Vec<Program>),
    Capture(Box<Program>),
    Repeat {
        inner: Box<Program>,
        from_zero: bool,
        unbounded: bool,
    },
}

type Set = Rc<dyn Fn(char) -> bool>;

#[derive(Clone, Copy)]
enum Assertion {
    TextBegins,
    TextEnds,
    LineBegins,
    LineEnds,
    WordBoundary,
    NoWordBoundary,
}

#[derive(Clone, Copy, Default)]
struct Flags {
    /// `i`
    fold: bool,
    /// `s`
    dot_matches_newline: bool,
    /// `m`
    multi_line: bool,
}

struct Invalid;

impl Program {
    /// All positions where a match that begins at one of `starts` can end.
    fn ends(&self, text: &[char], starts: &BTreeSet<usize>) -> BTreeSet<usize> {
        match self {
            Program::Literal(set) | Program::Class(set) => {
                let matched = starts.iter().filter(|at| text.get(**at).is_some_and(|c| set(*c)));
                matched.map(|at| at + 1).collect()
            }
            Program::Assertion(assertion) => starts.iter().copied().filter(|at| assertion.holds(text, *at)).collect(),
            Program::Capture(inner) => inner.ends(text, starts),
            Program::Sequence(parts) => parts.iter().fold(starts.clone(), |at, part| part.ends(text, &at)),
            Program::Either(branches) => branches.iter().flat_map(|branch| branch.ends(text, starts)).collect(),
            Program::Repeat {
                inner,
                from_zero,
                unbounded,
            } => {
                let mut ends = inner.ends(text, starts);
                while *unbounded && !inner.ends(text, &ends).is_subset(&ends) {
                    ends.extend(inner.ends(text, &ends));
                }
                if *from_zero {
                    ends.extend(starts);
                }
                ends
            }
        }
    }

    /// Literals side by side are one node of Go's tree, and so are repetitions of repetitions.
    fn levels(&self) -> usize {
        match self {
            Program::Literal(_) | Program::Class(_) | Program::Assertion(_) => 1,
            Program::Capture(inner) => 1 + inner.levels(),
            Program::Repeat { inner, .. } => match &**inner {
                Program::Repeat { .. } => inner.levels(),
                inner => 1 + inner.levels(),
            },
            Program::Either(branches) => {
                let most = branches.iter().map(Program::levels).max().unwrap_or(1);
                most + usize::from(branches.len() > 1)
            }
            Program::Sequence(parts) => {
                let merged = parts
                    .windows(2)
                    .filter(|pair| matches!(pair, [Program::Literal(_), Program::Literal(_)]));
                let count = parts.len() - merged.count();
                parts.iter().map(Program::levels).max().unwrap_or(1) + usize::from(count > 1)
            }
        }
    }
}

impl Assertion {
    fn holds(self, text: &[char], at: usize) -> bool {
        let is_word = |c: Option<&char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_');
        let before = at.checked_sub(1).and_then(|at| text.get(at));
        let boundary = is_word(before) != is_word(text.get(at));
        match self {
            Assertion::TextBegins => at == 0,
            Assertion::TextEnds => at == text.len(),
            Assertion::LineBegins => before.is_none_or(|c| *c == '\n'),
            Assertion::LineEnds => text.get(at).is_none_or(|c| *c == '\n'),
            Assertion::WordBoundary => boundary,
            Assertion::NoWordBoundary => !boundary,
        }
    }
}

struct Parser<'a> {
    pattern: &'a [char],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.pattern.get(self.at).copied()
    }

    fn looking_at(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(offset, c)| self.pattern.get(self.at + offset) == Some(&c))
    }

    fn next(&mut self) -> Result<char, Invalid> {
        let c = self.peek().ok_or(Invalid)?;
        self.at += 1;
        Ok(c)
    }

    /// Branches up to the closing parenthesis or the end.
    fn alternation(&mut self, mut flags: Flags) -> Result<Program, Invalid> {
        let mut branches = Vec::new();
        loop {
            branches.push(Program::Sequence(self.sequence(&mut flags)?));
            if self.peek() != Some('|') {
                return Ok(Program::Either(branches));
            }
            self.at += 1;
        }
    }

    fn sequence(&mut self, flags: &mut Flags) -> Result<Vec<Program>, Invalid> {
        let mut items: Vec<Program> = Vec::new();
        let mut after_repetition = false;
        while let Some(c) = self.peek() {
            let is_repetition = "*+?".contains(c);
            match c {
                '|' | ')' => break,
                '*' | '+' | '?' => {
                    self.at += 1;
                    if self.peek() == Some('?') {
                        self.at += 1;
                    }
                    if after_repetition {
                        return Err(Invalid);
                    }
                    let inner = Box::new(items.pop().ok_or(Invalid)?);
                    items.push(Program::Repeat {
                        inner,
                        from_zero: c != '+',
                        unbounded: c != '?',
                    });
                }
                '(' => items.extend(self.group(flags)?),
                _ if self.looking_at("\\Q") => {
                    self.at += 2;
                    while self.peek().is_some() && !self.looking_at("\\E") {
                        let c = self.next()?;
                        items.push(Program::Literal(folded(flags.fold, Rc::new(move |own| own == c))));
                    }
                    self.at = (self.at + 2).min(self.pattern.len());
                }
                _ => items.push(self.item(*flags)?),
            }
            after_repetition = is_repetition;
        }
        Ok(items)
    }

    /// A group, or nothing if the parentheses only set flags.
    fn group(&mut self, flags: &mut Flags) -> Result<Option<Program>, Invalid> {
        self.at += 1;
        let mut inner = *flags;
        let captures = self.peek() != Some('?');
        if !captures {
            self.at += 1;
            let (mut value, mut dangling) = (true, false);
            loop {
                let c = self.next()?;
                match c {
                    'i' => inner.fold = value,
                    's' => inner.dot_matches_newline = value,
                    'm' => inner.multi_line = value,
                    'U' => {}
                    '-' if value => value = false,
                    ':' | ')' if dangling => return Err(Invalid),
                    ':' => break,
                    ')' => {
                        *flags = inner;
                        return Ok(None);
                    }
                    _ => return Err(Invalid),
                }
                dangling = c == '-';
            }
        }
        let program = self.alternation(inner)?;
        match self.next()? {
            ')' if captures => Ok(Some(Program::Capture(Box::new(program)))),
            ')' => Ok(Some(program)),
            _ => Err(Invalid),
        }
    }

    fn item(&mut self, flags: Flags) -> Result<Program, Invalid> {
        let assertion = |assertion| Ok(Program::Assertion(assertion));
        match self.next()? {
            '^' if flags.multi_line => assertion(Assertion::LineBegins),
            '^' => assertion(Assertion::TextBegins),
            '$' if flags.multi_line => assertion(Assertion::LineEnds),
            '$' => assertion(Assertion::TextEnds),
            '.' => Ok(Program::Class(Rc::new(move |c| flags.dot_matches_newline || c != '\n'))),
            '[' => Ok(Program::Class(self.class(flags)?)),
            '\\' => match self.next()? {
                'A' => assertion(Assertion::TextBegins),
                'z' => assertion(Assertion::TextEnds),
                'b' => assertion(Assertion::WordBoundary),
                'B' => assertion(Assertion::NoWordBoundary),
                c => match self.named_set(c, flags)? {
                    Some(set) => Ok(Program::Class(set)),
                    None => {
                        let c = self.escaped(c)?;
                        Ok(Program::Literal(folded(flags.fold, Rc::new(move |own| own == c))))
                    }
                },
            },
            c => Ok(Program::Literal(folded(flags.fold, Rc::new(move |own| own == c)))),
        }
    }

    /// The set that `\d` and its like stand for.
    fn named_set(&mut self, escape: char, flags: Flags) -> Result<Option<Set>, Invalid> {
        let set: Set = match escape {
            'd' | 'D' => Rc::new(|c: char| c.is_ascii_digit()),
            'w' | 'W' => Rc::new(|c: char| c.is_ascii_alphanumeric() || c == '_'),
            's' | 'S' => Rc::new(|c: char| "\t\n\x0c\r ".contains(c)),
            'p' | 'P' => {
                let category = self.next()?;
                if !"CLMNPSZ".contains(category) {
                    return Err(Invalid);
                }
                let regex = Regex::new(&format!(r"\A\p{category}\z")).map_err(|_| Invalid)?;
                Rc::new(move |c: char| regex.is_match(c.encode_utf8(&mut [0; 4])))
            }
            _ => return Ok(None),
        };
        let set = folded(flags.fold, set);
        Ok(Some(if escape.is_ascii_uppercase() {
            Rc::new(move |c| !set(c))
        } else {
            set
        }))
    }

    /// The character that an escape stands for.
    fn escaped(&mut self, escape: char) -> Result<char, Invalid> {
        let octal_follows = self.peek().is_some_and(|c| c.is_digit(8));
        let code = match escape {
            'a' => 7,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'v' => 11,
            'x' => {
                let high = self.next()?.to_digit(16).ok_or(Invalid)?;
                16 * high + self.next()?.to_digit(16).ok_or(Invalid)?
            }
            '0'..='7' if escape == '0' || octal_follows => {
                let mut digits = escape.to_string();
                while digits.len() < 3 && self.peek().is_some_and(|c| c.is_digit(8)) {
                    digits.push(self.next()?);
                }
                u32::from_str_radix(&digits, 8).map_err(|_| Invalid)?
            }
            c if c.is_ascii_alphanumeric() || !c.is_ascii() => return Err(Invalid),
            c => u32::from(c),
        };
        char::from_u32(code).ok_or(Invalid)
    }

    /// What follows an opening bracket.
    fn class(&mut self, flags: Flags) -> Result<Set, Invalid> {
        let negated = self.peek() == Some('^');
        self.at += usize::from(negated);
        let mut sets: Vec<Set> = Vec::new();
        while sets.is_empty() || self.peek() != Some(']') {
            if let Some(set) = self.posix_class(flags)? {
                sets.push(set);
                continue;
            }
            let low = match self.next()? {
                '\\' => {
                    let escape = self.next()?;
                    if let Some(set) = self.named_set(escape, flags)? {
                        sets.push(set);
                        continue;
                    }
                    self.escaped(escape)?
                }
                c => c,
            };
            let mut high = low;
            let has_more = self.at + 1 < self.pattern.len();
            if has_more && self.peek() == Some('-') && !self.looking_at("-]") {
                self.at += 1;
                high = match self.next()? {
                    '\\' => {
                        let escape = self.next()?;
                        self.escaped(escape)?
                    }
                    c => c,
                };
            }
            if high < low {
                return Err(Invalid);
            }
            sets.push(folded(flags.fold, Rc::new(move |c| low <= c && c <= high)));
        }
        self.at += 1;
        Ok(Rc::new(move |c| sets.iter().any(|set| set(c)) != negated))
    }

    /// `[:digit:]` and its like inside a class.
    fn posix_class(&mut self, flags: Flags) -> Result<Option<Set>, Invalid> {
        let rest: String = self.pattern[self.at..].iter().collect();
        let Some((name, _)) = rest.strip_prefix("[:").and_then(|rest| rest.split_once(":]")) else {
            return Ok(None);
        };
        self.at += name.chars().count() + 4;
        let negated = name.starts_with('^');
        let set: fn(char) -> bool = match name.trim_start_matches('^') {
            "alnum" => |c| c.is_ascii_alphanumeric(),
            "alpha" => |c| c.is_ascii_alphabetic(),
            "ascii" => |c| c.is_ascii(),
            "blank" => |c| "\t ".contains(c),
            "cntrl" => |c| c.is_ascii_control(),
            "digit" => |c| c.is_ascii_digit(),
            "graph" => |c| c.is_ascii_graphic(),
            "lower" => |c| c.is_ascii_lowercase(),
            "print" => |c| c.is_ascii_graphic() || c == ' ',
            "punct" => |c| c.is_ascii_punctuation(),
            "space" => |c| "\t\n\x0b\x0c\r ".contains(c),
            "upper" => |c| c.is_ascii_uppercase(),
            "word" => |c| c.is_ascii_alphanumeric() || c == '_',
            "xdigit" => |c| c.is_ascii_hexdigit(),
            _ => return Err(Invalid),
        };
        if name.starts_with("^^") {
            return Err(Invalid);
        }
        let set = folded(flags.fold, Rc::new(set));
        Ok(Some(Rc::new(move |c| set(c) != negated)))
    }
}

/// The set itself, or with all characters that differ from one of its own only in case.
fn folded(fold: bool, set: Set) -> Set {
    if fold {
        Rc::new(move |c| spellings(c).into_iter().any(|spelling| set(spelling)))
    } else {
        set
    }
}

/// A character in upper and lower case; the Kelvin sign and the long s are third spellings.
fn spellings(c: char) -> Vec<char> {
    match c {
        'k' | 'K' | '\u{212a}' => vec!['k', 'K', '\u{212a}'],
        's' | 'S' | 'ſ' => vec!['s', 'S', 'ſ'],
        c => [c]
            .into_iter()
            .chain(c.to_lowercase())
            .chain(c.to_uppercase())
            .collect(),
    }
}
