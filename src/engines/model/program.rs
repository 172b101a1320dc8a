//! What a command comes to: what it writes, when, and with which code it ends. Containers and commands that are executed in
//! them are interpreted alike. Nothing is ever run: whatever has no known end here is said to have none.

mod script;

use std::time::Duration;

use super::files::{Files, Kind, normal};

/// Bytes that one program writes at most; of what would be more, nothing is written.
const WRITTEN_MAX: usize = 64 << 10;
/// Commands of scripts that are followed at most, with those of shells within shells.
const STEPS_MAX: usize = 10_000;
/// Shells within shells that are followed at most.
const DEPTH_MAX: usize = 8;

/// What a command comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What it writes, in its order.
    pub writes: Vec<Write>,
    /// How it ends.
    pub end: End,
    /// How many of its writes come before anything that is not understood.
    pub sure: usize,
}

/// Something that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// When, since the start.
    pub after: Duration,
    /// Whether it goes to the standard error.
    pub errors: bool,
    /// What.
    pub bytes: Vec<u8>,
}

/// How a program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, so long after its start, with this code.
    Known(Duration, i64),
    /// When it is stopped.
    Never,
    /// With its input, which it writes; without any it is not known, and this would be its code if all that is not
    /// understood took no time and succeeded.
    Open(i64),
}

/// What a program can read on its standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing: it is at its end.
    Nothing,
    /// What a client sends, or a terminal nobody types on.
    Open,
}

/// Where a program finds itself.
pub struct Surroundings<'a> {
    /// The value of a variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The files.
    pub files: &'a Files,
    /// The directory in which it begins.
    pub directory: &'a dyn Fn() -> String,
    /// Its input.
    pub input: Input,
}

/// What a command comes to where it finds itself.
pub fn interpret(command: &[String], around: &Surroundings) -> Program {
    let mut run = Run {
        around,
        at: Duration::ZERO,
        writes: Vec::new(),
        written: 0,
        sure: None,
        steps: 0,
    };
    let end = match run.command(command, 0) {
        Flow::Code(code) | Flow::Exit(code) if run.sure.is_none() => End::Known(run.at, code),
        Flow::Code(code) | Flow::Exit(code) => End::Open(code),
        Flow::Never => End::Never,
        Flow::Unknown if run.writes.is_empty() && !command.is_empty() => {
            // A word for a sign of life.
            run.write(false, format!("{}\n", command.join(" ")));
            End::Open(0)
        }
        Flow::Unknown | Flow::Reads => End::Open(0),
    };
    Program {
        sure: run.sure.unwrap_or(run.writes.len()),
        writes: run.writes,
        end,
    }
}

/// The name of the program without its directory.
fn name(word: &str) -> &str {
    match word.starts_with('/') {
        true => word.rsplit('/').next().unwrap_or(word),
        false => word,
    }
}

/// How it goes on after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// It has ended with this code.
    Code(i64),
    /// The shell that it is in ends with this code.
    Exit(i64),
    /// It reads its input until that ends.
    Reads,
    /// It goes on until it is stopped.
    Never,
    /// Nobody knows.
    Unknown,
}

/// A program that is being interpreted.
struct Run<'a> {
    around: &'a Surroundings<'a>,
    at: Duration,
    writes: Vec<Write>,
    written: usize,
    /// Once something was not understood: how much had been written before.
    sure: Option<usize>,
    steps: usize,
}

