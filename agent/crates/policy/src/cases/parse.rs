//! Reads case files.

use crate::diagnostic::{At, Diagnostic};
use crate::kind::action_named;
use crate::known::dotted;
use crate::{AgentFacts, Catalog, Effect, Place, Principal, Source, TargetFacts};
use std::sync::Arc;
use wire::{Access, Action, Certainty, Facts, Meaning, Resource, ResourceKind};

/// Most cases in one file.
const CASES_MAX: usize = 10_000;
/// The words that begin a line, for help texts.
const WORDS: &str = "agent, target, tag, case, as, on, with, sql, does, expect";
/// The facts of `with`, for help texts.
const FACTS: &str =
    "certainty, container, exe, filtered, hour, limit, search_path, statements, task, uid, user";

/// A file of cases.
#[derive(Debug, Default)]
pub(super) struct File {
    /// What it declares.
    pub catalog: Catalog,
    /// Its cases.
    pub cases: Vec<Case>,
}

/// One case: operations of one agent, all with the same expected ruling.
#[derive(Debug)]
pub(super) struct Case {
    pub title: String,
    pub who: Principal,
    pub at: Place,
    pub hour: u8,
    pub search_path: Vec<String>,
    pub user: String,
    /// With the lines they begin in.
    pub operations: Vec<(u32, What)>,
    pub expected: Expected,
}

/// One operation.
#[derive(Debug)]
pub(super) enum What {
    Sql(String),
    Does(Arc<Meaning>),
}

impl What {
    /// In one line.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Sql(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
            Self::Does(meaning) => {
                let one = |access: &Access| format!("{} {}", access.action.name(), access.resource);
                meaning.accesses.iter().map(one).collect::<Vec<_>>().join(", ")
            }
        }
    }
}

/// The expected ruling.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub effect: Effect,
    /// Policies that must be among the deciding ones; none at all if empty.
    pub by: Option<Vec<String>>,
}

/// A case, or the defaults, while its lines are read.
#[derive(Clone, Debug)]
struct Draft {
    line: u32,
    title: String,
    agent: Option<String>,
    place: Option<(String, String)>,
    facts: Facts,
    certainty: Certainty,
    hour: u8,
    search_path: Vec<String>,
    user: String,
    exe: String,
    uid: u32,
    container: Option<String>,
    task: Option<String>,
    sql: Vec<(u32, String)>,
    does: Vec<(u32, Access)>,
    expected: Option<Expected>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            line: 0,
            title: String::new(),
            agent: None,
            place: None,
            facts: Facts { filtered: None, limit: None, statements: 1 },
            certainty: Certainty::Exact,
            hour: 12,
            search_path: vec!["pg_catalog".into(), "public".into()],
            user: "postgres".into(),
            exe: "/usr/bin/test".into(),
            uid: 1000,
            container: None,
            task: None,
            sql: Vec::new(),
            does: Vec::new(),
            expected: None,
        }
    }
}

/// What is wrong with a line, and what to do.
type Wrong = (String, String);

/// Reads a file.
///
/// # Errors
/// Every line that can't be read and every case that lacks something.
pub(super) fn file(source: &Source) -> Result<File, Vec<Diagnostic>> {
    let mut reader = Reader { file: File::default(), defaults: Draft::default(), draft: None };
    let mut problems = Vec::new();
    for (number, line) in (1..).zip(source.text.lines()) {
        let at = At { file: source.name.clone(), line: number, column: 1 };
        if let Err((message, help)) = reader.line(number, line) {
            problems.push(at.error(message, help));
        }
        if reader.file.cases.len() > CASES_MAX {
            problems.push(at.error(format!("more than {CASES_MAX} cases"), "split the file"));
            break;
        }
    }
    if let Err((line, (message, help))) = reader.finish() {
        problems.push(At { file: source.name.clone(), line, column: 1 }.error(message, help));
    }
    if problems.is_empty() { Ok(reader.file) } else { Err(problems) }
}

struct Reader {
    file: File,
    defaults: Draft,
    draft: Option<Draft>,
}

