//! The embedded schema, and what it says about actions and resources as a table.

use crate::kind::{ACTIONS, Kind, action_bit, action_named};
use cedar_policy::{EntityId, EntityTypeName, EntityUid, Schema};
use std::str::FromStr as _;
use wire::Action;

/// The schema that policies are validated against.
pub const SCHEMA: &str = include_str!("../../../../policies/schema.cedarschema");

/// The schema, parsed, with the names that requests are made of.
pub(crate) struct Model {
    /// For the validator.
    pub schema: Schema,
    kinds: Vec<EntityTypeName>,
    actions: Vec<EntityUid>,
    /// `Agent`.
    pub agent: EntityTypeName,
    /// `Role`.
    pub role: EntityTypeName,
    /// `Task`.
    pub task: EntityTypeName,
    applies: [u16; ACTIONS.len()],
}

impl Model {
    /// Parses [`SCHEMA`].
    ///
    /// # Errors
    /// What is wrong with the schema; a test makes sure that nothing is.
    pub(crate) fn new() -> Result<Self, String> {
        let schema = Schema::from_str(SCHEMA).map_err(|error| error.to_string())?;
        let type_name = |name: &str| EntityTypeName::from_str(name).map_err(|error| error.to_string());
        let action = type_name("Action")?;
        let mut applies = [0; ACTIONS.len()];
        for env in schema.request_envs() {
            let named = action_named(env.action().id().unescaped());
            let kind = Kind::from_type_name(env.resource().basename());
            let (Some(named), Some(kind)) = (named, kind) else {
                return Err(format!("{} on {} is not known to the engine", env.action(), env.resource()));
            };
            for (mask, candidate) in applies.iter_mut().zip(ACTIONS) {
                if candidate == named {
                    *mask |= kind.bit();
                }
            }
        }
        Ok(Self {
            kinds: Kind::ALL.iter().map(|kind| type_name(kind.type_name())).collect::<Result<_, _>>()?,
            actions: ACTIONS.iter().map(|named| uid(&action, named.name())).collect(),
            agent: type_name("Agent")?,
            role: type_name("Role")?,
            task: type_name("Task")?,
            schema,
            applies,
        })
    }

    /// The kinds that `action` applies to, as a mask; none for an unknown action.
    pub(crate) fn applies(&self, action: Action) -> u16 {
        ACTIONS
            .iter()
            .zip(self.applies)
            .find(|(candidate, _)| **candidate == action)
            .map_or(0, |(_, mask)| mask)
    }

    /// Could any pair of these actions and kinds be asked for?
    pub(crate) fn possible(&self, actions: u8, kinds: u16) -> bool {
        ACTIONS.iter().any(|action| actions & action_bit(*action) != 0 && self.applies(*action) & kinds != 0)
    }

    /// The entity of this kind with this id.
    pub(crate) fn resource(&self, kind: Kind, id: &str) -> Option<EntityUid> {
        self.kinds.get(kind as usize).map(|type_name| uid(type_name, id))
    }

    /// The action's entity; none for an unknown action.
    pub(crate) fn action(&self, action: Action) -> Option<EntityUid> {
        ACTIONS
            .iter()
            .zip(&self.actions)
            .find(|(candidate, _)| **candidate == action)
            .map(|(_, uid)| uid.clone())
    }
}

/// The entity of a type with this id.
pub(crate) fn uid(type_name: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(type_name.clone(), EntityId::new(id))
}

#[cfg(test)]
mod tests;
