//! What is kept for each operation that is under way.

use super::OpId;
use std::collections::VecDeque;

/// Values by operation. Nearly always there is one, and operations end nearly in the order in which they began: a queue
/// finds them faster than a hash would.
#[derive(Debug)]
pub struct OpMap<T> {
    /// In ascending order.
    entries: VecDeque<(OpId, T)>,
}

impl<T> Default for OpMap<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new() }
    }
}

impl<T> OpMap<T> {
    /// Adds a value, in place of the one that the operation had.
    pub fn insert(&mut self, id: OpId, value: T) {
        if self.entries.back().is_none_or(|(last, _)| *last < id) {
            return self.entries.push_back((id, value));
        }
        match self.place(id) {
            Ok(place) => {
                if let Some(entry) = self.entries.get_mut(place) {
                    entry.1 = value;
                }
            }
            Err(place) => self.entries.insert(place, (id, value)),
        }
    }

    /// The operation's value.
    pub fn get_mut(&mut self, id: OpId) -> Option<&mut T> {
        let place = self.place(id).ok()?;
        self.entries.get_mut(place).map(|(_, value)| value)
    }

    /// Takes the operation's value out.
    pub fn remove(&mut self, id: OpId) -> Option<T> {
        let place = self.place(id).ok()?;
        self.entries.remove(place).map(|(_, value)| value)
    }

    /// All of them, in the order in which they were asked.
    pub fn iter(&self) -> impl Iterator<Item = (OpId, &T)> {
        self.entries.iter().map(|(id, value)| (*id, value))
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
        fn it_is_a_map(steps in prop::collection::vec((0_u8..4, 0_u64..12, any::<u16>()), 0..80)) {
            let (mut map, mut model) = (OpMap::default(), BTreeMap::new());
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
}
