package threat

import "strings"

// sqlState is what may follow in a reading.
type sqlState uint8

const (
	sqlStart  sqlState = iota
	sqlWant            // an operand
	sqlHave            // an operand was read
	sqlVerbs           // after a semicolon: a statement
	sqlNotOp           // after NOT between operands: LIKE, IN, …
	sqlByWord          // after ORDER or GROUP: BY
)

// sqlWalk follows one reading of a text.
type sqlWalk struct {
	r      sqlReader
	quote  byte // the string that the text broke out of; 0: none
	prefix int  // where the reading begins
	state  sqlState
	prev   sqlToken

	dead   bool // this is no SQL
	strong bool // this takes over the statement
	clause bool // a clause or a statement of its own has begun

	logic, comment bool     // has AND or OR; ends in a comment
	fragment       bool     // begins with an operator or a clause: it goes behind a number
	compared       bool     // the token before compares
	joined         bool     // the token before is AND or OR
	last           sqlToken // the operand before a comparison

	operands, numbers, literals, names, vars int // seen so far; literals are strings and booleans
	compares, calls, cases, froms            int
	known                                    int // functions that attacks are made of
	commas, depth                            int // commas outside of parentheses
	hidden                                   int // where a comment begins
	tail                                     int // where a string begins that the statement closes; 0: none
}

// readSQL follows the reading that begins at from, after a quote if there is one.
func readSQL(s string, from int, quote byte) sqlWalk {
	w := sqlWalk{r: sqlReader{s: s, i: from}, quote: quote, prefix: from}
	w.prev, w.last = sqlToken{kind: sqlEnd}, sqlToken{kind: sqlEnd}
	if quote != 0 {
		w.state = sqlHave
	}
	for {
		t := w.r.next()
		if t.kind == sqlEnd || !w.step(&t) {
			return w
		}
		if t.kind != sqlComment {
			w.prev = t
		}
	}
}

// die ends a reading that is no SQL, unless a clause has begun before.
func (w *sqlWalk) die(unless bool) bool {
	w.dead = !unless
	return false
}

// step takes a token, whose kind it may correct, and reports whether the reading goes on.
func (w *sqlWalk) step(t *sqlToken) bool {
	switch t.kind {
	case sqlComment:
		return w.commented(t)
	case sqlNumber, sqlString, sqlOpen, sqlName, sqlVar, sqlBool:
		return w.operand(t)
	case sqlCompare, sqlOp:
		return w.operator(t)
	case sqlSign:
		if w.state == sqlVerbs || w.state == sqlNotOp || w.state == sqlByWord {
			return w.die(false)
		}
		w.state = sqlWant
	case sqlStar:
		if w.state == sqlHave || w.state == sqlStart { // a product, or all columns
			w.state = sqlWant
		} else {
			w.state = sqlHave
		}
	case sqlLogic:
		if w.state != sqlHave && w.state != sqlStart {
			return w.die(w.clause)
		}
		w.fragment = w.fragment || w.state == sqlStart
		w.logic, w.joined = true, true
		w.state = sqlWant
	case sqlNot:
		return w.not()
	case sqlPrefix:
		if w.state == sqlHave {
			return w.die(w.clause)
		}
		w.state = sqlWant
	case sqlCase:
		if w.cases++; w.cases > 1 && w.compares > 0 || w.cases > 2 {
			w.clause = true
			return false
		}
		w.state = sqlWant
	case sqlSuffix:
		return w.state == sqlHave || w.function(t) || w.die(false)
	case sqlLeft:
		return w.open(t)
	case sqlRight:
		w.depth--
		if w.state == sqlWant && w.prev.kind != sqlLeft && w.prev.kind != sqlStar {
			return w.die(false)
		}
		w.state = sqlHave
	case sqlComma:
		if w.state != sqlHave {
			return w.die(false)
		}
		if w.depth == 0 {
			w.commas++
		}
		w.state = sqlWant
	case sqlSemi:
		if w.state == sqlWant {
			return w.die(false)
		}
		w.state = sqlVerbs
	default:
		return w.statement(t)
	}
	return true
}

// commented: the rest of the line is hidden. A line break ends that, for all but the comments in bars and stars.
func (w *sqlWalk) commented(t *sqlToken) bool {
	s := w.r.s
	if w.operands == 0 && w.quote != 0 && first(strings.TrimLeft(s[t.from:min(len(s), t.from+8)], "-#")) == w.quote {
		return w.die(false) // the mark itself in quotes: the '--' option
	}
	w.comment, w.hidden = true, t.from
	block := strings.HasPrefix(s[t.from:], "/*")
	if w.state == sqlHave && w.logic && w.compares > 0 && w.numbers > 0 {
		w.strong = true
	}
	if w.quote != 0 && w.operands == 0 && w.state == sqlHave && !block && w.few(2) &&
		strings.Trim(s[t.from:min(len(s), t.from+16)], "-#+ ") == "" {
		w.strong = true // admin' --
	}
	line := strings.IndexByte(s[t.from:], '\n')
	if line < 0 || block {
		return false
	}
	if w.state == sqlHave && (w.numbers+w.literals > 0 || w.quote != 0 && w.operands == 0) {
		w.clause = true
		return false
	}
	w.r.i = t.from + line
	return true
}

