//! Actions and resource kinds as small numbers, for masks and tables.

use wire::{Action, ResourceKind};

/// Everything that a policy's resource scope can name: the resource kinds, and two kinds of group above targets.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    /// A label of targets.
    Label,
    /// A protocol.
    Protocol,
    /// A target.
    Target,
    /// A database.
    Database,
    /// A schema.
    Schema,
    /// A table.
    Table,
    /// A column.
    Column,
    /// A routine.
    Routine,
    /// Anything else.
    Name,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 9] = [
        Self::Label,
        Self::Protocol,
        Self::Target,
        Self::Database,
        Self::Schema,
        Self::Table,
        Self::Column,
        Self::Routine,
        Self::Name,
    ];

    /// The entity type's name in the schema.
    pub(crate) const fn type_name(self) -> &'static str {
        match self {
            Self::Label => "Label",
            Self::Protocol => "Protocol",
            Self::Target => "Target",
            Self::Database => "Database",
            Self::Schema => "Schema",
            Self::Table => "Table",
            Self::Column => "Column",
            Self::Routine => "Routine",
            Self::Name => "Name",
        }
    }

    /// The kind with this entity type's name.
    pub(crate) fn from_type_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_name() == name)
    }

    /// Its name in reasons and audit rows.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Protocol => "protocol",
            Self::Target => ResourceKind::Target.name(),
            Self::Database => ResourceKind::Database.name(),
            Self::Schema => ResourceKind::Schema.name(),
            Self::Table => ResourceKind::Table.name(),
            Self::Column => ResourceKind::Column.name(),
            Self::Routine => ResourceKind::Routine.name(),
            Self::Name => ResourceKind::Name.name(),
        }
    }

    /// How many parts an id of this kind has, from the target down; `None` for names, which have two or more.
    pub(crate) const fn parts(self) -> Option<usize> {
        match self {
            Self::Label | Self::Protocol | Self::Target => Some(1),
            Self::Database => Some(2),
            Self::Schema => Some(3),
            Self::Table | Self::Routine => Some(4),
            Self::Column => Some(5),
            Self::Name => None,
        }
    }

    /// What an id of this kind looks like, for diagnostics.
    pub(crate) const fn pattern(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Protocol => "protocol",
            Self::Target => "target",
            Self::Database => "target/database",
            Self::Schema => "target/database/schema",
            Self::Table => "target/database/schema/table",
            Self::Column => "target/database/schema/table/column",
            Self::Routine => "target/database/schema/routine",
            Self::Name => "target/kind/name",
        }
    }

    /// Its bit in a mask.
    pub(crate) const fn bit(self) -> u16 {
        1 << self as u16
    }

    /// The kinds that can be this or below this in the tree.
    pub(crate) const fn below(self) -> u16 {
        let leaf = self.bit();
        match self {
            Self::Label | Self::Protocol => leaf | Self::Target.below(),
            Self::Target => leaf | Self::Database.below() | Self::Name.bit(),
            Self::Database => leaf | Self::Schema.below(),
            Self::Schema => leaf | Self::Table.below() | Self::Routine.bit(),
            Self::Table => leaf | Self::Column.bit(),
            Self::Column | Self::Routine | Self::Name => leaf,
        }
    }
}

impl From<ResourceKind> for Kind {
    fn from(kind: ResourceKind) -> Self {
        match kind {
            ResourceKind::Target => Self::Target,
            ResourceKind::Database => Self::Database,
            ResourceKind::Schema => Self::Schema,
            ResourceKind::Table => Self::Table,
            ResourceKind::Column => Self::Column,
            ResourceKind::Routine => Self::Routine,
            ResourceKind::Name => Self::Name,
        }
    }
}

/// The actions that policies can permit, in the order of their bits. [`Action::Unknown`] is not among them.
pub(crate) const ACTIONS: [Action; 7] = [
    Action::Connect,
    Action::Read,
    Action::Execute,
    Action::Write,
    Action::Delete,
    Action::Define,
    Action::Admin,
];

/// The bit of an action in a mask; 0 for [`Action::Unknown`], which no mask has.
pub(crate) const fn action_bit(action: Action) -> u8 {
    match action {
        Action::Connect => 1,
        Action::Read => 1 << 1,
        Action::Execute => 1 << 2,
        Action::Write => 1 << 3,
        Action::Delete => 1 << 4,
        Action::Define => 1 << 5,
        Action::Admin => 1 << 6,
        Action::Unknown => 0,
    }
}

/// The action with this name in policies.
pub(crate) fn action_named(name: &str) -> Option<Action> {
    ACTIONS.into_iter().find(|action| action.name() == name)
}