impl Run<'_> {
    fn write(&mut self, errors: bool, text: impl Into<Vec<u8>>) {
        let bytes = text.into();
        if bytes.is_empty() || self.written + bytes.len() > WRITTEN_MAX {
            return;
        }
        self.written += bytes.len();
        self.writes.push(Write {
            after: self.at,
            errors,
            bytes,
        });
    }

    /// From here on it is a guess.
    fn guess(&mut self) {
        self.sure.get_or_insert(self.writes.len());
    }

    /// One command that is no shell's own.
    fn command(&mut self, words: &[String], depth: usize) -> Flow {
        self.steps += 1;
        let Some((first, arguments)) = words.split_first() else {
            return Flow::Unknown;
        };
        if self.steps > STEPS_MAX || depth > DEPTH_MAX {
            return Flow::Unknown;
        }
        let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match (name(first), texts.as_slice()) {
            ("busybox", [_, ..]) => self.command(arguments, depth + 1),
            ("true" | ":", _) => Flow::Code(0),
            ("false", _) => Flow::Code(1),
            ("echo", texts) => {
                let text = echoed(texts);
                self.write(false, text);
                Flow::Code(0)
            }
            ("printf", [format]) if !format.contains('%') => {
                let text = unescaped(format);
                self.write(false, text);
                Flow::Code(0)
            }
            ("sleep", texts) => self.sleep(texts),
            ("cat", [] | ["-"]) => self.reads(),
            ("cat", names) if names.iter().all(|name| !name.starts_with('-')) => self.cat(names),
            ("pwd", []) => {
                let text = format!("{}\n", (self.around.directory)());
                self.write(false, text);
                Flow::Code(0)
            }
            ("hostname", []) => match (self.around.variable)("HOSTNAME") {
                Some(name) => {
                    self.write(false, format!("{name}\n"));
                    Flow::Code(0)
                }
                None => Flow::Unknown,
            },
            ("printenv", [variable]) => match (self.around.variable)(variable) {
                Some(value) => {
                    self.write(false, format!("{value}\n"));
                    Flow::Code(0)
                }
                None => Flow::Code(1),
            },
            ("top", _) | ("tail", ["-f" | "-F", "/dev/null"]) => Flow::Never,
            ("sh" | "ash" | "bash" | "dash", texts) => self.shell(texts, depth),
            _ => Flow::Unknown,
        }
    }

    /// It reads its input to the end.
    fn reads(&self) -> Flow {
        match self.around.input {
            Input::Nothing => Flow::Code(0),
            Input::Open => Flow::Reads,
        }
    }

    fn sleep(&mut self, texts: &[&str]) -> Flow {
        if matches!(texts, ["infinity" | "inf"]) {
            return Flow::Never;
        }
        let mut whole = Duration::ZERO;
        for text in texts {
            match span(text) {
                Some(span) => whole = whole.saturating_add(span),
                None => {
                    self.write(true, format!("sleep: invalid number '{text}'\n"));
                    return Flow::Code(1);
                }
            }
        }
        self.at = self.at.saturating_add(whole);
        match texts {
            [] => Flow::Unknown,
            _ => Flow::Code(0),
        }
    }

    fn cat(&mut self, names: &[&str]) -> Flow {
        let mut code = 0;
        for name in names {
            let path = match name.starts_with('/') {
                true => normal(name),
                false => normal(&format!("{}/{name}", (self.around.directory)())),
            };
            match self.around.files.get(&path).map(|node| node.kind) {
                Some(Kind::File(bytes)) => self.write(false, bytes),
                Some(Kind::Directory) => {
                    self.write(true, "cat: read error: Is a directory\n");
                    code = 1;
                }
                Some(Kind::Link(_)) => return Flow::Unknown,
                // There are more files in an image than is known here, and those of the system.
                None if self.around.files.get(parent(&path)).is_none() || path.starts_with("/etc/") => {
                    return Flow::Unknown;
                }
                None => {
                    self.write(true, format!("cat: can't open '{name}': No such file or directory\n"));
                    code = 1;
                }
            }
        }
        Flow::Code(code)
    }

    fn shell(&mut self, texts: &[&str], depth: usize) -> Flow {
        match texts {
            [] | ["-i" | "-l" | "-s" | "--login"] => self.reads(),
            // Further words are the parameters of the script, which is not understood if it uses them.
            [flags, script, ..] if flags.starts_with('-') && flags.ends_with('c') => {
                match self.script(script, flags.contains('e'), depth + 1) {
                    Flow::Exit(code) => Flow::Code(code),
                    flow => flow,
                }
            }
            _ => Flow::Unknown,
        }
    }
}

