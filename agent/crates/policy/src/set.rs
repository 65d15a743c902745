//! A loaded set of policies.

use crate::asked::Asked;
use crate::cache::Cache;
use crate::catalog::{Catalog, Source};
use crate::diagnostic::{At, Diagnostic, Severity};
use crate::index::Index;
use crate::judge::{Cause, Hearing, Judgement};
use crate::kind::Kind;
use crate::known::Known;
use crate::load::{self, Rule};
use crate::pairs::NamedColumns;
use crate::ruling::Ruling;
use crate::schema::Model;
use crate::visible::Visible;
use crate::{hold, lint, word};
use cedar_policy::Authorizer;
use std::fmt;
use std::sync::Arc;
use wire::Action;

/// Policies that passed validation, with what the configuration knows of agents and targets. Immutable: new policies or
/// a new configuration make a new set, and with it an empty cache.
pub struct PolicySet {
    pub(crate) model: Model,
    pub(crate) known: Known,
    pub(crate) rules: Vec<Rule>,
    pub(crate) index: Index,
    pub(crate) columns: NamedColumns,
    pub(crate) visible: Visible,
    pub(crate) authorizer: Authorizer,
    warnings: Vec<Diagnostic>,
    cache: Cache,
}

impl PolicySet {
    /// Loads policies, strictly validated against the embedded schema.
    ///
    /// # Errors
    /// Everything that is wrong with them, warnings included.
    pub fn load(sources: &[Source], catalog: &Catalog) -> Result<Self, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let model = Model::new().map_err(|error| vec![At::file("schema.cedarschema").error(error, "")])?;
        let known = Known::new(catalog, &mut problems);
        let rules = load::load(sources, &model, &mut problems);
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(problems);
        }
        lint::lint(&rules, &model, &known, &mut problems);
        let mut columns = NamedColumns::default();
        for rule in &rules {
            let in_scope = rule.scope.anchor.iter().filter(|anchor| anchor.kind == Kind::Column);
            in_scope.for_each(|anchor| columns.insert(&anchor.id));
            let in_conditions =
                rule.reads.entities.iter().filter(|(kind, _)| kind == Kind::Column.type_name());
            in_conditions.for_each(|(_, id)| columns.insert(id));
        }
        Ok(Self {
            index: Index::new(&rules),
            visible: Visible::new(&rules),
            model,
            known,
            rules,
            columns,
            authorizer: Authorizer::new(),
            warnings: problems,
            cache: Cache::default(),
        })
    }

    /// Decides one operation. Pure but for the cache: the same question always gets an equal answer.
    pub fn rule(&self, asked: &Asked<'_>) -> Arc<Ruling> {
        if let Some(ruling) = self.cache.get(asked) {
            return ruling;
        }
        let (ruling, hourly) = self.decide(asked);
        let ruling = Arc::new(ruling);
        self.cache.put(asked, hourly, &ruling);
        ruling
    }

    /// Decides one operation without looking at the cache or filling it. For measuring and testing.
    pub fn rule_uncached(&self, asked: &Asked<'_>) -> Ruling {
        self.decide(asked).0
    }

    /// How many policies there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Are there none? Then everything is denied.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What is suspicious about them, but does not refuse them.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The ids of all policies, in the order of their sources.
    pub fn ids(&self) -> impl Iterator<Item = &Arc<str>> {
        self.rules.iter().map(|rule| &rule.id)
    }

    /// The ruling, and whether it could be another one at another hour.
    fn decide(&self, asked: &Asked<'_>) -> (Ruling, bool) {
        let unknown = |access: &wire::Access| access.action == Action::Unknown;
        if asked.meaning.action == Action::Unknown || asked.meaning.accesses.iter().any(unknown) {
            return (word::unjudged(asked, "it was not understood, and no policy can permit that"), false);
        }
        let hearing = match Hearing::new(self, asked) {
            Ok(hearing) => hearing,
            Err(why) => return (word::unjudged(asked, &why), false),
        };
        let mut rules = hearing.pairs.iter().flat_map(|(_, rules)| rules);
        let hourly = rules.any(|number| self.rules.get(*number as usize).is_none_or(|rule| rule.reads.hour));
        let ruling = self.conclude(asked, &hearing).unwrap_or_else(|why| word::unjudged(asked, &why));
        (ruling, hourly)
    }

    fn conclude(&self, asked: &Asked<'_>, hearing: &Hearing) -> Result<Ruling, String> {
        let (number, cause) = match hearing.judge(self, &[])? {
            Judgement::Permitted(rules) => return Ok(word::permitted(self, asked, &rules)),
            Judgement::Refused(number, cause) => (number, cause),
        };
        let Some((pair, _)) = hearing.pairs.get(number) else {
            return Err("the list of pairs is damaged".to_owned());
        };
        // Approvals can lift a forbid or make a permit apply; a policy that fails needs repair, not approval.
        if matches!(cause, Cause::Forbidden(_) | Cause::NotPermitted)
            && let Some((groups, rules)) = hold::groups(self, hearing)?
        {
            return Ok(word::held(self, asked, groups, &rules, pair));
        }
        Ok(word::refused(self, asked, pair, &cause))
    }
}

impl fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicySet").field("policies", &self.rules.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
