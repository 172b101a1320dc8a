//! The images of an engine, and how they get there: layer by layer, as in simulated runs.

use std::sync::Arc;

pub use crate::docker::reference::tagged;

use crate::docker::ShownNames;
use crate::docker::json::Map;
use crate::model::{Labels, Time};
use crate::sim::{ClassPlan, Layer, Source};

use super::files::Files;
use super::{Due, Model, Refusal, hash};

/// What references begin with that no registry has.
const NOWHERE: &str = "nowhere/";

/// The size of an image about which the scenario says nothing.
const UNKNOWN_BYTES: u64 = 1 << 20;

/// One image.
#[derive(Clone, Debug)]
pub struct ImageRecord {
    /// `sha256:` and 64 digits.
    pub id: String,
    /// Its names with their tags.
    pub tags: Vec<String>,
    /// Its names by content.
    pub digests: Vec<String>,
    /// Its layers; none if the scenario says nothing about it.
    pub layers: Vec<Layer>,
    /// Whether all of it is there.
    pub complete: bool,
    /// Its size in bytes.
    pub size: u64,
    /// Its files, if it was made of some.
    pub files: Option<Arc<Files>>,
    /// Its labels.
    pub labels: Labels,
}

/// A pull that is under way.
#[derive(Clone, Debug)]
pub struct Pulling {
    /// The reference, with its tag.
    pub reference: String,
    /// The layers, each with when it begins to come and when it is there.
    pub layers: Vec<(Layer, Time, Time)>,
    /// When all are there.
    pub ready: Time,
    /// Whether the image was there before.
    pub known: bool,
}

/// Whether containers of a class are asked for with this image.
pub fn asks_for(class: &ClassPlan, image: &str) -> bool {
    match &class.source {
        Source::Synthetic { request, .. } => !request.image.is_empty() && tagged(&request.image) == tagged(image),
        // Rows of a trace are not alike.
        Source::Trace(_) => false,
    }
}

impl ImageRecord {
    /// All its names.
    pub fn names(&self) -> ShownNames<'_> {
        ShownNames {
            tags: self.tags.iter().map(String::as_str).collect(),
            digests: self.digests.iter().map(String::as_str).collect(),
        }
    }

    /// The digest of its content.
    pub fn digest(&self) -> String {
        format!("sha256:{}", hash(&format!("digest/{}", self.id)))
    }
}

impl Model {
    /// The complete image that a reference, an ID or the beginning of an ID stands for.
    pub fn image(&self, reference: &str) -> Option<&ImageRecord> {
        let place = self.image_place(reference)?;
        self.images.get(place)
    }

    fn image_place(&self, reference: &str) -> Option<usize> {
        if reference.is_empty() {
            return None;
        }
        let tagged = tagged(reference);
        let complete = |place: &usize| self.images[*place].complete;
        let named = self
            .images
            .iter()
            .position(|image| image.tags.contains(&tagged) || image.digests.contains(&tagged));
        let by_id = || {
            let digits = reference.strip_prefix("sha256:").unwrap_or(reference);
            let is_id = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let of = |image: &super::ImageRecord| image.id["sha256:".len()..].starts_with(digits);
            self.images.iter().position(|image| is_id && of(image))
        };
        named.or_else(by_id).filter(complete)
    }

    fn planned_layers(&self, tagged_reference: &str) -> Vec<Layer> {
        let images = &self.shared.plan.images;
        let found = images.iter().find(|image| tagged(&image.name) == tagged_reference);
        found.map(|image| image.layers.clone()).unwrap_or_default()
    }

    fn record(reference: &str, layers: Vec<Layer>, complete: bool) -> ImageRecord {
        let size = layers.iter().map(|layer| layer.bytes).sum::<u64>();
        let mut image = ImageRecord {
            id: format!("sha256:{}", hash(&format!("image/{}", reference))),
            tags: Vec::new(),
            digests: Vec::new(),
            size: if layers.is_empty() { UNKNOWN_BYTES } else { size },
            layers,
            complete,
            files: None,
            labels: Labels::new(),
        };
        match reference.split_once('@') {
            Some(_) => image.digests.push(reference.to_owned()),
            None => {
                image.tags.push(reference.to_owned());
                let (name, _) = reference.rsplit_once(':').unwrap_or((reference, ""));
                image.digests.push(format!("{name}@{}", image.digest()));
            }
        }
        image
    }

