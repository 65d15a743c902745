//! Asks Cedar about every pair of one operation, each against the rules that can match it.

use crate::asked::Asked;
use crate::entities::{Gathered, string};
use crate::pairs::{self, Pair};
use crate::schema::uid;
use crate::set::PolicySet;
use crate::uid::chain;
use cedar_policy::{Context, Effect, Entities, EntityUid, Request, RestrictedExpression};

/// An operation made ready for judgement: what of it does not depend on approvals.
pub(crate) struct Hearing {
    principal: EntityUid,
    /// The pairs, and for each the rules (by number) that can match it.
    pub pairs: Vec<(Pair, Vec<u32>)>,
    entities: Entities,
    facts: Vec<(String, RestrictedExpression)>,
}

/// The outcome for the operation as a whole.
#[derive(Debug)]
pub(crate) enum Judgement {
    /// Every pair is permitted, by these rules.
    Permitted(Vec<u32>),
    /// The pair with this number is not.
    Refused(usize, Cause),
}

/// Why a pair is refused.
#[derive(Debug)]
pub(crate) enum Cause {
    /// These rules forbid it.
    Forbidden(Vec<u32>),
    /// This rule could not be evaluated.
    Failed(u32, String),
    /// No rule permits it.
    NotPermitted,
    /// The schema has no such pair: nothing could permit it.
    NoSuchPair,
}

impl Hearing {
    /// Finds the rules and makes the entities.
    ///
    /// # Errors
    /// Why the operation can't be judged; it must be denied.
    pub(crate) fn new(set: &PolicySet, asked: &Asked<'_>) -> Result<Self, String> {
        let Asked { who, at, meaning, hour } = *asked;
        let Some(target) = set.known.targets.get(&*at.target) else {
            return Err(format!("target `{}` is not in the configuration", at.target));
        };
        let names = set.index.names(&who.agent, &set.known);
        let pairs = pairs::list(meaning, (&at.target, &at.database), target, &set.columns)?
            .into_iter()
            .map(|pair| {
                let mut found = Vec::new();
                let groups = target.groups();
                set.index.find(&names, pair.action, chain(pair.kind, &pair.id).chain(groups), &mut found);
                (pair, found)
            })
            .collect::<Vec<_>>();
        let mut entities = Gathered::new(set);
        entities.agent(who);
        for (pair, rules) in &pairs {
            entities.resource(pair.kind, &pair.id);
            entities.named_by(rules);
        }
        let mut facts = vec![
            ("certainty".to_owned(), string(meaning.certainty.name())),
            ("hour".to_owned(), RestrictedExpression::new_long(i64::from(hour))),
            ("statements".to_owned(), RestrictedExpression::new_long(i64::from(meaning.facts.statements))),
        ];
        let facts_given =
            meaning.facts.filtered.map(|is| ("filtered".to_owned(), RestrictedExpression::new_bool(is)));
        facts.extend(facts_given);
        facts.extend(
            meaning.facts.limit.map(|rows| ("limit".to_owned(), RestrictedExpression::new_long(rows))),
        );
        facts.extend(who.task.as_ref().map(|task| {
            ("task".to_owned(), RestrictedExpression::new_entity_uid(uid(&set.model.task, task)))
        }));
        Ok(Self { principal: uid(&set.model.agent, &who.agent), pairs, entities: entities.finish()?, facts })
    }

    /// Judges with these approvals.
    ///
    /// # Errors
    /// As [`Hearing::new`].
    pub(crate) fn judge(&self, set: &PolicySet, approvals: &[&str]) -> Result<Judgement, String> {
        let approvals = RestrictedExpression::new_set(approvals.iter().map(|group| string(group)));
        let facts = self.facts.iter().cloned().chain([("approvals".to_owned(), approvals)]);
        let context = Context::from_pairs(facts).map_err(|error| error.to_string())?;
        let mut permits = Vec::new();
        for (number, (pair, rules)) in self.pairs.iter().enumerate() {
            if let Err(cause) = self.pair(set, pair, rules, &context, &mut permits)? {
                return Ok(Judgement::Refused(number, cause));
            }
        }
        permits.sort_unstable();
        permits.dedup();
        Ok(Judgement::Permitted(permits))
    }

    /// Judges one pair: failed rules refuse it, then forbids do, then it takes a permit.
    fn pair(
        &self,
        set: &PolicySet,
        pair: &Pair,
        rules: &[u32],
        context: &Context,
        permits: &mut Vec<u32>,
    ) -> Result<Result<(), Cause>, String> {
        let applies = set.model.applies(pair.action) & pair.kind.bit() != 0;
        let names = (set.model.action(pair.action), set.model.resource(pair.kind, &pair.id));
        let (true, (Some(action), Some(resource))) = (applies, names) else {
            return Ok(Err(Cause::NoSuchPair));
        };
        let request = Request::new(self.principal.clone(), action, resource, context.clone(), None)
            .map_err(|error| error.to_string())?;
        let (mut forbids, mut permitted) = (Vec::new(), false);
        for number in rules {
            let Some(rule) = set.rules.get(*number as usize) else {
                return Err("the index of policies is damaged".to_owned());
            };
            let response = set.authorizer.is_authorized(&request, &rule.alone, &self.entities);
            if let Some(error) = response.diagnostics().errors().next() {
                return Ok(Err(Cause::Failed(*number, error.to_string())));
            }
            if response.diagnostics().reason().next().is_none() {
                continue; // its scope or conditions do not hold
            }
            match rule.effect {
                Effect::Permit => {
                    permits.push(*number);
                    permitted = true;
                }
                Effect::Forbid => forbids.push(*number),
            }
        }
        Ok(if !forbids.is_empty() {
            Err(Cause::Forbidden(forbids))
        } else if permitted {
            Ok(())
        } else {
            Err(Cause::NotPermitted)
        })
    }
}