impl Reader {
    fn line(&mut self, number: u32, line: &str) -> Result<(), Wrong> {
        let trimmed = line.trim();
        let (word, rest) = trimmed.split_once(char::is_whitespace).unwrap_or((trimmed, ""));
        match (word, trimmed.strip_prefix('|')) {
            ("sql", _) => self.draft()?.sql.push((number, rest.trim().to_owned())),
            (_, Some(more)) => self.more_sql(more.trim())?,
            _ => {
                let rest = without_comment(rest);
                let items: Vec<&str> = rest.split([' ', '\t', ',']).filter(|item| !item.is_empty()).collect();
                match without_comment(word) {
                    "" => {}
                    "case" => {
                        self.finish().map_err(|(_, wrong)| wrong)?;
                        let title = rest.to_owned();
                        self.draft = Some(Draft { line: number, title, ..self.defaults.clone() });
                    }
                    "agent" | "target" | "tag" => self.declare(word, &items)?,
                    "does" => {
                        let access = access(rest)?;
                        self.draft()?.does.push((number, access));
                    }
                    "expect" => {
                        let expected = expected(rest)?;
                        self.draft()?.expected = Some(expected);
                    }
                    "as" | "on" | "with" => self.set(word, rest, &items)?,
                    _ => {
                        return Err((
                            format!("`{word}` begins no line of a case file"),
                            format!("lines begin with {WORDS}"),
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    fn draft(&mut self) -> Result<&mut Draft, Wrong> {
        let help = "begin the case with `case` and a title".to_owned();
        self.draft.as_mut().ok_or_else(|| ("not within a case".to_owned(), help))
    }

    fn more_sql(&mut self, more: &str) -> Result<(), Wrong> {
        let last = self.draft()?.sql.last_mut();
        let (_, text) =
            last.ok_or_else(|| ("nothing to go on with".to_owned(), "begin with a `sql` line".to_owned()))?;
        text.push('\n');
        text.push_str(more);
        Ok(())
    }

    fn declare(&mut self, word: &str, items: &[&str]) -> Result<(), Wrong> {
        if self.draft.is_some() {
            let help =
                "declare agents, targets and tags before the first case; within one, `as` names its agent";
            return Err((format!("`{word}` within a case"), help.to_owned()));
        }
        let owned = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
        let catalog = &mut self.file.catalog;
        match (word, items) {
            ("agent", [name, roles @ ..]) => {
                catalog.agents.push(AgentFacts { name: (*name).to_owned(), roles: owned(roles) });
            }
            ("target", [name, protocol, labels @ ..]) => catalog.targets.push(TargetFacts {
                name: (*name).to_owned(),
                protocol: (*protocol).to_owned(),
                labels: owned(labels),
                tags: Vec::new(),
            }),
            ("tag", [target, named, tags @ ..]) if !tags.is_empty() => {
                let found = catalog.targets.iter_mut().find(|known| known.name == *target);
                let help = "put its `target` line before";
                let found = found.ok_or_else(|| (format!("no target `{target}`"), help.to_owned()))?;
                found.tags.push(((*named).to_owned(), owned(tags)));
            }
            _ => {
                let help =
                    "write `agent NAME ROLE…`, `target NAME PROTOCOL LABEL…` or `tag TARGET TABLE TAG…`";
                return Err((format!("`{word}` lacks something"), help.to_owned()));
            }
        }
        Ok(())
    }

    fn set(&mut self, word: &str, rest: &str, items: &[&str]) -> Result<(), Wrong> {
        let draft = self.draft.as_mut().unwrap_or(&mut self.defaults);
        match (word, items) {
            ("as", [agent]) => draft.agent = Some((*agent).to_owned()),
            ("on", [place]) => {
                let (target, database) = place.split_once('/').unwrap_or((place, ""));
                draft.place = Some((target.to_owned(), database.to_owned()));
            }
            ("with", [name, ..]) => {
                let value = rest.split_once(char::is_whitespace).map_or("", |(_, value)| value.trim());
                draft.fact(name, value).ok_or_else(|| {
                    (
                        format!("`{value}` is no {name}, or there is no such fact"),
                        format!("facts are {FACTS}"),
                    )
                })?;
            }
            _ => {
                let help = "write `as AGENT`, `on TARGET/DATABASE` or `with FACT VALUE`".to_owned();
                return Err((format!("`{word}` takes one thing"), help));
            }
        }
        Ok(())
    }

    /// Ends the case that is being read.
    fn finish(&mut self) -> Result<(), (u32, Wrong)> {
        if let Some(draft) = self.draft.take() {
            let line = draft.line;
            self.file.cases.push(draft.finish().map_err(|wrong| (line, wrong))?);
        }
        Ok(())
    }
}

impl Draft {
    fn fact(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "certainty" => {
                let all = [Certainty::Exact, Certainty::Partial, Certainty::Opaque];
                self.certainty = all.into_iter().find(|certainty| certainty.name() == value)?;
            }
            "container" => self.container = Some(value.to_owned()),
            "exe" => value.clone_into(&mut self.exe),
            "filtered" => self.facts.filtered = Some(yes(value)?),
            "hour" => self.hour = value.parse().ok().filter(|hour| *hour < 24)?,
            "limit" => self.facts.limit = Some(value.parse().ok()?),
            "search_path" => self.search_path = value.split(',').map(|part| part.trim().to_owned()).collect(),
            "statements" => self.facts.statements = value.parse().ok()?,
            "task" => self.task = Some(value.to_owned()),
            "uid" => self.uid = value.parse().ok()?,
            "user" => value.clone_into(&mut self.user),
            _ => return None,
        }
        Some(())
    }

    fn finish(self) -> Result<Case, Wrong> {
        let lacks = |what: &str, help: &str| (format!("case `{}` lacks {what}", self.title), help.to_owned());
        let agent = self.agent.as_deref().ok_or_else(|| lacks("an agent", "add `as AGENT`"))?;
        let (target, database) =
            self.place.as_ref().ok_or_else(|| lacks("a place", "add `on TARGET/DATABASE`"))?;
        let expected = self
            .expected
            .clone()
            .ok_or_else(|| lacks("what to expect", "add `expect forward` or `expect deny`"))?;
        if self.sql.is_empty() && self.does.is_empty() {
            return Err(lacks("an operation", "add `sql` or `does`"));
        }
        let who = Principal::new(agent.into(), "/test".into(), self.exe.clone(), String::new(), self.uid);
        let at = Place::new(target.as_str().into(), database.as_str().into());
        let mut operations = Vec::new();
        if let Some((line, _)) = self.does.first() {
            operations.push((*line, What::Does(Arc::new(self.meaning()))));
        }
        operations.extend(self.sql.into_iter().map(|(line, text)| (line, What::Sql(text))));
        Ok(Case {
            title: self.title,
            who: who.in_container(self.container).on_task(self.task),
            at,
            hour: self.hour,
            search_path: self.search_path,
            user: self.user,
            operations,
            expected,
        })
    }

    fn meaning(&self) -> Meaning {
        Meaning {
            verb: "TEST".into(),
            action: self.does.iter().map(|(_, access)| access.action).max().unwrap_or(Action::Unknown),
            accesses: self.does.iter().map(|(_, access)| access.clone()).collect(),
            certainty: self.certainty,
            doubt: "".into(),
            facts: self.facts.clone(),
            fingerprint: 0,
        }
    }
}

fn yes(value: &str) -> Option<bool> {
    match value {
        "yes" | "true" => Some(true),
        "no" | "false" => Some(false),
        _ => None,
    }
}

fn without_comment(text: &str) -> &str {
    text.split_once('#').map_or(text, |(before, _)| before).trim()
}

fn access(text: &str) -> Result<Access, Wrong> {
    let help = || "write `does ACTION KIND NAME`, such as `does read table public.orders`".to_owned();
    let wrong = || (format!("`{text}` is no access"), help());
    let mut words = text.split_whitespace();
    let action = words
        .next()
        .and_then(|word| if word == "unknown" { Some(Action::Unknown) } else { action_named(word) });
    let kind = words.next().and_then(kind_named);
    let path = match words.next() {
        None => Vec::new(),
        Some(name) => dotted(name).ok_or_else(wrong)?,
    };
    match (action, kind, words.next()) {
        (Some(action), Some(kind), None) => {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            Ok(Access { action, resource: Resource::new(kind, &path) })
        }
        _ => Err(wrong()),
    }
}

fn kind_named(name: &str) -> Option<ResourceKind> {
    let all = [
        ResourceKind::Target,
        ResourceKind::Database,
        ResourceKind::Schema,
        ResourceKind::Table,
        ResourceKind::Column,
        ResourceKind::Routine,
        ResourceKind::Name,
    ];
    all.into_iter().find(|kind| kind.name() == name)
}

fn expected(text: &str) -> Result<Expected, Wrong> {
    let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
    let words: Vec<&str> = text.split([' ', '\t', ',']).filter(|item| !item.is_empty()).collect();
    let split = words.iter().position(|word| *word == "by");
    let (effect, by) = words.split_at(split.unwrap_or(words.len()));
    let effect = match effect {
        ["forward"] => Effect::Forward,
        ["deny"] => Effect::Deny,
        ["hold", groups @ ..] if !groups.is_empty() => {
            let mut groups = list(groups);
            groups.sort();
            Effect::Hold { groups }
        }
        _ => {
            let help =
                "write `expect forward`, `expect deny` or `expect hold GROUP…`, then perhaps `by POLICY…`";
            return Err((format!("`{text}` can't be expected"), help.to_owned()));
        }
    };
    let by = match by {
        [] => None,
        ["by", "nothing"] => Some(Vec::new()),
        ["by", ids @ ..] if !ids.is_empty() => Some(list(ids)),
        _ => return Err(("`by` whom?".to_owned(), "name policies, or write `by nothing`".to_owned())),
    };
    Ok(Expected { effect, by })
}
