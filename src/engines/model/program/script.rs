//! Scripts of a shell, as far as they are simple: commands one after the other or joined by `&&` and `||`, quotes,
//! variables, and where output goes. Everything else is not understood.

use super::{Flow, Run};

/// Bytes of the words of one command at most; a longer one is not understood.
const WORDS_MAX: usize = 64 << 10;
/// Bytes of the value of a variable at most.
const VALUE_MAX: usize = 16 << 10;

/// A piece of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A word: its parts, in order.
    Word(Vec<Part>),
    /// Something that joins commands.
    Join(Join),
    /// Where output goes.
    Redirect(Redirect),
    /// With it a command is not understood.
    Strange,
    /// With it nothing that follows is understood either.
    Nested,
}

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The value of a variable, and whether it stays one word.
    Variable(String, bool),
    /// Not understood.
    Strange,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Join {
    Then,
    And,
    Or,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Redirect {
    /// The output goes where errors go.
    ToErrors,
    /// Errors go where the output goes.
    ErrorsToOutput,
    /// The output is lost.
    Lost,
    /// Errors are lost.
    ErrorsLost,
}

/// Words with which something begins that is more than a command.
const COMPOUND: [&str; 10] = [
    "while", "until", "for", "if", "case", "{", "}", "function", "select", "[[",
];

/// Where the output of a command goes: the output or the errors, or nowhere.
#[derive(Clone, Copy)]
struct Streams {
    out: Option<bool>,
    err: Option<bool>,
}

impl Run<'_> {
    /// A whole script.
    pub(super) fn script(&mut self, text: &str, stops_at_failure: bool, depth: usize) -> Flow {
        let mut tokens = Lexer {
            rest: text.chars().peekable(),
        };
        let mut shell = Shell {
            variables: Vec::new(),
            code: 0,
            stops_at_failure,
            depth,
        };
        let mut join = Join::Then;
        loop {
            let mut command = Vec::new();
            let next = loop {
                match tokens.next() {
                    Some(Token::Join(join)) => break Some(join),
                    Some(token) => command.push(token),
                    None => break None,
                }
            };
            let skipped = match join {
                Join::Then => false,
                Join::And => shell.code != 0,
                Join::Or => shell.code == 0,
            };
            let is_condition = matches!(next, Some(Join::And | Join::Or));
            if !skipped && !command.is_empty() {
                self.steps += 1;
                if self.steps > super::STEPS_MAX {
                    self.guess();
                    return Flow::Exit(shell.code);
                }
                match self.simple(&command, &mut shell) {
                    Flow::Code(code) if code != 0 && shell.stops_at_failure && !is_condition => {
                        return Flow::Exit(code);
                    }
                    Flow::Code(code) => shell.code = code,
                    Flow::Unknown => {
                        self.guess();
                        shell.code = 0;
                        if is_compound(&command) {
                            return Flow::Exit(0);
                        }
                    }
                    Flow::Reads if next.is_some() => {
                        self.guess();
                        shell.code = 0;
                    }
                    flow => return flow,
                }
            }
            match next {
                Some(next) => join = next,
                None => return Flow::Exit(shell.code),
            }
        }
    }

    /// A command without what joins it to others.
    fn simple(&mut self, tokens: &[Token], shell: &mut Shell) -> Flow {
        let mut words = Vec::new();
        let mut streams = Streams {
            out: Some(false),
            err: Some(true),
        };
        let mut assigned = Vec::new();
        let mut room = WORDS_MAX;
        for token in tokens {
            match token {
                Token::Word(parts) => match (assignment(parts), words.is_empty()) {
                    (Some((name, value)), true) => match self.expanded(&value, shell, &mut room) {
                        Some(value) if value.iter().all(|value| value.len() <= VALUE_MAX) => {
                            assigned.push((name, value.join(" ")));
                        }
                        _ => return Flow::Unknown,
                    },
                    _ => match self.expanded(parts, shell, &mut room) {
                        Some(expanded) => words.extend(expanded),
                        None => return Flow::Unknown,
                    },
                },
                Token::Redirect(Redirect::ToErrors) => streams.out = streams.err,
                Token::Redirect(Redirect::ErrorsToOutput) => streams.err = streams.out,
                Token::Redirect(Redirect::Lost) => streams.out = None,
                Token::Redirect(Redirect::ErrorsLost) => streams.err = None,
                Token::Strange | Token::Nested | Token::Join(_) => return Flow::Unknown,
            }
        }
        let is_negated = words.first().is_some_and(|word| word == "!");
        if is_negated {
            words.remove(0);
        }
        let texts: Vec<&str> = words.iter().map(String::as_str).collect();
        let before = self.writes.len();
        let flow = match texts.as_slice() {
            [] => {
                for (name, value) in assigned {
                    shell.variables.retain(|(other, _)| *other != name);
                    shell.variables.push((name, value));
                }
                Flow::Code(0)
            }
            // Variables for one command only.
            _ if !assigned.is_empty() => Flow::Unknown,
            [word, ..] if COMPOUND.contains(word) => Flow::Unknown,
            ["exit"] => Flow::Exit(shell.code),
            ["exit", code] => match code.parse::<i64>() {
                Ok(code) => Flow::Exit(code & 255),
                Err(_) => Flow::Exit(2),
            },
            ["set", flags @ ..] => {
                if flags.iter().any(|flag| flag.starts_with('-') && flag.contains('e')) {
                    shell.stops_at_failure = true;
                }
                Flow::Code(0)
            }
            ["trap" | "export" | "umask", ..] => Flow::Code(0),
            ["exec", _, ..] => match self.command(&words[1..], shell.depth) {
                Flow::Code(code) => Flow::Exit(code),
                flow => flow,
            },
            _ => self.command(&words, shell.depth),
        };
        self.redirect(before, streams);
        match flow {
            Flow::Code(code) if is_negated => Flow::Code(i64::from(code == 0)),
            flow => flow,
        }
    }

    /// Sends what was written since then where it goes.
    fn redirect(&mut self, since: usize, streams: Streams) {
        let mut at = since;
        while let Some(write) = self.writes.get_mut(at) {
            match if write.errors { streams.err } else { streams.out } {
                Some(errors) => {
                    write.errors = errors;
                    at += 1;
                }
                None => {
                    self.writes.remove(at);
                    // What comes after it has moved up.
                    self.sure = self.sure.map(|sure| if at < sure { sure - 1 } else { sure });
                }
            }
        }
    }

    /// The words that a word becomes; nothing if it is not understood, or there is no room for it.
    fn expanded(&self, parts: &[Part], shell: &Shell, room: &mut usize) -> Option<Vec<String>> {
        let mut words: Vec<String> = Vec::new();
        let mut word: Option<String> = None;
        for part in parts {
            match part {
                Part::Text(text) => {
                    *room = room.checked_sub(text.len() + 1)?;
                    word.get_or_insert_default().push_str(text);
                }
                Part::Variable(name, is_whole) => {
                    let value = self.value(name, shell);
                    *room = room.checked_sub(value.len() + 1)?;
                    if *is_whole {
                        word.get_or_insert_default().push_str(&value);
                        continue;
                    }
                    let mut pieces = value.split_whitespace();
                    if value.starts_with(char::is_whitespace) {
                        words.extend(word.take());
                    }
                    if let Some(first) = pieces.next() {
                        word.get_or_insert_default().push_str(first);
                    }
                    for piece in pieces {
                        words.extend(word.replace(piece.to_owned()));
                    }
                    if value.ends_with(char::is_whitespace) {
                        words.extend(word.take());
                    }
                }
                Part::Strange => return None,
            }
        }
        words.extend(word);
        Some(words)
    }

    fn value(&self, name: &str, shell: &Shell) -> String {
        if name == "?" {
            return shell.code.to_string();
        }
        let own = shell.variables.iter().find(|(other, _)| other == name);
        own.map(|(_, value)| value.clone())
            .or_else(|| (self.around.variable)(name))
            .unwrap_or_default()
    }
}

