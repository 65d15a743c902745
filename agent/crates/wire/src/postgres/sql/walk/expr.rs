//! Expressions: everything in them that reads a column, runs a query or calls a function.

use super::Walk;
use super::names::parts;
use crate::postgres::sql::path::CATALOG;
use pg_query::{NodeEnum, protobuf as ast};

impl Walk {
    pub(super) fn exprs(&mut self, nodes: &[ast::Node]) {
        for node in nodes {
            self.expr(node);
        }
    }

    pub(super) fn opt_expr(&mut self, node: Option<&ast::Node>) {
        if let Some(node) = node {
            self.expr(node);
        }
    }

    pub(super) fn expr(&mut self, node: &ast::Node) {
        if let Some(node) = &node.node
            && self.enter()
        {
            self.expr_node(node);
            self.leave();
        }
    }

    fn expr_node(&mut self, node: &NodeEnum) {
        match node {
            NodeEnum::ColumnRef(reference) => self.column_ref(reference),
            NodeEnum::FuncCall(call) => self.call(call),
            NodeEnum::SubLink(link) => self.sub_link(link),
            NodeEnum::AConst(_)
            | NodeEnum::ParamRef(_)
            | NodeEnum::SetToDefault(_)
            | NodeEnum::AStar(_)
            | NodeEnum::String(_)
            | NodeEnum::Integer(_)
            | NodeEnum::Float(_)
            | NodeEnum::Boolean(_)
            | NodeEnum::BitString(_)
            | NodeEnum::SqlvalueFunction(_)
            | NodeEnum::TypeName(_) => {}
            // An older grammar takes it for a call of any function of that name.
            NodeEnum::MergeSupportFunc(_) => self.routine(&["merge_action"]),
            NodeEnum::SelectStmt(select) => drop(self.select(select)),
            NodeEnum::CurrentOfExpr(current) => self.current_of(current),
            _ => self.compound(node),
        }
    }

    /// Expressions made of others.
    fn compound(&mut self, node: &NodeEnum) {
        match node {
            NodeEnum::AExpr(expr) => {
                let ast::AExpr {
                    kind: _,
                    name,
                    lexpr,
                    rexpr,
                    rexpr_list_start: _,
                    rexpr_list_end: _,
                    location: _,
                } = &**expr;
                self.operator(name);
                self.opt_expr(lexpr.as_deref());
                self.opt_expr(rexpr.as_deref());
            }
            NodeEnum::BoolExpr(expr) => self.exprs(&expr.args),
            NodeEnum::NullTest(test) => self.opt_expr(test.arg.as_deref()),
            NodeEnum::BooleanTest(test) => self.opt_expr(test.arg.as_deref()),
            NodeEnum::TypeCast(cast) => self.opt_expr(cast.arg.as_deref()),
            NodeEnum::CollateClause(clause) => self.opt_expr(clause.arg.as_deref()),
            NodeEnum::CaseExpr(case) => {
                self.opt_expr(case.arg.as_deref());
                self.exprs(&case.args);
                self.opt_expr(case.defresult.as_deref());
            }
            NodeEnum::CaseWhen(when) => {
                self.opt_expr(when.expr.as_deref());
                self.opt_expr(when.result.as_deref());
            }
            NodeEnum::CoalesceExpr(expr) => self.exprs(&expr.args),
            NodeEnum::MinMaxExpr(expr) => self.exprs(&expr.args),
            NodeEnum::AArrayExpr(array) => self.exprs(&array.elements),
            NodeEnum::RowExpr(row) => self.exprs(&row.args),
            NodeEnum::AIndirection(indirection) => {
                self.opt_expr(indirection.arg.as_deref());
                self.exprs(&indirection.indirection);
                self.fields(indirection);
            }
            NodeEnum::AIndices(indices) => {
                self.opt_expr(indices.lidx.as_deref());
                self.opt_expr(indices.uidx.as_deref());
            }
            NodeEnum::NamedArgExpr(arg) => self.opt_expr(arg.arg.as_deref()),
            NodeEnum::List(list) => self.exprs(&list.items),
            NodeEnum::ResTarget(target) => {
                self.exprs(&target.indirection);
                self.opt_expr(target.val.as_deref());
            }
            NodeEnum::MultiAssignRef(assign) => self.opt_expr(assign.source.as_deref()),
            NodeEnum::SortBy(sort) => {
                self.operator(&sort.use_op);
                self.opt_expr(sort.node.as_deref());
            }
            NodeEnum::WindowDef(window) => self.window(window),
            NodeEnum::GroupingSet(set) => self.exprs(&set.content),
            NodeEnum::GroupingFunc(func) => self.exprs(&func.args),
            NodeEnum::XmlExpr(xml) => {
                self.exprs(&xml.named_args);
                self.exprs(&xml.args);
            }
            NodeEnum::XmlSerialize(xml) => self.opt_expr(xml.expr.as_deref()),
            _ => self.json(node),
        }
    }

