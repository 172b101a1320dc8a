//! Images that are built: files are copied, labels are set, and nothing is run.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::files::uncompressed;
use super::{Answered, Ask, Reply};
use crate::engines::model::files::{Files, Kind, Node, base, normal};
use crate::engines::model::{Model, Refusal, hash};
use crate::model::Labels;

/// Instructions that say how containers run, which is nothing to a simulated one.
const WITHOUT_EFFECT: [&str; 12] = [
    "CMD",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "HEALTHCHECK",
    "MAINTAINER",
    "ONBUILD",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "ARG",
];

/// A stage of a build, so far.
#[derive(Clone, Default)]
struct Stage {
    name: String,
    files: Arc<Files>,
    labels: Labels,
    directory: String,
}

/// `POST /build`.
pub(super) fn build(model: &mut Model, ask: &Ask) -> Answered {
    if ask.parameter("version") == "2" {
        let text = "simulated engines have no BuildKit; build with DOCKER_BUILDKIT=0";
        return Err(Refusal::new(501, text));
    }
    if !ask.parameter("remote").is_empty() {
        return Err(Refusal::new(
            501,
            "simulated engines fetch nothing to build from; send the files",
        ));
    }
    let mut context = Files::empty();
    context.unpack("/", uncompressed(&ask.body)?)?;
    let name = match ask.parameter("dockerfile") {
        "" => "Dockerfile",
        name => name,
    };
    let Some(Kind::File(text)) = context.get(name).map(|node| node.kind) else {
        return Err(Refusal::new(500, format!("Cannot locate specified Dockerfile: {name}")));
    };
    let steps = steps(&String::from_utf8_lossy(&text))?;
    let mut lines = String::new();
    let mut say = |value: Value| lines.push_str(&(value.to_string() + "\n"));
    match run(model, ask, &context, &steps, &mut say) {
        Ok(id) => {
            let short = &id["sha256:".len()..][..12];
            say(json!({ "aux": { "ID": id } }));
            say(json!({ "stream": format!("Successfully built {short}\n") }));
            let tags = ask.query.iter().filter(|(key, value)| key == "t" && !value.is_empty());
            for (_, tag) in tags {
                let tag = crate::engines::model::image::tagged(tag);
                say(json!({ "stream": format!("Successfully tagged {tag}\n") }));
            }
        }
        // The head of the answer has been sent by then, as far as a client can tell.
        Err(refusal) => say(json!({ "errorDetail": { "message": refusal.message }, "error": refusal.message })),
    }
    Ok(Reply::File {
        kind: "application/json",
        stat: None,
        body: lines.into(),
    })
}

/// The instructions, each with what follows it.
fn steps(text: &str) -> Result<Vec<(String, String)>, Refusal> {
    let mut steps = Vec::new();
    let mut whole = String::new();
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        match line.strip_suffix('\\') {
            Some(part) => {
                whole.push_str(part);
                continue;
            }
            None => whole.push_str(line),
        }
        let (word, rest) = whole.split_once(char::is_whitespace).unwrap_or((&whole, ""));
        steps.push((word.to_uppercase(), rest.trim().to_owned()));
        whole.clear();
    }
    match steps
        .iter()
        .find(|(word, _)| word != "ARG")
        .map(|(word, _)| word.as_str())
    {
        None => Err(Refusal::new(400, "the Dockerfile (Dockerfile) cannot be empty")),
        Some("FROM") => Ok(steps),
        Some(_) => Err(Refusal::new(400, "No build stage in current context")),
    }
}

fn run(
    model: &mut Model,
    ask: &Ask,
    context: &Files,
    steps: &[(String, String)],
    say: &mut impl FnMut(Value),
) -> Result<String, Refusal> {
    let mut stages: Vec<Stage> = Vec::new();
    for (number, (word, rest)) in steps.iter().enumerate() {
        say(json!({ "stream": format!("Step {}/{} : {word} {rest}\n", number + 1, steps.len()) }));
        if word == "FROM" {
            let stage = from(model, rest, &stages)?;
            stages.push(stage);
            continue;
        }
        let earlier = stages.clone();
        let Some(stage) = stages.last_mut() else { continue };
        match word.as_str() {
            "COPY" | "ADD" => copy(stage, rest, context, &earlier)?,
            "LABEL" => stage.labels.extend(labels(rest)),
            "WORKDIR" => {
                stage.directory = within(&stage.directory, rest);
                Arc::make_mut(&mut stage.files).put(&stage.directory, Node::directory())?;
            }
            "RUN" => say(json!({ "stream": " ---> simulated engines run nothing\n" })),
            word if WITHOUT_EFFECT.contains(&word) => {}
            word => {
                let text = format!(
                    "dockerfile parse error line {}: unknown instruction: {word}",
                    number + 1
                );
                return Err(Refusal::new(400, text));
            }
        }
    }
    let Some(mut last) = stages.pop() else {
        return Err(Refusal::new(400, "No build stage in current context"));
    };
    if let Ok(Value::Object(given)) = serde_json::from_str(ask.parameter("labels")) {
        let given = given
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.as_str()?.to_owned())));
        last.labels.extend(given);
    }
    let tags: Vec<String> = ask
        .query
        .iter()
        .filter(|(key, _)| key == "t")
        .map(|(_, tag)| tag.clone())
        .collect();
    let tags: Vec<String> = tags.into_iter().filter(|tag| !tag.is_empty()).collect();
    // The same steps over the same files are the same image, on every engine.
    let seed = format!("build/{steps:?}/{}/{:?}", last.files.digest(), last.labels);
    Ok(model.add_image(&hash(&seed), &tags, last.files, last.labels, "tag"))
}

