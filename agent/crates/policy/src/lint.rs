//! Finds policies that can't do what they were probably written for. Conservative: what it reports is so.

use crate::diagnostic::Diagnostic;
use crate::kind::Kind;
use crate::known::Known;
use crate::load::Rule;
use crate::schema::Model;
use crate::scope::{Anchor, Who};
use crate::uid;
use cedar_policy::Effect;

/// Adds warnings about rules that never match and rules that others make pointless.
pub(crate) fn lint(rules: &[Rule], model: &Model, known: &Known, problems: &mut Vec<Diagnostic>) {
    let broad: Vec<(usize, &Rule)> = rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| !rule.reads.conditional && never(rule, model, known).is_none())
        .collect();
    for (position, rule) in rules.iter().enumerate() {
        if rule.impossible {
            continue; // the validator has said so
        }
        if let Some((message, help)) = never(rule, model, known) {
            problems.push(rule.at.warning(format!("policy `{}` never matches: {message}", rule.id), help));
        } else if rule.effect == Effect::Permit {
            problems.extend(
                shadowed(position, rule, &broad, known).or_else(|| trusting(rule, rules, model, known)),
            );
        }
    }
}

/// A permit for which it makes no difference whether the operation was understood. (One that was not understood at all
/// is never permitted.) Where a forbid of all that is not exact meets some of its requests, the others may be another's.
fn trusting(rule: &Rule, rules: &[Rule], model: &Model, known: &Known) -> Option<Diagnostic> {
    let guards = |other: &Rule| {
        other.effect == Effect::Forbid
            && other.reads.meets_inexact
            && !other.impossible
            && never(other, model, known).is_none()
            && other.scope.may_meet(&rule.scope)
    };
    if rule.reads.demands_exact || rule.scope.only_connects() || rules.iter().any(guards) {
        return None;
    }
    let message = format!("policy `{}` also permits statements that are only partly understood", rule.id);
    let help = "add `when { context.certainty == \"exact\" }`, or forbid whatever is not exact";
    Some(rule.at.warning(message, help))
}

/// Why no request can match the rule's scope.
fn never(rule: &Rule, model: &Model, known: &Known) -> Option<(String, String)> {
    let scope = &rule.scope;
    match &scope.who {
        Who::Nobody => return Some(("its principal is neither an agent nor a role".into(), String::new())),
        Who::Agent(agent) if !known.agents.is_empty() && !known.agents.contains_key(agent) => {
            let help = nearest(agent, known.agents.keys().map(String::as_str));
            return Some((format!("the configuration has no agent `{agent}`"), help));
        }
        Who::Role(role) if !known.agents.is_empty() && !known.role_exists(role) => {
            let help = nearest(role, known.agents.values().flatten().map(String::as_str));
            return Some((format!("no agent in the configuration has the role `{role}`"), help));
        }
        Who::Any | Who::Agent(_) | Who::Role(_) => {}
    }
    if !model.possible(scope.actions, scope.kinds) {
        return Some(("none of its actions applies to such a resource".into(), String::new()));
    }
    if known.targets.is_empty() {
        None
    } else {
        scope.anchor.as_ref().and_then(|anchor| nowhere(anchor, known))
    }
}

/// Why no target has what the rule's resource is in.
fn nowhere(anchor: &Anchor, known: &Known) -> Option<(String, String)> {
    let targets = known.targets.values();
    match anchor.kind {
        Kind::Label => {
            let mut labels = targets.flat_map(|target| &target.labels).map(String::as_str);
            (!labels.clone().any(|label| label == anchor.id)).then(|| {
                (
                    format!("no target in the configuration has the label `{}`", anchor.id),
                    nearest(&anchor.id, &mut labels),
                )
            })
        }
        Kind::Protocol => {
            let mut protocols = targets.map(|target| target.protocol.as_str());
            (!protocols.clone().any(|protocol| protocol == anchor.id)).then(|| {
                let message = format!("no target in the configuration speaks `{}`", anchor.id);
                (message, nearest(&anchor.id, &mut protocols))
            })
        }
        _ => {
            let target = uid::split(&anchor.id)?.into_iter().next()?;
            (!known.targets.contains_key(&target)).then(|| {
                let help = nearest(&target, known.targets.keys().map(String::as_str));
                (format!("the configuration has no target `{target}`"), help)
            })
        }
    }
}

/// A permit whose every request is permitted, or forbidden, by another rule without conditions.
fn shadowed(position: usize, rule: &Rule, broad: &[(usize, &Rule)], known: &Known) -> Option<Diagnostic> {
    broad.iter().find_map(|(other_position, other)| {
        if *other_position == position || !other.scope.covers(&rule.scope, known) {
            return None;
        }
        let place = format!("`{}` ({}:{})", other.id, other.at.file, other.at.line);
        if other.effect == Effect::Forbid {
            let message = format!("policy `{}` permits nothing: {place} forbids all of it", rule.id);
            return Some(rule.at.warning(message, "remove one of them, or give the forbid a condition"));
        }
        // Of two equal ones, only the later is pointless.
        let equal = !rule.reads.conditional && rule.scope.covers(&other.scope, known);
        if (equal && *other_position > position) || (rule.record_binds && !other.record_binds) {
            return None;
        }
        let message = format!("policy `{}` adds nothing: {place} permits all of it already", rule.id);
        Some(rule.at.warning(message, "remove it, or narrow the broader one"))
    })
}

/// `did you mean …?`, if something similar exists.
fn nearest<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> String {
    let best = known.map(|name| (distance(wanted, name), name)).min();
    match best {
        Some((distance, name)) if distance <= 1 + wanted.chars().count() / 4 => {
            format!("did you mean `{name}`?")
        }
        _ => String::new(),
    }
}

/// Edits between two names (Levenshtein). Names are short.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (n, c) in one.chars().enumerate() {
        let mut last = n;
        let mut left = n + 1;
        for (cell, d) in row.iter_mut().skip(1).zip(&other) {
            let up = *cell;
            left = (last + usize::from(c != *d)).min(up + 1).min(left + 1);
            last = up;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = n + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
