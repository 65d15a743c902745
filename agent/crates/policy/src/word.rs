//! Puts a judgement into words.

use crate::asked::Asked;
use crate::judge::Cause;
use crate::kind::Kind;
use crate::load::Rule;
use crate::pairs::Pair;
use crate::ruling::{Effect, Ruling};
use crate::set::PolicySet;
use crate::uid;
use std::sync::Arc;
use wire::{Certainty, Meaning};

/// Most policies named in one sentence.
const NAMED_MAX: usize = 4;
/// Longest message of Cedar, and longest id, that a reason repeats, in characters.
const QUOTED_MAX: usize = 300;

/// All of it is permitted.
pub(crate) fn permitted(set: &PolicySet, asked: &Asked<'_>, rules: &[u32]) -> Ruling {
    let rules = chosen(set, rules);
    ruling(asked, Effect::Forward, &rules, format!("permitted by {}", names(&rules)), "")
}

/// It is permitted once these groups have approved it.
pub(crate) fn held(
    set: &PolicySet,
    asked: &Asked<'_>,
    groups: Vec<String>,
    rules: &[u32],
    refused: &Pair,
) -> Ruling {
    let rules = chosen(set, rules);
    let wanted = groups.iter().map(|group| format!("`{group}`")).collect::<Vec<_>>().join(" and ");
    let reason = format!(
        "`{}` may {} only with the approval of {wanted}, by {}{}",
        asked.who.agent,
        shown(refused),
        names(&rules),
        doubt(asked.meaning)
    );
    let hint = format!("ask a member of {wanted} to approve it");
    ruling(asked, Effect::Hold { groups }, &rules, reason, &hint)
}

/// One pair is refused.
pub(crate) fn refused(set: &PolicySet, asked: &Asked<'_>, pair: &Pair, cause: &Cause) -> Ruling {
    let (agent, what, doubt) = (&asked.who.agent, shown(pair), doubt(asked.meaning));
    match cause {
        Cause::Forbidden(rules) => {
            let rules = chosen(set, rules);
            let hint = rules.iter().find_map(|rule| rule.hint.as_deref());
            let hint = hint
                .unwrap_or("a policy forbids this whatever else permits it; leave it out of the statement");
            let reason = format!("forbidden by {}: `{agent}` may not {what}{doubt}", names(&rules));
            ruling(asked, Effect::Deny, &rules, reason, hint)
        }
        Cause::Failed(rule, error) => {
            let rules = chosen(set, &[*rule]);
            let reason = format!(
                "policy {} failed, so `{agent}` may not {what}: {}{doubt}",
                names(&rules),
                clipped(error)
            );
            ruling(asked, Effect::Deny, &rules, reason, "ask whoever maintains the policies to repair it")
        }
        Cause::NotPermitted => {
            let reason = format!("no policy permits `{agent}` to {what}{doubt}");
            ruling(asked, Effect::Deny, &[], reason, &missing(asked.meaning))
        }
        Cause::NoSuchPair => {
            let reason = format!("no policy can permit `{agent}` to {what}{doubt}");
            ruling(
                asked,
                Effect::Deny,
                &[],
                reason,
                "rewrite the statement so that it can be read completely",
            )
        }
    }
}

/// The operation could not be judged at all.
pub(crate) fn unjudged(asked: &Asked<'_>, why: &str) -> Ruling {
    let verb: String = asked.meaning.verb.chars().take(QUOTED_MAX).collect();
    let reason =
        format!("{verb} by `{}` is refused: {}{}", asked.who.agent, clipped(why), doubt(asked.meaning));
    ruling(
        asked,
        Effect::Deny,
        &[],
        reason,
        "rewrite the statement, or ask whoever maintains the configuration",
    )
}

fn missing(meaning: &Meaning) -> String {
    match meaning.certainty {
        Certainty::Exact => "ask whoever maintains the policies for one that permits this".to_owned(),
        Certainty::Partial | Certainty::Opaque => {
            "write the statement so that everything in it can be resolved: plain names, no dynamic SQL"
                .to_owned()
        }
    }
}

fn ruling(asked: &Asked<'_>, effect: Effect, rules: &[&Rule], reason: String, hint: &str) -> Ruling {
    let record_binds = effect == Effect::Forward && rules.iter().any(|rule| rule.record_binds);
    Ruling {
        effect,
        policies: rules.iter().map(|rule| Arc::clone(&rule.id)).collect(),
        reason: reason.into(),
        hint: hint.into(),
        resources: resources(asked),
        record_binds,
    }
}

fn chosen<'a>(set: &'a PolicySet, rules: &[u32]) -> Vec<&'a Rule> {
    let mut chosen: Vec<&Rule> = rules.iter().filter_map(|number| set.rules.get(*number as usize)).collect();
    chosen.sort_by(|one, other| one.id.cmp(&other.id));
    chosen
}

fn names(rules: &[&Rule]) -> String {
    let shown = rules.iter().take(NAMED_MAX).map(|rule| format!("`{}`", rule.id)).collect::<Vec<_>>();
    match rules.len().saturating_sub(NAMED_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `write table shop-db/shop/public/orders`.
fn shown(pair: &Pair) -> String {
    let action = pair.action.name();
    if pair.kind == Kind::Target && pair.action == wire::Action::Connect {
        return format!("{action} to target {}", clipped(&pair.id));
    }
    format!("{action} {} {}", pair.kind.word(), clipped(&pair.id))
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(QUOTED_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

fn doubt(meaning: &Meaning) -> String {
    let lead = match meaning.certainty {
        Certainty::Exact => return String::new(),
        Certainty::Partial => "; the statement was understood only in part",
        Certainty::Opaque => "; the statement could not be read",
    };
    if meaning.doubt.is_empty() { lead.to_owned() } else { format!("{lead}: {}", clipped(&meaning.doubt)) }
}

fn resources(asked: &Asked<'_>) -> Arc<[Arc<str>]> {
    let accesses = &asked.meaning.accesses;
    let mut list: Vec<Arc<str>> = Vec::with_capacity(accesses.len().min(Ruling::RESOURCES_MAX + 1));
    for access in accesses.iter().take(Ruling::RESOURCES_MAX) {
        let id = uid::of(&asked.at.target, &asked.at.database, &access.resource);
        let kind = access.resource.kind.name();
        list.push(format!("{} {kind} {}", access.action.name(), clipped(&id)).into());
    }
    match accesses.len().saturating_sub(Ruling::RESOURCES_MAX) {
        0 => {}
        more => list.push(format!("and {more} more").into()),
    }
    list.into()
}
