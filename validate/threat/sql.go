package threat

import (
	"strings"

	libinjection "github.com/corazawaf/libinjection-go"
)

// SQL tells whether a text would change a statement into which it were pasted: as a number, or between quotes. Each reading is
// followed by an automaton through the grammar until it dies, which prose and code do within a few words; a text that
// survives and takes over the statement is flagged, and one that merely survives if libinjection also flags it.
func SQL(s string) Class { return layers(s, sqlLayer) }

func sqlLayer(s string) Class {
	alive := -1
	judge := func(from int, quote byte) bool {
		w := sqlWalk{r: sqlReader{s: s, i: from}, quote: quote, prefix: from}
		if quote != 0 {
			w.state = sqlHave
		}
		w.run()
		if w.strong {
			return true
		}
		if w.dead {
			return false
		}
		if w.plausible() && alive < 0 {
			alive = from
		}
		return false
	}
	if judge(0, 0) {
		return SQLI
	}
	for _, quote := range [2]byte{'\'', '"'} {
		first := strings.IndexByte(s, quote)
		if first < 0 {
			continue
		}
		end := sqlClose(s, 0, quote, false)
		if end >= 0 && judge(end+1, quote) {
			return SQLI
		}
		if first != end && judge(first+1, quote) { // a doubled quote ends a string of the other kind of quoting
			return SQLI
		}
		if escaped := sqlClose(s, 0, quote, true); escaped >= 0 && escaped != end && judge(escaped+1, quote) {
			return SQLI
		}
	}
	if columns, union := sqlUnionIn(s); columns {
		return SQLI
	} else if union && alive < 0 {
		alive = 0
	}
	if alive < 0 {
		return None
	}
	s = s[max(0, alive-64):] // what comes before does not matter to it, and costs time
	if found, _ := libinjection.IsSQLi(s[:min(len(s), maxDecode)]); found {
		return SQLI
	}
	return None
}

type sqlState uint8

const (
	sqlStart  sqlState = iota
	sqlWant            // an operand
	sqlHave            // an operand was read
	sqlVerbs           // after a semicolon
	sqlNotOp           // after NOT between operands
	sqlByWord          // after ORDER or GROUP
)

// sqlWalk follows one reading of a text.
type sqlWalk struct {
	r      sqlReader
	quote  byte // the string that the text broke out of; 0: none
	prefix int  // where the reading begins
	state  sqlState

	dead, strong              bool
	logic, clause, comment    bool
	fragment                  bool // begins with an operator or a clause
	compares, calls, numbers  int
	operands, names           int
	known, cases, froms, vars int
	commas, literals, depth   int // commas: outside of parentheses
	hidden                    int // where a comment begins
	tail                      int // where a string begins that the statement closes; 0: none
}

