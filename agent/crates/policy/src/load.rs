//! From policy text to validated rules.

use crate::catalog::Source;
use crate::condition::Reads;
use crate::diagnostic::{At, Diagnostic};
use crate::kind::{ACTIONS, Kind};
use crate::schema::Model;
use crate::scope::Scope;
use crate::uid;
use cedar_policy::{
    Effect, ParseErrors, Policy, PolicyId, PolicySet, ValidationMode, ValidationWarning, Validator,
};
use hashbrown::{HashMap, HashSet};
use std::str::FromStr as _;
use std::sync::Arc;

/// Most policies in one set.
const POLICIES_MAX: usize = 20_000;
/// Longest policy id, in bytes.
const ID_BYTES_MAX: usize = 128;
/// Annotations that mean something.
const ANNOTATIONS: [&str; 4] = ["description", "hint", "id", "record"];

/// One policy, ready to be asked.
pub(crate) struct Rule {
    /// Its `@id`.
    pub id: Arc<str>,
    /// It alone, so that Cedar can be asked about just this one.
    pub alone: PolicySet,
    /// Permit or forbid.
    pub effect: Effect,
    /// Its scope.
    pub scope: Scope,
    /// What its conditions read.
    pub reads: Reads,
    /// Its `@hint`.
    pub hint: Option<Arc<str>>,
    /// It has `@record("binds")`.
    pub record_binds: bool,
    /// Where it begins.
    pub at: At,
    /// Cedar has already warned that it can never match.
    pub impossible: bool,
}

/// Parses and validates. Problems that refuse the policies have severity `Error`; the rules are then incomplete.
pub(crate) fn load(sources: &[Source], model: &Model, problems: &mut Vec<Diagnostic>) -> Vec<Rule> {
    let mut parsed = Vec::new();
    for source in sources {
        parse(source, problems, &mut parsed);
    }
    if parsed.len() > POLICIES_MAX {
        let file = sources.first().map_or("", |source| source.name.as_str());
        problems.push(At::file(file).error(
            format!("{} policies; at most {POLICIES_MAX} can be loaded", parsed.len()),
            "split them between agents' hosts, or use fewer and broader ones",
        ));
        return Vec::new();
    }
    let mut impossible = HashSet::new();
    validate(sources, &parsed, model, problems, &mut impossible);
    let mut rules = Vec::new();
    for Parsed { policy, at, .. } in parsed {
        let never = impossible.contains(&policy.id().to_string());
        rules.extend(rule(policy, at, never, problems));
    }
    rules
}

/// A policy that has an id of its own.
struct Parsed {
    policy: Policy,
    at: At,
    source: usize,
}

fn parse(source: &Source, problems: &mut Vec<Diagnostic>, parsed: &mut Vec<Parsed>) {
    let index = parsed.last().map_or(0, |last: &Parsed| last.source + 1);
    if source.text.len() > Source::BYTES_MAX {
        let message = format!("{} bytes; a policy file has at most {}", source.text.len(), Source::BYTES_MAX);
        problems.push(At::file(&source.name).error(message, "split the file"));
        return;
    }
    let set = match PolicySet::from_str(&source.text) {
        Ok(set) => set,
        Err(errors) => return unparsed(source, &errors, problems),
    };
    let mut cursor = 0;
    for (policy, template) in in_order(&set) {
        let text = policy.map_or_else(|| template.map(ToString::to_string), |policy| policy.to_cedar());
        let start = text.and_then(|text| Some((source.text.get(cursor..)?.find(text.as_str())?, text.len())));
        let (offset, length) = start.unwrap_or_default();
        let at = At::offset(&source.name, &source.text, cursor + offset);
        cursor += offset + length;
        match policy {
            None => problems.push(at.error(
                "templates can't be used yet",
                "write the principal and resource out instead of `?principal` and `?resource`",
            )),
            Some(policy) => {
                if let Some(policy) = named(policy, &at, parsed, problems) {
                    parsed.push(Parsed { policy, at, source: index });
                }
            }
        }
    }
}

