//! What the policies of a set can tell apart: the entities they name and the attributes they read, anywhere.
//!
//! An ancestor that no policy names, and an attribute that none reads, can't change what any of them says; making them
//! anew for every operation would cost more than asking the policies.

use crate::kind::Kind;
use crate::load::Rule;
use crate::scope::Who;
use hashbrown::{Equivalent, HashSet};

/// What can be told apart.
#[derive(Debug, Default)]
pub(crate) struct Visible {
    resources: HashSet<(Kind, String)>,
    roles: HashSet<String>,
    attributes: HashSet<String>,
}

#[derive(Hash)]
struct Named<'a>(Kind, &'a str);

impl Equivalent<(Kind, String)> for Named<'_> {
    fn equivalent(&self, key: &(Kind, String)) -> bool {
        self.0 == key.0 && self.1 == key.1
    }
}

impl Visible {
    /// What these rules name and read.
    pub(crate) fn new(rules: &[Rule]) -> Self {
        let mut visible = Self::default();
        for rule in rules {
            visible.resources.extend(rule.scope.anchor.iter().map(|anchor| (anchor.kind, anchor.id.clone())));
            if let Who::Role(role) = &rule.scope.who {
                visible.roles.insert(role.clone());
            }
            visible.attributes.extend(rule.reads.attributes.iter().cloned());
            for (type_name, id) in &rule.reads.entities {
                match Kind::from_type_name(type_name) {
                    Some(kind) => visible.resources.insert((kind, id.clone())),
                    None => type_name == "Role" && visible.roles.insert(id.clone()),
                };
            }
        }
        visible
    }

    /// Does any policy name this resource or group?
    pub(crate) fn resource(&self, kind: Kind, id: &str) -> bool {
        self.resources.contains(&Named(kind, id))
    }

    /// Does any policy name this role?
    pub(crate) fn role(&self, role: &str) -> bool {
        self.roles.contains(role)
    }

    /// Does any policy read an attribute of this name?
    pub(crate) fn attribute(&self, name: &str) -> bool {
        self.attributes.contains(name)
    }
}