func (w *sqlWalk) run() {
	prev, last := sqlToken{kind: sqlEnd}, sqlToken{kind: sqlEnd} // last: the operand of a comparison
	var compared, logical bool
	for {
		t := w.r.next()
		switch t.kind {
		case sqlEnd:
			return
		case sqlComment:
			w.comment = true
			if w.state == sqlHave && w.logic && w.compares > 0 {
				w.strong = w.strong || w.numbers > 0
			}
			w.hidden = t.from
			if w.quote != 0 && w.operands == 0 && w.state == sqlHave && !strings.HasPrefix(w.r.s[t.from:], "/*") &&
				strings.Trim(w.r.s[t.from:min(len(w.r.s), t.from+16)], "-#+ ") == "" && sqlWords(w.r.s[:w.prefix], 2) {
				w.strong = true // admin' --
			}
			nl := strings.IndexByte(w.r.s[t.from:], '\n')
			if nl < 0 || strings.HasPrefix(w.r.s[t.from:], "/*") {
				return
			}
			if w.state == sqlHave && (w.numbers+w.literals > 0 || w.quote != 0 && w.operands == 0) {
				w.clause = true
				return
			}
			w.r.i = t.from + nl
			continue
		case sqlNumber, sqlString, sqlOpen, sqlName, sqlVar, sqlBool:
			if w.state != sqlStart && w.state != sqlWant {
				if w.state == sqlVerbs && w.quote != 0 && t.kind == sqlName && w.peek() == ':' { // a label
					w.r.i = w.r.i + strings.IndexByte(w.r.s[w.r.i:], ':') + 1
					break
				}
				if w.quote == 0 || w.state != sqlHave || t.kind != sqlString || prev.kind != sqlEnd && prev.kind != sqlString { // 'a' 'b' is one string
					w.dead = !w.clause && (w.known == 0 || !w.logic || w.names > 0)
					return
				}
			}
			w.operand(t)
			if w.fragment && compared && w.operands == 2 && (t.kind == sqlNumber || t.kind == sqlString || t.kind == sqlOpen) && (last.kind == t.kind || last.kind == sqlString) {
				w.strong = true // OR 2 > 1, to be put behind a number
			}
			same := compared && last.kind == t.kind && (t.kind == sqlNumber || t.kind == sqlString || t.kind == sqlOpen) &&
				sqlBare(w.r.s[last.from:last.to]) == sqlBare(w.r.s[t.from:t.to])
			if w.logic && same && t.kind == sqlNumber || logical && t.kind == sqlBool && w.bareLiteral() || w.quote != 0 && w.logic && compared ||
				w.logic && compared && w.known > 0 {
				w.strong = w.strong || w.quote == 0 || sqlWords(w.r.s[:w.prefix], 3) && (t.kind != sqlOpen || sqlWords(w.r.s[t.from:], 3))
			}
			compared, logical, last = false, false, t
			w.state = sqlHave
		case sqlCompare, sqlOp:
			if w.state == sqlStart && t.kind == sqlOp && sqlWordByte(w.r.s[t.from]) {
				w.dead = true
				return
			}
			if w.state == sqlNotOp && t.kind == sqlCompare {
				w.state = sqlHave
			}
			if w.state == sqlWant || w.state == sqlVerbs || w.state == sqlByWord {
				if t.kind == sqlCompare && prev.kind == sqlCompare { // SOUNDS LIKE
					break
				}
				if w.peek() == '(' && sqlWordByte(w.r.s[t.from]) {
					w.state = sqlHave
					break
				}
				w.dead = !w.clause
				return
			}
			if t.kind == sqlCompare {
				w.compares++
				compared = true
			}
			w.state = sqlWant
			if t.to-t.from == 2 && w.r.s[t.from]|0x20 == 'i' && w.word("BOOLEAN") && w.word("MODE") {
				w.state = sqlHave
			}
		case sqlSign:
			if w.state == sqlVerbs || w.state == sqlNotOp || w.state == sqlByWord {
				w.dead = true
				return
			}
			w.state = sqlWant
		case sqlStar:
			if w.state == sqlHave || w.state == sqlStart {
				w.state = sqlWant
			} else {
				w.state = sqlHave
			}
		case sqlLogic:
			if w.state != sqlHave && w.state != sqlStart {
				w.dead = !w.clause
				return
			}
			w.fragment = w.fragment || w.state == sqlStart
			w.logic, logical = true, true
			w.state = sqlWant
		case sqlNot:
			switch w.state {
			case sqlHave:
				w.state = sqlNotOp
				if prev.kind == sqlCompare {
					w.state = sqlWant
				}
			case sqlStart, sqlWant:
				w.state = sqlWant
			default:
				w.dead = true
				return
			}
		case sqlPrefix:
			if w.state == sqlHave {
				w.dead = !w.clause
				return
			}
			w.state = sqlWant
		case sqlCase:
			w.cases++
			if w.cases > 1 && w.compares > 0 || w.cases > 2 {
				w.clause = true
				return
			}
			w.state = sqlWant
		case sqlSuffix:
			if w.state != sqlHave {
				if w.peek() == '(' {
					w.operand(sqlToken{sqlName, t.from, t.to})
					w.known++
					w.state = sqlHave
					t.kind = sqlName
					break
				}
				w.dead = true
				return
			}
		case sqlUnion:
			w.union()
			return
		case sqlSelect:
			if w.state == sqlHave && prev.kind != sqlRight && w.operands > 0 {
				w.dead = !w.clause
				return
			}
			w.clause = true
			return
		case sqlBy:
			if w.state != sqlHave && w.state != sqlStart {
				w.dead = true
				return
			}
			start := w.state == sqlStart
			w.state = sqlByWord
			if !w.word("BY") {
				w.dead = true
				return
			}
			w.clause = true
			if w.numbers > 0 || w.quote != 0 || start {
				n := w.r.next()
				w.strong = n.kind == sqlNumber && (w.shortPrefix() || w.quote == 0)
			}
			return
		case sqlClause, sqlFrom:
			if c := w.peek(); w.state == sqlStart && t.kind == sqlClause && c >= '0' && c <= '9' {
				w.fragment = true
			} else if w.state != sqlHave || w.quote == 0 && w.numbers+w.literals == 0 && w.calls == 0 && prev.kind != sqlRight && !(t.kind == sqlClause && (c == '(' || c >= '0' && c <= '9')) {
				w.dead = true
				return
			}
			w.froms++
			w.clause = w.clause || t.kind == sqlClause || w.froms > 1
			w.state = sqlWant
		case sqlVerb, sqlBatch:
			if w.state == sqlHave && t.kind != sqlBatch && !w.setsNext(t) && (w.quote == 0 || w.operands > 0 || !w.shortPrefix() || !w.block(t)) || w.state == sqlWant {
				if w.peek() == '(' { // IF(…), REPLACE(…)
					w.operand(sqlToken{sqlName, t.from, t.to})
					w.state = sqlHave
					break
				}
				w.dead = true
				return
			}
			w.verb(t)
			return
		case sqlLeft:
			switch {
			case w.state == sqlHave && w.quote != 0 && prev.kind == sqlEnd: // '…' (SELECT …)
			case w.state == sqlHave && prev.kind != sqlName && prev.kind != sqlCompare && prev.kind != sqlOp && prev.kind != sqlVerb:
				w.dead = !w.clause
				return
			case w.state == sqlHave:
				w.calls++
				w.names--
				if prev.kind == sqlName && sqlKnown(w.r.s[prev.from:prev.to]) {
					w.known++
				}
				if w.r.s[prev.from] < 0x80 && sqlWeapon(w.r.s[prev.from:prev.to]) {
					w.strong = w.quote != 0 && w.shortPrefix() || w.logic || w.fragment || w.names == 0 && w.operands == 1
				}
			case w.state == sqlVerbs || w.state == sqlByWord || w.state == sqlNotOp:
				w.dead = true
				return
			}
			w.depth++
			w.state = sqlWant
			if w.r.s[t.from] == '{' { // {ts 1}
				at := w.r.i
				if w.r.next().kind != sqlName {
					w.r.i = at
				}
			}
		case sqlRight:
			w.depth--
			if w.state == sqlWant && prev.kind != sqlLeft && prev.kind != sqlStar {
				w.dead = true
				return
			}
			w.state = sqlHave
		case sqlComma:
			if w.state != sqlHave {
				w.dead = true
				return
			}
			if w.depth == 0 {
				w.commas++
			}
			w.state = sqlWant
		case sqlSemi:
			if w.state == sqlWant {
				w.dead = true
				return
			}
			w.state = sqlVerbs
		default:
			w.dead = true
			return
		}
		prev = t
	}
}

