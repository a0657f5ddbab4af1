//! A set of numbers as ranges: a run of ten thousand calls is one.

use serde::{Deserialize, Serialize};

/// Ranges `[first, last]` in order, that neither overlap nor touch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<[u32; 2]>")]
pub struct Ids(Vec<[u32; 2]>);

impl TryFrom<Vec<[u32; 2]>> for Ids {
    type Error = &'static str;

    fn try_from(ranges: Vec<[u32; 2]>) -> Result<Self, Self::Error> {
        let runs_forth = ranges.iter().all(|[first, last]| first <= last);
        let apart = |pair: &[[u32; 2]]| pair[0][1].saturating_add(1) < pair[1][0];
        if runs_forth && ranges.windows(2).all(apart) {
            Ok(Self(ranges))
        } else {
            Err("ranges that are not in order")
        }
    }
}

impl Ids {
    pub fn contains(&self, id: u32) -> bool {
        let at = self.0.partition_point(|[_, last]| *last < id);
        self.0.get(at).is_some_and(|[first, _]| *first <= id)
    }

    pub fn insert(&mut self, id: u32) {
        if self.contains(id) {
            return;
        }
        // The first range behind it.
        let at = self.0.partition_point(|[_, last]| *last < id);
        let joins_before = at > 0 && self.0[at - 1][1].checked_add(1) == Some(id);
        let joins_behind =
            self.0.get(at).is_some_and(|[first, _]| id.checked_add(1) == Some(*first));
        match (joins_before, joins_behind) {
            (true, true) => self.0[at - 1][1] = self.0.remove(at)[1],
            (true, false) => self.0[at - 1][1] = id,
            (false, true) => self.0[at][0] = id,
            (false, false) => self.0.insert(at, [id, id]),
        }
    }

    pub fn remove(&mut self, id: u32) {
        if !self.contains(id) {
            return;
        }
        let at = self.0.partition_point(|[_, last]| *last < id);
        let [first, last] = self.0.remove(at);
        if id < last {
            self.0.insert(at, [id + 1, last]);
        }
        if first < id {
            self.0.insert(at, [first, id - 1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    proptest::proptest! {
        #[test]
        fn it_is_a_set(changes in proptest::collection::vec((proptest::bool::ANY, 0_u32..40), 0..120)) {
            let (mut ids, mut set) = (Ids::default(), BTreeSet::new());
            for (add, id) in changes {
                if add {
                    ids.insert(id);
                    set.insert(id);
                } else {
                    ids.remove(id);
                    set.remove(&id);
                }
                // What a file would be refused for never comes about.
                assert_eq!(Ids::try_from(ids.0.clone()), Ok(ids.clone()));
                assert!((0..40).all(|id| ids.contains(id) == set.contains(&id)));
            }
        }
    }

    #[test]
    fn the_ends_of_the_numbers_are_numbers() {
        let mut ids = Ids::default();
        for id in [u32::MAX, 0, u32::MAX - 1] {
            ids.insert(id);
        }
        assert_eq!(serde_json::to_string(&ids).unwrap(), "[[0,0],[4294967294,4294967295]]");
        ids.remove(u32::MAX);
        ids.remove(0);
        assert_eq!(ids.0, [[u32::MAX - 1, u32::MAX - 1]]);
        for text in ["[[2,1]]", "[[0,1],[2,3]]", "[[3,4],[0,1]]", "[[0,5],[3,9]]"] {
            assert!(serde_json::from_str::<Ids>(text).is_err(), "{text}");
        }
    }
}