// operand takes a number, a string, a name.
func (w *sqlWalk) operand(t *sqlToken) bool {
	if w.state != sqlStart && w.state != sqlWant {
		if w.state == sqlVerbs && w.quote != 0 && t.kind == sqlName && w.peek() == ':' { // a label
			w.r.i += strings.IndexByte(w.r.s[w.r.i:], ':') + 1
			return true
		}
		juxtaposed := w.quote != 0 && w.state == sqlHave && t.kind == sqlString && (w.prev.kind == sqlEnd || w.prev.kind == sqlString)
		if !juxtaposed { // 'a' 'b' is one string
			return w.die(w.clause || w.known > 0 && w.logic && w.names == 0)
		}
	}
	w.count(t)
	w.compare(t)
	w.compared, w.joined, w.last = false, false, *t
	w.state = sqlHave
	return true
}

func (w *sqlWalk) count(t *sqlToken) {
	w.operands++
	switch t.kind {
	case sqlNumber:
		w.numbers++
	case sqlName:
		w.names++
	case sqlVar:
		w.literals++
		w.vars++
	case sqlString, sqlBool:
		w.literals++
	case sqlOpen:
		w.tail = t.from
	}
}

// compare looks at an operand that follows a comparison, or AND and OR: a condition that is always true, or that the text brought
// along, is what an attack is for.
func (w *sqlWalk) compare(t *sqlToken) {
	value := t.kind == sqlNumber || t.kind == sqlString || t.kind == sqlOpen
	if w.fragment && w.compared && w.operands == 2 && value && (w.last.kind == t.kind || w.last.kind == sqlString) {
		w.strong = true // OR 2 > 1, behind a number
	}
	same := w.compared && value && w.last.kind == t.kind && strings.Trim(w.r.s[w.last.from:w.last.to], `'"`) == strings.Trim(w.r.s[t.from:t.to], `'"`)
	switch {
	case w.logic && same && t.kind == sqlNumber: // OR 1=1
	case w.joined && t.kind == sqlBool && w.bareLiterals(): // 1 OR TRUE
	case w.logic && w.compared && (w.quote != 0 || w.known > 0): // ' OR a=b, OR sleep(1)=0
	default:
		return
	}
	w.strong = w.strong || w.quote == 0 || w.few(3) && (t.kind != sqlOpen || fewWords(w.r.s[t.from:], 3))
}

// bareLiterals: all operands so far are literals, a number among them, or the text broke out of a string. "True or false" is prose.
func (w *sqlWalk) bareLiterals() bool {
	return w.quote != 0 || w.names == 0 && w.operands > 1 && w.numbers > 0
}

func (w *sqlWalk) operator(t *sqlToken) bool {
	word := sqlWordByte(w.r.s[t.from])
	switch w.state {
	case sqlStart:
		if t.kind == sqlOp && word {
			return w.die(false)
		}
	case sqlNotOp:
		if t.kind == sqlCompare {
			w.state = sqlHave
		}
	case sqlWant, sqlVerbs, sqlByWord:
		switch {
		case t.kind == sqlCompare && w.prev.kind == sqlCompare: // SOUNDS LIKE
			return true
		case w.peek() == '(' && word: // a function of that name
			w.state = sqlHave
			return true
		}
		return w.die(w.clause)
	}
	if t.kind == sqlCompare {
		w.compares++
		w.compared = true
	}
	w.state = sqlWant
	if fold(w.r.s[t.from:t.to], "in") && t.to-t.from == 2 && w.word("BOOLEAN") && w.word("MODE") {
		w.state = sqlHave
	}
	return true
}

func (w *sqlWalk) not() bool {
	switch w.state {
	case sqlHave:
		w.state = sqlNotOp
		if w.prev.kind == sqlCompare { // IS NOT
			w.state = sqlWant
		}
	case sqlStart, sqlWant:
		w.state = sqlWant
	default:
		return w.die(false)
	}
	return true
}

// function takes a keyword that a parenthesis follows for the name of a function.
func (w *sqlWalk) function(t *sqlToken) bool {
	if w.peek() != '(' {
		return false
	}
	w.operands++
	w.names++
	w.known++
	w.state = sqlHave
	t.kind = sqlName
	return true
}

// open takes a parenthesis: around an expression, or after the name of a function.
func (w *sqlWalk) open(t *sqlToken) bool {
	switch {
	case w.state == sqlHave && w.quote != 0 && w.prev.kind == sqlEnd: // '…' (SELECT …)
	case w.state == sqlHave && w.prev.kind != sqlName && w.prev.kind != sqlCompare && w.prev.kind != sqlOp && w.prev.kind != sqlVerb:
		return w.die(w.clause)
	case w.state == sqlHave:
		w.calls++
		w.names--
		name := w.r.s[w.prev.from:w.prev.to]
		if w.prev.kind == sqlName && sqlKnown(name) {
			w.known++
		}
		if sqlWeapon(name) {
			w.strong = w.quote != 0 && w.valueBefore() || w.logic || w.fragment || w.names == 0 && w.operands == 1
		}
	case w.state == sqlVerbs || w.state == sqlByWord || w.state == sqlNotOp:
		return w.die(false)
	}
	w.depth++
	w.state = sqlWant
	if w.r.s[t.from] == '{' { // {ts 1}
		at := w.r.i
		if w.r.next().kind != sqlName {
			w.r.i = at
		}
	}
	return true
}

// peek is the next character that is no space, 0 at the end.
func (w *sqlWalk) peek() byte {
	for i := w.r.i; i < len(w.r.s); {
		n := sqlSpace(w.r.s, i)
		if n == 0 {
			return w.r.s[i]
		}
		i += n
	}
	return 0
}

// word consumes the next token if it is this word.
func (w *sqlWalk) word(want string) bool {
	at := w.r.i
	if t := w.r.next(); strings.EqualFold(w.r.s[t.from:t.to], want) {
		return true
	}
	w.r.i = at
	return false
}
