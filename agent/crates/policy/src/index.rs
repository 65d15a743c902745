//! Finds the rules that can match a request by their scopes, in time that does not depend on how many rules there are.
//!
//! A rule sits in one cell: (its principal or role or nobody in particular, its resource or what that is in or nothing in
//! particular). A request looks into the cells of its own names: itself, its roles and "any", times its resource,
//! everything that is in and "any". What is left out would not match in Cedar either; what is found, Cedar decides.

use crate::kind::{Kind, action_bit};
use crate::known::Known;
use crate::load::Rule;
use crate::scope::Who;
use hashbrown::{Equivalent, HashMap};
use std::hash::Hash;
use wire::Action;

/// The number of "any" among principals and among resources.
const ANY: u32 = 0;

/// Rules by scope.
#[derive(Debug, Default)]
pub(crate) struct Index {
    agents: HashMap<String, u32>,
    roles: HashMap<String, u32>,
    anchors: HashMap<(Kind, String), u32>,
    cells: HashMap<(u32, u32), Vec<Entry>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    rule: u32,
    actions: u8,
    kinds: u16,
    exact: bool,
}

/// A borrowed key of `anchors`.
#[derive(Hash)]
struct Named<'a>(Kind, &'a str);

impl Equivalent<(Kind, String)> for Named<'_> {
    fn equivalent(&self, key: &(Kind, String)) -> bool {
        self.0 == key.0 && self.1 == key.1
    }
}

/// The numbers of a principal's names.
pub(crate) struct Names(Vec<u32>);

impl Index {
    /// Indexes rules by their position.
    pub(crate) fn new(rules: &[Rule]) -> Self {
        let mut index = Self::default();
        let mut next = ANY + 1;
        for (position, rule) in (0..).zip(rules) {
            let who = match &rule.scope.who {
                Who::Nobody => continue,
                Who::Any => ANY,
                Who::Agent(name) => numbered(&mut index.agents, name.clone(), &mut next),
                Who::Role(name) => numbered(&mut index.roles, name.clone(), &mut next),
            };
            let anchor = rule.scope.anchor.as_ref();
            let at = anchor.map_or(ANY, |anchor| {
                numbered(&mut index.anchors, (anchor.kind, anchor.id.clone()), &mut next)
            });
            let entry = Entry {
                rule: position,
                actions: rule.scope.actions,
                kinds: rule.scope.kinds,
                exact: anchor.is_some_and(|anchor| anchor.exact),
            };
            index.cells.entry((who, at)).or_default().push(entry);
        }
        index
    }

    /// The names under which rules can know this agent.
    pub(crate) fn names(&self, agent: &str, known: &Known) -> Names {
        let roles = known.agents.get(agent).into_iter().flatten();
        let mut names = vec![ANY];
        names.extend(self.agents.get(agent));
        names.extend(roles.filter_map(|role| self.roles.get(role)));
        names.sort_unstable();
        names.dedup();
        Names(names)
    }

    /// The rules whose scope a request matches, in the order of their numbers. `chain` is the resource itself and
    /// everything it is in, itself first.
    pub(crate) fn find<'a>(
        &self,
        names: &Names,
        action: Action,
        chain: impl Iterator<Item = (Kind, &'a str)>,
        found: &mut Vec<u32>,
    ) {
        let action = action_bit(action);
        let mut own = None;
        for (step, (kind, id)) in chain.enumerate() {
            let own_kind = *own.get_or_insert(kind.bit());
            if let Some(anchor) = self.anchors.get(&Named(kind, id)) {
                self.collect(
                    names,
                    *anchor,
                    |entry| {
                        entry.actions & action != 0
                            && entry.kinds & own_kind != 0
                            && (step == 0 || !entry.exact)
                    },
                    found,
                );
            }
        }
        let own_kind = own.unwrap_or_default();
        self.collect(names, ANY, |entry| entry.actions & action != 0 && entry.kinds & own_kind != 0, found);
        found.sort_unstable();
        found.dedup();
    }

    fn collect(&self, names: &Names, anchor: u32, fits: impl Fn(&Entry) -> bool, found: &mut Vec<u32>) {
        for name in &names.0 {
            let cell = self.cells.get(&(*name, anchor)).into_iter().flatten();
            found.extend(cell.filter(|entry| fits(entry)).map(|entry| entry.rule));
        }
    }
}

/// The number of `key`, a new one if it has none.
fn numbered<K: Eq + Hash>(numbers: &mut HashMap<K, u32>, key: K, next: &mut u32) -> u32 {
    *numbers.entry(key).or_insert_with(|| {
        let number = *next;
        *next += 1;
        number
    })
}
