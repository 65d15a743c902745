//! The flags that choose rows.

use audit::{Filter, Verdict, Word};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};
use std::str::FromStr;
use uuid::Uuid;

/// Which rows; every flag that is given must hold.
#[derive(Clone, Debug, Args)]
pub(super) struct FilterArgs {
    /// Rows of this agent
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Rows of this target
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Rows of this user at the target
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Rows of this session
    #[arg(long, value_name = "UUID")]
    session: Option<Uuid>,
    /// Rows with this verdict
    #[arg(long, value_parser = words::<Verdict>())]
    verdict: Option<Verdict>,
    /// Rows with this action, the strongest of the operation
    #[arg(long, value_parser = words::<wire::Action>())]
    action: Option<wire::Action>,
    /// Rows that touch a resource with this in its name, in upper or lower case
    #[arg(long, value_name = "TEXT")]
    resource: Option<String>,
    /// Rows with this in their statement, in upper or lower case
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
}

impl FilterArgs {
    pub(super) fn filter(self) -> Filter {
        Filter {
            agent: self.agent,
            target: self.target,
            user: self.user,
            session: self.session,
            verdict: self.verdict,
            action: self.action,
            resource: self.resource,
            text: self.text,
            ..Filter::default()
        }
    }
}

/// The words of a set, as clap lists and checks them.
fn words<W: Word + Send + Sync>() -> impl TypedValueParser<Value = W> {
    PossibleValuesParser::new(W::ALL.iter().map(|word| word.word()))
        .try_map(|word| W::of_word(&word).ok_or("no such word"))
}

/// A time as a flag gives it, in µs since 1970 UTC: RFC 3339; a date, or date and time, of the local time zone; or how
/// long ago it was.
pub(super) fn time(text: &str, now: &Zoned) -> Result<i64, String> {
    if let Ok(time) = Timestamp::from_str(text) {
        return Ok(time.as_microsecond());
    }
    if let Ok(local) = DateTime::from_str(text) {
        let zoned = local.to_zoned(now.time_zone().clone()).map_err(|error| error.to_string())?;
        return Ok(zoned.timestamp().as_microsecond());
    }
    let ago = Span::from_str(text).map_err(|_| {
        format!(
            "`{text}` is no time; write RFC 3339 (`2026-03-01T08:00:00Z`), local time (`2026-03-01`, \
             `2026-03-01 08:00`), or how long ago (`15m`, `2h`, `3d`)"
        )
    })?;
    let then = now.checked_sub(ago.abs()).map_err(|_| format!("`{text}` ago is too long ago"))?;
    Ok(then.timestamp().as_microsecond())
}

/// Now, here.
pub(super) fn now() -> Zoned {
    Timestamp::now().to_zoned(TimeZone::system())
}