    /// The image is there from the start.
    pub(super) fn preload(&mut self, reference: &str) {
        let reference = tagged(reference);
        let layers = self.planned_layers(&reference);
        self.layers.preload(&layers);
        self.images.push(Model::record(&reference, layers, true));
    }

    /// Refuses what no registry has.
    pub fn refuse_nowhere(&self, reference: &str) -> Result<(), Refusal> {
        let reference = tagged(reference);
        if reference.starts_with(NOWHERE) {
            let (name, _) = reference.split_once([':', '@']).unwrap_or((&reference, ""));
            let text = format!(
                "pull access denied for {name}, repository does not exist or may require 'docker login': denied: requested \
                 access to the resource is denied"
            );
            return Err(Refusal::new(404, text));
        }
        Ok(())
    }

    /// Begins to pull an image.
    pub fn pull(&mut self, reference: &str) -> Result<Pulling, Refusal> {
        self.refuse_nowhere(reference)?;
        let reference = tagged(reference);
        let layers = self.planned_layers(&reference);
        let known = self.image(&reference).is_some();
        let pull = match known {
            true => crate::sim::Pull {
                ready: self.now,
                bytes: 0,
            },
            false => self.layers.pull(&layers, self.now),
        };
        let span = |layer: &Layer| {
            let ready = self.layers.ready(layer.id).unwrap_or(self.now);
            let begins = Time(ready.0.saturating_sub(self.layers.transfer(layer).0));
            (layer.clone(), begins, ready)
        };
        let pulling = Pulling {
            layers: layers.iter().map(span).collect(),
            ready: pull.ready,
            known,
            reference: reference.clone(),
        };
        let waits = self.images.iter().any(|image| image.tags.contains(&reference));
        if !known && !waits {
            self.images.push(Model::record(&reference, layers, false));
        }
        match pulling.ready <= self.now {
            true => self.image_complete(&reference),
            false => self.plan_at(pulling.ready, Due::Pulled, &reference, 0),
        }
        Ok(pulling)
    }

    /// All layers of an image are there.
    pub(super) fn image_complete(&mut self, reference: &str) {
        let named = |image: &&mut ImageRecord| image.tags.iter().chain(&image.digests).any(|name| name == reference);
        if let Some(image) = self.images.iter_mut().find(named) {
            image.complete = true;
        }
        self.tell_of_image(reference, "pull");
    }

    /// Whether a pull that was begun will still come to its end.
    pub fn is_pulling(&self, reference: &str) -> bool {
        self.images
            .iter()
            .any(|image| image.tags.iter().chain(&image.digests).any(|name| name == reference))
    }

    fn tell_of_image(&mut self, reference: &str, action: &str) {
        let attributes = Labels::from([("name".to_owned(), reference.to_owned())]);
        self.tell("image", action, reference, attributes);
    }

    /// Gives an image another name.
    pub fn tag(&mut self, reference: &str, repo: &str, tag: &str) -> Result<(), Refusal> {
        let Some(place) = self.image_place(reference) else {
            return Err(Refusal::new(404, format!("No such image: {}", tagged(reference))));
        };
        if repo.is_empty() || repo.chars().any(|c| c.is_ascii_uppercase() || c.is_whitespace()) {
            return Err(Refusal::new(400, "invalid reference format"));
        }
        let name = tagged(&format!("{repo}:{}", if tag.is_empty() { "latest" } else { tag }));
        for image in &mut self.images {
            image.tags.retain(|own| *own != name);
        }
        self.images[place].tags.push(name.clone());
        let id = self.images[place].id.clone();
        self.tell("image", "tag", &id, Labels::from([("name".to_owned(), name)]));
        Ok(())
    }

    /// Brings a whole image here, as `docker load` does; what is in it has no influence.
    pub fn load(&mut self, reference: &str) -> String {
        let reference = tagged(reference);
        if self.image(&reference).is_none() {
            self.images.retain(|image| !image.tags.contains(&reference));
            self.images.push(Model::record(&reference, Vec::new(), true));
        }
        self.tell_of_image(&reference, "load");
        reference
    }

