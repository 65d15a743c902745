//! No kind of statement is forgotten.

use super::super::parse;
use super::{cases, read};
use crate::{Action, Certainty};
use std::collections::BTreeSet;

/// Every statement node of the grammar (PostgreSQL 18).
const STATEMENTS: [&str; 117] = [
    "AlterCollationStmt",
    "AlterDatabaseRefreshCollStmt",
    "AlterDatabaseSetStmt",
    "AlterDatabaseStmt",
    "AlterDefaultPrivilegesStmt",
    "AlterDomainStmt",
    "AlterEnumStmt",
    "AlterEventTrigStmt",
    "AlterExtensionContentsStmt",
    "AlterExtensionStmt",
    "AlterFdwStmt",
    "AlterForeignServerStmt",
    "AlterFunctionStmt",
    "AlterObjectDependsStmt",
    "AlterObjectSchemaStmt",
    "AlterOpFamilyStmt",
    "AlterOperatorStmt",
    "AlterOwnerStmt",
    "AlterPolicyStmt",
    "AlterPublicationStmt",
    "AlterRoleSetStmt",
    "AlterRoleStmt",
    "AlterSeqStmt",
    "AlterStatsStmt",
    "AlterSubscriptionStmt",
    "AlterSystemStmt",
    "AlterTableMoveAllStmt",
    "AlterTableSpaceOptionsStmt",
    "AlterTableStmt",
    "AlterTsconfigurationStmt",
    "AlterTsdictionaryStmt",
    "AlterTypeStmt",
    "AlterUserMappingStmt",
    "CallStmt",
    "CheckPointStmt",
    "ClosePortalStmt",
    "ClusterStmt",
    "CommentStmt",
    "CompositeTypeStmt",
    "ConstraintsSetStmt",
    "CopyStmt",
    "CreateAmStmt",
    "CreateCastStmt",
    "CreateConversionStmt",
    "CreateDomainStmt",
    "CreateEnumStmt",
    "CreateEventTrigStmt",
    "CreateExtensionStmt",
    "CreateFdwStmt",
    "CreateForeignServerStmt",
    "CreateForeignTableStmt",
    "CreateFunctionStmt",
    "CreateOpClassStmt",
    "CreateOpFamilyStmt",
    "CreatePlangStmt",
    "CreatePolicyStmt",
    "CreatePublicationStmt",
    "CreateRangeStmt",
    "CreateRoleStmt",
    "CreateSchemaStmt",
    "CreateSeqStmt",
    "CreateStatsStmt",
    "CreateStmt",
    "CreateSubscriptionStmt",
    "CreateTableAsStmt",
    "CreateTableSpaceStmt",
    "CreateTransformStmt",
    "CreateTrigStmt",
    "CreateUserMappingStmt",
    "CreatedbStmt",
    "DeallocateStmt",
    "DeclareCursorStmt",
    "DefineStmt",
    "DeleteStmt",
    "DiscardStmt",
    "DoStmt",
    "DropOwnedStmt",
    "DropRoleStmt",
    "DropStmt",
    "DropSubscriptionStmt",
    "DropTableSpaceStmt",
    "DropUserMappingStmt",
    "DropdbStmt",
    "ExecuteStmt",
    "ExplainStmt",
    "FetchStmt",
    "GrantRoleStmt",
    "GrantStmt",
    "ImportForeignSchemaStmt",
    "IndexStmt",
    "InsertStmt",
    "ListenStmt",
    "LoadStmt",
    "LockStmt",
    "MergeStmt",
    "NotifyStmt",
    "PlassignStmt",
    "PrepareStmt",
    "RawStmt",
    "ReassignOwnedStmt",
    "RefreshMatViewStmt",
    "ReindexStmt",
    "RenameStmt",
    "ReplicaIdentityStmt",
    "ReturnStmt",
    "RuleStmt",
    "SecLabelStmt",
    "SelectStmt",
    "SetOperationStmt",
    "TransactionStmt",
    "TruncateStmt",
    "UnlistenStmt",
    "UpdateStmt",
    "VacuumStmt",
    "VariableSetStmt",
    "VariableShowStmt",
    "ViewStmt",
];

/// Those that no text makes by itself: inner nodes, and what only the server makes of others.
const NEVER_ALONE: [&str; 5] =
    ["PlassignStmt", "RawStmt", "ReplicaIdentityStmt", "ReturnStmt", "SetOperationStmt"];

fn nodes(sql: &str) -> Vec<String> {
    parse::with_tree(sql, |tree| {
        let statements = tree.map(|tree| tree.stmts).unwrap_or_default();
        let nodes = statements.into_iter().filter_map(|raw| raw.stmt?.node);
        nodes.map(|node| format!("{node:?}").split('(').next().unwrap().to_owned()).collect()
    })
}

#[test]
fn every_statement_of_the_grammar_has_a_case_and_is_understood() {
    let seen: BTreeSet<String> = cases::statements().iter().flat_map(|sql| nodes(sql)).collect();
    let missing: Vec<&str> =
        STATEMENTS.into_iter().filter(|name| !seen.contains(*name) && !NEVER_ALONE.contains(name)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    let unknown: Vec<&String> = seen.iter().filter(|name| !STATEMENTS.contains(&&***name)).collect();
    assert!(unknown.is_empty(), "{unknown:?} are new: handle them and list them here");
    for sql in cases::statements() {
        let reading = read(&sql);
        if reading.meaning.certainty != Certainty::Opaque {
            assert_ne!(reading.meaning.action, Action::Unknown, "{sql}: {}", reading.meaning.doubt);
        }
    }
}

#[test]
fn what_is_no_statement_is_unknown() {
    use pg_query::{NodeEnum, protobuf as ast};
    let node = NodeEnum::Query(Box::default());
    let raw =
        ast::RawStmt { stmt: Some(Box::new(ast::Node { node: Some(node) })), stmt_location: 0, stmt_len: 0 };
    let tree = ast::ParseResult { version: 0, stmts: vec![raw] };
    let (reading, _) = super::super::walk::read(&super::usual(), &tree, 0, 256);
    assert_eq!(reading.meaning.action, Action::Unknown);
    assert_eq!(reading.meaning.certainty, Certainty::Partial);
    assert!(reading.meaning.accesses.is_empty());
}
