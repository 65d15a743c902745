//! The entities that an operation and the rules about it name: of each only what some policy can see.

use crate::asked::Principal;
use crate::kind::Kind;
use crate::known::Target;
use crate::schema::uid;
use crate::set::PolicySet;
use crate::uid::{chain, split};
use cedar_policy::{Entities, Entity, EntityUid, RestrictedExpression};
use hashbrown::HashSet as Seen;
use std::collections::{HashMap, HashSet};

/// A string value.
pub(crate) fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

/// Entities, each once.
pub(crate) struct Gathered<'a> {
    set: &'a PolicySet,
    seen: Seen<(Kind, String)>,
    entities: Vec<Entity>,
    problem: Option<String>,
}

/// An attribute's name and what makes its value.
type Attribute<'a> = (&'static str, &'a dyn Fn() -> RestrictedExpression);

impl<'a> Gathered<'a> {
    /// None yet.
    pub(crate) fn new(set: &'a PolicySet) -> Self {
        Self { set, seen: Seen::new(), entities: Vec::new(), problem: None }
    }

    /// The one who asks.
    pub(crate) fn agent(&mut self, who: &Principal) {
        let set = self.set;
        let roles = set.known.agents.get(&*who.agent).into_iter().flatten();
        let parents =
            roles.filter(|role| set.visible.role(role)).map(|role| uid(&set.model.role, role)).collect();
        let (exe, exe_hash, unit) = (|| string(&who.exe), || string(&who.exe_hash), || string(&who.unit));
        let user = || RestrictedExpression::new_long(i64::from(who.uid));
        let container = || string(who.container.as_deref().unwrap_or_default());
        let list: [Attribute<'_>; 5] = [
            ("exe", &exe),
            ("exe_hash", &exe_hash),
            ("uid", &user),
            ("unit", &unit),
            ("container", &container),
        ];
        let list = if who.container.is_some() {
            &list[..]
        } else {
            list.split_last().map_or(&list[..], |(_, rest)| rest)
        };
        self.push(uid(&set.model.agent, &who.agent), list, parents);
    }

    /// The resources that the conditions of rules name, so that their attributes and ancestors can be read.
    pub(crate) fn named_by(&mut self, rules: &[u32]) {
        let set = self.set;
        for rule in rules.iter().filter_map(|number| set.rules.get(*number as usize)) {
            for (type_name, id) in &rule.reads.entities {
                if let Some(kind) = Kind::from_type_name(type_name) {
                    self.resource(kind, id);
                }
            }
        }
    }

    /// A resource, with everything that it is in as its parents. One whose target is not known stays missing: reading its
    /// attributes is then an error, which denies.
    pub(crate) fn resource(&mut self, kind: Kind, id: &str) {
        if matches!(kind, Kind::Label | Kind::Protocol) || !self.seen.insert((kind, id.to_owned())) {
            return;
        }
        let Some(parts) = split(id) else {
            return;
        };
        let Some(target) = parts.first().and_then(|name| self.set.known.targets.get(name)) else {
            return;
        };
        let (model, visible) = (&self.set.model, &self.set.visible);
        let above = chain(kind, id).skip(1).chain(target.groups());
        let above = above.filter(|(kind, id)| visible.resource(*kind, id));
        let parents = above.filter_map(|(kind, id)| model.resource(kind, id)).collect();
        if let Some(uid) = model.resource(kind, id) {
            self.attributed(uid, (kind, id), &parts, target, parents);
        }
    }

    /// Adds a resource with the attributes that the schema gives to its kind. `parts` are those of its id, unescaped.
    fn attributed(
        &mut self,
        uid: EntityUid,
        (kind, id): (Kind, &str),
        parts: &[String],
        target: &Target,
        parents: HashSet<EntityUid>,
    ) {
        let part = |n: usize| string(parts.get(n).map(String::as_str).unwrap_or_default());
        let (second, third, fourth) = (|| part(1), || part(2), || part(3));
        let rest = || string(&parts.get(2..).unwrap_or_default().join("/"));
        let tags = || RestrictedExpression::new_set(target.tags(kind, id).iter().map(|tag| string(tag)));
        let labels = || RestrictedExpression::new_set(target.labels.iter().map(|label| string(label)));
        let protocol = || string(&target.protocol);
        let list: &[Attribute<'_>] = match kind {
            Kind::Label | Kind::Protocol => &[],
            Kind::Target => &[("protocol", &protocol), ("labels", &labels)],
            Kind::Database => &[("name", &second)],
            Kind::Schema => &[("name", &third)],
            Kind::Table => &[("schema", &third), ("name", &fourth), ("tags", &tags)],
            Kind::Column => &[("schema", &third), ("table", &fourth), ("tags", &tags)],
            Kind::Routine => &[("schema", &third), ("name", &fourth)],
            Kind::Name => &[("kind", &second), ("name", &rest)],
        };
        self.push(uid, list, parents);
    }

    fn push(&mut self, uid: EntityUid, list: &[Attribute<'_>], parents: HashSet<EntityUid>) {
        let read = list.iter().filter(|(name, _)| self.set.visible.attribute(name));
        let attributes: HashMap<_, _> = read.map(|(name, value)| ((*name).to_owned(), value())).collect();
        match Entity::new(uid, attributes, parents) {
            Ok(entity) => self.entities.push(entity),
            Err(error) => self.problem = Some(error.to_string()),
        }
    }

    /// All of them.
    ///
    /// # Errors
    /// One of them could not be made.
    pub(crate) fn finish(self) -> Result<Entities, String> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        Entities::from_entities(self.entities, None).map_err(|error| error.to_string())
    }
}