// setsNext reports whether t begins an UPDATE … SET without a semicolon before it, which batches of SQL Server do not need.
func (w *sqlWalk) setsNext(t sqlToken) bool {
	r := w.r
	return strings.EqualFold(r.s[t.from:t.to], "update") && r.next().kind == sqlName && strings.EqualFold(func() string { n := r.next(); return r.s[n.from:n.to] }(), "set")
}

// block reports whether t begins what takes the place of an operand that broke off.
func (w *sqlWalk) block(t sqlToken) bool {
	word := w.r.s[t.from:t.to]
	return strings.EqualFold(word, "begin") || strings.EqualFold(word, "if")
}

func sqlBare(s string) string { return strings.Trim(s, `'"`) }

func (w *sqlWalk) operand(t sqlToken) {
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

// bareLiteral: all operands before are literals (1 or true), or the text broke out of a string.
func (w *sqlWalk) bareLiteral() bool { return w.quote != 0 || w.names == 0 && w.operands > 1 }

func (w *sqlWalk) peek() byte {
	for i := w.r.i; i < len(w.r.s); i++ {
		if !sqlSpace(w.r.s, i) {
			return w.r.s[i]
		}
	}
	return 0
}

// word consumes the next token if it is this word.
func (w *sqlWalk) word(want string) bool {
	at := w.r.i
	t := w.r.next()
	if strings.EqualFold(w.r.s[t.from:t.to], want) {
		return true
	}
	w.r.i = at
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

// verb judges a statement of its own.
func (w *sqlWalk) verb(t sqlToken) {
	stacked := w.state == sqlVerbs
	w.clause = true
	next := w.r.next()
	if next.kind == sqlLeft && t.kind == sqlVerb && !(w.state == sqlStart && w.block(t)) && (!stacked || w.quote == 0 && w.numbers == 0 && !w.block(t)) {
		w.dead = true
		return
	}
	object := w.r.s[next.from:next.to]
	is := func(words ...string) bool {
		for _, x := range words {
			if strings.EqualFold(object, x) {
				return true
			}
		}
		return false
	}
	switch strings.ToUpper(w.r.s[t.from:min(t.to, t.from+16)]) {
	case "DROP", "CREATE", "ALTER", "TRUNCATE":
		w.strong = is("TABLE", "DATABASE", "USER", "VIEW", "INDEX", "SCHEMA", "PROCEDURE", "FUNCTION", "LOGIN", "ROLE", "TRIGGER")
	case "DO":
		w.strong = next.kind == sqlLeft && w.numbers > 0 && w.operands == w.numbers
	case "INSERT":
		w.strong = is("INTO")
	case "DELETE":
		w.strong = is("FROM")
	case "UPDATE":
		w.strong = next.kind == sqlName && w.word("SET")
	case "WAITFOR":
		w.strong = is("DELAY", "TIME")
	case "DECLARE":
		w.strong = next.kind == sqlVar
	case "SHUTDOWN":
		w.strong = next.kind == sqlEnd || next.kind == sqlComment
	case "EXEC", "EXECUTE":
		w.strong = next.kind == sqlLeft || next.kind == sqlName && strings.ContainsAny(object, "_.")
	}
	if t.kind == sqlBatch && !stacked && w.operands == w.names && w.quote == 0 && !w.strong {
		w.dead = true
		return
	}
	if w.state == sqlStart && !w.strong { // a sentence, unless it goes on like a statement
		if w.block(t) && w.r.s[t.from]|0x20 == 'i' { // IF((SELECT …
			n := next
			for n.kind == sqlLeft {
				n = w.r.next()
			}
			w.dead = n.kind != sqlSelect
			return
		}
		w.dead = next.kind == sqlLeft || next.kind == sqlName && t.kind == sqlVerb && w.r.s[t.from]|0x20 != 'b' || next.kind == sqlString || next.kind == sqlOp || next.kind == sqlLogic
	}
	w.strong = w.strong && (stacked || w.state == sqlHave || t.kind == sqlBatch) && (w.quote == 0 || w.shortPrefix())
}

// sqlWeapon names the functions whose only use in an input is to wait, to read files or to leak through errors.
func sqlWeapon(name string) bool {
	if len(name) < 5 || len(name) > 24 {
		return false
	}
	switch strings.ToLower(name) {
	case "sleep", "benchmark", "pg_sleep", "load_file", "extractvalue", "updatexml", "randomblob", "load_extension", "xp_cmdshell",
		"dbms_pipe.receive_message", "utl_http.request", "utl_inaddr.get_host_address":
		return true
	}
	return false
}

// shortPrefix: what stands before the quote looks like a value, not like a sentence.
func (w *sqlWalk) shortPrefix() bool { return sqlWords(w.r.s[:w.prefix], 5) }

// sqlWords reports whether s has at most n words.
func sqlWords(s string, n int) bool {
	in := false
	for i := 0; i < len(s); i++ {
		if space := s[i] <= ' '; !space && !in {
			if n--; n < 0 {
				return false
			}
			in = true
		} else if space {
			in = false
		}
	}
	return true
}

// plausible decides whether a reading that survived is worth a second opinion.
func (w *sqlWalk) plausible() bool {
	if w.clause {
		return true
	}
	if w.quote == 0 {
		return w.logic && w.numbers+w.known+w.literals > 0 || w.commas == 0 && (w.known > 1 || w.compares+w.numbers+w.literals > 0 && w.known > 0) || w.compares*w.known > 0 || w.vars*w.compares > 0 ||
			w.comment && w.names == 0 && w.commas == 0 || w.comment && w.known > 0
	}
	if !w.logic { // code, as in split('/'): no value ends like this
		if before := strings.TrimRight(w.r.s[:w.prefix-1], " \t"); before != "" && strings.IndexByte("(=[{,:>+", before[len(before)-1]) >= 0 {
			return false
		}
	}
	if w.comment && !w.logic {
		return sqlWords(w.r.s[:w.prefix], 3) && sqlWords(w.r.s[w.hidden:], 3)
	}
	if w.prefix > 33 && !w.logic || !sqlWords(w.r.s[:w.prefix], 3) {
		return false
	}
	return w.tail == 0 || len(w.r.s)-w.tail <= 33 && sqlWords(w.r.s[w.tail:], 4)
}

// sqlKnown names functions that take data apart or tell about the server: what an attack is made of, and no prose.
func sqlKnown(name string) bool {
	if len(name) < 2 || len(name) > 24 {
		return false
	}
	if sqlWeapon(name) {
		return true
	}
	switch strings.ToLower(name) {
	case "ascii", "substring", "substr", "mid", "version", "database", "hex", "unhex", "concat", "concat_ws", "group_concat", "char", "chr", "ord",
		"length", "conv", "compress", "uncompress", "convert", "cast", "count", "current_user", "session_user", "system_user", "user", "schema", "md5", "sha1",
		"elt", "ifnull", "iif", "charset", "coercibility", "connection_id", "find_in_set", "coalesce", "row_count", "make_set", "lpad", "rpad", "strcmp", "nullif", "if", "floor", "rand", "pi", "isnull", "aes_decrypt",
		"aes_encrypt", "bin", "json_keys", "xmltype", "ctxsys.drithsx.sn", "procedure", "hex2dec", "sqlite_version", "unicode", "db_name", "host_name", "is_srvrolemember":
		return true
	}
	return false
}

// sqlUnionIn finds a UNION SELECT of constants anywhere in a text that is no query itself: nobody writes one but to probe for columns.
func sqlUnionIn(s string) (columns, union bool) {
	for i := 0; i+12 < len(s); i++ {
		j := strings.IndexByte(s[i:], 'n')
		if k := strings.IndexByte(s[i:min(len(s), i+max(j, 0)+1)], 'N'); j < 0 || k >= 0 {
			if j < 0 {
				k = strings.IndexByte(s[i:], 'N')
			}
			j = k
		}
		if j < 0 {
			return false, union
		}
		i += j
		if i == 0 || s[i-1]|0x20 != 'u' || i+4 > len(s) || !strings.EqualFold(s[i-1:i+4], "union") || i > 1 && sqlWordByte(s[i-2]) && (s[i-2] < '0' || s[i-2] > '9') {
			continue
		}
		r := sqlReader{s: s, i: i - 1}
		t := r.next()
		if t.kind != sqlUnion {
			continue
		}
		for t = r.next(); t.kind == sqlLeft || t.kind == sqlPrefix; t = r.next() {
		}
		if t.kind != sqlSelect {
			continue
		}
		for t = r.next(); t.kind == sqlLeft || t.kind == sqlSign || t.kind == sqlPrefix; t = r.next() {
		}
		switch t.kind {
		case sqlNumber, sqlBool, sqlString, sqlOpen, sqlVar:
			return true, true
		case sqlName:
			if sqlKnown(s[t.from:t.to]) {
				return true, true
			}
			union = true
		case sqlStar:
			union = true
		}
	}
	return false, union
}