fn from(model: &mut Model, rest: &str, stages: &[Stage]) -> Result<Stage, Refusal> {
    let words: Vec<&str> = rest.split_whitespace().filter(|word| !word.starts_with("--")).collect();
    let (image, name) = match words.as_slice() {
        [image] => (*image, ""),
        [image, word, name] if word.eq_ignore_ascii_case("as") => (*image, *name),
        _ => return Err(Refusal::new(400, "FROM requires either one or three arguments")),
    };
    if let Some(stage) = stages.iter().find(|stage| stage.name == image && !image.is_empty()) {
        return Ok(Stage {
            name: name.to_owned(),
            ..stage.clone()
        });
    }
    let base = Stage {
        name: name.to_owned(),
        files: Files::usual(),
        ..Stage::default()
    };
    if image == "scratch" {
        return Ok(base);
    }
    if model.image(image).is_none() {
        // Without a wait: a build tells nothing about pulls.
        model.refuse_nowhere(image)?;
        model.load(image);
    }
    let known = model.image(image);
    Ok(Stage {
        files: known.and_then(|image| image.files.clone()).unwrap_or_else(Files::usual),
        labels: known.map(|image| image.labels.clone()).unwrap_or_default(),
        ..base
    })
}

fn within(directory: &str, path: &str) -> String {
    match path.starts_with('/') {
        true => normal(path),
        false => normal(&format!("{directory}/{path}")),
    }
}

fn copy(stage: &mut Stage, rest: &str, context: &Files, earlier: &[Stage]) -> Result<(), Refusal> {
    let failed = |text: String| Refusal::new(400, format!("COPY failed: {text}"));
    let (flags, words): (Vec<String>, Vec<String>) = words(rest).into_iter().partition(|word| word.starts_with("--"));
    let [sources @ .., target] = words.as_slice() else {
        return Err(failed("it needs a source and a destination".to_owned()));
    };
    let source_stage = flags.iter().find_map(|flag| flag.strip_prefix("--from="));
    let files = match source_stage {
        None => context,
        Some(name) => {
            let numbered = name.parse().ok().and_then(|number: usize| earlier.get(number));
            let found = earlier.iter().find(|stage| stage.name == name).or(numbered);
            &found.ok_or_else(|| failed(format!("there is no stage {name}")))?.files
        }
    };
    let place = within(&stage.directory, target);
    let into = target.ends_with('/') || target == "." || sources.len() > 1;
    for source in sources {
        if source.contains(['*', '?', '[']) || source.contains("://") {
            return Err(failed(format!(
                "simulated engines copy only files by their names, not {source}"
            )));
        }
        let missing = || {
            failed(format!(
                "file not found in build context or excluded by .dockerignore: stat {source}: file does not exist"
            ))
        };
        let node = files.get(source).ok_or_else(missing)?;
        let own = Arc::make_mut(&mut stage.files);
        if node.kind == Kind::Directory {
            own.put(&place, Node::directory())?;
            let inner: BTreeMap<String, Node> = files.below(source);
            for (path, node) in inner {
                own.put(&format!("{place}/{path}"), node)?;
            }
        } else {
            let is_directory = own.get(&place).is_some_and(|there| there.kind == Kind::Directory);
            let path = match into || is_directory {
                true => format!("{place}/{}", base(&normal(source))),
                false => place.clone(),
            };
            own.put(&path, node)?;
        }
    }
    Ok(())
}

/// The words of an instruction, be they written as JSON or plainly.
fn words(rest: &str) -> Vec<String> {
    match serde_json::from_str::<Vec<String>>(rest) {
        Ok(words) => words,
        Err(_) => shlex::split(rest).unwrap_or_else(|| rest.split_whitespace().map(str::to_owned).collect()),
    }
}

/// The pairs of a `LABEL`.
fn labels(rest: &str) -> Labels {
    let words = words(rest);
    let pairs = words.iter().filter_map(|word| word.split_once('='));
    let pairs: Labels = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    match (pairs.is_empty(), words.split_first()) {
        // The older form, with a space.
        (true, Some((key, value))) => Labels::from([(key.clone(), value.join(" "))]),
        _ => pairs,
    }
}