/// A shell with its variables.
struct Shell {
    variables: Vec<(String, String)>,
    code: i64,
    stops_at_failure: bool,
    depth: usize,
}

fn is_compound(tokens: &[Token]) -> bool {
    matches!(tokens.first(), Some(Token::Word(parts)) if matches!(parts.as_slice(), [Part::Text(text)]
        if COMPOUND.contains(&text.as_str())))
        || tokens.contains(&Token::Nested)
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The variable that a word sets, and to what.
fn assignment(parts: &[Part]) -> Option<(String, Vec<Part>)> {
    let Some(Part::Text(text)) = parts.first() else {
        return None;
    };
    let (name, value) = text.split_once('=')?;
    let mut rest = vec![Part::Text(value.to_owned())];
    rest.extend(parts[1..].iter().map(|part| match part {
        // It stays one value.
        Part::Variable(name, _) => Part::Variable(name.clone(), true),
        other => other.clone(),
    }));
    is_name(name).then(|| (name.to_owned(), rest))
}

/// Takes a script apart.
struct Lexer<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
}

impl Lexer<'_> {
    fn takes(&mut self, wanted: char) -> bool {
        self.rest.next_if_eq(&wanted).is_some()
    }

    /// Characters up to the first that ends a word.
    fn plain(&mut self) -> String {
        let mut text = String::new();
        while let Some(c) = self
            .rest
            .next_if(|c| !c.is_whitespace() && !";&|<>()'\"\\$`".contains(*c))
        {
            text.push(c);
        }
        text
    }

    fn word(&mut self) -> Token {
        let mut parts: Vec<Part> = Vec::new();
        while let Some(c) = self.rest.peek().copied() {
            match c {
                '\'' => {
                    self.rest.next();
                    parts.push(self.quoted());
                }
                '"' => {
                    self.rest.next();
                    self.double_quoted(&mut parts);
                }
                '\\' => {
                    self.rest.next();
                    match self.rest.next() {
                        Some('\n') => {}
                        Some(c) => parts.push(Part::Text(c.to_string())),
                        None => parts.push(Part::Strange),
                    }
                }
                '$' => {
                    self.rest.next();
                    parts.push(self.variable(false));
                }
                '`' => {
                    self.rest.next();
                    parts.push(Part::Strange);
                }
                _ => match self.plain() {
                    text if text.is_empty() => break,
                    text => parts.push(Part::Text(text)),
                },
            }
        }
        Token::Word(parts)
    }

    fn quoted(&mut self) -> Part {
        let mut text = String::new();
        loop {
            match self.rest.next() {
                Some('\'') => return Part::Text(text),
                Some(c) => text.push(c),
                None => return Part::Strange,
            }
        }
    }

    fn double_quoted(&mut self, parts: &mut Vec<Part>) {
        let mut text = String::new();
        loop {
            match self.rest.next() {
                Some('"') => return parts.push(Part::Text(text)),
                Some('$') => {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                    parts.push(self.variable(true));
                }
                Some('\\') => match self.rest.next() {
                    Some('\n') => {}
                    Some(c) if "\"\\$`".contains(c) => text.push(c),
                    Some(c) => text.extend(['\\', c]),
                    None => return parts.push(Part::Strange),
                },
                Some('`') | None => {
                    parts.push(Part::Strange);
                    // The rest of a text that is not understood has no meaning here.
                    return;
                }
                Some(c) => text.push(c),
            }
        }
    }

    /// What follows a dollar sign.
    fn variable(&mut self, is_whole: bool) -> Part {
        if self.takes('?') {
            return Part::Variable("?".to_owned(), is_whole);
        }
        let is_braced = self.takes('{');
        let mut name = String::new();
        while let Some(c) = self.rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
        }
        match is_name(&name) && (!is_braced || self.takes('}')) {
            true => Part::Variable(name, is_whole),
            false
                if name.is_empty() && !is_braced && self.rest.peek().is_none_or(|c| c.is_whitespace() || *c == '"') =>
            {
                Part::Text("$".to_owned())
            }
            false => Part::Strange,
        }
    }

    /// What follows a sign for where output goes; `errors` if it is that of the errors.
    fn redirect(&mut self, errors: bool) -> Token {
        if self.takes('&') {
            return match (errors, self.plain().as_str()) {
                (false, "2") => Token::Redirect(Redirect::ToErrors),
                (true, "1") => Token::Redirect(Redirect::ErrorsToOutput),
                _ => Token::Strange,
            };
        }
        while self.takes('>') || self.takes(' ') {}
        match (self.word(), errors) {
            (Token::Word(parts), _) if parts.is_empty() || parts.contains(&Part::Strange) => Token::Strange,
            (_, false) => Token::Redirect(Redirect::Lost),
            (_, true) => Token::Redirect(Redirect::ErrorsLost),
        }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            let c = self.rest.peek().copied()?;
            match c {
                '\n' | ';' => {
                    self.rest.next();
                    return Some(Token::Join(Join::Then));
                }
                c if c.is_whitespace() => {
                    self.rest.next();
                }
                '#' => while self.rest.next_if(|c| *c != '\n').is_some() {},
                '&' => {
                    self.rest.next();
                    return Some(if self.takes('&') {
                        Token::Join(Join::And)
                    } else {
                        Token::Strange
                    });
                }
                '|' => {
                    self.rest.next();
                    return Some(if self.takes('|') {
                        Token::Join(Join::Or)
                    } else {
                        Token::Strange
                    });
                }
                '>' => {
                    self.rest.next();
                    return Some(self.redirect(false));
                }
                '<' => {
                    self.rest.next();
                    return Some(Token::Strange);
                }
                '(' | ')' => {
                    self.rest.next();
                    return Some(Token::Nested);
                }
                _ => {
                    let word = self.word();
                    let number = match &word {
                        Token::Word(parts) => match parts.as_slice() {
                            [Part::Text(text)] if text == "1" || text == "2" => Some(text == "2"),
                            _ => None,
                        },
                        _ => None,
                    };
                    // A number right before the sign says whose output it is.
                    return match number {
                        Some(errors) if self.takes('>') => Some(self.redirect(errors)),
                        _ => Some(word),
                    };
                }
            }
        }
    }
}
