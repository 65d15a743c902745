//! What a policy's conditions read: facts that a cached ruling depends on, approval groups, and entities they name.

use cedar_policy::Policy;
use serde_json::Value;
use std::collections::BTreeSet;

/// What was found in the conditions of one policy.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Reads {
    /// It has `when` or `unless` clauses.
    pub conditional: bool,
    /// The hour decides, or might.
    pub hour: bool,
    /// The approvals decide, or might.
    pub approvals: bool,
    /// The approval groups it names.
    pub groups: BTreeSet<String>,
    /// It holds only for operations that were understood exactly.
    pub demands_exact: bool,
    /// It holds for every operation that was not understood exactly, and that is all it looks at.
    pub meets_inexact: bool,
    /// The names of all attributes that it reads, of whatever.
    pub attributes: BTreeSet<String>,
    /// The entities (type, id) that it names.
    pub entities: BTreeSet<(String, String)>,
}

impl Reads {
    /// Reads the conditions of `policy`, from Cedar's own JSON form of it.
    ///
    /// # Errors
    /// Cedar's message, if the policy has no such form.
    pub(crate) fn of(policy: &Policy) -> Result<Self, String> {
        let json = policy.to_json().map_err(|error| error.to_string())?;
        let mut reads = Self::default();
        if let Some(conditions) = json.get("conditions").and_then(Value::as_array) {
            reads.conditional = !conditions.is_empty();
            reads.demands_exact = conditions.iter().any(|condition| says_exact(condition, true));
            reads.meets_inexact = matches!(conditions.as_slice(), [only] if says_exact(only, false));
            for condition in conditions {
                reads.expression(condition, false);
            }
        }
        Ok(reads)
    }

    /// `known` is true where the surroundings have already said which attribute of the context is read.
    fn expression(&mut self, value: &Value, known: bool) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.expression(item, false)),
            Value::Object(fields) => {
                if let Some(entity) = fields.get("__entity") {
                    self.entity(entity);
                }
                for (name, inner) in fields {
                    match name.as_str() {
                        "Var" if inner == "context" && !known => {
                            self.hour = true; // the context as a whole: it could be any fact
                            self.approvals = true;
                        }
                        "." | "has" => self.attribute(inner),
                        "contains" | "containsAll" | "containsAny" => {
                            if inner.get("left").is_some_and(is_approvals) {
                                inner.get("right").into_iter().for_each(|right| self.group(right));
                            }
                            self.expression(inner, false);
                        }
                        _ => self.expression(inner, false),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn attribute(&mut self, access: &Value) {
        let Some(left) = access.get("left") else {
            return self.expression(access, false);
        };
        let named = access.get("attr").and_then(Value::as_str);
        self.hour |= named == Some("hour");
        self.approvals |= named == Some("approvals");
        self.attributes.extend(named.map(str::to_owned));
        self.expression(left, named.is_some());
    }

    fn group(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.group(item)),
            Value::Object(fields) => fields.values().for_each(|inner| self.group(inner)),
            Value::String(group) => {
                self.groups.insert(group.clone());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn entity(&mut self, entity: &Value) {
        let part = |name: &str| entity.get(name).and_then(Value::as_str).map(str::to_owned);
        if let (Some(type_name), Some(id)) = (part("type"), part("id")) {
            self.entities.insert((type_name, id));
        }
    }
}

/// Does the condition come down to `context.certainty == "exact"`, or to its contrary? A part of a conjunction is enough
/// for the former.
fn says_exact(condition: &Value, exact: bool) -> bool {
    let kind = condition.get("kind").and_then(Value::as_str);
    let body = condition.get("body").unwrap_or(&Value::Null);
    match (kind, exact) {
        (Some("when"), true) => demands(body),
        (Some("unless"), true) | (Some("when"), false) => compares(body, "!="),
        (Some("unless"), false) => compares(body, "=="),
        _ => false,
    }
}

/// `context.certainty == "exact"`, perhaps with more that must hold.
fn demands(body: &Value) -> bool {
    let side = |name: &str| body.get("&&").and_then(|both| both.get(name));
    compares(body, "==") || side("left").is_some_and(demands) || side("right").is_some_and(demands)
}

/// Is it the certainty and "exact", compared so?
fn compares(body: &Value, operator: &str) -> bool {
    let side = |name: &str| body.get(operator).and_then(|both| both.get(name));
    let (Some(left), Some(right)) = (side("left"), side("right")) else { return false };
    let certainty = |value: &Value| {
        let access = value.get(".");
        let of = access.and_then(|access| access.get("left")).and_then(|left| left.get("Var"));
        let name = access.and_then(|access| access.get("attr"));
        of.and_then(Value::as_str) == Some("context") && name.and_then(Value::as_str) == Some("certainty")
    };
    let word = |value: &Value| value.get("Value").and_then(Value::as_str) == Some("exact");
    (certainty(left) && word(right)) || (word(left) && certainty(right))
}

fn is_approvals(value: &Value) -> bool {
    let access = value.get(".");
    access.and_then(|access| access.get("attr")).and_then(Value::as_str) == Some("approvals")
}

#[cfg(test)]
mod tests;
