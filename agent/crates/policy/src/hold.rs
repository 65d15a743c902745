//! Finds the approvals that would turn a refusal into a permission.

use crate::judge::{Hearing, Judgement};
use crate::set::PolicySet;
use std::collections::BTreeSet;

/// Most groups in one set.
const SIZE_MAX: usize = 3;
/// Most groups tried; beyond that the first by name. 8 + 28 + 56 judgements at worst.
const GROUPS_MAX: usize = 8;

/// A smallest set of groups, among those that the rules about this operation name, whose approval permits all of it: the
/// first by name among equally small ones.
///
/// # Errors
/// As [`Hearing::judge`].
pub(crate) fn groups(set: &PolicySet, hearing: &Hearing) -> Result<Option<(Vec<String>, Vec<u32>)>, String> {
    let rules = hearing.pairs.iter().flat_map(|(_, rules)| rules);
    let named: BTreeSet<&str> = rules
        .filter_map(|number| set.rules.get(*number as usize))
        .flat_map(|rule| rule.reads.groups.iter().map(String::as_str))
        .collect();
    let named: Vec<&str> = named.into_iter().take(GROUPS_MAX).collect();
    for size in 1..=SIZE_MAX.min(named.len()) {
        for chosen in subsets(&named, size) {
            if let Judgement::Permitted(rules) = hearing.judge(set, &chosen)? {
                return Ok(Some((chosen.into_iter().map(str::to_owned).collect(), rules)));
            }
        }
    }
    Ok(None)
}

/// All subsets of this size, in order.
fn subsets<'a>(items: &[&'a str], size: usize) -> Vec<Vec<&'a str>> {
    if size == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (n, item) in items.iter().enumerate() {
        for mut rest in subsets(items.get(n + 1..).unwrap_or_default(), size - 1) {
            rest.insert(0, item);
            all.push(rest);
        }
    }
    all
}

#[cfg(test)]
mod tests;
