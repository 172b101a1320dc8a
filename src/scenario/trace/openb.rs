//! Alibaba's "openb" GPU cluster of 2023: node lists and pod lists.
//!
//! Columns are found by their header, since some of the published pod lists have only the first five. Columns that
//! placement does not depend on are ignored.

use std::time::Duration;

use ::csv::ByteRecord;

use crate::model::{Name, Resources, Time};

use super::field::Column;
use super::{Columns, FieldFault, Read, RowRequest, Table, TraceFile};

/// The resource in which GPUs are counted, a thousandth of one each.
pub(super) const GPU: &str = "gpu-milli";
/// The node label that says what kind of GPU a node has.
const MODEL: &str = "model";
const NANOS_PER_MILLI: u64 = 1_000_000;

/// Finds columns, and complains about those that are required and missing.
struct Header<'h, 't, 'f> {
    names: &'h [String],
    table: &'t mut Table<'f>,
}

impl Header<'_, '_, '_> {
    fn find(&self, wanted: &str) -> Option<Column> {
        let index = self.names.iter().position(|name| name == wanted)?;
        Some(Column {
            index,
            name: wanted.to_owned(),
        })
    }

    fn require(&mut self, wanted: &str) -> Option<Column> {
        let found = self.find(wanted);
        if found.is_none() {
            let help = "the columns are those of the published openb lists".to_owned();
            self.table
                .refuse_header(None, format!("there is no column `{wanted}`"), Some(help));
        }
        found
    }
}

/// Where the columns of a pod list are.
pub(super) struct PodColumns {
    name: Column,
    cpus: Column,
    memory: Column,
    gpus: Column,
    gpu_milli: Column,
    gpu_spec: Option<Column>,
    creation: Option<Column>,
    deletion: Option<Column>,
    scheduled: Option<Column>,
    request_fields: Vec<usize>,
}

impl PodColumns {
    /// Finds the columns in the header.
    pub fn new(names: &[String], table: &mut Table<'_>) -> Option<PodColumns> {
        let mut header = Header { names, table };
        let required = ["name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli"].map(|name| header.require(name));
        let [Some(name), Some(cpus), Some(memory), Some(gpus), Some(gpu_milli)] = required else {
            return None;
        };
        let gpu_spec = header.find("gpu_spec");
        let fields = [&cpus, &memory, &gpus, &gpu_milli].into_iter().chain(&gpu_spec);
        let request_fields = fields.map(|column| column.index).collect();
        Some(PodColumns {
            name,
            cpus,
            memory,
            gpus,
            gpu_milli,
            gpu_spec,
            creation: header.find("creation_time"),
            deletion: header.find("deletion_time"),
            scheduled: header.find("scheduled_time"),
            request_fields,
        })
    }
}

impl Columns for PodColumns {
    fn request_fields(&self) -> &[usize] {
        &self.request_fields
    }

    fn request(&self, row: &ByteRecord) -> Result<RowRequest, FieldFault> {
        let mut request = RowRequest {
            resources: Resources::new(self.cpus.cpus(row, NANOS_PER_MILLI)?, self.memory.mebibytes(row)?),
            ..RowRequest::default()
        };
        let gpus = self.gpus.count(row)?;
        let milli = self.gpu_milli.count(row)?;
        if gpus > 0 {
            let amount = gpus.checked_mul(milli).ok_or_else(|| self.gpus.fault("is too large"))?;
            request.extra.push((GPU.to_owned(), amount));
        }
        if let Some(column) = &self.gpu_spec {
            let models = column.text(row)?;
            if !models.is_empty() {
                request.constraints.push(format!("{MODEL}==/^({models})$/"));
            }
        }
        Ok(request)
    }

    fn times(&self, row: &ByteRecord) -> Result<(Time, Option<Duration>), FieldFault> {
        let seconds = |column: &Option<Column>| match column {
            Some(column) => column.seconds(row),
            None => Ok(None),
        };
        let creation = match &self.creation {
            Some(column) => column.seconds(row)?.ok_or_else(|| column.fault("is empty"))?,
            None => Duration::ZERO,
        };
        // A pod that was never scheduled is taken to have run from its creation.
        let scheduled = seconds(&self.scheduled)?.unwrap_or(creation);
        let lifetime = seconds(&self.deletion)?.map(|deletion| deletion.saturating_sub(scheduled));
        Ok((Time::from(creation), lifetime))
    }

    fn name(&self, row: &ByteRecord) -> Result<Option<Name>, FieldFault> {
        let name = self.name.text(row)?;
        Ok(Some(name).filter(|name| !name.is_empty()).map(Name::from))
    }
}

/// A machine of a node list.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::scenario) struct ListedNode {
    pub name: String,
    pub capacity: Resources,
    pub extra: Vec<(String, u64)>,
    pub labels: Vec<(String, String)>,
}

/// Reads a node list. Returns with it how many rows were skipped.
pub(in crate::scenario) fn read_nodes(file: &TraceFile, lenient: bool) -> Read<Vec<ListedNode>> {
    let mut table = Table::new(file, lenient);
    let mut nodes = Vec::new();
    if let Some(names) = table.header() {
        let mut header = Header {
            names: &names,
            table: &mut table,
        };
        let required = ["sn", "cpu_milli", "memory_mib", "gpu", "model"].map(|name| header.require(name));
        if let [Some(name), Some(cpus), Some(memory), Some(gpus), Some(model)] = required {
            table.for_each_row(|row| {
                let text = name.text(row)?;
                if text.is_empty() {
                    return Err(name.fault("is empty"));
                }
                let mut node = ListedNode {
                    name: text.to_owned(),
                    capacity: Resources::new(cpus.cpus(row, NANOS_PER_MILLI)?, memory.mebibytes(row)?),
                    extra: Vec::new(),
                    labels: Vec::new(),
                };
                if node.capacity.cpus.nanos() == 0 {
                    return Err(cpus.fault("is zero"));
                }
                if node.capacity.memory.get() == 0 {
                    return Err(memory.fault("is zero"));
                }
                let milli = gpus
                    .count(row)?
                    .checked_mul(1000)
                    .ok_or_else(|| gpus.fault("is too large"))?;
                if milli > 0 {
                    node.extra.push((GPU.to_owned(), milli));
                }
                let model = model.text(row)?;
                if !model.is_empty() {
                    node.labels.push((MODEL.to_owned(), model.to_owned()));
                }
                nodes.push(node);
                Ok(())
            });
        }
    }
    let (complaints, _) = table.finish();
    Read {
        content: nodes,
        complaints,
    }
}