/// The directory that a path is in.
fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// What `sleep` is told: seconds with a fraction, or with a unit.
fn span(text: &str) -> Option<Duration> {
    let (digits, unit) = match text.char_indices().last()? {
        (at, 's') => (&text[..at], 1.0),
        (at, 'm') => (&text[..at], 60.0),
        (at, 'h') => (&text[..at], 3600.0),
        (at, 'd') => (&text[..at], 86_400.0),
        _ => (text, 1.0),
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds: f64 = digits.parse().ok().filter(|_| plain)?;
    Some(Duration::try_from_secs_f64(seconds * unit).unwrap_or(Duration::MAX))
}

/// What `echo` writes.
fn echoed(words: &[&str]) -> Vec<u8> {
    let (mut ends, mut escapes) = (true, false);
    let is_flag = |word: &&&str| {
        word.strip_prefix('-')
            .is_some_and(|letters| !letters.is_empty() && letters.bytes().all(|letter| b"neE".contains(&letter)))
    };
    let flags = words.iter().take_while(is_flag).count();
    for letter in words[..flags].iter().flat_map(|word| word.bytes()) {
        match letter {
            b'n' => ends = false,
            b'e' => escapes = true,
            b'E' => escapes = false,
            _ => {}
        }
    }
    let text = words[flags..].join(" ");
    let mut bytes = if escapes { unescaped(&text) } else { text.into_bytes() };
    if ends {
        bytes.push(b'\n');
    }
    bytes
}

/// A text with what stands for other characters replaced by them.
fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'r') => out.push(b'\r'),
            Some(b'\\') => out.push(b'\\'),
            Some(other) => out.extend([b'\\', other]),
            None => out.push(b'\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program_with(words: &[&str], input: Input) -> Program {
        let mut files = Files::default();
        files
            .put("/tmp/page", super::super::files::Node::file(b"a page\n".to_vec()))
            .expect("room");
        let variable = |name: &str| match name {
            "A" => Some("1 2".to_owned()),
            "HOSTNAME" => Some("web".to_owned()),
            _ => None,
        };
        let around = Surroundings {
            variable: &variable,
            files: &files,
            directory: &|| "/tmp".to_owned(),
            input,
        };
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        interpret(&words, &around)
    }

    fn program(words: &[&str]) -> Program {
        program_with(words, Input::Nothing)
    }

    fn text(program: &Program, errors: bool) -> String {
        let writes = program.writes.iter().filter(|write| write.errors == errors);
        let bytes: Vec<u8> = writes.flat_map(|write| write.bytes.clone()).collect();
        String::from_utf8(bytes).expect("text")
    }

    /// Commands of which the end is known: what they write to the output and to the errors, when they end, and their code.
    #[test]
    fn commands_with_a_known_end_have_it() {
        let ms = Duration::from_millis;
        for (words, out, err, after, code) in [
            (&["echo", "a", "b"][..], "a b\n", "", 0, 0),
            (&["/bin/echo", "-n", "a"], "a", "", 0, 0),
            (&["echo", "-ne", "a\\tb"], "a\tb", "", 0, 0),
            (&["echo", "-x"], "-x\n", "", 0, 0),
            (&["busybox", "echo", "a"], "a\n", "", 0, 0),
            (&["printf", "a\\n"], "a\n", "", 0, 0),
            (&["true"], "", "", 0, 0),
            (&["false", "x"], "", "", 0, 1),
            (&["sleep", "9"], "", "", 9000, 0),
            (&["sleep", "0.2", "1m"], "", "", 60_200, 0),
            (&["sleep", "x"], "", "sleep: invalid number 'x'\n", 0, 1),
            (&["cat", "page"], "a page\n", "", 0, 0),
            (
                &["cat", "/tmp/no"],
                "",
                "cat: can't open '/tmp/no': No such file or directory\n",
                0,
                1,
            ),
            (&["hostname"], "web\n", "", 0, 0),
            (&["printenv", "A"], "1 2\n", "", 0, 0),
            (&["sh"], "", "", 0, 0),
            (&["sh", "-c", "exit 3"], "", "", 0, 3),
            (&["/bin/sh", "-ec", "exit 259"], "", "", 0, 3),
            (&["sh", "-c", "echo \"x\"; exit"], "x\n", "", 0, 0),
            (&["sh", "-c", "echo out; echo err >&2; false"], "out\n", "err\n", 0, 1),
            (&["sh", "-c", "echo no >/dev/null; echo both 2>&1"], "both\n", "", 0, 0),
            (
                &["sh", "-c", "echo a\nsleep 1\n# not this\necho b"],
                "a\nb\n",
                "",
                1000,
                0,
            ),
            (&["sh", "-c", "false && echo a || exit 5"], "", "", 0, 5),
            (&["sh", "-c", "! false && echo $?"], "0\n", "", 0, 0),
            (&["sh", "-c", "false; echo $?; exit 4"], "1\n", "", 0, 4),
            (
                &["sh", "-c", "echo $A-\"${A}\"'$A'; B=x; echo $B$C."],
                "1 2-1 2$A\nx.\n",
                "",
                0,
                0,
            ),
            (&["sh", "-ec", "echo a; false; echo b"], "a\n", "", 0, 1),
            (&["sh", "-c", "set -e; false || true; false; echo b"], "", "", 0, 1),
            (&["sh", "-c", "sh -c 'exit 2'; echo $?"], "2\n", "", 0, 0),
            (&["sh", "-c", "exec echo a; echo b"], "a\n", "", 0, 0),
            (&["sh", "-c", ""], "", "", 0, 0),
        ] {
            let found = program(words);
            assert_eq!(
                (text(&found, false).as_str(), text(&found, true).as_str(), found.end),
                (out, err, End::Known(ms(after), code)),
                "{words:?}"
            );
        }
    }

    #[test]
    fn what_is_not_understood_has_no_known_end_and_writes_what_came_before() {
        for (words, sure) in [
            (&[][..], ""),
            (&["nginx", "-g", "x"], "nginx -g x\n"),
            (&["sh", "start.sh"], "sh start.sh\n"),
            (&["sh", "-c", "echo a; nginx; echo b"], "a\n"),
            (&["sh", "-c", "echo a; while true; do sleep 1; done"], "a\n"),
            (&["sh", "-c", "echo $(date); exit 3"], ""),
            (&["sh", "-c", "echo a | wc -c; exit 3"], ""),
            (&["sh", "-c", "sleep 1 & wait"], ""),
            (&["sh", "-c", "echo ${A:-b}"], ""),
            (&["sh", "-c", "echo 'a"], ""),
            (&["sh", "-c", "(exit 3)"], ""),
            (&["cat", "/proc/1/stat"], "cat /proc/1/stat\n"),
        ] {
            let found = program(words);
            let surely = Program {
                writes: found.writes[..found.sure].to_vec(),
                ..found.clone()
            };
            assert_eq!(text(&surely, false), sure, "{words:?}");
            assert!(matches!(found.end, End::Open(_)), "{words:?}: {found:?}");
        }
        for words in [
            &["top"][..],
            &["sleep", "infinity"],
            &["tail", "-f", "/dev/null"],
            &["sh", "-c", "echo a; sleep inf"],
        ] {
            assert_eq!(program(words).end, End::Never, "{words:?}");
        }
        // A guess for commands that are executed: they end.
        assert_eq!(program(&["sh", "-c", "ls; exit 3"]).end, End::Open(3));
        assert_eq!(program_with(&["cat"], Input::Open).end, End::Open(0));
        assert_eq!(
            program_with(&["echo", "a"], Input::Open).end,
            End::Known(Duration::ZERO, 0)
        );
    }

    #[test]
    fn hostile_scripts_are_cut_short() {
        let doubled = format!("A=xxxxxxxx{}; echo $A", "; A=$A$A".repeat(60));
        let long = "echo a;".repeat(200_000);
        let deep = format!("{}x", "sh -c '".repeat(2000));
        for script in [&doubled, &long, &deep] {
            let found = program(&["sh", "-c", script]);
            let written: usize = found.writes.iter().map(|write| write.bytes.len()).sum();
            assert!(written <= WRITTEN_MAX, "{written}");
        }
    }
}
