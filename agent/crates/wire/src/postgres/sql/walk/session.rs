//! Statements about the session: settings, transactions, prepared statements, cursors, channels.

use super::{Verb, Walk};
use crate::Action;
use crate::postgres::sql::Effect;
use pg_query::{NodeEnum, protobuf as ast};

impl Walk {
    /// The search path may be another from here on, and it is not known which.
    pub(super) fn path_unknown(&mut self) {
        self.effects.push(Effect::SearchPathMayChange);
        self.path.forget();
    }

    /// Temporary objects get a schema, if they had none.
    pub(super) fn temp_appears(&mut self) {
        self.effects.push(Effect::SearchPathMayChange);
        self.path.add_temp();
    }

    pub(super) fn session_statement(&mut self, node: &NodeEnum) -> Option<Verb> {
        Some(match node {
            NodeEnum::VariableSetStmt(set) => self.set(set),
            NodeEnum::VariableShowStmt(_) => "SHOW".into(),
            NodeEnum::TransactionStmt(transaction) => self.transaction(transaction),
            NodeEnum::ListenStmt(listen) => {
                self.name(Action::Read, "channel", &listen.conditionname);
                "LISTEN".into()
            }
            NodeEnum::UnlistenStmt(unlisten) => {
                let channel = if unlisten.conditionname.is_empty() { "*" } else { &*unlisten.conditionname };
                self.name(Action::Read, "channel", channel);
                "UNLISTEN".into()
            }
            NodeEnum::NotifyStmt(notify) => {
                self.name(Action::Write, "channel", &notify.conditionname);
                "NOTIFY".into()
            }
            NodeEnum::PrepareStmt(prepare) => {
                let inner = self.apart(|walk| walk.opt_statement(prepare.query.as_deref()));
                self.effects.push(Effect::Prepare { name: prepare.name.as_str().into(), inner });
                "PREPARE".into()
            }
            NodeEnum::ExecuteStmt(execute) => {
                self.execute(execute);
                "EXECUTE".into()
            }
            NodeEnum::DeallocateStmt(deallocate) => {
                let name = (!deallocate.isall).then(|| deallocate.name.as_str().into());
                self.effects.push(Effect::Deallocate { name });
                "DEALLOCATE".into()
            }
            NodeEnum::DeclareCursorStmt(declare) => {
                let inner = self.apart(|walk| walk.opt_statement(declare.query.as_deref()));
                self.effects.push(Effect::DeclareCursor { name: declare.portalname.as_str().into(), inner });
                "DECLARE CURSOR".into()
            }
            NodeEnum::FetchStmt(fetch) => {
                self.effects.push(Effect::UseCursor { name: fetch.portalname.as_str().into() });
                if fetch.ismove { "MOVE" } else { "FETCH" }.into()
            }
            NodeEnum::ClosePortalStmt(close) => {
                let name = (!close.portalname.is_empty()).then(|| close.portalname.as_str().into());
                self.effects.push(Effect::CloseCursor { name });
                "CLOSE CURSOR".into()
            }
            NodeEnum::DiscardStmt(discard) => self.discard(discard),
            NodeEnum::ConstraintsSetStmt(_) => "SET CONSTRAINTS".into(),
            _ => return None,
        })
    }

    pub(super) fn execute(&mut self, execute: &ast::ExecuteStmt) {
        self.effects.push(Effect::Execute { name: execute.name.as_str().into() });
        self.exprs(&execute.params);
    }

    /// `WHERE CURRENT OF cursor`
    pub(super) fn current_of(&mut self, current: &ast::CurrentOfExpr) {
        if current.cursor_name.is_empty() {
            self.doubt("CURRENT OF a cursor that is not named");
        } else {
            self.effects.push(Effect::UseCursor { name: current.cursor_name.as_str().into() });
        }
    }

