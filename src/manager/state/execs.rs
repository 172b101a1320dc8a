//! In which container each command runs that was created through the manager: requests about a command have its ID alone.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::model::ContainerIdx;

/// Commands remembered of one container; beyond, the oldest are forgotten.
const EXECS_MAX: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Execs {
    containers: FxHashMap<String, ContainerIdx>,
    /// The commands of each container that has any, the oldest first.
    execs: FxHashMap<ContainerIdx, VecDeque<String>>,
}

impl Execs {
    pub(super) fn add(&mut self, container: ContainerIdx, exec: String) {
        let execs = self.execs.entry(container).or_default();
        if execs.len() >= EXECS_MAX
            && let Some(oldest) = execs.pop_front()
        {
            self.containers.remove(&oldest);
        }
        execs.push_back(exec.clone());
        self.containers.insert(exec, container);
    }

    pub(super) fn container(&self, exec: &str) -> Option<ContainerIdx> {
        self.containers.get(exec).copied()
    }

    /// A container is gone.
    pub(super) fn forget(&mut self, container: ContainerIdx) {
        for exec in self.execs.remove(&container).into_iter().flatten() {
            self.containers.remove(&exec);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_go_with_their_container_and_by_age() {
        let (one, other) = (ContainerIdx::first(0), ContainerIdx::first(1));
        let mut execs = Execs::default();
        for number in 0..=EXECS_MAX {
            execs.add(one, format!("exec-{number}"));
        }
        execs.add(other, "another".to_owned());
        assert_eq!(execs.container("exec-0"), None, "the oldest");
        assert_eq!(execs.container("exec-1"), Some(one));
        execs.forget(one);
        assert_eq!(execs.container("exec-1"), None);
        assert_eq!(execs.container("another"), Some(other));
    }
}
