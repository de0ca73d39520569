package threat

import "strings"

// statement takes what begins a clause or a statement: most texts are decided here.
func (w *sqlWalk) statement(t *sqlToken) bool {
	switch t.kind {
	case sqlUnion:
		w.union()
	case sqlSelect:
		if w.state == sqlHave && w.prev.kind != sqlRight && w.operands > 0 {
			return w.die(w.clause)
		}
		w.clause = true
	case sqlBy:
		return w.orderBy()
	case sqlClause, sqlFrom:
		return w.further(t)
	case sqlVerb, sqlBatch:
		return w.verb(t)
	default:
		return w.die(false)
	}
	return false
}

// union judges what follows UNION.
func (w *sqlWalk) union() {
	if !w.word("ALL") {
		w.word("DISTINCT")
	}
	t := w.r.next()
	for t.kind == sqlLeft || t.kind == sqlStar || t.kind == sqlOp {
		t = w.r.next()
	}
	switch t.kind {
	case sqlSelect:
		w.strong = true
	case sqlComment, sqlEnd, sqlVerb:
		w.clause = true
	default:
		w.dead = true
	}
}

// orderBy judges ORDER BY and GROUP BY: the number of a column is a probe for how many there are.
func (w *sqlWalk) orderBy() bool {
	start := w.state == sqlStart
	if w.state != sqlHave && !start || !w.word("BY") {
		return w.die(false)
	}
	w.state, w.clause = sqlByWord, true
	if w.numbers > 0 || w.quote != 0 || start {
		w.strong = w.r.next().kind == sqlNumber && (w.quote == 0 || w.valueBefore())
	}
	return false
}

// further takes a clause that goes on: HAVING, LIMIT, FROM, ….
func (w *sqlWalk) further(t *sqlToken) bool {
	next := w.peek()
	switch {
	case w.state == sqlStart && t.kind == sqlClause && digit(next):
		w.fragment = true
	case w.state != sqlHave, w.quote == 0 && w.numbers+w.literals == 0 && w.calls == 0 && w.prev.kind != sqlRight &&
		!(t.kind == sqlClause && (next == '(' || digit(next))):
		return w.die(false)
	}
	w.froms++
	w.clause = w.clause || t.kind == sqlClause || w.froms > 1
	w.state = sqlWant
	return true
}

// verb judges a statement of its own.
func (w *sqlWalk) verb(t *sqlToken) bool {
	takesPlace := w.quote != 0 && w.operands == 0 && w.valueBefore() && w.block(t) // of an operand that broke off
	if w.state == sqlWant || w.state == sqlHave && t.kind != sqlBatch && !w.setsNext(t) && !takesPlace {
		if w.peek() == '(' { // IF(…), REPLACE(…)
			w.operands++
			w.names++
			w.state = sqlHave
			return true
		}
		return w.die(false)
	}
	stacked := w.state == sqlVerbs
	w.clause = true
	next := w.r.next()
	if next.kind == sqlLeft && t.kind == sqlVerb && !(w.state == sqlStart && w.block(t)) &&
		(!stacked || w.quote == 0 && w.numbers == 0 && !w.block(t)) { // a call of some language
		return w.die(false)
	}
	acts := w.acts(t, next)
	if t.kind == sqlBatch && !stacked && w.operands == w.names && w.quote == 0 && !acts {
		return w.die(false)
	}
	if w.state == sqlStart && !acts { // a sentence, unless it goes on like a statement
		w.dead = w.sentence(t, next)
		return false
	}
	w.strong = acts && (stacked || w.state == sqlHave || t.kind == sqlBatch) && (w.quote == 0 || w.valueBefore())
	return false
}

// acts reports whether a verb and what follows it are the beginning of a statement, and of nothing else.
func (w *sqlWalk) acts(t *sqlToken, next sqlToken) bool {
	object := w.r.s[next.from:next.to]
	is := func(words ...string) bool {
		for _, x := range words {
			if strings.EqualFold(object, x) {
				return true
			}
		}
		return false
	}
	var buf [12]byte
	switch string(folded(buf[:], w.r.s[t.from:t.to])) {
	case "drop", "create", "alter", "truncate":
		return is("TABLE", "DATABASE", "USER", "VIEW", "INDEX", "SCHEMA", "PROCEDURE", "FUNCTION", "LOGIN", "ROLE", "TRIGGER")
	case "do":
		return next.kind == sqlLeft && w.numbers > 0 && w.operands == w.numbers
	case "insert":
		return is("INTO")
	case "delete":
		return is("FROM")
	case "update":
		return next.kind == sqlName && w.word("SET")
	case "waitfor":
		return is("DELAY", "TIME")
	case "declare":
		return next.kind == sqlVar
	case "shutdown":
		return next.kind == sqlEnd || next.kind == sqlComment
	case "exec", "execute":
		return next.kind == sqlLeft || next.kind == sqlName && strings.ContainsAny(object, "_.")
	}
	return false
}

// sentence reports whether a text that begins with a verb goes on as prose or code does.
func (w *sqlWalk) sentence(t *sqlToken, next sqlToken) bool {
	if w.block(t) && lower(w.r.s[t.from]) == 'i' { // IF((SELECT …
		for next.kind == sqlLeft {
			next = w.r.next()
		}
		return next.kind != sqlSelect
	}
	switch next.kind {
	case sqlLeft, sqlString, sqlOp, sqlLogic:
		return true
	case sqlName:
		return t.kind == sqlVerb && lower(w.r.s[t.from]) != 'b'
	}
	return false
}

// setsNext reports whether t begins an UPDATE … SET without a semicolon before it, which batches of SQL Server do not need.
func (w *sqlWalk) setsNext(t *sqlToken) bool {
	r := w.r
	if !strings.EqualFold(r.s[t.from:t.to], "update") || r.next().kind != sqlName {
		return false
	}
	n := r.next()
	return strings.EqualFold(r.s[n.from:n.to], "set")
}

// block reports whether t is BEGIN or IF.
func (w *sqlWalk) block(t *sqlToken) bool {
	word := w.r.s[t.from:t.to]
	return strings.EqualFold(word, "begin") || strings.EqualFold(word, "if")
}
