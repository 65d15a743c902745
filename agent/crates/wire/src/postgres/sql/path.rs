//! Which schemas an unqualified name may be in.

use super::{Scope, builtin};

/// The schema of temporary objects, whatever its number in this session.
pub(super) const TEMP: &str = "pg_temp";
/// The schema of what PostgreSQL brings along.
pub(super) const CATALOG: &str = "pg_catalog";

/// The effective search path at one point of a query string.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Path {
    /// The schemas in order; empty when they are not known.
    schemas: Vec<Box<str>>,
    /// What `$user` stands for; empty when that is not known.
    user: Box<str>,
}

impl Path {
    pub(super) fn new(scope: &Scope) -> Self {
        let mut path = Self { schemas: Vec::new(), user: scope.user.clone() };
        for schema in &scope.search_path {
            path.schemas.push(if is_temp(schema) { TEMP.into() } else { schema.clone() });
        }
        path.complete();
        path
    }

    /// The catalog is searched first wherever a path does not name it.
    fn complete(&mut self) {
        if !self.schemas.is_empty() && !self.schemas.iter().any(|schema| &**schema == CATALOG) {
            let at = usize::from(self.schemas.first().is_some_and(|first| &**first == TEMP));
            self.schemas.insert(at, CATALOG.into());
        }
    }

    /// Nothing is known about it any more.
    pub(super) fn forget(&mut self) {
        self.schemas.clear();
        self.user = "".into();
    }

    pub(super) const fn is_known(&self) -> bool {
        !self.schemas.is_empty()
    }

    /// From now on there are temporary objects, and they are searched first.
    pub(super) fn add_temp(&mut self) {
        if self.is_known() && !self.schemas.iter().any(|schema| &**schema == TEMP) {
            self.schemas.insert(0, TEMP.into());
        }
    }

    /// The path that `SET search_path` gives. Schemas that do not exist stay in it: one candidate too many. So does the
    /// one of temporary objects if nobody knows whether there are any.
    pub(super) fn set(&mut self, names: &[&str]) {
        let temp = !self.is_known() || self.schemas.iter().any(|schema| &**schema == TEMP);
        self.schemas.clear();
        if self.user.is_empty() && names.contains(&"$user") {
            return;
        }
        for name in names {
            let name = if *name == "$user" { &*self.user } else { name };
            if !name.is_empty() {
                self.schemas.push(if is_temp(name) { TEMP.into() } else { name.into() });
            }
        }
        self.complete();
        if temp {
            self.add_temp();
        }
    }

    /// The one schema that the elements of its `CREATE SCHEMA` are read in.
    pub(super) fn enter(&mut self, schema: &str) {
        self.schemas = vec![if is_temp(schema) { TEMP.into() } else { schema.into() }];
        self.complete();
    }

    /// Where a relation of that name may be found, in order.
    pub(super) fn of_relation(&self, name: &str) -> Vec<Box<str>> {
        self.candidates(name, builtin::relation(name), true)
    }

    /// Where a routine of that name may be found. Temporary schemas are never searched for one.
    pub(super) fn of_routine(&self, name: &str) -> Vec<Box<str>> {
        self.candidates(name, builtin::routine(name).map(|routine| routine.since), false)
    }

    /// Where a type, operator or the like of that name may be found: anywhere.
    pub(super) fn of_other(&self, name: &str) -> Vec<Box<str>> {
        self.candidates(name, None, true)
    }

    fn candidates(&self, name: &str, builtin: Option<builtin::Since>, temp: bool) -> Vec<Box<str>> {
        let mut found = Vec::new();
        for schema in &self.schemas {
            match &**schema {
                TEMP if !temp => {}
                CATALOG => match builtin {
                    // It certainly is here, so the rest of the path is not looked at.
                    Some(builtin::Since::Always) => {
                        found.push(schema.clone());
                        break;
                    }
                    Some(builtin::Since::Newer) => found.push(schema.clone()),
                    // A system object of a version that we have no list of.
                    None if name.starts_with("pg_") => found.push(schema.clone()),
                    None => {}
                },
                _ => found.push(schema.clone()),
            }
        }
        found
    }

    /// Where a new relation of that kind is made.
    pub(super) fn for_new(&self) -> Option<Box<str>> {
        self.schemas.iter().find(|schema| !matches!(&***schema, TEMP | CATALOG)).cloned()
    }
}

/// Is it the alias or the real name of a schema of temporary objects?
pub(super) fn is_temp(schema: &str) -> bool {
    schema.strip_prefix(TEMP).is_some_and(|rest| {
        rest.is_empty()
            || rest.strip_prefix('_').is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests;
