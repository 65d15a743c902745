//! What is kept for each operation that is under way.

use super::OpId;
use std::collections::VecDeque;

/// Places left empty by operations that ended out of order, at which they may be closed up.
const EMPTY_MIN: usize = 32;

/// Values by operation. Nearly always there is one, and operations end nearly in the order in which they began: a queue
/// finds them faster than a hash would. What ends out of order leaves its place empty until half of the places are.
#[derive(Debug)]
pub struct OpMap<T> {
    /// In ascending order; neither the first nor the last is empty.
    entries: VecDeque<(OpId, Option<T>)>,
    empty: usize,
}

impl<T> Default for OpMap<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), empty: 0 }
    }
}

impl<T> OpMap<T> {
    /// Adds a value, in place of the one that the operation had.
    pub fn insert(&mut self, id: OpId, value: T) {
        if self.entries.back().is_none_or(|(last, _)| *last < id) {
            return self.entries.push_back((id, Some(value)));
        }
        match self.place(id) {
            Ok(place) => {
                if let Some((_, entry)) = self.entries.get_mut(place) {
                    self.empty -= usize::from(entry.is_none());
                    *entry = Some(value);
                }
            }
            Err(place) => self.entries.insert(place, (id, Some(value))),
        }
    }

    /// The operation's value.
    pub fn get_mut(&mut self, id: OpId) -> Option<&mut T> {
        let place = self.place(id).ok()?;
        self.entries.get_mut(place)?.1.as_mut()
    }

    /// Takes the operation's value out.
    pub fn remove(&mut self, id: OpId) -> Option<T> {
        let place = self.place(id).ok()?;
        let value = self.entries.get_mut(place)?.1.take()?;
        self.empty += 1;
        while self.entries.pop_front_if(|(_, value)| value.is_none()).is_some() {
            self.empty -= 1;
        }
        while self.entries.pop_back_if(|(_, value)| value.is_none()).is_some() {
            self.empty -= 1;
        }
        if self.empty > EMPTY_MIN && self.empty > self.entries.len() / 2 {
            self.entries.retain(|(_, value)| value.is_some());
            self.empty = 0;
        }
        Some(value)
    }

    /// All of them, in the order in which they were asked.
    pub fn iter(&self) -> impl Iterator<Item = (OpId, &T)> {
        self.entries.iter().filter_map(|(id, value)| Some((*id, value.as_ref()?)))
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn place(&self, id: OpId) -> Result<usize, usize> {
        match self.entries.front() {
            Some((first, _)) if *first == id => Ok(0),
            _ => self.entries.binary_search_by_key(&id, |(id, _)| *id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0_u8..4, 0_u64..200, any::<u16>()), 0..600)) {
            let (mut map, mut model): (OpMap<u16>, _) = (OpMap::default(), BTreeMap::new());
            for (step, id, value) in steps {
                let id = OpId(id);
                match step {
                    0 => {
                        map.insert(id, value);
                        model.insert(id, value);
                    }
                    1 => prop_assert_eq!(map.get_mut(id), model.get_mut(&id)),
                    2 => prop_assert_eq!(map.remove(id), model.remove(&id)),
                    _ => prop_assert_eq!(map.is_empty(), model.is_empty()),
                }
                prop_assert!(map.iter().map(|(id, value)| (id, *value)).eq(model.iter().map(|(id, value)| (*id, *value))));
            }
        }
    }
    #[test]
    fn what_ends_out_of_order_leaves_nothing_behind() {
        let mut map = OpMap::default();
        map.insert(OpId(0), ());
        for id in 1..10_000 {
            map.insert(OpId(id), ());
            map.insert(OpId(id + 1_000_000), ());
            assert_eq!(map.remove(OpId(id)), Some(()));
            assert_eq!(map.remove(OpId(id + 1_000_000)), Some(()));
            assert!(map.entries.len() <= 2 * (EMPTY_MIN + 2), "{}", map.entries.len());
        }
        assert_eq!(map.iter().count(), 1);
        assert!(!map.is_empty() && map.remove(OpId(0)).is_some() && map.is_empty());
    }
}
