//! What the containers of a class ask for.

use crate::model::{Labels, Request};
use crate::scenario::diagnostic::Code;
use crate::scenario::format::{ClassTable, Reschedule};
use crate::scenario::path::Path;
use crate::scenario::trace::RowRequest;
use crate::scheduler::{
    EXPRESSION_KINDS, Expression, Strict, expression_in_env, expressions_in_label, reschedule_policy, translate,
};

use super::Report;

/// A class's request before its expressions are sorted out, so that a row of a trace can add to it.
pub(super) struct Template {
    request: Request,
    env: Vec<String>,
    labels: Labels,
}

impl Template {
    /// What the class says.
    pub fn new(class: &ClassTable) -> Template {
        let mut env = class.env.clone();
        let given = [&class.constraints, &class.affinities, &class.whitelists];
        for ((word, _), list) in EXPRESSION_KINDS.iter().zip(given) {
            env.extend(list.iter().map(|expression| format!("{word}:{expression}")));
        }
        let policy = match class.reschedule {
            Some(Reschedule::Off) => Some("off"),
            Some(Reschedule::OnNodeFailure) => Some("on-node-failure"),
            None => None,
        };
        env.extend(policy.map(|policy| format!("reschedule:{policy}")));
        let port_bindings: Vec<_> = class.ports.iter().map(|port| port.0.clone()).collect();
        let published = port_bindings.iter().map(|port| port.container_port.to_string());
        let mut exposed_ports: Vec<_> = class
            .expose
            .iter()
            .map(|port| port.0.0.clone())
            .chain(published)
            .collect();
        exposed_ports.sort();
        exposed_ports.dedup();
        let mut extra: Vec<_> = class
            .resources
            .iter()
            .map(|(name, amount)| (name.clone(), *amount))
            .collect();
        extra.sort();
        let request = Request {
            extra,
            image: class.image.clone().unwrap_or_default(),
            network_mode: class.network.clone().unwrap_or_default(),
            exposed_ports,
            port_bindings,
            volumes_from: class.volumes_from.clone(),
            links: class.links.clone(),
            ..Request::default()
        };
        let labels = class
            .labels
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        Template { request, env, labels }
    }

    /// The request of a row, which adds to the class's and wins where only one can.
    ///
    /// # Errors
    ///
    /// What the manager answers to the reschedule policies.
    pub fn request(&self, row: RowRequest) -> Result<Request, String> {
        let (mut env, mut labels) = (self.env.clone(), self.labels.clone());
        let mut request = self.request.clone();
        request.resources = row.resources;
        if let Some(image) = row.image {
            request.image = image;
        }
        for (name, amount) in row.extra {
            match request.extra.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = amount,
                None => request.extra.push((name, amount)),
            }
        }
        request.extra.sort();
        for port in row.ports {
            request.exposed_ports.push(port.container_port.to_string());
            request.port_bindings.push(port);
        }
        request.exposed_ports.sort();
        request.exposed_ports.dedup();
        labels.extend(row.labels);
        for ((word, _), list) in EXPRESSION_KINDS.iter().zip([row.constraints, row.affinities]) {
            env.extend(list.iter().map(|expression| format!("{word}:{expression}")));
        }
        let expressions = translate(&mut env, &mut labels);
        request.reschedule = reschedule_policy(&expressions.reschedule).map_err(|error| error.to_string())?;
        request.labels = labels;
        request.constraints = expressions.constraints;
        request.affinities = expressions.affinities;
        request.whitelists = expressions.whitelists;
        Ok(request)
    }
}

/// Every expression of a class with its kind and its place: labels first, then environment, then the keys.
pub(super) fn expressions(class: &ClassTable, path: &Path) -> Vec<(&'static str, String, Path)> {
    let mut found = Vec::new();
    for (position, (word, label)) in EXPRESSION_KINDS.into_iter().enumerate() {
        let in_label = class.labels.get(label).and_then(|text| expressions_in_label(text));
        let label_path = path.key("labels").key(label);
        found.extend(
            in_label
                .into_iter()
                .flatten()
                .map(|text| (word, text, label_path.clone())),
        );
        for (index, entry) in class.env.iter().enumerate() {
            let text = expression_in_env(entry, word);
            found.extend(text.map(|text| (word, text.to_owned(), path.key("env").index(index))));
        }
        let keys = [
            ("constraints", &class.constraints),
            ("affinities", &class.affinities),
            ("whitelists", &class.whitelists),
        ];
        if let Some((key, list)) = keys.get(position) {
            let list = list.iter().enumerate();
            found.extend(list.map(|(index, text)| (word, text.clone(), path.key(key).index(index))));
        }
    }
    found
}

/// Doubts expressions that the scheduler will reject, and labels that it will ignore.
pub(super) fn doubt(class: &ClassTable, path: &Path, report: &mut Report<'_>) {
    for (word, text, path) in expressions(class, path) {
        if word == "reschedule" {
            continue;
        }
        let parsed = match word {
            "whitelist" => Expression::parse_whitelist(&text),
            _ => Expression::parse(&text, Strict::default()),
        };
        if let Err(reason) = parsed {
            let message = format!("the scheduler rejects every request with this {word}: {reason}");
            let help = "expressions have the form KEY==VALUE or KEY!=VALUE, a soft one KEY==~VALUE";
            report.warning(Code::BadExpression, &path, message).help = Some(help.to_owned());
        }
    }
    for (_, label) in EXPRESSION_KINDS {
        let text = class.labels.get(label);
        if text.is_some_and(|text| expressions_in_label(text).is_none()) {
            let path = path.key("labels").key(label);
            let warning = report.warning(
                Code::NoEffect,
                &path,
                "the scheduler ignores a label that is no JSON list",
            );
            warning.help = Some("write it like this: '[\"zone==a\"]'".to_owned());
        }
    }
}
