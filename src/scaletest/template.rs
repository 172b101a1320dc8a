//! The command line of a manager, with places for what is known only when it is started.

/// What the places stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Where it is to listen: `tcp://127.0.0.1:PORT`.
    pub listen: String,
    /// The port alone.
    pub port: String,
    /// The engines, as a `nodes://` list.
    pub discovery: String,
    /// The engines, as the `file://` of a list.
    pub discovery_file: String,
    /// The name of the strategy.
    pub strategy: String,
}

/// A command line, word by word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<String>);

/// What is wrong with a command line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is nothing in it.
    #[error("the command of the manager is empty")]
    Empty,
    /// A quotation has no end.
    #[error("the command of the manager has a quotation mark without a second one, or ends with a backslash")]
    Quotes,
    /// There is no such place.
    #[error("{{{name}}} stands for nothing; there are {}", NAMES.map(|name| format!("{{{name}}}")).join(", "))]
    Unknown {
        /// What it says.
        name: String,
    },
    /// Nobody would find the manager, or it would find no engine.
    #[error("the command of the manager must say where it listens ({{listen}} or {{port}})")]
    NoListen,
    /// It would find no engine.
    #[error("the command of the manager must say where engines are ({{discovery}} or {{discovery-file}})")]
    NoDiscovery,
}

const NAMES: [&str; 5] = ["listen", "port", "discovery", "discovery-file", "strategy"];

impl Template {
    /// Our own manager, by the program that this is.
    pub fn ours(program: &str) -> Template {
        let words = [
            program,
            "manage",
            "--strategy",
            "{strategy}",
            "-H",
            "{listen}",
            "{discovery}",
        ];
        Template(words.map(str::to_owned).to_vec())
    }

    /// Takes a command line apart as a shell would, without doing anything else that a shell does.
    ///
    /// # Errors
    ///
    /// See [`TemplateError`].
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        let words = shlex::split(text).ok_or(TemplateError::Quotes)?;
        if words.is_empty() {
            return Err(TemplateError::Empty);
        }
        let places: Vec<&str> = words.iter().flat_map(|word| places(word)).collect();
        if let Some(unknown) = places.iter().find(|place| !NAMES.contains(place)) {
            let name = (*unknown).to_owned();
            return Err(TemplateError::Unknown { name });
        }
        let has = |names: [&str; 2]| names.iter().any(|name| places.contains(name));
        if !has(["listen", "port"]) {
            return Err(TemplateError::NoListen);
        }
        if !has(["discovery", "discovery-file"]) {
            return Err(TemplateError::NoDiscovery);
        }
        Ok(Template(words))
    }

    /// The command line with everything in its place: the program and its arguments.
    pub fn fill(&self, given: &Places) -> Vec<String> {
        let values = [
            &given.listen,
            &given.port,
            &given.discovery,
            &given.discovery_file,
            &given.strategy,
        ];
        let filled = |word: &String| {
            NAMES.iter().zip(values).fold(word.clone(), |word, (name, value)| {
                word.replace(&format!("{{{name}}}"), value)
            })
        };
        self.0.iter().map(filled).collect()
    }
}

/// The names between braces in a word. Other braces, such as those of JSON, are none.
fn places(word: &str) -> Vec<&str> {
    let is_name = |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let parts = word.split('{').skip(1);
    parts
        .filter_map(|part| part.split_once('}').map(|(name, _)| name))
        .filter(is_name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_in_and_words_stay_words() {
        let places = Places {
            listen: "tcp://127.0.0.1:9".to_owned(),
            port: "9".to_owned(),
            discovery: "nodes://127.1.0.[1:3]:2375".to_owned(),
            discovery_file: "file:///tmp/nodes".to_owned(),
            strategy: "binpack".to_owned(),
        };
        let template = Template::parse("'my swarm' -H :{port} --log '{\"a\": 1}' --x={strategy} {discovery-file}");
        assert_eq!(
            template.expect("a template").fill(&places),
            [
                "my swarm",
                "-H",
                ":9",
                "--log",
                "{\"a\": 1}",
                "--x=binpack",
                "file:///tmp/nodes"
            ]
        );
        assert_eq!(
            Template::ours("p").fill(&places)[3..],
            ["binpack", "-H", &places.listen, &places.discovery]
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, expected) in [
            ("", "is empty"),
            ("swarm '", "without a second one"),
            (
                "swarm {lisen} {discovery}",
                "{lisen} stands for nothing; there are {listen}, {port}",
            ),
            ("swarm {discovery}", "where it listens"),
            ("swarm {listen}", "where engines are"),
        ] {
            let error = Template::parse(text).expect_err("wrong").to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