    /// Adds an image that is made of files, or gives one that is there further names, and gives its ID. Events tell of each
    /// name with this action.
    pub fn add_image(
        &mut self,
        digits: &str,
        tags: &[String],
        files: Arc<Files>,
        labels: Labels,
        action: &str,
    ) -> String {
        let id = format!("sha256:{digits}");
        let tags: Vec<String> = tags.iter().map(|tag| tagged(tag)).collect();
        for image in &mut self.images {
            image.tags.retain(|own| !tags.contains(own));
        }
        match self.images.iter_mut().find(|image| image.id == id) {
            Some(image) => image.tags.extend(tags.iter().cloned()),
            None => self.images.push(ImageRecord {
                id: id.clone(),
                tags: tags.clone(),
                digests: Vec::new(),
                layers: Vec::new(),
                complete: true,
                size: UNKNOWN_BYTES,
                files: Some(files),
                labels,
            }),
        }
        for tag in tags {
            self.tell("image", action, &id, Labels::from([("name".to_owned(), tag)]));
        }
        id
    }

    /// The files of a container, with the directories that are mounted into it.
    pub fn files_of(&self, id: &str) -> Arc<Files> {
        let Some(container) = self.containers.get(id) else {
            return Files::usual();
        };
        let mut files = Arc::clone(&container.files);
        for mount in &container.mounts {
            if files.get(&mount.target).is_none() {
                // A mount below a file is nowhere, as on a daemon that would not start it.
                let _ = Arc::make_mut(&mut files).put(&mount.target, super::files::Node::directory());
            }
        }
        files
    }

    /// Replaces the files of a container.
    pub fn set_files(&mut self, id: &str, files: Arc<Files>) {
        if let Some(container) = self.containers.get_mut(id) {
            container.files = files;
        }
    }

    /// Removes a name of an image, and the image with its last one. What was done, line by line.
    pub fn remove_image(&mut self, reference: &str, force: bool) -> Result<Vec<Map>, Refusal> {
        let Some(place) = self.image_place(reference) else {
            return Err(Refusal::new(404, format!("No such image: {}", tagged(reference))));
        };
        let image = &self.images[place];
        let (id, name) = (image.id.clone(), tagged(reference));
        let by_name = image.tags.contains(&name);
        let goes = !by_name || image.tags.len() <= 1;
        let user = self.containers.values().find(|container| container.image_id == id);
        if let Some(user) = user.filter(|user| goes && (!force || user.life.is_up())) {
            let short = &user.id[..12];
            let text = match user.life.is_up() {
                true => format!(
                    "conflict: unable to remove repository reference \"{reference}\" (must force) - container {short} is \
                     using its referenced image {}",
                    &id["sha256:".len()..][..12]
                ),
                false => format!(
                    "conflict: unable to delete {} (must be forced) - image is being used by stopped container {short}",
                    &id["sha256:".len()..][..12]
                ),
            };
            return Err(Refusal::new(409, text));
        }
        if !by_name && image.tags.len() > 1 && !force {
            let text = format!(
                "conflict: unable to delete {} (must be forced) - image is referenced in multiple repositories",
                &id["sha256:".len()..][..12]
            );
            return Err(Refusal::new(409, text));
        }
        let mut done = Vec::new();
        let mut note = |what: &str, name: &str| done.push(Map::from_iter([(what.to_owned(), name.into())]));
        let gone: Vec<String> = match goes {
            true => image.tags.iter().chain(&image.digests).cloned().collect(),
            false => vec![name.clone()],
        };
        for name in &gone {
            note("Untagged", name);
        }
        self.images[place].tags.retain(|tag| !gone.contains(tag));
        for name in gone.iter().filter(|name| !name.contains('@')) {
            self.tell("image", "untag", &id, Labels::from([("name".to_owned(), name.clone())]));
        }
        if goes {
            note("Deleted", &id);
            let removed = self.images.remove(place);
            let needed = |layer: &u32| {
                self.images
                    .iter()
                    .any(|image| image.layers.iter().any(|other| other.id == *layer))
            };
            let lost: Vec<u32> = removed
                .layers
                .iter()
                .map(|layer| layer.id)
                .filter(|layer| !needed(layer))
                .collect();
            self.layers.forget(lost);
            self.tell("image", "delete", &id, Labels::from([("name".to_owned(), id.clone())]));
        }
        Ok(done)
    }
}
