//! SQL/JSON expressions and table functions.

use super::Walk;
use super::range::{Columns, Entry};
use pg_query::{NodeEnum, protobuf as ast};

impl Walk {
    /// The JSON expressions; anything that is none either is not understood.
    pub(super) fn json(&mut self, node: &NodeEnum) {
        match node {
            NodeEnum::JsonValueExpr(value) => self.json_value(Some(value)),
            NodeEnum::JsonIsPredicate(test) => self.opt_expr(test.expr.as_deref()),
            NodeEnum::JsonBehavior(behavior) => self.json_behavior(Some(behavior)),
            NodeEnum::JsonArgument(argument) => self.json_value(argument.val.as_deref()),
            NodeEnum::JsonFuncExpr(func) => self.json_func(func),
            NodeEnum::JsonKeyValue(pair) => self.json_pair(pair),
            NodeEnum::JsonParseExpr(parse) => {
                self.routine(&["json"]);
                self.json_value(parse.expr.as_deref());
            }
            NodeEnum::JsonScalarExpr(scalar) => {
                self.routine(&["json_scalar"]);
                self.opt_expr(scalar.expr.as_deref());
            }
            NodeEnum::JsonSerializeExpr(serialize) => {
                self.routine(&["json_serialize"]);
                self.json_value(serialize.expr.as_deref());
            }
            NodeEnum::JsonObjectConstructor(object) => {
                self.routine(&["json_object"]);
                self.exprs(&object.exprs);
            }
            NodeEnum::JsonArrayConstructor(array) => {
                self.routine(&["json_array"]);
                self.exprs(&array.exprs);
            }
            NodeEnum::JsonArrayQueryConstructor(array) => self.opt_expr(array.query.as_deref()),
            NodeEnum::JsonObjectAgg(aggregate) => {
                self.routine(&["json_objectagg"]);
                if let Some(pair) = aggregate.arg.as_deref() {
                    self.json_pair(pair);
                }
                self.json_aggregate(aggregate.constructor.as_deref());
            }
            NodeEnum::JsonArrayAgg(aggregate) => {
                self.routine(&["json_arrayagg"]);
                self.json_value(aggregate.arg.as_deref());
                self.json_aggregate(aggregate.constructor.as_deref());
            }
            _ => self.not_understood("an expression of that kind"),
        }
    }

    fn json_value(&mut self, value: Option<&ast::JsonValueExpr>) {
        if let Some(ast::JsonValueExpr { raw_expr, formatted_expr, format: _ }) = value {
            self.opt_expr(raw_expr.as_deref());
            self.opt_expr(formatted_expr.as_deref());
        }
    }

    fn json_behavior(&mut self, behavior: Option<&ast::JsonBehavior>) {
        self.opt_expr(behavior.and_then(|behavior| behavior.expr.as_deref()));
    }

    fn json_pair(&mut self, pair: &ast::JsonKeyValue) {
        self.opt_expr(pair.key.as_deref());
        self.json_value(pair.value.as_deref());
    }

    fn json_aggregate(&mut self, constructor: Option<&ast::JsonAggConstructor>) {
        let Some(constructor) = constructor else { return };
        let ast::JsonAggConstructor { output: _, agg_filter, agg_order, over, location: _ } = constructor;
        self.opt_expr(agg_filter.as_deref());
        self.exprs(agg_order);
        if let Some(window) = over.as_deref() {
            self.window(window);
        }
    }

    /// These are calls to a server whose grammar does not have them yet, so they count as such too.
    fn json_func(&mut self, func: &ast::JsonFuncExpr) {
        let ast::JsonFuncExpr {
            op: _,
            column_name: _,
            context_item,
            pathspec,
            passing,
            output: _,
            on_empty,
            on_error,
            wrapper: _,
            quotes: _,
            location: _,
        } = func;
        self.routine(&[match func.op() {
            ast::JsonExprOp::JsonExistsOp => "json_exists",
            ast::JsonExprOp::JsonQueryOp => "json_query",
            ast::JsonExprOp::JsonValueOp => "json_value",
            ast::JsonExprOp::JsonTableOp | ast::JsonExprOp::Undefined => "json_table",
        }]);
        self.json_value(context_item.as_deref());
        self.opt_expr(pathspec.as_deref());
        self.exprs(passing);
        self.json_behavior(on_empty.as_deref());
        self.json_behavior(on_error.as_deref());
    }

    /// `JSON_TABLE` in FROM.
    pub(super) fn json_table(&mut self, table: &ast::JsonTable) {
        let ast::JsonTable {
            context_item,
            pathspec,
            passing,
            columns,
            on_error,
            alias,
            lateral: _,
            location: _,
        } = table;
        self.json_value(context_item.as_deref());
        self.opt_expr(pathspec.as_deref().and_then(|path| path.string.as_deref()));
        self.exprs(passing);
        self.json_behavior(on_error.as_deref());
        self.json_columns(columns);
        let name = alias.as_ref().map_or("json_table", |alias| &*alias.aliasname);
        self.push_entry(Entry::derived(name, Columns::unknown()));
    }

    fn json_columns(&mut self, columns: &[ast::Node]) {
        for node in columns {
            if let Some(NodeEnum::JsonTableColumn(column)) = &node.node
                && self.enter()
            {
                self.opt_expr(column.pathspec.as_deref().and_then(|path| path.string.as_deref()));
                self.json_behavior(column.on_empty.as_deref());
                self.json_behavior(column.on_error.as_deref());
                self.json_columns(&column.columns);
                self.leave();
            }
        }
    }
}