    pub(super) fn window(&mut self, window: &ast::WindowDef) {
        let ast::WindowDef {
            name: _,
            refname: _,
            partition_clause,
            order_clause,
            frame_options: _,
            start_offset,
            end_offset,
            location: _,
        } = window;
        self.exprs(partition_clause);
        self.exprs(order_clause);
        self.opt_expr(start_offset.as_deref());
        self.opt_expr(end_offset.as_deref());
    }

    /// An operator of a schema that is named: it calls a function, most likely of that schema.
    fn operator(&mut self, name: &[ast::Node]) {
        if let [schema @ .., operator] = parts(name).as_slice()
            && let Some(schema) = schema.last()
            && *schema != CATALOG
        {
            self.routine(&[schema, operator]);
        }
    }

    fn sub_link(&mut self, link: &ast::SubLink) {
        let ast::SubLink {
            xpr: _,
            sub_link_type: _,
            sub_link_id: _,
            testexpr,
            oper_name,
            subselect,
            location: _,
        } = link;
        self.operator(oper_name);
        self.opt_expr(testexpr.as_deref());
        self.opt_expr(subselect.as_deref());
    }

    /// Walks a WHERE clause; does it leave out any rows? Constants, and a column compared with itself, do not count.
    pub(super) fn filter(&mut self, node: &ast::Node) -> bool {
        self.filter_node(node, false)
    }

    fn filter_node(&mut self, node: &ast::Node, negated: bool) -> bool {
        let Some(inner) = &node.node else { return false };
        if !self.enter() {
            return false;
        }
        let filters = match inner {
            NodeEnum::BoolExpr(expr) => {
                let negates = expr.boolop() == ast::BoolExprType::NotExpr;
                let arms: Vec<bool> =
                    expr.args.iter().map(|arg| self.filter_node(arg, negated != negates)).collect();
                // Behind a NOT, AND and OR change places.
                if (expr.boolop() == ast::BoolExprType::AndExpr) == negated {
                    !arms.contains(&false)
                } else {
                    arms.contains(&true)
                }
            }
            NodeEnum::CurrentOfExpr(current) => {
                self.current_of(current);
                true
            }
            NodeEnum::AExpr(expr) if same_column(expr) => {
                self.expr(node);
                false
            }
            _ => {
                let before = self.column_refs;
                self.expr(node);
                self.column_refs != before
            }
        };
        self.leave();
        filters
    }
}

fn same_column(expr: &ast::AExpr) -> bool {
    let fields = |side: Option<&ast::Node>| match side?.node.as_ref()? {
        NodeEnum::ColumnRef(reference) => Some(reference.fields.clone()),
        _ => None,
    };
    let left = fields(expr.lexpr.as_deref());
    left.is_some() && left == fields(expr.rexpr.as_deref())
}
