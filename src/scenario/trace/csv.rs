//! Our own format of recorded workloads: columns by name.

use std::time::Duration;

use ::csv::ByteRecord;

use crate::model::{Name, Resources, Time};
use crate::scenario::docker;
use crate::scenario::suggest::{enumerate, nearest, ticked};

use super::field::Column;
use super::{Columns, FieldFault, RowRequest, Table};

const NAMES: [&str; 10] = [
    "arrival_s",
    "lifetime_s",
    "cpus",
    "memory_mib",
    "name",
    "image",
    "constraints",
    "affinities",
    "labels",
    "ports",
];
/// What precedes the name of a further resource.
pub(super) const RESOURCE: &str = "resource.";

/// Where the columns are.
pub(super) struct CsvColumns {
    arrival: Column,
    lifetime: Option<Column>,
    cpus: Option<Column>,
    memory: Option<Column>,
    name: Option<Column>,
    image: Option<Column>,
    constraints: Option<Column>,
    affinities: Option<Column>,
    labels: Option<Column>,
    ports: Option<Column>,
    resources: Vec<Column>,
    request_fields: Vec<usize>,
}

impl CsvColumns {
    /// Finds the columns in the header; complains about unknown, double and missing ones.
    pub fn new(header: &[String], table: &mut Table<'_>) -> Option<CsvColumns> {
        let mut sound = true;
        let mut refuse = |column: Option<usize>, message: String, help: Option<String>| {
            table.refuse_header(column, message, help);
            sound = false;
        };
        for (index, name) in header.iter().enumerate() {
            let is_resource = name.strip_prefix(RESOURCE).is_some_and(|resource| !resource.is_empty());
            if !is_resource && !NAMES.contains(&name.as_str()) {
                let help = match nearest(name, NAMES) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are {} and {RESOURCE}NAME", enumerate(&NAMES.map(ticked))),
                };
                refuse(Some(index), format!("unknown column `{name}`"), Some(help));
            } else if header[..index].contains(name) {
                refuse(Some(index), format!("the column `{name}` is there twice"), None);
            }
        }
        let find = |wanted: &str| {
            let index = header.iter().position(|name| name == wanted)?;
            Some(Column {
                index,
                name: wanted.to_owned(),
            })
        };
        let arrival = find("arrival_s");
        if arrival.is_none() {
            let help = "it says when each container is asked for, in seconds from the start".to_owned();
            refuse(None, "there is no column `arrival_s`".to_owned(), Some(help));
        }
        let arrival = arrival.filter(|_| sound)?;
        let resources = header.iter().enumerate().filter(|(_, name)| name.starts_with(RESOURCE));
        let resources = resources.map(|(index, name)| Column {
            index,
            name: name.clone(),
        });
        let outside = ["arrival_s", "lifetime_s", "name"];
        let request_fields = (0..header.len()).filter(|index| !outside.contains(&header[*index].as_str()));
        Some(CsvColumns {
            arrival,
            lifetime: find("lifetime_s"),
            cpus: find("cpus"),
            memory: find("memory_mib"),
            name: find("name"),
            image: find("image"),
            constraints: find("constraints"),
            affinities: find("affinities"),
            labels: find("labels"),
            ports: find("ports"),
            resources: resources.collect(),
            request_fields: request_fields.collect(),
        })
    }
}

impl Columns for CsvColumns {
    fn request_fields(&self) -> &[usize] {
        &self.request_fields
    }

    fn request(&self, row: &ByteRecord) -> Result<RowRequest, FieldFault> {
        let list = |column: &Option<Column>| match column {
            Some(column) => Ok(column.list(row)?.into_iter().map(str::to_owned).collect()),
            None => Ok(Vec::new()),
        };
        let mut request = RowRequest {
            constraints: list(&self.constraints)?,
            affinities: list(&self.affinities)?,
            ..RowRequest::default()
        };
        if let Some(column) = &self.cpus {
            request.resources = Resources::new(column.cpus(row, 1_000_000_000)?, request.resources.memory);
        }
        if let Some(column) = &self.memory {
            request.resources = Resources::new(request.resources.cpus, column.mebibytes(row)?);
        }
        if let Some(column) = &self.image {
            request.image = Some(column.text(row)?.to_owned()).filter(|image| !image.is_empty());
        }
        if let Some(column) = &self.labels {
            for label in column.list(row)? {
                let pair = label.split_once('=').filter(|(key, _)| !key.trim().is_empty());
                let (key, value) =
                    pair.ok_or_else(|| column.fault(&format!("has {label:?}, which is not KEY=VALUE")))?;
                request.labels.push((key.trim().to_owned(), value.trim().to_owned()));
            }
        }
        if let Some(column) = &self.ports {
            for port in column.list(row)? {
                let port = docker::published_port(port)
                    .map_err(|complaint| column.fault(&format!("is wrong: {complaint}")))?;
                request.ports.push(port);
            }
        }
        for column in &self.resources {
            let amount = column.count(row)?;
            if amount > 0 {
                request.extra.push((column.name[RESOURCE.len()..].to_owned(), amount));
            }
        }
        Ok(request)
    }

    fn times(&self, row: &ByteRecord) -> Result<(Time, Option<Duration>), FieldFault> {
        let arrival = self
            .arrival
            .seconds(row)?
            .ok_or_else(|| self.arrival.fault("is empty"))?;
        let lifetime = match &self.lifetime {
            Some(column) => column.seconds(row)?,
            None => None,
        };
        Ok((Time::from(arrival), lifetime))
    }

    fn name(&self, row: &ByteRecord) -> Result<Option<Name>, FieldFault> {
        match &self.name {
            Some(column) => Ok(Some(column.text(row)?).filter(|name| !name.is_empty()).map(Name::from)),
            None => Ok(None),
        }
    }
}
