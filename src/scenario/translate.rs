//! Moves scheduling expressions from the environment to the labels. Stands in for `scheduler::translate` and
//! `scheduler::reschedule_policy`, whose signatures these functions have, until those are there.

use crate::model::{Labels, ReschedulePolicy};

use super::expression::{KINDS, expression_in_env, expressions_in_label};

/// What environment and labels ask of the scheduler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Expressions {
    pub constraints: Vec<String>,
    pub affinities: Vec<String>,
    pub whitelists: Vec<String>,
    pub reschedule: Vec<String>,
}

/// Moves expressions from the environment to the labels, those of the labels first (`scheduling.md` §2.1).
pub(super) fn translate(env: &mut Vec<String>, labels: &mut Labels) -> Expressions {
    let mut lists = KINDS.map(|(word, label)| {
        let mut list = labels
            .get(label)
            .and_then(|text| expressions_in_label(text))
            .unwrap_or_default();
        list.extend(
            env.iter()
                .filter_map(|entry| expression_in_env(entry, word))
                .map(str::to_owned),
        );
        if !list.is_empty() {
            labels.insert(label.to_owned(), serde_json::Value::from(list.clone()).to_string());
        }
        list
    });
    env.retain(|entry| KINDS.iter().all(|(word, _)| expression_in_env(entry, word).is_none()));
    let [constraints, affinities, whitelists, reschedule] = lists.each_mut().map(std::mem::take);
    Expressions {
        constraints,
        affinities,
        whitelists,
        reschedule,
    }
}

/// The one policy among those written, `off` if there is none (`scheduling.md` §2.4).
pub(super) fn reschedule_policy(written: &[String]) -> Result<ReschedulePolicy, String> {
    match written {
        [] => Ok(ReschedulePolicy::Off),
        [one] if one == "off" => Ok(ReschedulePolicy::Off),
        [one] if one == "on-node-failure" => Ok(ReschedulePolicy::OnNodeFailure),
        [other] => Err(format!("invalid reschedule policy: {other}")),
        _ => Err("too many reschedule policies".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_first_and_the_environment_is_cleared_of_expressions() {
        let mut env = ["A=b", "constraint:node==n1", "Constraint:x==1", "affinity:"]
            .map(str::to_owned)
            .to_vec();
        let label = (
            "com.docker.swarm.constraints".to_owned(),
            r#"["region==us"]"#.to_owned(),
        );
        let mut labels = Labels::from([label]);
        let found = translate(&mut env, &mut labels);
        assert_eq!(found.constraints, ["region==us", "node==n1"]);
        assert_eq!(found.affinities, [""]);
        assert_eq!(env, ["A=b", "Constraint:x==1"]);
        assert_eq!(labels["com.docker.swarm.constraints"], r#"["region==us","node==n1"]"#);
        assert_eq!(labels["com.docker.swarm.affinities"], r#"[""]"#);
    }

    #[test]
    fn a_label_that_is_no_list_is_ignored_unless_overwritten() {
        let mut labels = Labels::from([("com.docker.swarm.constraints".to_owned(), "zone==a".to_owned())]);
        assert_eq!(translate(&mut Vec::new(), &mut labels), Expressions::default());
        assert_eq!(labels["com.docker.swarm.constraints"], "zone==a");
        let found = translate(&mut vec!["constraint:zone==b".to_owned()], &mut labels);
        assert_eq!(found.constraints, ["zone==b"]);
        assert_eq!(labels["com.docker.swarm.constraints"], r#"["zone==b"]"#);
    }
}
