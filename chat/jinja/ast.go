package jinja

// This file owns the syntax tree.

// expr is an expression.
type expr interface{}

type (
	literal  struct{ value Value }
	name     struct{ id string }
	listExpr struct {
		items []expr
		tuple bool
	}
	dictExpr struct{ keys, values []expr }
	attrExpr struct {
		of   expr
		name string
	}
	itemExpr struct {
		of, key expr
	}
	sliceExpr struct {
		of                expr
		start, stop, step expr // nil if absent
	}
	callExpr struct {
		callee expr
		args   arguments
	}
	filterExpr struct {
		of   expr // nil in a filter block
		name string
		args arguments
	}
	testExpr struct {
		of     expr
		name   string
		args   arguments
		negate bool
	}
	unaryExpr struct {
		op string // "-", "+", "not"
		of expr
	}
	binaryExpr struct {
		op          string
		left, right expr
	}
	compareExpr struct {
		first expr
		ops   []string // "==", "<", "in", "not in" ...
		rest  []expr
	}
	concatExpr struct{ parts []expr }
	condExpr   struct {
		test, yes, no expr // no may be nil
	}
	located struct {
		expr
		line int
	}
)

// arguments are of a call, a filter or a test.
type arguments struct {
	positional []expr
	names      []string // of keywords
	keywords   []expr
	starArgs   expr
	starKwargs expr
}

// node is a statement.
type node interface{}

type (
	dataNode   struct{ text string }
	outputNode struct {
		value expr
		line  int
	}
	ifNode struct {
		tests  []expr
		bodies [][]node
		orElse []node
		line   int
	}
	forNode struct {
		target    target
		iter      expr
		filter    expr // nil if absent
		body      []node
		orElse    []node
		recursive bool
		line      int
	}
	setNode struct {
		target target
		value  expr
		line   int
	}
	setBlockNode struct {
		target  target
		filters []filterExpr
		body    []node
		line    int
	}
	macroNode struct {
		name     string
		params   []string
		defaults []expr // of the last params
		body     []node
		line     int
		varargs  bool // the body names varargs
		kwargs   bool
		caller   bool
	}
	callNode struct {
		call  expr // a callExpr
		macro *macroNode
		line  int
	}
	filterNode struct {
		filters []filterExpr
		body    []node
		line    int
	}
	withNode struct {
		targets []target
		values  []expr
		body    []node
		line    int
	}
	autoescapeNode struct {
		on   expr
		body []node
		line int
	}
	groupNode   struct{ body []node } // generation and block: rendered in place
	loopControl struct{ isBreak bool }
)

// target is what an assignment writes: a name, a namespace's attribute, or several of them.
type target struct {
	name  string
	attr  string // of the namespace called name
	parts []target
}
