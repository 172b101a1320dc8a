//! Images of all engines, and which engines hold one that a text means.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::cluster::{Image, NodeChange, repository};
use crate::docker::{ImageFacts, Map, reference};

use super::{Engine, EngineId, State};

/// An image as an engine lists it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::manager) struct ImageRecord {
    pub facts: ImageFacts,
    pub listed: Map,
    /// The same as the scheduler sees it.
    pub image: Arc<Image>,
}

impl ImageRecord {
    /// `None` if the entry says too little.
    pub(in crate::manager) fn read(listed: Map) -> Option<ImageRecord> {
        let facts = ImageFacts::read(&listed).ok()?;
        let tags = facts.repo_tags.iter().chain(&facts.repo_digests);
        let image = Image {
            id: facts.id.clone(),
            tags: tags.filter(|tag| !tag.starts_with("<none>")).cloned().collect(),
        };
        Some(ImageRecord {
            facts,
            listed,
            image: Arc::new(image),
        })
    }

    /// Whether anybody has given it a name.
    pub(in crate::manager) fn is_tagged(&self) -> bool {
        self.facts.repo_tags.iter().any(|tag| tag != "<none>:<none>")
    }
}

impl Engine {
    /// The image that a reference stands for, as the daemon itself would say.
    pub(in crate::manager) fn image(&self, reference: &str) -> Option<&ImageRecord> {
        let images = self.images.iter().map(|image| {
            let names = [image.facts.repo_tags.as_slice(), image.facts.repo_digests.as_slice()];
            (image, image.facts.id.as_str(), names)
        });
        reference::find(reference, images)
    }

    /// The IDs of images that references stand for, and of all that were built on them.
    pub(in crate::manager) fn built_on<'a>(&self, references: impl Iterator<Item = &'a str>) -> FxHashSet<&str> {
        let meant = references.filter_map(|reference| self.image(reference));
        let mut found: FxHashSet<&str> = meant.map(|image| image.facts.id.as_str()).collect();
        let mut last = 0;
        while found.len() > last {
            last = found.len();
            let built_on = self
                .images
                .iter()
                .filter(|image| found.contains(image.facts.parent.as_str()));
            let built_on: Vec<&str> = built_on.map(|image| image.facts.id.as_str()).collect();
            found.extend(built_on);
        }
        found
    }

    /// The IDs of images that others were built on.
    pub(in crate::manager) fn parents(&self) -> FxHashSet<&str> {
        let parents = self.images.iter().map(|image| image.facts.parent.as_str());
        parents.filter(|parent| !parent.is_empty()).collect()
    }
}

impl State {
    /// The images that an engine holds, all of them.
    pub(in crate::manager) fn set_images(&mut self, id: EngineId, images: Vec<ImageRecord>) {
        let Some(engine) = self.engines.get_mut(&id) else {
            return;
        };
        let Some(node) = engine.node else { return };
        let known = self.cluster.node(node).images().to_vec();
        engine.images = images;
        for gone in known
            .iter()
            .filter(|known| !engine.images.iter().any(|held| held.image == **known))
        {
            self.cluster
                .update_node(node, NodeChange::RemoveImage(Arc::clone(gone)));
        }
        for held in engine.images.iter().filter(|held| !known.contains(&held.image)) {
            self.cluster
                .update_node(node, NodeChange::AddImage(Arc::clone(&held.image)));
        }
    }

    /// Engines that hold an image that a text means (`manager/RULES.md` §7.2), with that image; healthy ones first. If
    /// the tag is not to be minded, an image of the same repository will do.
    pub(in crate::manager) fn holders(&self, query: &str, mind_tag: bool) -> Vec<(EngineId, &Engine, &ImageRecord)> {
        let query = if mind_tag { query } else { repository(query) };
        let mut holders: Vec<_> = self
            .validated()
            .filter_map(|(id, engine)| {
                let image = engine.images.iter().find(|held| held.image.matches(query))?;
                Some((id, engine, image))
            })
            .collect();
        holders.sort_by_key(|(_, engine, _)| !engine.is_healthy());
        holders
    }
}
