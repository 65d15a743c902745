//! Where the records of open rows are: insertion and removal without search or allocation.

/// Where the record of an open row is in the journal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) length: u32,
}

/// Places by slot number; freed slots are used again.
#[derive(Default)]
pub(super) struct Slab {
    slots: Vec<Option<Place>>,
    free: Vec<usize>,
}

impl Slab {
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn insert(&mut self, place: Place) -> usize {
        if let Some(index) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(index)
        {
            *slot = Some(place);
            return index;
        }
        self.slots.push(Some(place));
        self.slots.len() - 1
    }

    pub(super) fn remove(&mut self, index: usize) -> Option<Place> {
        let place = self.slots.get_mut(index)?.take();
        if place.is_some() {
            self.free.push(index);
        }
        place
    }

    /// All open rows' places, to be moved.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Place> {
        self.slots.iter_mut().flatten()
    }
}