    fn transaction(&mut self, transaction: &ast::TransactionStmt) -> Verb {
        use ast::TransactionStmtKind as Kind;
        let verb = match transaction.kind() {
            Kind::TransStmtBegin => "BEGIN",
            Kind::TransStmtStart => "START TRANSACTION",
            Kind::TransStmtSavepoint => "SAVEPOINT",
            Kind::TransStmtRelease => "RELEASE",
            Kind::TransStmtCommit => {
                // It undoes SET LOCAL.
                self.path.forget();
                "COMMIT"
            }
            Kind::TransStmtRollback => {
                self.path_unknown();
                "ROLLBACK"
            }
            Kind::TransStmtRollbackTo => {
                self.path_unknown();
                "ROLLBACK TO"
            }
            Kind::TransStmtPrepare => {
                self.path_unknown();
                self.name(Action::Admin, "transaction", &transaction.gid);
                "PREPARE TRANSACTION"
            }
            Kind::TransStmtCommitPrepared => {
                self.name(Action::Admin, "transaction", &transaction.gid);
                "COMMIT PREPARED"
            }
            Kind::TransStmtRollbackPrepared => {
                self.name(Action::Admin, "transaction", &transaction.gid);
                "ROLLBACK PREPARED"
            }
            Kind::Undefined => {
                self.not_understood("a transaction statement of that kind");
                "UNKNOWN"
            }
        };
        verb.into()
    }

    fn set(&mut self, set: &ast::VariableSetStmt) -> Verb {
        use ast::VariableSetKind as Kind;
        let ast::VariableSetStmt { kind: _, name, args, jumble_args: _, is_local: _, location: _ } = set;
        let name = name.to_ascii_lowercase();
        match set.kind() {
            Kind::VarResetAll => {
                self.any_setting();
                return "RESET".into();
            }
            Kind::VarSetMulti => self.set_transaction(&name, args),
            Kind::VarSetValue if name == "search_path" => self.set_search_path(args),
            Kind::VarSetValue | Kind::VarSetDefault | Kind::VarSetCurrent => self.setting(&name),
            Kind::VarReset => {
                self.setting(&name);
                return "RESET".into();
            }
            Kind::Undefined => self.not_understood("a SET of that kind"),
        }
        "SET".into()
    }

    /// `SET TRANSACTION` and `SET SESSION CHARACTERISTICS` set several settings.
    fn set_transaction(&mut self, what: &str, args: &[ast::Node]) {
        for node in args {
            match &node.node {
                Some(NodeEnum::DefElem(option)) if what == "session characteristics" => {
                    self.setting(&format!("default_{}", option.defname));
                }
                Some(NodeEnum::DefElem(option)) => self.setting(&option.defname),
                // The identifier of a snapshot.
                _ => self.setting("transaction_snapshot"),
            }
        }
    }

    /// The one setting whose value matters here: later statements of the string are read with it.
    fn set_search_path(&mut self, args: &[ast::Node]) {
        // Any setting of that name forgets the path; whom `$user` and temporary objects mean stays known.
        let before = self.path.clone();
        self.setting("search_path");
        let names: Vec<&str> = args.iter().filter_map(|arg| self.literal(arg)).collect();
        if names.len() == args.len() {
            self.path = before;
            self.path.set(&names);
        }
    }

    fn discard(&mut self, discard: &ast::DiscardStmt) -> Verb {
        use ast::DiscardMode as Mode;
        match discard.target() {
            Mode::DiscardAll => {
                self.any_setting();
                self.effects.push(Effect::Deallocate { name: None });
                self.effects.push(Effect::CloseCursor { name: None });
                "DISCARD ALL"
            }
            Mode::DiscardTemp => {
                self.path_unknown();
                "DISCARD TEMP"
            }
            Mode::DiscardPlans => "DISCARD PLANS",
            Mode::DiscardSequences => "DISCARD SEQUENCES",
            Mode::Undefined => {
                self.not_understood("a DISCARD of that kind");
                "DISCARD"
            }
        }
        .into()
    }
}
