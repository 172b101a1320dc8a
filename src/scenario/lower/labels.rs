//! Deals label values out to the nodes of a group.

use indexmap::IndexMap;

use crate::model::Labels;
use crate::scenario::diagnostic::Code;
use crate::scenario::format::LabelValue;
use crate::scenario::path::Path;

use super::report::Report;

/// Values for the nodes of a group, dealt out.
pub(super) enum Deal<'f> {
    Same(&'f str),
    Cycle(&'f [String]),
    Listed(Vec<&'f str>),
}

impl<'f> Deal<'f> {
    /// Deals one label's values out to so many nodes.
    pub fn new(value: &'f LabelValue, count: usize) -> Deal<'f> {
        match value {
            LabelValue::Same(value) => Deal::Same(value),
            LabelValue::Cycle(values) => Deal::Cycle(&values.cycle),
            LabelValue::Weighted(values) => Deal::Listed(by_weight(&values.weighted, count)),
        }
    }

    /// The value for a node.
    pub fn value(&self, node: usize) -> &'f str {
        match self {
            Deal::Same(value) => value,
            Deal::Cycle([]) => "",
            Deal::Cycle(values) => &values[node % values.len()],
            Deal::Listed(values) => values.get(node).copied().unwrap_or_default(),
        }
    }
}

/// Shares `count` places out by largest remainder and spreads each value evenly over them.
fn by_weight(weights: &IndexMap<String, f64>, count: usize) -> Vec<&str> {
    let total: f64 = weights.values().sum();
    let quotas: Vec<f64> = weights.values().map(|weight| weight / total * count as f64).collect();
    let mut shares: Vec<usize> = quotas.iter().map(|quota| *quota as usize).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|a, b| quotas[*b].fract().total_cmp(&quotas[*a].fract()));
    let missing = count.saturating_sub(shares.iter().sum());
    for index in order
        .into_iter()
        .cycle()
        .take(if weights.is_empty() { 0 } else { missing })
    {
        shares[index] += 1;
    }
    // Each place goes to the value that lags most behind its share so far.
    let mut given = vec![0usize; shares.len()];
    let names: Vec<&String> = weights.keys().collect();
    let mut places = Vec::with_capacity(count);
    for place in 1..=count {
        let lag = |value: usize| (shares[value] * place) as i128 - (given[value] * count) as i128;
        let open = (0..shares.len()).filter(|value| given[*value] < shares[*value]);
        // Of equals the first, hence the reversal.
        let Some(next) = open.rev().max_by_key(|value| lag(*value)) else {
            break;
        };
        given[next] += 1;
        places.push(names[next].as_str());
    }
    places
}

/// Complains about label names and weights that make no sense.
pub(super) fn check(labels: &IndexMap<String, LabelValue>, path: &Path, report: &mut Report<'_>) {
    for (name, value) in labels {
        let path = path.key(name);
        if name.is_empty() {
            report.error_at_key(Code::Impossible, &path, "the name of the label is empty");
        }
        if name == "node" {
            let warning = report.warning(Code::NoEffect, &path, "a label `node` cannot be asked for");
            warning.help = Some("in constraints, `node` means the node's name".to_owned());
        }
        if let LabelValue::Weighted(values) = value {
            let path = path.key("weighted");
            if values.weighted.is_empty() {
                report.impossible(&path, "there are no values", "write { VALUE = WEIGHT, … }");
            }
            for (value, weight) in &values.weighted {
                if *weight <= 0.0 {
                    report.impossible(
                        &path.key(value),
                        "a weight must be above zero",
                        "leave out what is never used",
                    );
                }
            }
        }
    }
}

/// The labels of a node.
pub(super) fn of_node(deals: &[(&str, Deal<'_>)], node: usize) -> Labels {
    let labels = deals
        .iter()
        .map(|(name, deal)| ((*name).to_owned(), deal.value(node).to_owned()));
    labels.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_share_out_exactly_and_evenly() {
        let weights = |list: &[(&str, f64)]| {
            list.iter()
                .map(|(name, weight)| ((*name).to_owned(), *weight))
                .collect()
        };
        let disks = weights(&[("ssd", 1.0), ("hdd", 3.0)]);
        assert_eq!(
            by_weight(&disks, 8),
            ["hdd", "ssd", "hdd", "hdd", "hdd", "ssd", "hdd", "hdd"]
        );
        let thirds = weights(&[("a", 1.0), ("b", 1.0), ("c", 1.0)]);
        assert_eq!(by_weight(&thirds, 4), ["a", "b", "c", "a"]);
        assert_eq!(by_weight(&thirds, 0), [""; 0]);
        for count in 0..200 {
            let dealt = by_weight(&disks, count);
            let ssd = dealt.iter().filter(|value| **value == "ssd").count();
            assert_eq!(dealt.len(), count);
            assert!((ssd as f64 - count as f64 / 4.0).abs() <= 0.5);
        }
    }
}
