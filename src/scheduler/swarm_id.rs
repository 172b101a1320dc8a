//! The cluster-wide ID of a container, which survives rescheduling (`scheduler/RULES.md` §1.1b).

use std::fmt::Write;

use rand::Rng;

use crate::cluster::Cluster;
use crate::model::Labels;

const LABEL: &str = "com.docker.swarm.id";
const BYTES: usize = 32;
/// Short IDs, so many characters, must not look like numbers.
const SHORT: usize = 12;

/// The ID that the label `com.docker.swarm.id` gives. If there is none, 64 random hexadecimal digits that resolve to no
/// container become the label.
pub fn swarm_id(labels: &mut Labels, cluster: &Cluster, rng: &mut impl Rng) -> String {
    if let Some(id) = labels.get(LABEL).filter(|id| !id.is_empty()) {
        return id.clone();
    }
    let id = loop {
        let id = random_id(rng);
        let is_number = id[..SHORT].bytes().all(|digit| digit.is_ascii_digit());
        if !is_number && cluster.find(&id).is_none() {
            break id;
        }
    };
    labels.insert(LABEL.to_owned(), id.clone());
    id
}

fn random_id(rng: &mut impl Rng) -> String {
    let mut bytes = [0; BYTES];
    rng.fill_bytes(&mut bytes);
    bytes.iter().fold(String::with_capacity(2 * BYTES), |mut id, byte| {
        // Writing to a string cannot fail.
        let _ = write!(id, "{byte:02x}");
        id
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use rand::TryRng;

    use super::*;

    /// Fills with this byte, then with the next one.
    struct Counting(u8);

    impl TryRng for Counting {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            unreachable!("IDs are filled byte by byte")
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            unreachable!("IDs are filled byte by byte")
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            bytes.fill(self.0);
            self.0 += 1;
            Ok(())
        }
    }

    #[test]
    fn ids_whose_short_form_is_a_number_are_drawn_again() {
        let mut labels = Labels::new();
        let id = swarm_id(&mut labels, &Cluster::new(), &mut Counting(0x98));
        assert_eq!(id, "9a".repeat(32));
        assert_eq!(labels[LABEL], id);
    }

    #[test]
    fn a_given_id_is_kept() {
        let mut labels = Labels::from([(LABEL.to_owned(), "mine".to_owned())]);
        assert_eq!(swarm_id(&mut labels, &Cluster::new(), &mut Counting(0xaa)), "mine");
    }
}
