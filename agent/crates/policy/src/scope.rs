//! A policy's scope, `(principal …, action …, resource …)`, in a form that can be indexed and compared.

use crate::kind::{ACTIONS, Kind, action_bit, action_named};
use crate::known::Known;
use crate::uid;
use cedar_policy::{ActionConstraint, EntityUid, Policy, PrincipalConstraint, ResourceConstraint};

/// Which requests a policy is about, before its conditions.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// Its principals.
    pub who: Who,
    /// Its actions, as a mask.
    pub actions: u8,
    /// The kinds that its resources can have, as a mask.
    pub kinds: u16,
    /// What its resources are, or are in.
    pub anchor: Option<Anchor>,
}

/// Which principals.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Who {
    /// Every one.
    Any,
    /// One agent.
    Agent(String),
    /// Agents with a role.
    Role(String),
    /// None: it names something that no principal is or is in.
    Nobody,
}

/// One resource, and perhaps all below it.
#[derive(Clone, Debug)]
pub(crate) struct Anchor {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// Only itself, not what is in it.
    pub exact: bool,
}

impl Scope {
    /// The scope of a policy.
    pub(crate) fn of(policy: &Policy) -> Self {
        let (kinds, anchor) = resource(policy.resource_constraint());
        Self {
            who: who(policy.principal_constraint()),
            actions: actions(policy.action_constraint()),
            kinds,
            anchor,
        }
    }

    /// Might a request be both of this and of `other`? `true` if in doubt.
    pub(crate) fn may_meet(&self, other: &Self) -> bool {
        let who = match (&self.who, &other.who) {
            (Who::Nobody, _) | (_, Who::Nobody) => false,
            (Who::Agent(one), Who::Agent(another)) => one == another,
            _ => true,
        };
        who && self.actions & other.actions != 0 && self.kinds & other.kinds != 0
    }

    /// Is it about nothing but connecting?
    pub(crate) fn only_connects(&self) -> bool {
        self.actions == action_bit(wire::Action::Connect)
    }

    /// Is every request of `other` also one of this? `false` if in doubt.
    pub(crate) fn covers(&self, other: &Self, known: &Known) -> bool {
        let who = match (&self.who, &other.who) {
            (Who::Any, _) => true,
            (Who::Role(role), Who::Agent(agent)) => known.has_role(agent, role),
            (mine, theirs) => mine == theirs,
        };
        who && other.actions & !self.actions == 0
            && other.kinds & !self.kinds == 0
            && match (&self.anchor, &other.anchor) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(mine), Some(theirs)) => mine.covers(theirs),
            }
    }
}

impl Anchor {
    fn covers(&self, other: &Self) -> bool {
        if self.exact {
            return other.exact && self.kind == other.kind && self.id == other.id;
        }
        uid::chain(other.kind, &other.id).any(|(kind, id)| kind == self.kind && id == self.id)
    }
}

fn who(constraint: PrincipalConstraint) -> Who {
    let is_agent = |type_name: &cedar_policy::EntityTypeName| type_name.to_string() == "Agent";
    match constraint {
        PrincipalConstraint::Any => Who::Any,
        PrincipalConstraint::Is(type_name) if is_agent(&type_name) => Who::Any,
        PrincipalConstraint::In(uid) => who_in(&uid, true),
        PrincipalConstraint::IsIn(type_name, uid) if is_agent(&type_name) => who_in(&uid, true),
        PrincipalConstraint::Eq(uid) => who_in(&uid, false),
        PrincipalConstraint::Is(_) | PrincipalConstraint::IsIn(..) => Who::Nobody,
    }
}

fn who_in(uid: &EntityUid, or_below: bool) -> Who {
    match uid.type_name().to_string().as_str() {
        "Agent" => Who::Agent(uid.id().unescaped().to_owned()),
        "Role" if or_below => Who::Role(uid.id().unescaped().to_owned()),
        _ => Who::Nobody,
    }
}

fn actions(constraint: ActionConstraint) -> u8 {
    let bit = |uid: &EntityUid| action_named(uid.id().unescaped()).map_or(0, action_bit);
    match constraint {
        ActionConstraint::Any => ACTIONS.into_iter().map(action_bit).fold(0, |all, bit| all | bit),
        ActionConstraint::In(uids) => uids.iter().map(bit).fold(0, |all, bit| all | bit),
        ActionConstraint::Eq(uid) => bit(&uid),
    }
}

fn resource(constraint: ResourceConstraint) -> (u16, Option<Anchor>) {
    let all = Kind::ALL.into_iter().map(Kind::bit).fold(0, |all, bit| all | bit);
    let kind = |type_name: &cedar_policy::EntityTypeName| Kind::from_type_name(&type_name.to_string());
    let anchored = |mask: u16, uid: &EntityUid, exact: bool| {
        let Some(kind) = kind(uid.type_name()) else {
            return (0, None);
        };
        let within = if exact { kind.bit() } else { kind.below() };
        (mask & within, Some(Anchor { kind, id: uid.id().unescaped().to_owned(), exact }))
    };
    match constraint {
        ResourceConstraint::Any => (all, None),
        ResourceConstraint::Is(type_name) => (kind(&type_name).map_or(0, Kind::bit), None),
        ResourceConstraint::In(uid) => anchored(all, &uid, false),
        ResourceConstraint::Eq(uid) => anchored(all, &uid, true),
        ResourceConstraint::IsIn(type_name, uid) => {
            anchored(kind(&type_name).map_or(0, Kind::bit), &uid, false)
        }
    }
}
