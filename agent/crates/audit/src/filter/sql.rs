//! A filter as a ClickHouse query. Values travel as server-side parameters, never inside the SQL.

use super::Filter;
use crate::column::COLUMNS;
use crate::row::Word;
use crate::schema::{TABLE, identifier};

/// A query and its parameters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Select {
    /// The SQL, with `{name:Type}` for each parameter. The same filter fields always give the same SQL.
    pub sql: String,
    /// Name and value of each parameter. Values are plain: whoever sends them escapes them for the transport.
    pub parameters: Vec<(&'static str, String)>,
}

impl Filter {
    /// The query for every column of the rows that this filter is about, in its order.
    pub fn select(&self, database: &str) -> Select {
        let columns: Vec<_> = COLUMNS.iter().map(|column| identifier(column.name)).collect();
        let mut conditions = Vec::new();
        let mut parameters = Vec::new();
        let mut set = |condition: &str, name: &'static str, value: Option<String>| {
            if let Some(value) = value {
                conditions.push(condition.to_owned());
                parameters.push((name, value));
            }
        };
        let like = |part: &String| format!("%{}%", escape_like(&part.to_ascii_lowercase()));
        set("`agent` = {agent:String}", "agent", self.agent.clone());
        set("`target` = {target:String}", "target", self.target.clone());
        set("`user` = {user:String}", "user", self.user.clone());
        set("`session` = {session:UUID}", "session", self.session.map(|id| id.to_string()));
        set("`verdict` = {verdict:String}", "verdict", self.verdict.map(|verdict| verdict.word().to_owned()));
        set("`action` = {action:String}", "action", self.action.map(|action| action.word().to_owned()));
        set(
            "`time` >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')",
            "since",
            self.since.map(|t| t.to_string()),
        );
        set(
            "`time` < fromUnixTimestamp64Micro({until:Int64}, 'UTC')",
            "until",
            self.until.map(|t| t.to_string()),
        );
        set(
            "arrayExists(name -> lower(name) LIKE {resource:String}, `resources`)",
            "resource",
            self.resource.as_ref().map(like),
        );
        set("lower(`statement`) LIKE {text:String}", "text", self.text.as_ref().map(like));

        let mut sql = format!("SELECT {} FROM {}.{TABLE}", columns.join(", "), identifier(database));
        if !conditions.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&conditions.join(" AND "));
        }
        // UUIDs are ordered as ClickHouse orders them nowhere else: as text they sort like their numbers.
        let order = if self.newest_first { "DESC" } else { "ASC" };
        sql.push_str(&format!(" ORDER BY `time` {order}, toString(`id`) {order}"));
        if let Some(limit) = self.limit {
            sql.push_str(&format!(" LIMIT {limit}"));
        }
        Select { sql, parameters }
    }
}

/// A text as the pattern that matches just this text.
fn escape_like(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}
