//! Globs over cgroup paths: `/user.slice/*/agent-?`, `/agents/**`.
use super::CgroupError;
use std::path::Path;

/// The longest pattern, in bytes.
const BYTES_MAX: usize = 4096;

/// A cgroup path from the hierarchy's root, in which `*` stands for any text and `?` for one character inside a
/// component, and `**` as a whole component for any number of components, also none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    components: Box<[Box<str>]>,
}

impl Pattern {
    /// Reads a pattern.
    pub fn new(pattern: &str) -> Result<Self, CgroupError> {
        let refuse = |reason| CgroupError::Pattern { pattern: pattern.to_owned(), reason };
        if pattern.len() > BYTES_MAX {
            return Err(refuse("it is longer than 4096 bytes"));
        }
        let Some(inside) = pattern.strip_prefix('/') else {
            return Err(refuse("it must start with `/`, the hierarchy's root"));
        };
        let components: Box<[Box<str>]> =
            inside.split('/').filter(|part| !part.is_empty()).map(Box::from).collect();
        for component in &components {
            if matches!(&**component, "." | "..") {
                return Err(refuse("`.` and `..` are no cgroups"));
            }
            if component.contains("**") && &**component != "**" {
                return Err(refuse("`**` stands for whole components only"));
            }
        }
        if components.is_empty() {
            return Err(refuse("it names the hierarchy's root, which holds every process of the host"));
        }
        Ok(Self { components })
    }

    /// Whether it has neither `*` nor `?`, and so names one cgroup.
    pub fn is_literal(&self) -> bool {
        !self.components.iter().any(|component| component.contains(['*', '?']))
    }

    /// Whether a path from the hierarchy's root (with or without the leading `/`) is meant.
    pub fn matches(&self, path: &Path) -> bool {
        let mut names = Vec::new();
        for component in path.components() {
            if let std::path::Component::Normal(name) = component {
                names.push(name.to_string_lossy());
            }
        }
        // One row of the usual table: `row[n]` says whether the components so far match the first n names.
        let mut row = vec![false; names.len() + 1];
        if let Some(first) = row.first_mut() {
            *first = true;
        }
        for component in &self.components {
            let mut next = vec![false; names.len() + 1];
            let deep = &**component == "**";
            let mut reached = false;
            for (index, &before) in row.iter().enumerate() {
                reached |= before;
                if deep {
                    if let Some(cell) = next.get_mut(index) {
                        *cell = reached;
                    }
                } else if before && let (Some(name), Some(cell)) = (names.get(index), next.get_mut(index + 1))
                {
                    *cell = fits(component, name);
                }
            }
            row = next;
        }
        row.last().copied().unwrap_or(false)
    }
}

/// Matches one component: greedy, going back to the last `*` on a mismatch, so in time of the product of the lengths.
fn fits(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    let mut retry = None;
    loop {
        let before = pattern.clone();
        match pattern.next() {
            Some('*') => {
                retry = Some((pattern.clone(), name.clone()));
                continue;
            }
            Some(wanted) => match name.next() {
                Some(found) if wanted == '?' || wanted == found => continue,
                Some(_) => {}
                None => return before.clone().all(|rest| rest == '*'),
            },
            None if name.clone().next().is_none() => return true,
            None => {}
        }
        match &mut retry {
            Some((after_star, skipped)) => {
                if skipped.next().is_none() {
                    return false;
                }
                (pattern, name) = (after_star.clone(), skipped.clone());
            }
            None => return false,
        }
    }
}
