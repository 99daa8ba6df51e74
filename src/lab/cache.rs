//! The cache in front of the items: least recently used out first, entries fresh for a fixed time. Pure: the
//! time is an argument.

use std::{hash::Hash, num::NonZeroUsize};

use lru::LruCache;

use crate::clock::Nanos;

/// A bounded cache whose entries expire.
#[derive(Debug)]
pub(super) struct TtlLru<K: Hash + Eq, V> {
    entries: LruCache<K, (Nanos, V)>,
    ttl: Nanos,
    evictions: u64,
}

/// What a cache has for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lookup<V> {
    /// A fresh value, and its age.
    Hit { value: V, age: Nanos },
    /// A value whose time is over; it is gone now.
    Expired,
    /// Nothing.
    Absent,
}

impl<K: Hash + Eq, V: Clone> TtlLru<K, V> {
    pub(super) fn new(capacity: NonZeroUsize, ttl: Nanos) -> Self {
        Self { entries: LruCache::new(capacity), ttl, evictions: 0 }
    }

    /// Looks a key up, which counts as a use of it. An entry is fresh while its age is below the TTL.
    pub(super) fn get(&mut self, now: Nanos, key: &K) -> Lookup<V> {
        let Some((stored, value)) = self.entries.get(key) else {
            return Lookup::Absent;
        };
        let age = now.saturating_sub(*stored);
        if age < self.ttl {
            return Lookup::Hit { value: value.clone(), age };
        }
        self.entries.pop(key);
        Lookup::Expired
    }

    /// Stores a value; the least recently used entry gives way where there is no room.
    pub(super) fn put(&mut self, now: Nanos, key: K, value: V) {
        if self.entries.len() == self.entries.cap().get() && !self.entries.contains(&key) {
            self.evictions += 1;
        }
        self.entries.put(key, (now, value));
    }

    /// Removes an entry; whether there was one.
    pub(super) fn remove(&mut self, key: &K) -> bool {
        self.entries.pop(key).is_some()
    }

    /// Removes all entries; how many there were.
    pub(super) fn clear(&mut self) -> usize {
        let count = self.entries.len();
        self.entries.clear();
        count
    }

    /// Entries held, fresh or not.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Entries that gave way to others.
    pub(super) fn evictions(&self) -> u64 {
        self.evictions
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by brute force: the most recently used entry last.
    #[derive(Debug, Default)]
    struct Model {
        entries: Vec<(u8, Nanos, u32)>,
    }

    impl Model {
        fn get(&mut self, now: Nanos, ttl: Nanos, key: u8) -> Lookup<u32> {
            let Some(place) = self.entries.iter().position(|entry| entry.0 == key) else {
                return Lookup::Absent;
            };
            let entry = self.entries.remove(place);
            if now - entry.1 >= ttl {
                return Lookup::Expired;
            }
            self.entries.push(entry);
            Lookup::Hit { value: entry.2, age: now - entry.1 }
        }

        fn put(&mut self, now: Nanos, capacity: usize, key: u8, value: u32) {
            self.entries.retain(|entry| entry.0 != key);
            self.entries.push((key, now, value));
            if self.entries.len() > capacity {
                self.entries.remove(0);
            }
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Get(u8),
        Put(u8, u32),
        Remove(u8),
        Pass(Nanos),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0u8..12).prop_map(Step::Get),
            4 => (0u8..12, any::<u32>()).prop_map(|(key, value)| Step::Put(key, value)),
            1 => (0u8..12).prop_map(Step::Remove),
            2 => (0u64..30).prop_map(Step::Pass),
        ]
    }

    proptest! {
        #[test]
        fn it_behaves_as_the_model(capacity in 1usize..8, ttl in 1u64..100, steps in prop::collection::vec(step(), 0..200)) {
            let mut cache = TtlLru::new(NonZeroUsize::new(capacity).expect("at least one"), ttl);
            let mut model = Model::default();
            let mut now = 0;
            for step in steps {
                match step {
                    Step::Get(key) => prop_assert_eq!(cache.get(now, &key), model.get(now, ttl, key)),
                    Step::Put(key, value) => {
                        cache.put(now, key, value);
                        model.put(now, capacity, key, value);
                    }
                    Step::Remove(key) => {
                        let before = model.entries.len();
                        model.entries.retain(|entry| entry.0 != key);
                        prop_assert_eq!(cache.remove(&key), model.entries.len() < before);
                    }
                    Step::Pass(time) => now += time,
                }
                prop_assert_eq!(cache.len(), model.entries.len());
            }
        }
    }

    #[test]
    fn evictions_are_counted_and_replacements_are_not() {
        let mut cache = TtlLru::new(NonZeroUsize::MIN, 10);
        cache.put(0, "a", 1);
        cache.put(0, "a", 2);
        assert_eq!(cache.evictions(), 0);
        cache.put(0, "b", 3);
        assert_eq!((cache.evictions(), cache.get(0, &"a"), cache.clear()), (1, Lookup::Absent, 1));
    }
}