/// Policies and templates as the file has them; Cedar numbers both `policy0`, `policy1`, …
fn in_order(set: &PolicySet) -> Vec<(Option<&Policy>, Option<&cedar_policy::Template>)> {
    let number =
        |id: &PolicyId| id.to_string().trim_start_matches("policy").parse::<usize>().unwrap_or(usize::MAX);
    let mut all: Vec<_> = set.policies().map(|policy| (number(policy.id()), Some(policy), None)).collect();
    all.extend(set.templates().map(|template| (number(template.id()), None, Some(template))));
    all.sort_by_key(|(number, ..)| *number);
    all.into_iter().map(|(_, policy, template)| (policy, template)).collect()
}

fn unparsed(source: &Source, errors: &ParseErrors, problems: &mut Vec<Diagnostic>) {
    for error in errors.iter() {
        let at = labelled(error)
            .map_or_else(|| At::file(&source.name), |offset| At::offset(&source.name, &source.text, offset));
        problems.push(at.error(sentence(&error.to_string()), help(error)));
    }
}

/// Gives the policy its `@id` as Cedar's id.
fn named(policy: &Policy, at: &At, parsed: &[Parsed], problems: &mut Vec<Diagnostic>) -> Option<Policy> {
    let Some(id) = policy.annotation("id") else {
        problems.push(at.error(
            "policy without an id",
            "put `@id(\"…\")` in front of it: decisions, audit rows and tests name policies by it",
        ));
        return None;
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/');
    if id.is_empty() || id.len() > ID_BYTES_MAX || !id.chars().all(fits) {
        problems.push(at.error(
            format!("`{id}` can't be a policy's id"),
            format!("use 1 to {ID_BYTES_MAX} of the characters a-z A-Z 0-9 - _ . : /"),
        ));
        return None;
    }
    if let Some(first) = parsed.iter().find(|other| other.policy.annotation("id") == Some(id)) {
        problems.push(at.error(
            format!("a second policy with the id `{id}`"),
            format!("the first is at {}:{}:{}", first.at.file, first.at.line, first.at.column),
        ));
        return None;
    }
    Some(policy.new_id(PolicyId::new(id)))
}

fn validate(
    sources: &[Source],
    parsed: &[Parsed],
    model: &Model,
    problems: &mut Vec<Diagnostic>,
    impossible: &mut HashSet<String>,
) {
    let by_id: HashMap<String, &Parsed> =
        parsed.iter().map(|parsed| (parsed.policy.id().to_string(), parsed)).collect();
    let mut all = PolicySet::new();
    for Parsed { policy, at, .. } in parsed {
        if let Err(error) = all.add(policy.clone()) {
            problems.push(at.error(error.to_string(), ""));
        }
    }
    let place = |id: &PolicyId, offset: Option<usize>| {
        let parsed = by_id.get(&id.to_string())?;
        let source = sources.iter().find(|source| source.name == parsed.at.file)?;
        Some(
            offset.map_or_else(|| parsed.at.clone(), |offset| At::offset(&source.name, &source.text, offset)),
        )
    };
    let result = Validator::new(model.schema.clone()).validate(&all, ValidationMode::Strict);
    for error in result.validation_errors() {
        let at = place(error.policy_id(), labelled(error)).unwrap_or_default();
        // The validator tries every action and resource type that the scope allows, and says the same for each.
        if problems
            .iter()
            .any(|other| (&other.file, other.line, other.column) == (&at.file, at.line, at.column))
        {
            continue;
        }
        let help = advice(&error.to_string()).unwrap_or_else(|| help(error));
        problems.push(
            at.error(about(error.policy_id(), &error.to_string()), about_less(error.policy_id(), &help)),
        );
    }
    // Where no action applies, the validator says twice that the policy is impossible: the first time it says why.
    for warning in result.validation_warnings() {
        let at = place(warning.policy_id(), labelled(warning)).unwrap_or_default();
        let never = match warning {
            ValidationWarning::InvalidActionApplication(_) => {
                "none of its actions applies to such a resource"
            }
            ValidationWarning::ImpossiblePolicy(_) => "its conditions can't be true",
            _ => {
                problems.push(at.warning(about(warning.policy_id(), &warning.to_string()), help(warning)));
                continue;
            }
        };
        if impossible.insert(warning.policy_id().to_string()) {
            let message = format!("policy `{}` never matches: {never}", warning.policy_id());
            problems.push(at.warning(message, help(warning)));
        }
    }
}

fn rule(policy: Policy, at: At, impossible: bool, problems: &mut Vec<Diagnostic>) -> Option<Rule> {
    for (name, _) in policy.annotations().filter(|(name, _)| !ANNOTATIONS.contains(name)) {
        problems.push(at.warning(
            format!("`@{name}` means nothing here"),
            format!("known are @{}", ANNOTATIONS.join(", @")),
        ));
    }
    let record = policy.annotation("record");
    if record.is_some_and(|what| what != "binds") {
        problems.push(at.error("`@record` with something other than `binds`", "write `@record(\"binds\")`"));
    }
    let reads = match Reads::of(&policy) {
        Ok(reads) => reads,
        Err(error) => {
            problems.push(at.error(error, ""));
            return None;
        }
    };
    let scope = Scope::of(&policy);
    ids_fit(&reads, &scope, &at, problems);
    let mut alone = PolicySet::new();
    if let Err(error) = alone.add(policy.clone()) {
        problems.push(at.error(error.to_string(), ""));
        return None;
    }
    Some(Rule {
        id: policy.id().to_string().into(),
        alone,
        effect: policy.effect(),
        scope,
        reads,
        hint: policy.annotation("hint").map(Arc::from),
        record_binds: record.is_some(),
        at,
        impossible,
    })
}

/// An id that no resource can have would make a forbid forbid nothing: refused.
fn ids_fit(reads: &Reads, scope: &Scope, at: &At, problems: &mut Vec<Diagnostic>) {
    let in_scope = scope.anchor.iter().map(|anchor| (anchor.kind, anchor.id.as_str()));
    let named = reads.entities.iter();
    let in_conditions = named.filter_map(|(kind, id)| Some((Kind::from_type_name(kind)?, id.as_str())));
    for (kind, id) in in_scope.chain(in_conditions).filter(|(kind, id)| !uid::well_formed(*kind, id)) {
        problems.push(at.error(
            format!("nothing can be named `{}`", uid::shown(kind.type_name(), id)),
            format!(
                "write `{}`; a `/` within a name is %2F, a `%` is %25",
                uid::shown(kind.type_name(), kind.pattern())
            ),
        ));
    }
}

/// The offset that a Cedar error points at.
fn labelled(error: &dyn miette::Diagnostic) -> Option<usize> {
    error.labels()?.next().map(|label| label.offset())
}

fn help(error: &dyn miette::Diagnostic) -> String {
    error.help().map(|help| help.to_string()).unwrap_or_default()
}

/// Help that Cedar can't give, because it knows only the schema.
fn advice(message: &str) -> Option<String> {
    let known = ACTIONS.map(|action| action.name()).join(", ");
    if message.contains("Action::\"reveal\"") {
        return Some(format!(
            "columns can't be masked yet: forbid `read` of the column instead; actions are {known}"
        ));
    }
    message.contains("unrecognized action").then(|| format!("actions are {known}"))
}

/// Cedar's message about a policy.
fn about(id: &PolicyId, message: &str) -> String {
    format!("policy `{id}`: {}", about_less(id, message))
}

/// Cedar begins some of its sentences with the policy's id, but not all.
fn about_less(id: &PolicyId, message: &str) -> String {
    sentence(message.trim_start_matches(&format!("for policy `{id}`, ")))
}

/// Cedar's message, on one line.
fn sentence(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
